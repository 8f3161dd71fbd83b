/* fuse: which nodes become one kernel.
 *
 * Needs layouts (members of a group share block sizes); makes groups; changes no node, only numbers: the members of
 * a group end up next to each other, after everything the group reads. After layout because that adds copies.
 *
 * An element-wise node joins the group of one of its operands if that operand has its shape and block sizes and if
 * nothing else it reads depends on the group: then every element can be finished while it is in a register. The phases
 * of a Winograd convolution are one group if they share a band, and so are the convolutions and poolings of a
 * chain (chain.h), which go through it by bands of rows. A layer with @nofuse shares its kernel with no other. */
#include "lower.h"
#include "chain.h"
#include "order.h"

typedef struct Fuse {
    Graph *g;
    Arena *arena;
    int32_t *next; /* node -> next member of its group, a ring */
    int32_t n_group;
    bool *constant; /* depends on parameters only: never in one group with what does not */
    const bool *once; /* runs once: nor this */
    int32_t *seen;  /* marks of the present search */
    int32_t mark;
    Ref *stack;
    const int32_t *uses; /* outputs count */
    const Machine *machine;
    bool train;
} Fuse;

static bool same_group(const Fuse *f, Ref a, Ref b) {
    int32_t ga = graph_node(f->g, a)->group, gb = graph_node(f->g, b)->group;
    return a == b || (ga && ga == gb);
}

/* Whether `from` needs a member of target's group, groups taken as one: a group waits for what any member reads. */
static bool depends_on(Fuse *f, Ref from, Ref target) {
    int32_t n = 0;
    f->mark++;
    f->stack[n++] = from;
    f->seen[from] = f->mark;
    while (n > 0) {
        Ref r = f->stack[--n];
        if (same_group(f, r, target)) return true;
        Ref member = r;
        do {
            const Node *node = graph_node(f->g, member);
            for (int32_t i = 0; i < node->n_in; i++) {
                if (f->seen[node->in[i]] == f->mark) continue;
                f->seen[node->in[i]] = f->mark;
                f->stack[n++] = node->in[i];
            }
            member = (Ref)f->next[member];
            f->seen[member] = f->mark;
        } while (member != r);
    }
    return false;
}

/* Operands and results of r's group, which bound the arguments of its kernel. */
static int32_t arguments(const Fuse *f, Ref r) {
    int32_t n = 0;
    Ref member = r;
    do {
        n += graph_node(f->g, member)->n_in + 1;
        member = (Ref)f->next[member];
    } while (member != r);
    return n;
}

/* The convolution of whose result r is made, element by element, if nobody else needs anything on the way; else 0. */
static Ref convolution_of(const Fuse *f, Ref r) {
    for (;;) {
        const Node *n = graph_node(f->g, r);
        if (f->uses[r] != 1) return 0;
        if (n->op == OP_conv) return r;
        Ref inside = 0;
        for (int32_t i = 0; i < n->n_in; i++)
            if (same_group(f, n->in[i], r)) inside = inside ? 0 : n->in[i];
        if (!inside || !op_info[n->op].elementwise) return 0;
        r = inside;
    }
}

/* A convolution that continues its operand's group, and so no chain of its own can begin with it. */
static bool in_chain(const Fuse *f, Ref conv) { return conv && same_group(f, graph_node(f->g, conv)->in[0], conv); }

/* Why a node is in no kernel of what it reads, as --report=fusion says it behind the name of that. */
static const char whole[] = "one result needs many of its numbers", update[] = "the step changes a parameter",
                  no_band[] = "the convolution goes by phases over the whole picture",
                  no_chain[] = "no chain of convolutions can be made with it",
                  slow_chain[] = "bands of rows through both would be slower, or do not fit in the cache",
                  train_chain[] = "training needs what lies between convolutions",
                  no_kernel[] = "no kernel makes it", no_head[] = "nothing can follow it in a kernel",
                  other_shape[] = "its shape is another", constant[] = "only one of the two is computed once, from parameters",
                  other_layout[] = "its numbers lie in memory in another order",
                  many[] = "the kernel would have too many operands", apart[] = "@nofuse keeps them apart",
                  circle[] = "the kernel would wait for itself";

/* Why conv cannot be in one kernel with the convolutions before it; NULL: it can, if it joins its operand's group. */
static const char *chain_refuses(const Fuse *f, Ref conv) {
    const Graph *g = f->g;
    Chain c = {0, 0, 0};
    bool window = chain_is_window(g, conv);
    if (!window && !chain_may_end(g, conv)) return whole;
    if (f->train) return train_chain;
    Ref source = convolution_of(f, graph_node(g, conv)->in[0]);
    if (!source) return no_chain;
    if (window && chain_may_begin(g, source) && !in_chain(f, source))
        c = (Chain){source, conv, 0};
    else if (chain_may_end(g, conv) && chain_is_window(g, source)) {
        Ref before = graph_node(g, source)->in[0];
        before = same_group(f, before, source) ? convolution_of(f, before) : 0;
        c = (Chain){before, source, conv};
    }
    if (!c.window) return no_chain;
    return chain_plan(g, &c, f->machine).rows > 0 ? NULL : slow_chain;
}

