/* slice: how many pictures of a call each step is run for at a time (slice.h).
 *
 * Needs the final steps; sets Program.slice and nothing else: the runtime calls the same kernels more often, with fewer
 * pictures. Inference only, since the statistics of training are of all pictures. Before plan, since what the steps of
 * a slice leave for those after it lives through all slices.
 *
 * A step reads weights once a slice, and pays its barrier; pictures that do not fit the second-level cache in one slice
 * come from beyond it. At batch 16, where each of its tensors has 6 to 50 MB, SqueezeNet 1.1 took 3.56 ms a picture in
 * one piece, and 2.93 at batch 1. */
#include "slice.h"

#include "../ir/product.h"
#include "pass.h"

enum { ALL = 0 };
static const int32_t sizes[] = {1, 2, 4, 8, 16, ALL};
enum { SIZES = ARRAY_LEN(sizes) };

/* Measured on a Xeon, at batch 1 and 16: of the time in which pictures come from beyond the second-level cache, or
 * weights from memory, that share shows. Pictures of `gone` caches have left them altogether when the next step reads
 * them, smaller ones in part. A step costs its barrier. */
static const double gone = 3, picture_share = 0.66, weight_share = 0.08, hides = 1.5, step_cycles = 4000;

/* What a step reads and writes, in bytes. */
typedef struct SliceStep {
    double weights;  /* however many pictures it has */
    double pictures; /* for each of them; 0: there is no step */
    double found;    /* for each of them: what is left by steps before it for this one or later ones */
    double products; /* vector multiply-adds of each */
    bool whole;      /* runs for all pictures only */
} SliceStep;

static double fetch_cycles(const Machine *m, double bytes) { return bytes * machine_byte_cycles(m, 1) * picture_share; }

/* Of the fetch of weights a small share always shows; the rest hides behind products that take `hides` times as long:
 * in direct convolutions all of it, in Winograd's products of 16 tiles little. */
static double weight_cycles(const Machine *m, const SliceStep *s) {
    double fetch = s->weights * machine_byte_cycles(m, 2), sums = s->products * machine_fma_cycles(m);
    return weight_share * fetch + (sums < hides * fetch ? fetch - sums / hides : 0);
}

/* Cycles a picture. */
static double cost(const Machine *m, const SliceStep *s, int32_t pictures) {
    if (s->pictures == 0) return 0;
    if (s->whole && pictures) return 1e30;
    double over = pictures ? s->pictures * pictures / (double)m->cache_bytes[1] : gone;
    double leaves = over <= 1 ? 0 : over < gone ? (over - 1) / (gone - 1) : 1;
    double once = weight_cycles(m, s) + step_cycles;
    return leaves * fetch_cycles(m, s->pictures) + (pictures ? once / pictures : 0);
}

/* The least cost of the steps up to one if that has size k, and the size of the step before it. */
typedef struct Reached {
    double cost;
    int32_t from;
} Reached;

/* Where the size changes, what is found has left the cache. */
static Reached reach(const Machine *m, const SliceStep *s, const Reached *before, int32_t k) {
    Reached best = {before[k].cost, k};
    for (int32_t j = 0; j < SIZES; j++) {
        double other = before[j].cost + fetch_cycles(m, s->found);
        if (other < best.cost) best = (Reached){other, j};
    }
    best.cost += cost(m, s, sizes[k]);
    return best;
}

/* The slices that take least time for steps begin .. end - 1. */
static Slices slice_choose(Arena *a, const Machine *m, const SliceStep *step, int32_t begin, int32_t end) {
    Slices out = {0};
    Reached(*reached)[SIZES] = arena_alloc(a, sizeof *reached * (size_t)(end + 1));
    int32_t k = SIZES - 1;
    if (begin >= end) return out;
    for (int32_t j = 0; j < SIZES; j++) reached[begin][j] = (Reached){cost(m, &step[begin], sizes[j]), j};
    for (int32_t i = begin + 1; i < end; i++)
        for (int32_t j = 0; j < SIZES; j++) reached[i][j] = reach(m, &step[i], reached[i - 1], j);
    for (int32_t j = 0; j < SIZES; j++)
        if (reached[end - 1][j].cost < reached[end - 1][k].cost) k = j;
    int32_t *size = NEW_ARRAY(a, int32_t, end);
    for (int32_t i = end; i-- > begin; k = reached[i][k].from) size[i] = sizes[k];
    for (int32_t i = begin; i < end; i++) {
        if (i == begin || size[i] != size[i - 1]) PUSH(a, out.slice, out.n, out.cap, ((Slice){i, size[i]}));
        out.slice[out.n - 1].end = i + 1;
    }
    if (out.n == 1 && out.slice[0].pictures == ALL) out.n = 0;
    return out;
}

int32_t slice_pictures(const Unit *u, const Slice *slice, int32_t n_slice, int32_t i) {
    int32_t all = unit_pictures(u, ENTRY_INFER);
    for (int32_t s = 0; s < n_slice; s++)
        if (i < slice[s].end) return slice[s].pictures && slice[s].pictures < all ? slice[s].pictures : all;
    return all;
}

