/* Which tensors lie inside others.
 *
 * An operand of concat is written where the result has it, and slice reads its operand where it lies, if blocks of
 * channels begin and end there. A tensor lies in one other tensor at most: of several concats that read it the last
 * one has it, since a network that joins ever more channels makes the largest last; the others copy. What lies inside
 * something inside something lies in the outermost. */
#include "layout.h"

typedef struct Parts {
    Graph *g;
    Ref *in;       /* node -> what it lies in, 0: nothing */
    int32_t *from; /* its first channel there */
} Parts;

static const Type *type_of(const Parts *p, Ref r) { return &graph_node(p->g, r)->type; }

/* May `part` be channels [from, from + its own) of `whole`, as far as blocks and element types go? */
static bool fits(const Type *part, const Type *whole, int32_t from) {
    int32_t b = whole->layout.b1, end;
    if (!type_batched(whole) || whole->rank < 2 || part->rank != whole->rank || part->dtype != whole->dtype)
        return false;
    end = from + part->dim[1];
    return part->layout.b1 == b && from % b == 0 && (part->dim[1] % b == 0 || end == whole->dim[1]);
}

/* Inputs and parameters have places of their own. */
static bool may_move(const Parts *p, Ref r) {
    Op op = graph_node(p->g, r)->op;
    return !p->in[r] && op != OP_input && op != OP_param;
}

static void put(Parts *p, Ref part, Ref whole, int32_t from) {
    if (!may_move(p, part) || !fits(type_of(p, part), type_of(p, whole), from)) return;
    p->in[part] = whole;
    p->from[part] = from;
}

static void find_parts(Parts *p) {
    for (Ref r = (Ref)p->g->n_node - 1; r > 0; r--) {
        const Node *n = graph_node(p->g, r);
        int32_t from = 0;
        for (int32_t i = 0; n->op == OP_concat && i < n->n_in; i++) {
            put(p, n->in[i], r, from);
            from += type_of(p, n->in[i])->dim[1];
        }
    }
    for (Ref r = 1; r < (Ref)p->g->n_node; r++) {
        const Node *n = graph_node(p->g, r);
        Op op = n->op == OP_slice ? graph_node(p->g, n->in[0])->op : OP_input;
        if (op != OP_input && op != OP_param) put(p, r, n->in[0], n->attr.slice.from);
    }
}

/* The outermost tensor that r lies in; *from is where. */
static Ref outermost(const Parts *p, Ref r, int32_t *from) {
    for (*from = 0; p->in[r]; r = p->in[r]) *from += p->from[r];
    return r;
}

static void widen(int32_t *a, int32_t b) { *a = *a > b ? *a : b; }

static void share_halos(Parts *p) {
    for (Ref r = 1; r < (Ref)p->g->n_node; r++) {
        int32_t from;
        if (!p->in[r]) continue;
        Halo *all = &graph_node(p->g, outermost(p, r, &from))->type.layout.halo, h = type_of(p, r)->layout.halo;
        widen(&all->top, h.top);
        widen(&all->bottom, h.bottom);
        widen(&all->left, h.left);
        widen(&all->right, h.right);
    }
}

void layout_parts(Graph *g, Arena *a) {
    Parts p = {.g = g, .in = NEW_ARRAY(a, Ref, g->n_node), .from = NEW_ARRAY(a, int32_t, g->n_node)};
    find_parts(&p);
    share_halos(&p);
    for (Ref r = 1; r < (Ref)g->n_node; r++) {
        int32_t from;
        if (!p.in[r]) continue;
        const Type *whole = type_of(&p, outermost(&p, r, &from));
        Type *t = &graph_node(g, r)->type;
        t->layout = type_part_layout(whole, from, t->dim[1]);
    }
}