/* Phases of a convolution, or several convolutions, go on in one kernel that takes a band through; NULL if r does. */
static const char *band_refuses(const Fuse *f, Ref r) {
    const Node *n = graph_node(f->g, r);
    if (n->op == OP_conv || (n->op == OP_maxpool && !f->train)) return chain_refuses(f, r);
    if (op_info[n->op].effect) return update;
    if (n->op != OP_winograd_product && n->op != OP_winograd_output) return whole;
    return n->attr.winograd.band ? NULL : no_band;
}

/* Why user does not join its operand's group; NULL: it does. */
static const char *refuses(Fuse *f, Ref user, Ref operand) {
    const Node *n = graph_node(f->g, user), *p = graph_node(f->g, operand);
    const OpInfo *info = &op_info[p->op];
    if ((n->nofuse || p->nofuse) && n->name != p->name) return apart;
    if (!band_refuses(f, user)) return operand == n->in[0] ? NULL : whole;
    if (p->op == OP_input || p->op == OP_param) return no_kernel;
    if (!info->heads && !info->elementwise) return no_head;
    if (!type_same_dims(&n->type, &p->type)) return other_shape;
    if (f->constant[user] != f->constant[operand] || f->once[user] != f->once[operand]) return constant;
    if (n->type.layout.b0 != p->type.layout.b0 || n->type.layout.b1 != p->type.layout.b1) return other_layout;
    if (arguments(f, operand) + n->n_in + 1 > KERNEL_ARGUMENTS) return many;
    for (int32_t i = 0; i < n->n_in; i++)
        if (!same_group(f, n->in[i], operand) && depends_on(f, n->in[i], operand)) return circle;
    return NULL;
}

static void join(Fuse *f, Ref user, Ref operand) {
    Node *n = graph_node(f->g, user), *p = graph_node(f->g, operand);
    if (!p->group) p->group = ++f->n_group;
    n->group = p->group;
    int32_t after = f->next[operand];
    f->next[operand] = (int32_t)user;
    f->next[user] = after;
}

/* Of several operands the youngest is tried first: its value is the most likely to be in a register. Its refusal is
 * the reason to report. */
static void try_join(Fuse *f, Ref user) {
    Node *n = graph_node(f->g, user);
    Ref below = (Ref)f->g->n_node;
    n->apart = op_info[n->op].elementwise || n->n_in == 0 ? NULL : band_refuses(f, user);
    if (n->apart) return;
    for (int32_t tried = 0; tried < n->n_in; tried++) {
        Ref best = 0;
        for (int32_t i = 0; i < n->n_in; i++)
            if (n->in[i] < below && n->in[i] > best) best = n->in[i];
        if (best == 0) return;
        const char *why = refuses(f, user, best);
        if (!why) {
            n->apart = NULL;
            join(f, user, best);
            return;
        }
        if (tried == 0) n->apart = why;
        below = best;
    }
}

/* The members of r's group in topological order, preceded by whatever they read; depth is bounded by the groups'
 * detours. */
static void place(const Fuse *f, Ref r, bool *placed, Ref *seq, int32_t *n) {
    if (placed[r]) return;
    Ref member = r;
    do {
        placed[member] = true;
        member = (Ref)f->next[member];
    } while (member != r);
    do {
        const Node *node = graph_node(f->g, member);
        for (int32_t i = 0; i < node->n_in; i++) place(f, node->in[i], placed, seq, n);
        member = (Ref)f->next[member];
    } while (member != r);
    Ref low = 0;
    for (;;) { /* ascending: old numbers are topological */
        Ref least = 0;
        do {
            if (member > low && (!least || member < least)) least = member;
            member = (Ref)f->next[member];
        } while (member != r);
        if (!least) return;
        seq[(*n)++] = low = least;
    }
}

void pass_fuse(Unit *u, Entry entry) {
    Graph *g = u->graph[entry];
    Fuse f = {.g = g, .arena = u->arena, .machine = u->machine, .train = entry == ENTRY_TRAIN};
    f.uses = graph_uses(g, u->arena);
    f.next = NEW_ARRAY(u->arena, int32_t, g->n_node);
    f.constant = NEW_ARRAY(u->arena, bool, g->n_node);
    f.once = once_nodes(u, g);
    f.seen = NEW_ARRAY(u->arena, int32_t, g->n_node);
    f.stack = NEW_ARRAY(u->arena, Ref, g->n_node);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        f.next[i] = i;
        graph_node(g, (Ref)i)->group = 0;
        f.constant[i] = n->op == OP_param || n->n_in > 0;
        for (int32_t k = 0; k < n->n_in; k++) f.constant[i] = f.constant[i] && f.constant[n->in[k]];
    }
    for (int32_t i = 1; i < g->n_node; i++) try_join(&f, (Ref)i);
    bool *placed = NEW_ARRAY(u->arena, bool, g->n_node);
    Ref *seq = NEW_ARRAY(u->arena, Ref, g->n_node);
    int32_t n = 0;
    for (int32_t i = 1; i < g->n_node; i++) place(&f, (Ref)i, placed, seq, &n);
    order_renumber(g, seq, n);
}
