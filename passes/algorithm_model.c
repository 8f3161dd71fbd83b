/* The cost of a layer is cycles of one core for one call: vector FMAs at the rate that register tiles reach, transforms
 * by the tile, weights that come from memory (in a whole net they have left the caches since the last call), and
 * transformed tensors that come from the second- or the third-level cache. Fetching and computing overlap in part. */
#include "algorithm_model.h"

#include "../ir/shape.h"
#include "../ir/winograd.h"

/* The share of the FMAs' rate that register tiles reach, and those of stored products whose points are one tile, so
 * that weights never come from the first-level cache; cycles of a step with its barrier; measured on a Xeon. */
static const double tile_share = 0.85, lone_tile_share = 0.7, step_cycles = 4000;
static const double never = 1e30;

/* The longer of the two and a share of the shorter. */
static double overlapped(double a, double b, double share) { return a > b ? a + b * share : b + a * share; }

/* What of fetching shows beside computing, as measured. */
static const double fetch_share = 0.2;

/* Are so many points of a product one register tile? */
static bool is_lone(const ConvProblem *p, double points) { return points <= p->machine->vector_registers / 2; }

/* Weights stream past a lone tile, and come panel by panel where several share them; of one tile and a rest the first
 * waits for all of them. */
static double product_share(const ConvProblem *p, double points) {
    return !is_lone(p, points) && points < p->machine->vector_registers - 4 ? 0.75 : fetch_share;
}

static double blocks_of(const ConvProblem *p, const Type *t) {
    return (double)div_up(t->dim[1], p->machine->vector_lanes);
}

static double fma_cycles(const ConvProblem *p, double share) { return machine_fma_cycles(p->machine) / share; }
static double memory_cycles(const ConvProblem *p) { return machine_byte_cycles(p->machine, 2); }
static double far_cycles(const ConvProblem *p) { return machine_byte_cycles(p->machine, 1); }

static double direct_cycles(const ConvProblem *p) {
    double taps = (double)p->conv->kernel[0] * p->conv->kernel[1], pixels = (double)p->y->dim[2] * p->y->dim[3];
    double lanes = p->machine->vector_lanes,
           weights = blocks_of(p, p->y) * blocks_of(p, p->x) * lanes * taps; /* vectors */
    weights /= p->conv->groups;
    return overlapped(weights * pixels * p->pictures * fma_cycles(p, tile_share),
                      weights * lanes * 4 * memory_cycles(p), fetch_share) +
           step_cycles;
}

/* Transforms of one tile and block of channels: vector operations, of which two run in a cycle, loads and stores; what
 * does not fit in registers comes on top. Measured with F(2,3) and F(4,3). */
static double transform_cycles(double side, double results) {
    return (side * (side + results) * side * 0.5 + side * side + results * results) * 1.25;
}

/* Transforms the weights, and writes them to memory that is fetched for it. */
static double weight_cycles(const ConvProblem *p, double side) {
    double blocks = blocks_of(p, p->x) * blocks_of(p, p->y) * p->machine->vector_lanes;
    double bytes = blocks * side * side * p->machine->vector_lanes * 4;
    return blocks * transform_cycles(side, p->conv->kernel[0]) + 2 * bytes * memory_cycles(p) + step_cycles;
}

/* Whether the transformed tensors keep the limits of all tensors; doubles, because they may be far beyond. */
static bool fits_limits(const ConvProblem *p, double taps, double tiles) {
    double lanes = p->machine->vector_lanes, in = blocks_of(p, p->x) * lanes, out = blocks_of(p, p->y) * lanes;
    double rows = taps * (double)round_up(p->y->dim[1], 16), numbers = (in > out ? in : out) * taps * tiles;
    return tiles <= INT32_MAX && rows <= INT32_MAX && numbers <= (double)MAX_ELEMENTS &&
           rows * in <= (double)MAX_ELEMENTS;
}

