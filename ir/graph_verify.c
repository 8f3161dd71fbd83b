#include "graph.h"

#include "shape.h"

#include <stdlib.h>

/* A rule gives the first offence as text, or NULL. Each may rely on the rules above it in the table. */
typedef const char *Rule(Arena *a, const Graph *g);

static const char *op_name(const Graph *g, Ref r) { return op_info[g->node[r].op].name; }

static const char *rule_operators(Arena *a, const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++)
        if (g->node[i].op <= OP_none || g->node[i].op >= OP_COUNT)
            return arena_printf(a, "%%%d has operator %d", i, (int)g->node[i].op);
    return NULL;
}

static const char *rule_arity(Arena *a, const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        if (n->n_in < op_info[n->op].min_in || n->n_in > op_info[n->op].max_in)
            return arena_printf(a, "%%%d = %s has %d operands", i, op_name(g, (Ref)i), n->n_in);
    }
    return NULL;
}

static const char *rule_topological(Arena *a, const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++)
        for (int32_t k = 0; k < g->node[i].n_in; k++)
            if (g->node[i].in[k] == 0 || g->node[i].in[k] >= (Ref)i)
                return arena_printf(a, "%%%d = %s reads %%%u, which is not before it", i, op_name(g, (Ref)i),
                                    g->node[i].in[k]);
    return NULL;
}

static const char *rule_attributes(Arena *a, const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++) {
        const char *field = attr_invalid(op_info[g->node[i].op].attr, &g->node[i].attr);
        if (field) return arena_printf(a, "%%%d = %s has an impossible `%s`", i, op_name(g, (Ref)i), field);
    }
    return NULL;
}

static const char *type_text(Arena *a, const Type *t) {
    Str s = STR(a);
    type_print(&s, t);
    return str_text(&s);
}

static const char *rule_types(Arena *a, const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        Type want;
        Diags *d = diag_new(a);
        if (!shape_infer(g, n, &want, d))
            return arena_printf(a, "%%%d = %s: %s", i, op_name(g, (Ref)i), d->message[0].text);
        if (n->type.rank != want.rank || !type_same_shape(&n->type, &want))
            return arena_printf(a, "%%%d = %s should be %s", i, op_name(g, (Ref)i), type_text(a, &want));
    }
    return NULL;
}

/* A part fills whole blocks, unless it ends where its whole does. */
static bool sane_part(const Type *t) {
    const Layout *l = &t->layout;
    if (!l->whole) return l->from == 0;
    if (!type_batched(t) || t->rank < 2 || l->from < 0 || l->whole < t->dim[1] || l->whole - t->dim[1] < l->from) return false;
    return l->from % l->b1 == 0 && (t->dim[1] % l->b1 == 0 || l->from + t->dim[1] == l->whole);
}

static bool sane_layout(const Type *t) {
    const Layout *l = &t->layout;
    const Halo *h = &l->halo;
    bool halo = h->top || h->bottom || h->left || h->right;
    if (l->b0 < 1 || l->b1 < 1 || h->top < 0 || h->bottom < 0 || h->left < 0 || h->right < 0) return false;
    if (l->b0 > 1 && (t->rank < 1 || type_batched(t))) return false;
    if (l->b1 > 1 && t->rank < 2) return false;
    if (halo && (t->rank != 4 || !type_batched(t))) return false;
    if (!sane_part(t)) return false;
    if (l->rows && (halo || l->whole || t->rank != 4 || !type_batched(t))) return false;
    return type_stored(t) <= MAX_STORED;
}

static const char *rule_layouts(Arena *a, const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++)
        if (!sane_layout(&g->node[i].type))
            return arena_printf(a, "%%%d = %s cannot be stored as %s", i, op_name(g, (Ref)i),
                                type_text(a, &g->node[i].type));
    return NULL;
}

static int by_name_then_ref(const void *x, const void *y) {
    const Node *const *a = x, *const *b = y;
    if ((*a)->name != (*b)->name) return (uintptr_t)(*a)->name < (uintptr_t)(*b)->name ? -1 : 1;
    return (*a > *b) - (*a < *b);
}

