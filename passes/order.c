/* order: the sequence in which nodes run.
 *
 * Needs autodiff; breaks nothing. Renumbers the nodes so that few bytes are live at once, and so that an effect on a
 * parameter comes after every other reader of it and right after its gradient. After autodiff because that appends all
 * updates at the end, with all gradients alive; before fuse, which groups neighbours.
 *
 * Method: on demand, from the sinks. Sinks (outputs and effects) are taken by the old number of what they wait for, so
 * backward layers come one after another, each with its update. A node runs when a sink needs it, operands first. But a
 * node that is ready and frees twice what it makes runs at once: a maxpool_index shortens the life of what it indexes.
 * The old order stays if it happens to be better.
 *
 * Where gradients are kept (accumulate), that is done right after each, and the updates come after everything else, so
 * that a program can run them less often. */
#include "order.h"

#include <stdlib.h>

#include "pass.h"

/* Bytes are doubles here: they are only compared, and no net, however big, overflows them. */
static double bytes_of(const Graph *g, Ref r, int64_t n) {
    const Node *node = graph_node(g, r);
    const OpInfo *info = &op_info[node->op];
    if (info->attr == ATTR_INPUT || info->attr == ATTR_PARAM || info->effect || node->op == OP_accumulate) return 0;
    return (double)type_bytes(&node->type) * (double)(type_batched(&node->type) ? n : 1);
}

double order_peak(const Graph *g, const Ref *seq, int32_t n_seq, int64_t n) {
    int32_t *left = graph_uses(g, g->arena);
    double live = 0, peak = 0;
    for (int32_t i = 0; i < n_seq; i++) {
        const Node *node = graph_node(g, seq[i]);
        live += bytes_of(g, seq[i], n);
        if (live > peak) peak = live;
        for (int k = 0; k < node->n_in; k++)
            if (--left[node->in[k]] == 0) live -= bytes_of(g, node->in[k], n);
    }
    return peak;
}

typedef struct Order {
    const Graph *g;
    Arena *arena;
    int64_t n; /* pictures */
    Readers readers;
    int32_t *first; /* what must run before node r: before[first[r]] .. before[first[r + 1] - 1] */
    Ref *before;
    int32_t *left; /* uses of r that have not run; outputs count */
    bool *done;
    bool train;
    bool gathers; /* gradients are kept, and updates wait for the rest */
    Ref *seq;     /* the nodes that have run; the first n_checked have started their followers */
    int32_t n_seq, n_checked;
} Order;

/* Whether it is wanted before the other operands. What does not grow with the batch: so the per-channel numbers of a
 * chain of element-wise nodes over big tensors are ready before it starts, and the chain is in one piece for fuse. But
 * training makes weights for Winograd's method and for gradients in every step, and all would be there at once. */
static bool comes_first(const Order *o, Ref x) {
    const Type *t = &graph_node(o->g, x)->type;
    return !type_batched(t) && !(o->train && t->rank > 1);
}

/* Operands, and for an effect also every reader of what it changes (of several effects, the older ones). */
static void collect_before(Order *o) {
    const Graph *g = o->g;
    int32_t n = 0, cap = 0;
    o->first = NEW_ARRAY(o->arena, int32_t, g->n_node + 1);
    for (Ref r = 1; r < (Ref)g->n_node; r++) {
        const Node *node = graph_node(g, r);
        o->first[r] = n;
        for (int i = 0; i < 2 * node->n_in; i++) {
            Ref x = node->in[i % node->n_in];
            if (comes_first(o, x) == (i < node->n_in)) PUSH(o->arena, o->before, n, cap, x);
        }
        if (!op_info[node->op].effect) continue;
        for (int32_t i = o->readers.start[node->in[0]]; i < o->readers.start[node->in[0] + 1]; i++) {
            Ref reader = o->readers.node[i];
            if (reader < r || graph_reads_before(g, reader, r)) PUSH(o->arena, o->before, n, cap, reader);
        }
    }
    o->first[g->n_node] = n;
}

static void run_node(Order *o, Ref r) {
    const Node *node = graph_node(o->g, r);
    o->done[r] = true;
    o->seq[o->n_seq++] = r;
    for (int i = 0; i < node->n_in; i++) o->left[node->in[i]]--;
}

static bool ready(const Order *o, Ref r) {
    for (int32_t i = o->first[r]; i < o->first[r + 1]; i++)
        if (!o->done[o->before[i]]) return false;
    return true;
}

/* Whether running r now frees at least twice the bytes that it makes. */
static bool shrinks(const Order *o, Ref r) {
    const Node *node = graph_node(o->g, r);
    double freed = 0;
    for (int i = 0; i < node->n_in; i++) {
        int32_t mine = 0;
        bool seen = false;
        for (int k = 0; k < node->n_in; k++) {
            mine += node->in[k] == node->in[i];
            seen |= k < i && node->in[k] == node->in[i];
        }
        if (!seen && o->left[node->in[i]] == mine) freed += bytes_of(o->g, node->in[i], o->n);
    }
    return freed > 0 && freed >= 2 * bytes_of(o->g, r, o->n);
}

/* Runs the readers of x that can run now and had better. */
static void run_readers(Order *o, Ref x) {
    for (int32_t i = o->readers.start[x]; i < o->readers.start[x + 1]; i++) {
        Ref reader = o->readers.node[i];
        bool waits = o->gathers && graph_updates(o->g, reader);
        if (!o->done[reader] && !waits && ready(o, reader) && shrinks(o, reader)) run_node(o, reader);
    }
}

/* Runs r and then, as long as there are some, the nodes that this made worth running: other readers of an operand,
 * which are the last ones now, and readers of the result. */