static double winograd_cycles(const ConvProblem *p, int32_t tile, int32_t band) {
    double lanes = p->machine->vector_lanes, side = tile + p->conv->kernel[0] - 1, taps = side * side;
    double rows = (double)div_up(p->y->dim[2], tile), across = (double)div_up(p->y->dim[3], tile);
    if (!fits_limits(p, taps, rows * across)) return never;
    double points = (band ? band : rows) * across; /* of a product */
    double in_blocks = blocks_of(p, p->x), out_blocks = blocks_of(p, p->y), tiles = rows * across * p->pictures;
    double weights = taps * out_blocks * in_blocks * lanes; /* vectors */
    double bytes = weights * lanes * 4, tile_bytes = taps * lanes * 4;
    double in = tiles * in_blocks, out = tiles * out_blocks,
           product = weights * tiles * fma_cycles(p, !band && is_lone(p, points) ? lone_tile_share : tile_share);
    double transforms = in * transform_cycles(side, side) + out * transform_cycles(side, tile);
    double fetch = bytes * memory_cycles(p), l2 = (double)p->machine->cache_bytes[1];
    if (!band) {
        double taps_bytes = (in + out) * tile_bytes;
        product += fetch_share * taps_bytes * machine_byte_cycles(p->machine, taps_bytes > 0.5 * l2);
        return overlapped(product, fetch, product_share(p, points)) + transforms + 3 * step_cycles;
    }
    double bands = rows / band, held = points * in_blocks * tile_bytes;
    if (held > 0.25 * l2) return never;
    if (bytes > 0.5 * l2) fetch += bytes * (bands * p->pictures - 1) * far_cycles(p);
    double tasks = bands * p->pictures, uneven = (double)div_up((int64_t)tasks, 2) * 2 / tasks; /* two threads */
    return (overlapped(product, fetch, product_share(p, points)) + transforms) * uneven + step_cycles;
}

double conv_cycles(const ConvProblem *p, int32_t tile, int32_t band) {
    if (!tile) return direct_cycles(p);
    return winograd_cycles(p, tile, band) + (p->fresh ? weight_cycles(p, tile + p->conv->kernel[0] - 1) : 0);
}

static bool may_transform(const ConvProblem *p) {
    const ConvAttr *a = p->conv;
    bool square = a->kernel[0] == a->kernel[1] && a->stride[0] == 1 && a->stride[1] == 1 && a->dilation[0] == 1 &&
                  a->dilation[1] == 1 && a->groups == 1;
    for (int i = 0; i < 4; i++) square = square && a->pad[i] < a->kernel[0];
    return square && !p->plain && p->x->dim[1] >= 8 && p->y->dim[1] >= 8;
}

/* Keeps the list sorted; of equals the first stays first. */
static void consider(const ConvProblem *p, int32_t tile, int32_t band, ConvChoice *out, int *n) {
    ConvChoice c = {tile, band, conv_cycles(p, tile, band)};
    if (c.cycles >= never || (*n == CONV_CHOICES && c.cycles >= out[*n - 1].cycles)) return;
    int at = *n < CONV_CHOICES ? (*n)++ : *n - 1;
    for (; at > 0 && out[at - 1].cycles > c.cycles; at--) out[at] = out[at - 1];
    out[at] = c;
}

int conv_choices(const ConvProblem *p, WinogradUse use, ConvChoice *out) {
    int n = 0;
    bool transform = use != WINOGRAD_NEVER && may_transform(p);
    if (use != WINOGRAD_ALWAYS || !transform) consider(p, 0, 0, out, &n);
    for (int32_t tile = 2; transform && tile <= 4; tile++) {
        WinogradMatrices ignored;
        if (!winograd_matrices(tile, p->conv->kernel[0], &ignored)) continue;
        int64_t rows = div_up(p->y->dim[2], tile);
        consider(p, tile, 0, out, &n);
        for (int32_t band = 1; band <= rows; band++)
            if (rows % band == 0) consider(p, tile, band, out, &n);
    }
    if (!n) out[n++] = (ConvChoice){0, 0, direct_cycles(p)}; /* there are no points for this kernel */
    return n;
}

ConvProblem conv_problem(const Unit *u, const Graph *g, Ref conv, int32_t pictures) {
    const Node *n = graph_node(g, conv), *x = graph_node(g, n->in[0]);
    return (ConvProblem){.conv = &n->attr.conv,
                         .x = &x->type,
                         .y = &n->type,
                         .plain = x->op == OP_input,
                         .transposed = n->op == OP_conv_dgrad,
                         .pictures = pictures,
                         .machine = u->machine};
}

Name conv_shape(const ConvProblem *p) {
    const ConvAttr *a = p->conv;
    return name_format("%dx%dx%d,%d,%dx%d,s%dx%d,d%dx%d,p%d.%d.%d.%d,g%d,n%d%s%s", p->x->dim[1], p->x->dim[2],
                       p->x->dim[3], p->y->dim[1], a->kernel[0], a->kernel[1], a->stride[0], a->stride[1],
                       a->dilation[0], a->dilation[1], a->pad[0], a->pad[1], a->pad[2], a->pad[3], a->groups,
                       p->pictures, p->transposed ? ",transposed" : "", p->fresh ? ",fresh" : "");
}
