#include "graph.h"

/* What compaction knows of a node. */
typedef enum State { DEAD, LIVE, OPEN, PLACED } State;

typedef struct Compaction {
    const Graph *g;
    Readers readers;
    uint8_t *state;
    Ref *stack;              /* nodes being placed, each waiting for the one above it */
    int32_t *next;           /* of each open node: which predecessor to look at next */
    int32_t depth;
    Ref *order;              /* placed nodes, in their new order */
    int32_t n_order;
} Compaction;

static void mark(Compaction *c, Ref r) {
    if (c->state[r] != DEAD) return;
    c->state[r] = LIVE;
    c->stack[c->depth++] = r;
}

static void mark_live(Compaction *c) {
    const Graph *g = c->g;
    for (int32_t i = 0; i < g->n_output; i++) mark(c, g->output[i].ref);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        if (op_info[n->op].effect || (n->op == OP_input && n->attr.input.role == INPUT_IMAGE)) mark(c, (Ref)i);
    }
    while (c->depth > 0) {
        const Node *n = &g->node[c->stack[--c->depth]];
        for (int32_t k = 0; k < n->n_in; k++) mark(c, n->in[k]);
    }
}

/* The k-th candidate to come before r: operands, then for an effect the readers of what it changes. 0: no more. */
static Ref predecessor(const Compaction *c, Ref r, int32_t k) {
    const Node *n = &c->g->node[r];
    if (k < n->n_in) return n->in[k];
    if (!op_info[n->op].effect) return 0;
    int32_t at = c->readers.start[n->in[0]] + (k - n->n_in);
    return at < c->readers.start[n->in[0] + 1] ? c->readers.node[at] : 0;
}

static bool must_wait(const Compaction *c, Ref r, int32_t k, Ref before) {
    if (c->state[before] == DEAD || c->state[before] == PLACED) return false;
    return k < c->g->node[r].n_in || graph_reads_before(c->g, before, r);
}

/* Places r after everything it needs. Depth first with a stack of its own: a chain may be as long as the graph. */
static void place(Compaction *c, Ref r) {
    c->stack[c->depth++] = r;
    c->state[r] = OPEN;
    while (c->depth > 0) {
        Ref top = c->stack[c->depth - 1];
        int32_t k = c->next[top]++;
        Ref before = predecessor(c, top, k);
        if (before == 0) {
            c->order[c->n_order++] = top;
            c->state[top] = PLACED;
            c->depth--;
        } else if (must_wait(c, top, k, before)) {
            ICE_UNLESS(c->state[before] == LIVE, "%%%u (%s) needs itself", before, op_info[c->g->node[before].op].name);
            c->stack[c->depth++] = before;
            c->state[before] = OPEN;
        }
    }
}

/* New operand arrays: clones and callers may hold the old ones. */
static void renumber(Graph *g, const Compaction *c, const Ref *map) {
    int32_t cap = c->n_order + 1;
    Node *node = NEW_ARRAY(g->arena, Node, cap);
    for (int32_t i = 0; i < c->n_order; i++) {
        Node *n = &node[i + 1];
        *n = g->node[c->order[i]];
        Ref *in = NEW_ARRAY(g->arena, Ref, n->n_in);
        for (int32_t k = 0; k < n->n_in; k++) in[k] = map[n->in[k]];
        n->in = in;
    }
    g->node = node;
    g->n_node = g->cap_node = cap;
    for (int32_t i = 0; i < g->n_output; i++) g->output[i].ref = map[g->output[i].ref];
}

Ref *graph_compact(Graph *g, Arena *a) {
    Compaction c = {.g = g, .readers = graph_readers(g, a)};
    c.state = NEW_ARRAY(a, uint8_t, g->n_node);
    c.stack = NEW_ARRAY(a, Ref, g->n_node);
    c.next = NEW_ARRAY(a, int32_t, g->n_node);
    c.order = NEW_ARRAY(a, Ref, g->n_node);
    mark_live(&c);
    for (int32_t i = 1; i < g->n_node; i++)
        if (c.state[i] == LIVE) place(&c, (Ref)i);
    Ref *map = NEW_ARRAY(a, Ref, g->n_node);
    for (int32_t i = 0; i < c.n_order; i++) map[c.order[i]] = (Ref)i + 1;
    renumber(g, &c, map);
    return map;
}