static void run_with_followers(Order *o, Ref r) {
    run_node(o, r);
    while (o->n_checked < o->n_seq) {
        Ref ran = o->seq[o->n_checked++];
        for (int i = 0; i < graph_node(o->g, ran)->n_in; i++) run_readers(o, graph_node(o->g, ran)->in[i]);
        run_readers(o, ran);
    }
}

/* Runs what `sink` needs, depth first, with a stack of its own: a net may be deep. */
static void run_sink(Order *o, Ref sink) {
    typedef struct Frame {
        Ref r;
        int32_t next;
    } Frame;
    Frame *stack = NULL;
    int32_t n = 0, cap = 0;
    PUSH(o->arena, stack, n, cap, ((Frame){sink, o->first[sink]}));
    while (n > 0) {
        Frame *top = &stack[n - 1];
        if (o->done[top->r]) {
            n--;
        } else if (top->next < o->first[top->r + 1]) {
            Ref x = o->before[top->next++];
            if (!o->done[x]) PUSH(o->arena, stack, n, cap, ((Frame){x, o->first[x]}));
        } else {
            run_with_followers(o, top->r);
        }
    }
}

/* A sink and the number it is sorted by: its own for an output, for an effect or a sum of gradients that of the
 * youngest node it waits for that computes something, and its own if there is none: what no gradient is in comes after
 * all. */
typedef struct Sink {
    Ref key, r;
} Sink;

static int by_key(const void *a, const void *b) {
    const Sink *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->r < y->r ? -1 : x->r > y->r;
}

static bool is_sink(const Graph *g, Ref r) {
    return op_info[graph_node(g, r)->op].effect || graph_node(g, r)->op == OP_accumulate;
}

static Ref key_of(const Graph *g, Ref r, bool gathers) {
    const Node *n = graph_node(g, r);
    if (gathers && graph_updates(g, r)) return (Ref)g->n_node + r;
    if (!is_sink(g, r)) return r;
    Ref key = 0;
    for (int i = 0; i < n->n_in; i++)
        if (graph_node(g, n->in[i])->n_in > 0 && n->in[i] > key) key = n->in[i];
    return key ? key : r;
}

static Sink *sinks(const Order *o, int32_t *n) {
    const Graph *g = o->g;
    Sink *sink = NULL;
    int32_t cap = 0;
    for (int i = 0; i < g->n_output; i++)
        PUSH(o->arena, sink, *n, cap, ((Sink){key_of(g, g->output[i].ref, o->gathers), g->output[i].ref}));
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (is_sink(g, r)) PUSH(o->arena, sink, *n, cap, ((Sink){key_of(g, r, o->gathers), r}));
    if (*n) qsort(sink, (size_t)*n, sizeof(Sink), by_key);
    return sink;
}

/* Picture inputs come first, used or not: a graph keeps them. */
static void run_image_inputs(Order *o) {
    for (Ref r = 1; r < (Ref)o->g->n_node; r++) {
        const Node *n = graph_node(o->g, r);
        if (n->op == OP_input && n->attr.input.role == INPUT_IMAGE) run_node(o, r);
    }
}

void order_renumber(Graph *g, const Ref *seq, int32_t n_seq) {
    Ref *to = NEW_ARRAY(g->arena, Ref, g->n_node);
    Node *node = NEW_ARRAY(g->arena, Node, n_seq + 1);
    for (int32_t i = 0; i < n_seq; i++) to[seq[i]] = (Ref)i + 1;
    for (int32_t i = 0; i < n_seq; i++) {
        Node *now = &node[i + 1];
        *now = g->node[seq[i]];
        now->in = NEW_ARRAY(g->arena, Ref, now->n_in); /* a clone may hold the old one */
        for (int k = 0; k < now->n_in; k++) now->in[k] = to[g->node[seq[i]].in[k]];
    }
    for (int i = 0; i < g->n_output; i++) g->output[i].ref = to[g->output[i].ref];
    g->node = node;
    g->n_node = g->cap_node = n_seq + 1;
}

/* The old order may be better, but it may also break the rule of effects: an update before another reader. Where
 * gradients are kept it does not say which steps are updates. */
static bool old_is_better(const Order *o) {
    int32_t n = 0;
    if (o->gathers) return false;
    Ref *old = NEW_ARRAY(o->arena, Ref, o->g->n_node);
    for (Ref r = 1; r < (Ref)o->g->n_node; r++) {
        for (int32_t i = o->first[r]; i < o->first[r + 1]; i++)
            if (o->before[i] >= r) return false;
        if (o->done[r]) old[n++] = r;
    }
    return order_peak(o->g, old, n, o->n) < order_peak(o->g, o->seq, o->n_seq, o->n);
}

void pass_order(Unit *u, Entry entry) {
    Graph *g = u->graph[entry];
    int64_t n = entry == ENTRY_TRAIN ? u->train.batch : u->opt->max_batch;
    Order o = {.g = g,
               .arena = u->arena,
               .n = max_i64(n, 1),
               .readers = graph_readers(g, u->arena),
               .train = entry == ENTRY_TRAIN,
               .gathers = graph_gathers(g)};
    collect_before(&o);
    o.left = graph_uses(g, u->arena);
    o.done = NEW_ARRAY(u->arena, bool, g->n_node);
    o.seq = NEW_ARRAY(u->arena, Ref, g->n_node);
    run_image_inputs(&o);
    int32_t n_sink = 0;
    const Sink *sink = sinks(&o, &n_sink);
    for (int32_t i = 0; i < n_sink; i++) run_sink(&o, sink[i].r);
    if (!old_is_better(&o)) order_renumber(g, o.seq, o.n_seq);
}
