#include "chain.h"

/* Cycles of a vector FMA in register tiles, of a byte that passes the second-level cache on its way out and back, of a
 * band that begins anew. */
static const double fma_cycles = 0.5 / 0.82, byte_cycles = 2 * 0.6 / 8, band_cycles = 1000;
/* Second-level caches that the tensors fill before a chain pays, and the share of one that a band may take. */
static const double caches_filled = 1.5, cache_share = 0.6;

static const Type *weight_of(const Graph *g, Ref conv) { return &graph_node(g, graph_node(g, conv)->in[1])->type; }

static bool is_conv(const Graph *g, Ref r) { return r && graph_node(g, r)->op == OP_conv; }

bool chain_is_window(const Graph *g, Ref conv) {
    return is_conv(g, conv) && graph_node(g, conv)->attr.conv.groups == weight_of(g, conv)->dim[0] &&
           weight_of(g, conv)->dim[1] == 1 && weight_of(g, conv)->dim[0] > 1;
}

bool chain_may_begin(const Graph *g, Ref conv) {
    return is_conv(g, conv) && graph_node(g, conv)->attr.conv.groups == 1;
}

bool chain_may_end(const Graph *g, Ref conv) {
    if (!is_conv(g, conv)) return false;
    const ConvAttr *a = &graph_node(g, conv)->attr.conv;
    bool point = a->groups == 1;
    for (int d = 0; d < 2; d++) point = point && a->kernel[d] == 1 && a->stride[d] == 1;
    for (int i = 0; i < 4; i++) point = point && a->pad[i] == 0;
    return point;
}

int64_t chain_reads(const ConvAttr *a, int64_t rows) {
    return (rows - 1) * a->stride[0] + (int64_t)(a->kernel[0] - 1) * a->dilation[0] + 1;
}

/* Of one row, halo and all. */
static double row_bytes(const Type *t, int32_t lanes) {
    double columns = t->dim[3] + t->layout.halo.left + t->layout.halo.right;
    return columns * 4 * (double)round_up(t->dim[1], lanes);
}

static double row_cycles(const Graph *g, Ref conv, int32_t lanes) {
    if (!conv) return 0;
    const Node *n = graph_node(g, conv);
    return (double)node_macs(g, n) / n->type.dim[2] / lanes * fma_cycles;
}

int64_t chain_rows(const Graph *g, const Chain *c, const Machine *m) {
    const Node *window = graph_node(g, c->window);
    const Type *y = &window->type, *x = &graph_node(g, window->in[0])->type;
    double x_row = c->before ? row_bytes(x, m->vector_lanes) : 0, y_row = c->after ? row_bytes(y, m->vector_lanes) : 0;
    double before = row_cycles(g, c->before, m->vector_lanes), l2 = (double)m->cache_bytes[1];
    double rest = row_cycles(g, c->window, m->vector_lanes) + row_cycles(g, c->after, m->vector_lanes);
    double apart = before * x->dim[2] + rest * y->dim[2] + (x_row * x->dim[2] + y_row * y->dim[2]) * byte_cycles;
    int64_t best = 0;
    double all = row_bytes(x, m->vector_lanes) * x->dim[2] + row_bytes(y, m->vector_lanes) * y->dim[2];
    if (all <= caches_filled * l2) return 0;
    for (int64_t rows = 1; rows < y->dim[2]; rows++) {
        double reads = (double)chain_reads(&window->attr.conv, rows), bands = (double)y->dim[2] / (double)rows;
        if (y->dim[2] % rows || reads * x_row + (double)rows * y_row > cache_share * l2) continue;
        double uneven = (double)div_up((int64_t)bands, 2) * 2 / bands; /* two threads */
        double cycles = (bands * (reads * before + band_cycles) + rest * y->dim[2]) * uneven;
        if (cycles >= apart) continue;
        apart = cycles;
        best = rows;
    }
    return best;
}