/* Something of so many bytes a picture is there from step `first` to step `last`. */
static void add_found(SliceStep *step, int32_t first, int32_t last, double bytes) {
    for (int32_t i = first + 1; i <= last; i++) step[i].found += bytes;
}

/* ---- of a graph ----------------------------------------------------------------------------------------------- */

/* Element-wise nodes are computed with what they follow, and joins not at all. */
static SliceStep of_node(const Unit *u, const Graph *g, const Node *n) {
    SliceStep s = {0};
    if (op_info[n->op].elementwise || n->op == OP_concat || !n->n_in || !type_batched(&n->type)) return s;
    s.pictures = (double)type_bytes(&n->type);
    s.products = (double)node_macs(g, n) / u->machine->vector_lanes;
    for (int32_t i = 0; i < n->n_in; i++) {
        const Type *t = &graph_node(g, n->in[i])->type;
        *(type_batched(t) ? &s.pictures : &s.weights) += (double)type_bytes(t);
    }
    return s;
}

Slices slice_of_graph(const Unit *u, const Graph *g) {
    if (u->opt->undivided) return (Slices){0};
    SliceStep *step = NEW_ARRAY(u->arena, SliceStep, g->n_node);
    int32_t *last = NEW_ARRAY(u->arena, int32_t, g->n_node);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        step[i] = of_node(u, g, n);
        for (int32_t k = 0; k < n->n_in; k++) last[n->in[k]] = i;
    }
    for (int32_t i = 1; i < g->n_node; i++)
        if (type_batched(&graph_node(g, (Ref)i)->type))
            add_found(step, i, last[i], (double)type_bytes(&graph_node(g, (Ref)i)->type));
    return slice_choose(u->arena, u->machine, step, 1, g->n_node);
}

/* ---- of steps ------------------------------------------------------------------------------------------------- */

bool slice_never(const Program *p, const Step *s) { return holds_product(p->kernel[s->kernel]->body); }

/* The steps of one root together, each tensor once: how a group was cut into steps does not matter. */
typedef struct Groups {
    SliceStep *step;
    int32_t *end; /* in steps */
    int32_t n;
    int32_t *first, *last; /* groups that touch a storage; first counts from 1 */
} Groups;

/* The share of the direct sums' products that are computed. */
static double computed(const Node *n) {
    if (op_info[n->op].attr != ATTR_WINOGRAD) return 1;
    double side = n->attr.winograd.tile + n->attr.winograd.kernel - 1;
    double direct = (double)n->attr.winograd.tile * n->attr.winograd.kernel;
    return side * side / (direct * direct);
}

static void add_step(Groups *g, const Program *p, const Step *s, int32_t lanes) {
    SliceStep *sum = &g->step[g->n - 1];
    sum->products += (double)s->macs * computed(graph_node(p->graph, s->root)) / lanes;
    sum->whole = sum->whole || slice_never(p, s);
    for (int32_t k = 0; k < s->n_arg; k++) {
        int32_t arg = s->arg[k];
        const Storage *at = &p->storage[arg];
        bool seen = g->first[arg] && g->last[arg] == g->n - 1;
        if (!seen) *(type_batched(&at->type) ? &sum->pictures : &sum->weights) += (double)at->bytes;
        if (!g->first[arg]) g->first[arg] = g->n;
        g->last[arg] = g->n - 1;
    }
}

static Groups groups_of(Arena *a, const Program *p, int32_t lanes) {
    Groups g = {.step = NEW_ARRAY(a, SliceStep, p->n_step + 1), .end = NEW_ARRAY(a, int32_t, p->n_step + 1)};
    g.first = NEW_ARRAY(a, int32_t, p->n_storage + 1);
    g.last = NEW_ARRAY(a, int32_t, p->n_storage + 1);
    for (int32_t i = p->n_once; i < p->n_step; i++) {
        if (i == p->n_once || p->step[i].root != p->step[i - 1].root) g.n++;
        add_step(&g, p, &p->step[i], lanes);
        g.end[g.n - 1] = i + 1;
    }
    for (int32_t s = 0; s < p->n_storage; s++)
        if (g.first[s] && type_batched(&p->storage[s].type))
            add_found(g.step, g.first[s] - 1, g.last[s], (double)p->storage[s].bytes);
    return g;
}

void pass_slice(Unit *u, Entry entry) {
    Program *p = u->program[entry];
    if (entry != ENTRY_INFER || u->opt->undivided) return;
    Groups g = groups_of(u->arena, p, u->machine->vector_lanes);
    Slices s = slice_choose(u->arena, u->machine, g.step, 0, g.n);
    for (int32_t i = 0; i < s.n; i++) s.slice[i].end = g.end[s.slice[i].end - 1];
    p->slice = s.slice;
    p->n_slice = s.n;
}
