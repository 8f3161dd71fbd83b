#include "chain.h"

#include <string.h>

#include "lower_maxpool.h"

/* The share of the FMAs' rate that register tiles reach: with several channel blocks, with one. */
static const double tile_share[] = {0.86, 0.62};
/* Of a vector on its way to the next convolution: in the second-level cache; between kernels, where it often has to
 * come from the cache of another core. Of the start of a kernel, with the wait for the last thread of the one before. */
static const double vector_cycles = 4, far_cycles = 12, kernel_cycles = 3000;
/* The share of the second-level cache that scratch memory may take. */
static const double cache_share = 0.6;
/* Bands overlap: more of them than threads cost more than they balance. */
enum { THREADS = 2 };

static const Type *weight_of(const Graph *g, Ref conv) { return &graph_node(g, graph_node(g, conv)->in[1])->type; }

static bool is_conv(const Graph *g, Ref r) { return r && graph_node(g, r)->op == OP_conv; }

static bool is_maxpool(const Graph *g, Ref r) { return r && graph_node(g, r)->op == OP_maxpool; }

bool chain_is_stage(const Graph *g, Ref node) { return is_conv(g, node) || is_maxpool(g, node); }

bool chain_is_window(const Graph *g, Ref node) {
    if (is_maxpool(g, node)) return maxpool_is_small(&graph_node(g, node)->attr.pool);
    return is_conv(g, node) && graph_node(g, node)->attr.conv.groups == weight_of(g, node)->dim[0] &&
           weight_of(g, node)->dim[1] == 1 && weight_of(g, node)->dim[0] > 1;
}

ConvAttr chain_attr(const Node *window) {
    if (window->op == OP_conv) return window->attr.conv;
    ConvAttr a = {.dilation = {1, 1}, .groups = 1};
    memcpy(a.kernel, window->attr.pool.kernel, sizeof a.kernel);
    memcpy(a.stride, window->attr.pool.stride, sizeof a.stride);
    memcpy(a.pad, window->attr.pool.pad, sizeof a.pad);
    return a;
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

/* Of one row of one channel block, halo and all. */
static double row_vectors(const Type *t) { return t->dim[3] + t->layout.halo.left + t->layout.halo.right; }

/* What the model asks of a chain. Cycles are of one row of the result. */
typedef struct Rows {
    int64_t blocks, in, out; /* channel blocks between the convolutions; rows of the window's operand and result */
    double before[2], window, after; /* before: with several channel blocks at a time, with one */
    double x, y;                     /* vectors of a row of one block that are handed on; 0 where nothing is */
    double vector;                   /* bytes */
    ConvAttr attr;
} Rows;

static double row_cycles(const Graph *g, Ref conv, const Machine *m, bool one_block) {
    if (!conv) return 0;
    const Node *n = graph_node(g, conv);
    double padded = (double)round_up(n->type.dim[1], m->vector_lanes) / n->type.dim[1];
    double fmas = (double)node_macs(g, n) / n->type.dim[2] / m->vector_lanes * padded;
    return fmas * machine_fma_cycles(m) / tile_share[one_block];
}

static Rows rows_of(const Graph *g, const Chain *c, const Machine *m) {
    const Node *window = graph_node(g, c->window);
    const Type *x = &graph_node(g, window->in[0])->type, *y = &window->type;
    int32_t lanes = m->vector_lanes;
    Rows r = {.blocks = div_up(y->dim[1], lanes), .in = x->dim[2], .out = y->dim[2], .attr = chain_attr(window)};
    for (int one = 0; one < 2; one++) r.before[one] = row_cycles(g, c->before, m, one);
    r.window = is_conv(g, c->window) ? row_cycles(g, c->window, m, false)
                                     : (double)(y->dim[3] * r.blocks * r.attr.kernel[0] * r.attr.kernel[1]);
    r.after = row_cycles(g, c->after, m, c->after && graph_node(g, c->after)->type.dim[1] <= lanes);
    r.x = c->before ? row_vectors(x) : 0;
    r.y = c->after ? row_vectors(y) : 0;
    r.vector = 4.0 * lanes;
    return r;
}

/* The convolutions one by one. */
static double cycles_apart(const Rows *r) {
    double vectors = (r->x * (double)r->in + r->y * (double)r->out) * (double)r->blocks;
    double sums = r->before[r->blocks == 1] * (double)r->in + (r->window + r->after) * (double)r->out;
    return sums + vectors * far_cycles + kernel_cycles * ((r->x > 0) + (r->y > 0));
}

/* Negative if what lies between the convolutions does not fit. Rows beyond the picture are not computed. */
static double cycles_chained(const Rows *r, const Machine *m, const ChainPlan *p) {
    int64_t bands = r->out / p->rows, tasks = bands * (r->blocks / p->blocks);
    int64_t reads = chain_reads(&r->attr, p->rows), outside = chain_reads(&r->attr, r->out) - r->in;
    double x = r->x * (double)(reads * p->blocks), y = r->y * (double)(p->rows * p->blocks);
    if ((x + y) * r->vector > cache_share * (double)m->cache_bytes[1]) return -1;
    double rows = (double)(reads * bands - (outside > 0 ? outside : 0));
    double sums = r->before[p->blocks == 1] * rows + (r->window + r->after) * (double)r->out;
    double uneven = (double)round_up(tasks, THREADS) / (double)tasks;
    return (sums + (x + y) * (double)tasks * vector_cycles) * uneven;
}

/* Of equals the first: bands are high, and groups of blocks small, for they do not overlap and any number of threads
 * can have them. */
ChainPlan chain_plan(const Graph *g, const Chain *c, const Machine *m) {
    Rows r = rows_of(g, c, m);
    ChainPlan best = {0, 0};
    double least = cycles_apart(&r);
    for (int64_t rows = r.out; rows >= 1; rows--)
        for (int64_t blocks = 1; blocks <= r.blocks; blocks++) {
            ChainPlan p = {rows, blocks};
            if (r.out % rows || r.blocks % blocks || (c->after && blocks < r.blocks)) continue;
            double cycles = cycles_chained(&r, m, &p);
            if (cycles < 0 || cycles >= least * 0.999) continue;
            least = cycles;
            best = p;
        }
    return best;
}
