/* algorithm: how each convolution is computed.
 *
 * Needs gradients (they are rules of conv). Replaces a conv by the phases of Winograd's method (ir/winograd.h) where a model
 * of its cost says that this is faster. Inference only: training would transform the weights in every step. Before order,
 * because the phases are nodes like any other; before layout, because their operands have halos of their own.
 *
 * The cost of a layer is cycles of one core for one call: vector FMAs at the rate that register tiles reach, transforms by
 * the tile, weights that come from memory (in a whole net they have left the caches since the last call), and transformed
 * tensors that come from the third-level cache. Fetching and computing overlap in part. Calls have as many pictures as
 * the command line says (--batch). */
#include "pass.h"

#include "../ir/winograd.h"

/* Cycles of a vector FMA (two a cycle, at the share of the peak that tiles reach), of a byte from memory and from the
 * third-level cache, of a step with its barrier; measured on a Xeon of 3.7 GHz: 16 and 29 GB/s a core. */
static const double fma_cycles = 0.5 / 0.85, memory_cycles = 0.23, far_cycles = 0.125, step_cycles = 4000;

typedef struct Layer {
    const Graph *g;
    const ConvAttr *conv;
    const Type *x, *y;
    double lanes, in_blocks, out_blocks, l2, pictures; /* l2: bytes */
} Layer;

typedef struct Choice {
    WinogradAttr winograd; /* tile 0: direct */
    double cycles;
} Choice;

/* The longer of the two and half of the shorter. */
static double overlapped(double a, double b) { return a > b ? a + b / 2 : b + a / 2; }

static double direct_cycles(const Layer *l) {
    double taps = (double)l->conv->kernel[0] * l->conv->kernel[1], pixels = (double)l->y->dim[2] * l->y->dim[3];
    double weights = l->out_blocks * l->in_blocks * l->lanes * taps; /* vectors */
    return overlapped(weights * pixels * l->pictures * fma_cycles, weights * l->lanes * 4 * memory_cycles) + step_cycles;
}

/* Transforms of one tile and block of channels: vector operations, of which two run in a cycle, loads and stores
 * likewise. */
static double transform_cycles(double side, double results) {
    return (side * (side + results) * side * 0.5 + side * side + results * results) / 1.6;
}

static double winograd_cycles(const Layer *l, const WinogradAttr *a) {
    double side = a->tile + a->kernel - 1, taps = side * side, rows = (double)div_up(a->out[1], a->tile);
    double across = (double)div_up(a->out[2], a->tile), tiles = rows * across * l->pictures;
    double weights = taps * l->out_blocks * l->in_blocks * l->lanes; /* vectors */
    double bytes = weights * l->lanes * 4, tile_bytes = taps * l->lanes * 4;
    double in = tiles * l->in_blocks, out = tiles * l->out_blocks, product = weights * tiles * fma_cycles;
    double transforms = in * transform_cycles(side, side) + out * transform_cycles(side, a->tile);
    double fetch = bytes * memory_cycles;
    if (!a->band)
        return overlapped(product, fetch + 2 * (in + out) * tile_bytes * far_cycles) + transforms + 3 * step_cycles;
    double bands = rows / a->band, held = a->band * across * l->in_blocks * tile_bytes;
    if (held > 0.5 * l->l2) return 1e30;
    if (bytes > 0.5 * l->l2) fetch += bytes * (bands * l->pictures - 1) * far_cycles;
    double tasks = bands * l->pictures, uneven = (double)div_up((int64_t)tasks, 2) * 2 / tasks; /* two threads */
    return (overlapped(product, fetch) + transforms) * uneven + step_cycles;
}

static void consider(const Layer *l, WinogradAttr a, Choice *best) {
    double cycles = winograd_cycles(l, &a);
    if (cycles < best->cycles) *best = (Choice){a, cycles};
}

static bool may_transform(const Layer *l) {
    const ConvAttr *a = l->conv;
    bool square = a->kernel[0] == a->kernel[1] && a->stride[0] == 1 && a->stride[1] == 1 && a->dilation[0] == 1 &&
                  a->dilation[1] == 1 && a->groups == 1;
    for (int i = 0; i < 4; i++) square = square && a->pad[i] < a->kernel[0];
    return square && l->x->dim[1] >= 8 && l->y->dim[1] >= 8;
}

static Choice choose(const Layer *l, WinogradUse use) {
    Choice best = {.cycles = use == WINOGRAD_ALWAYS ? 1e30 : direct_cycles(l)};
    if (use == WINOGRAD_NEVER || !may_transform(l)) return best;
    for (int32_t tile = 2; tile <= 4; tile++) {
        WinogradMatrices ignored;
        WinogradAttr a = {.tile = tile,
                          .kernel = l->conv->kernel[0],
                          .pad = {l->conv->pad[0], l->conv->pad[2]},
                          .out = {l->y->dim[1], l->y->dim[2], l->y->dim[3]}};
        if (!winograd_matrices(tile, a.kernel, &ignored)) continue;
        int64_t rows = div_up(a.out[1], tile);
        consider(l, a, &best);
        for (a.band = 1; a.band <= rows; a.band++)
            if (rows % a.band == 0) consider(l, a, &best);
    }
    return best;
}

static void replace(Graph *g, Ref conv, const WinogradAttr *winograd) {
    Attr attr = {.winograd = *winograd};
    const Node *n = graph_node(g, conv);
    Ref x = n->in[0], w = n->in[1];
    Ref u = graph_op1(g, OP_winograd_weight, w, &attr, conv), v = graph_op1(g, OP_winograd_input, x, &attr, conv);
    Ref m = graph_op2(g, OP_winograd_product, v, u, &attr, conv);
    graph_replace(g, conv, graph_op1(g, OP_winograd_output, m, &attr, conv));
}

/* The picture itself is read plain. */
static bool is_picture(const Graph *g, Ref r) { return graph_node(g, r)->op == OP_input; }

void pass_algorithm(Unit *u, Entry entry) {
    Graph *g = u->graph[entry];
    if (entry != ENTRY_INFER) return;
    double lanes = u->machine->vector_lanes;
    for (int32_t i = 1, n = g->n_node; i < n; i++) {
        const Node *conv = graph_node(g, (Ref)i);
        if (conv->op != OP_conv || is_picture(g, conv->in[0])) continue;
        Layer l = {.g = g,
                   .conv = &conv->attr.conv,
                   .x = &graph_node(g, conv->in[0])->type,
                   .y = &conv->type,
                   .lanes = lanes,
                   .l2 = (double)u->machine->cache_bytes[1],
                   .pictures = u->opt->batch > 0 ? u->opt->batch : 1};
        l.in_blocks = (double)div_up(l.x->dim[1], u->machine->vector_lanes);
        l.out_blocks = (double)div_up(l.y->dim[1], u->machine->vector_lanes);
        Choice c = choose(&l, u->opt->winograd);
        if (c.winograd.tile) replace(g, (Ref)i, &c.winograd);
    }
}