/* Names are interned, so equal names are equal pointers and end up side by side. */
static const char *rule_params(Arena *a, const Graph *g) {
    const Node **param = NEW_ARRAY(a, const Node *, g->n_node);
    size_t n = 0;
    for (int32_t i = 1; i < g->n_node; i++) {
        if (g->node[i].op != OP_param) continue;
        if (!g->node[i].name) return arena_printf(a, "%%%d = param has no name", i);
        param[n++] = &g->node[i];
    }
    qsort(param, n, sizeof *param, by_name_then_ref);
    for (size_t i = 1; i < n; i++)
        if (param[i]->name == param[i - 1]->name)
            return arena_printf(a, "%%%d and %%%d are both param \"%s\"", (int)(param[i - 1] - g->node),
                                (int)(param[i] - g->node), param[i]->name);
    return NULL;
}

static const char *rule_effects(Arena *a, const Graph *g) {
    Readers readers = graph_readers(g, a);
    for (int32_t e = 1; e < g->n_node; e++) {
        if (!op_info[g->node[e].op].effect) continue;
        Ref param = g->node[e].in[0];
        if (g->node[param].op != OP_param)
            return arena_printf(a, "%%%d = %s changes %%%u, which is no param", e, op_name(g, (Ref)e), param);
        for (int32_t k = readers.start[param]; k < readers.start[param + 1]; k++)
            if (readers.node[k] > (Ref)e && graph_reads_before(g, readers.node[k], (Ref)e))
                return arena_printf(a, "%%%u = %s reads \"%s\" after %%%d = %s changed it", readers.node[k],
                                    op_name(g, readers.node[k]), g->node[param].name, e, op_name(g, (Ref)e));
    }
    return NULL;
}

/* Nobody else knows whether a sum is of this call or of the one before. */
static const char *rule_sums(Arena *a, const Graph *g) {
    Readers readers = graph_readers(g, a);
    for (int32_t i = 1; i < g->n_node; i++) {
        if (g->node[i].op != OP_accumulate) continue;
        Ref sum = g->node[i].in[0];
        if (g->node[sum].op != OP_param) return arena_printf(a, "%%%d = accumulate keeps its sum in %%%u, which is no param", i, sum);
        if (readers.start[sum + 1] - readers.start[sum] > 1)
            return arena_printf(a, "%%%d = accumulate shares its sum %%%u", i, sum);
    }
    return NULL;
}

static const char *rule_outputs(Arena *a, const Graph *g) {
    for (int32_t i = 0; i < g->n_output; i++) {
        const Output *o = &g->output[i];
        if (!o->name) return arena_printf(a, "an output has no name");
        if (o->ref == 0 || o->ref >= (Ref)g->n_node || op_info[g->node[o->ref].op].effect)
            return arena_printf(a, "\"%s\" is %%%u, which has no result", o->name, o->ref);
        if (o->only >= ONLY_COUNT)
            return arena_printf(a, "\"%s\" is of kind %d", o->name, (int)o->only);
    }
    return NULL;
}

typedef struct Member {
    int32_t group;
    Ref node;
} Member;

static int by_group_then_node(const void *x, const void *y) {
    const Member *a = x, *b = y;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* Of each node the first node of its group, or itself: the kernel it becomes part of. Group numbers may be anything. */
static Ref *kernels_of(const Graph *g, Arena *a) {
    Member *member = NEW_ARRAY(a, Member, g->n_node);
    Ref *kernel = NEW_ARRAY(a, Ref, g->n_node);
    for (int32_t i = 1; i < g->n_node; i++) member[i] = (Member){g->node[i].group, (Ref)i};
    qsort(member + 1, (size_t)g->n_node - 1, sizeof *member, by_group_then_node);
    for (int32_t i = 1; i < g->n_node; i++) {
        bool same = i > 1 && member[i].group != 0 && member[i].group == member[i - 1].group;
        kernel[member[i].node] = same ? kernel[member[i - 1].node] : member[i].node;
    }
    return kernel;
}

typedef struct Wait {   /* of one kernel for another */
    Ref before, after;
} Wait;

static int by_before(const void *x, const void *y) {
    const Wait *a = x, *b = y;
    return (a->before > b->before) - (a->before < b->before);
}

static void add_wait(Wait *wait, int64_t *n, const Ref *kernel, Ref before, Ref after) {
    if (kernel[before] != kernel[after]) wait[(*n)++] = (Wait){kernel[before], kernel[after]};
}

/* Every "before, after" between two kernels: operands, and readers of a param before what changes it. */
static Wait *waits_of(const Graph *g, Arena *a, const Ref *kernel, int64_t *n_wait) {
    Readers readers = graph_readers(g, a);
    int64_t most = readers.start[g->n_node];
    for (int32_t i = 1; i < g->n_node; i++)
        if (op_info[g->node[i].op].effect)
            most += readers.start[g->node[i].in[0] + 1] - readers.start[g->node[i].in[0]];
    Wait *wait = NEW_ARRAY(a, Wait, most);
    *n_wait = 0;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        for (int32_t k = 0; k < n->n_in; k++) add_wait(wait, n_wait, kernel, n->in[k], (Ref)i);
        if (!op_info[n->op].effect) continue;
        for (int32_t k = readers.start[n->in[0]]; k < readers.start[n->in[0] + 1]; k++)
            if (graph_reads_before(g, readers.node[k], (Ref)i)) add_wait(wait, n_wait, kernel, readers.node[k], (Ref)i);
    }
    return wait;
}

/* The kernels can run one after the other only if they do not wait for each other in a circle. This runs them: one is
 * ready when nothing it waits for is left. The first that never gets ready, or 0; it has more than one node, since a
 * node alone waits only for smaller ones. */
static Ref stuck_kernel(const Graph *g, Arena *a, const Ref *kernel) {
    int64_t n_wait;
    Wait *wait = waits_of(g, a, kernel, &n_wait);
    qsort(wait, (size_t)n_wait, sizeof *wait, by_before);
    int64_t *first = NEW_ARRAY(a, int64_t, (int64_t)g->n_node + 1);   /* of the waits for a kernel */
    int32_t *left = NEW_ARRAY(a, int32_t, g->n_node);                 /* what a kernel still waits for */
    Ref *ready = NEW_ARRAY(a, Ref, g->n_node);
    for (int64_t i = 0; i < n_wait; i++) {
        first[wait[i].before + 1] = i + 1;
        left[wait[i].after]++;
    }
    for (int32_t i = 0; i < g->n_node; i++) first[i + 1] = max_i64(first[i + 1], first[i]);
    int32_t n_ready = 0;
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (left[r] == 0) ready[n_ready++] = r;
    for (int32_t done = 0; done < n_ready; done++)
        for (int64_t i = first[ready[done]]; i < first[ready[done] + 1]; i++)
            if (--left[wait[i].after] == 0) ready[n_ready++] = wait[i].after;
    for (Ref r = 1; r < (Ref)g->n_node; r++)
        if (left[r] > 0) return r;
    return 0;
}

static const char *rule_groups(Arena *a, const Graph *g) {
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i];
        if (n->group < 0) return arena_printf(a, "%%%d has group %d", i, n->group);
        if (n->group && (n->op == OP_input || n->op == OP_param))
            return arena_printf(a, "%%%d = %s cannot be in a group", i, op_name(g, (Ref)i));
    }
    const Ref *kernel = kernels_of(g, a);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = &g->node[i], *first = &g->node[kernel[i]];
        if ((n->nofuse || first->nofuse) && n->name != first->name)
            return arena_printf(a, "%%%d = %s is in a kernel of another layer, against nofuse", i, op_name(g, (Ref)i));
    }
    Ref stuck = stuck_kernel(g, a, kernel);
    if (!stuck) return NULL;
    return arena_printf(a, "group %d, of %%%u = %s, would wait for itself", g->node[stuck].group, stuck,
                        op_name(g, stuck));
}

static const struct {
    const char *name;
    Rule *check;
} rule_table[] = {{"operators", rule_operators},     {"arity", rule_arity},     {"topological", rule_topological},
                  {"attributes", rule_attributes},   {"types", rule_types},     {"layouts", rule_layouts},
                  {"params", rule_params},           {"effects", rule_effects}, {"sums", rule_sums}, {"outputs", rule_outputs},
                  {"groups", rule_groups}};

const char *graph_verify(Arena *a, const Graph *g) {
    for (int i = 0; i < ARRAY_LEN(rule_table); i++) {
        const char *offence = rule_table[i].check(a, g);
        if (offence) return arena_printf(a, "%s: %s", rule_table[i].name, offence);
    }
    return NULL;
}
