/* Graph to loops. Walks the groups in order and calls the rule of each root.
 *
 * Needs groups and layouts. A node's tensor gets storage if a node outside its group, an output or a halo asks for it.
 * The kernel that writes a tensor zeroes its halo, too, since planning lets other tensors use the same memory. */
#include "lower.h"

#include <string.h>

#define OP(id, diff, ...) [OP_##id] = lower_##id,
static LowerRule *const lower_rule[OP_COUNT] = {
#include "../ir/ops.def"
};
#undef OP

/* ---- nests ---------------------------------------------------------------------------------------------------- */

const Expr *nest_range(Lower *l, Nest *nest, const char *name, const Expr *lo, const Expr *hi, LoopRole role) {
    int64_t a, b;
    if (ex_is_int(lo, &a) && ex_is_int(hi, &b) && b == a + 1) return lo;
    ICE_UNLESS(nest->n < NEST_MAX, "nest deeper than %d", NEST_MAX);
    int32_t var = kernel_add_var(l->k, name);
    nest->loop[nest->n].var = var;
    nest->loop[nest->n].lo = lo;
    nest->loop[nest->n].hi = hi;
    nest->loop[nest->n++].role = role;
    return ex_var(l->k, var);
}

const Expr *nest_loop(Lower *l, Nest *nest, const char *name, int64_t extent, LoopRole role) {
    const Expr *hi = extent == BATCH ? ex_batch(l->k) : ex_int(l->k, extent);
    return nest_range(l, nest, name, ex_int(l->k, 0), hi, role);
}

Stmt *nest_wrap(Lower *l, const Nest *nest, Stmt *body) {
    for (int i = nest->n - 1; i >= 0; i--)
        body =
            st_for(l->k, nest->loop[i].var, nest->loop[i].lo, nest->loop[i].hi, LOOP_SERIAL, nest->loop[i].role, body);
    return body;
}

/* ---- tensors in kernels --------------------------------------------------------------------------------------- */

static bool has_own_place(const Node *n) { return n->op == OP_input || n->op == OP_param; }

/* Node `part` is in the memory of `whole`, if its type says so and nothing else has it. */
static void settle(Lower *l, Ref part, Ref whole, int32_t from) {
    const Node *n = graph_node(l->g, part), *w = graph_node(l->g, whole);
    if (l->home[part] == part && !has_own_place(n) && !has_own_place(w) && type_is_part(&n->type, &w->type, from))
        l->home[part] = whole;
}

/* Operands of concat that lie inside its result, and slices that lie inside their operand: they need no copy, whichever
 * of several tensors they could lie in. Afterwards home[r] is the outermost tensor. */
static void find_homes(Lower *l) {
    const Graph *g = l->g;
    for (int32_t i = 0; i < g->n_node; i++) l->home[i] = (Ref)i;
    for (int32_t i = g->n_node - 1; i > 0; i--) {
        const Node *n = graph_node(g, (Ref)i);
        int32_t from = 0;
        for (int32_t k = 0; n->op == OP_concat && k < n->n_in; k++) {
            settle(l, n->in[k], (Ref)i, from);
            from += graph_node(g, n->in[k])->type.dim[1];
        }
    }
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (n->op == OP_slice) settle(l, (Ref)i, n->in[0], n->attr.slice.from);
    }
    for (int32_t i = 1; i < g->n_node; i++)
        while (l->home[i] != l->home[l->home[i]]) l->home[i] = l->home[l->home[i]];
}

static const Region region_of_input[INPUT_ROLE_COUNT] = {[INPUT_IMAGE] = REGION_IMAGE,
                                                         [INPUT_LABEL] = REGION_LABEL,
                                                         [INPUT_PARTNER] = REGION_PARTNER,
                                                         [INPUT_SHARE] = REGION_SHARE,
                                                         [INPUT_AGAIN] = REGION_SCALAR,
                                                         [INPUT_LR] = REGION_SCALAR};

static int32_t storage_for(Lower *l, Ref node) {
    Program *p = l->p;
    if (p->storage_of[node] >= 0) return p->storage_of[node];
    if (l->home[node] != node) return p->storage_of[node] = storage_for(l, l->home[node]);
    const Node *n = graph_node(l->g, node);
    if (n->op == OP_accumulate) return p->storage_of[node] = storage_for(l, n->in[0]);
    Storage s = {.name = n->name,
                 .ref = node,
                 .type = n->type,
                 .bytes = type_bytes(&n->type),
                 .alias = -1,
                 .born = INT32_MAX,
                 .dies = -1};
    if (n->op == OP_param)
        s.region = n->attr.param.role == PARAM_MOMENTUM   ? REGION_STATE
                   : n->attr.param.role == PARAM_GRADIENT ? REGION_GRADIENT
                                                          : REGION_PARAM;
    else if (n->op == OP_input)
        s.region = region_of_input[n->attr.input.role];
    else
        s.region = type_batched(&n->type) ? REGION_BATCH : REGION_FIXED;
    if (n->op == OP_input && n->attr.input.role == INPUT_AGAIN) s.offset = sizeof(float); /* behind the learning rate */
    p->storage_of[node] = p->n_storage;
    PUSH(l->arena, p->storage, p->n_storage, p->cap_storage, s);
    return p->n_storage - 1;
}

int32_t lower_arg(Lower *l, Ref node) {
    if (l->arg_of[node] >= 0) return l->arg_of[node];
    const Node *n = graph_node(l->g, node);
    int32_t buf = kernel_add_buf(l->k, name_format("a%d", l->k->n_arg), BUF_ARG, n->type.dtype, type_stored(&n->type),
                                 type_batched(&n->type));
    ICE_UNLESS(buf < ARRAY_LEN(l->arg_storage), "kernel with more than %d arguments", ARRAY_LEN(l->arg_storage));
    l->arg_storage[buf] = storage_for(l, node);
    return l->arg_of[node] = buf;
}

/* Argument buffers must come first in a kernel, but rules meet them as they go: registers and locals are added on
 * first use, so arguments of the whole group are declared at the start. Not those of concat: it may have thousands,
 * and each of its kernels takes one and no register. */
static void declare_args(Lower *l) {
    for (int32_t m = 0; m < l->n_member; m++) {
        const Node *n = graph_node(l->g, l->member[m]);
        for (int32_t i = 0; i < n->n_in && n->op != OP_concat; i++) {
            const Node *in = graph_node(l->g, n->in[i]);
            bool inside = in->group && in->group == n->group;
            bool inlined = in->op == OP_fill && op_info[n->op].elementwise;
            if (!inside && !inlined) lower_arg(l, n->in[i]);
        }
    }
    for (int32_t m = 0; m < l->n_member; m++)
        if (l->stored[l->member[m]]) lower_arg(l, l->member[m]);
}

int32_t lower_reg(Lower *l, const char *name, DType dtype, int64_t elements) {
    return kernel_add_buf(l->k, name_of(name), BUF_REG, dtype, elements, false);
}

int32_t lower_local(Lower *l, const char *name, int64_t elements) {
    return kernel_add_buf(l->k, name_of(name), BUF_LOCAL, DT_F32, elements, false);
}

void lower_begin(Lower *l) {
    l->k = kernel_new(l->arena, NULL);
    l->n_temp = 0;
    for (int32_t i = 0; i < l->g->n_node; i++) l->arg_of[i] = -1;
    declare_args(l);
}

static const char *group_text(Lower *l) {
    Str s = STR(l->arena);
    for (int32_t m = 0; m < l->n_member; m++)
        str_addf(&s, "%s%s", m ? "+" : "", op_info[graph_node(l->g, l->member[m])->op].name);
    return str_text(&s);
}

/* The text from the first brace on: all of a kernel but its name. */
static const char *kernel_text(Lower *l, const Kernel *k) {
    Str s = STR(l->arena);
    loop_print(&s, k);
    return strchr(s.p, '{');
}

static int32_t share_kernel(Lower *l, Kernel *k) {
    const char *text = kernel_text(l, k);
    for (int32_t i = 0; i < l->p->n_kernel; i++) {
        Kernel *old = l->p->kernel[i];
        if (old->n_buf == k->n_buf && old->n_var == k->n_var && strcmp(l->kernel_text[i], text) == 0) return i;
    }
    k->name = name_format("%s%d_%s", l->p->name, l->p->n_kernel, op_info[graph_node(l->g, l->member[0])->op].name);
    PUSH(l->arena, l->p->kernel, l->p->n_kernel, l->p->cap_kernel, k);
    PUSH(l->arena, l->kernel_text, l->n_text, l->cap_text, text);
    return l->p->n_kernel - 1;
}

/* ---- halos ---------------------------------------------------------------------------------------------------- */

/* Zero rows [r0, r1) x columns [c0, c1) of a stored plane, counted from the plane's first stored element. */
static void zero_box(Lower *l, Stmt *seq, Ref node, const Coord *c, int32_t r0, int32_t r1, int32_t c0, int32_t c1) {
    if (r0 >= r1 || c0 >= c1) return;
    const Type *t = &graph_node(l->g, node)->type;
    Nest nest = {0};
    Coord at = *c;
    at.outer[2] =
        add_i(l, nest_range(l, &nest, "r", ex_int(l->k, r0), ex_int(l->k, r1), ROLE_NONE), -t->layout.halo.top);
    at.outer[3] =
        add_i(l, nest_range(l, &nest, "s", ex_int(l->k, c0), ex_int(l->k, c1), ROLE_NONE), -t->layout.halo.left);
    at.lane[1] = nest_loop(l, &nest, "i", t->layout.b1, ROLE_LANE);
    st_append(l->k, seq, nest_wrap(l, &nest, st_store(l->k, lower_arg(l, node), index_at(l, t, &at), num(l, 0))));
}

/* The halo of a tensor that the present kernel writes: one task a picture, beside those of the kernel. */
static Stmt *zero_halo(Lower *l, Ref node) {
    const Type *t = &graph_node(l->g, node)->type;
    Halo h = t->layout.halo;
    int32_t rows = t->dim[2] + h.top + h.bottom, columns = t->dim[3] + h.left + h.right;
    Nest nest = {0};
    Coord c = {.outer[0] = nest_loop(l, &nest, "n", BATCH, ROLE_TASK),
               .outer[1] = nest_loop(l, &nest, "cb", div_up(t->dim[1], t->layout.b1), ROLE_NONE)};
    Stmt *seq = st_seq(l->k);
    zero_box(l, seq, node, &c, 0, h.top, 0, columns);
    zero_box(l, seq, node, &c, rows - h.bottom, rows, 0, columns);
    zero_box(l, seq, node, &c, h.top, rows - h.bottom, 0, h.left);
    zero_box(l, seq, node, &c, h.top, rows - h.bottom, columns - h.right, columns);
    return nest_wrap(l, &nest, seq);
}

static bool has_halo(const Type *t) {
    return t->layout.halo.top || t->layout.halo.bottom || t->layout.halo.left || t->layout.halo.right;
}

/* Whether the present kernel is the first to write the node's tensor. What a chain keeps in scratch memory is none. */
static bool written_first(const Lower *l, Ref node) {
    int32_t buf = l->arg_of[node];
    return buf >= 0 && l->k->buf[buf].cls == BUF_ARG && l->k->buf[buf].written && !l->zeroed[node];
}

/* `body` and, before it, the halos of what it writes. */
static Stmt *with_halos(Lower *l, Stmt *body) {
    Stmt *all = st_seq(l->k);
    for (int32_t m = 0; m < l->n_member; m++) {
        Ref ref = l->member[m];
        if (!written_first(l, ref) || !has_halo(&graph_node(l->g, ref)->type)) continue;
        l->zeroed[ref] = true;
        st_append(l->k, all, zero_halo(l, ref));
    }
    if (all->u.seq.n == 0) return body;
    st_append(l->k, all, body);
    return all;
}

void lower_end(Lower *l, Stmt *body) {
    const Node *root = graph_node(l->g, l->member[0]);
    Kernel *k = l->k;
    k->body = with_halos(l, body);
    Step s = {.root = l->member[0], .layer = root->name, .what = group_text(l), .span = root->span, .tasks = 1};
    s.n_arg = k->n_arg;
    s.arg = NEW_ARRAY(l->arena, int32_t, k->n_arg);
    memcpy(s.arg, l->arg_storage, (size_t)k->n_arg * sizeof(int32_t));
    for (int32_t m = 0; m < l->n_member; m++) s.macs += node_macs(l->g, graph_node(l->g, l->member[m]));
    s.kernel = share_kernel(l, k);
    PUSH(l->arena, l->p->step, l->p->n_step, l->p->cap_step, s);
}

/* ---- coordinates ---------------------------------------------------------------------------------------------- */

const Expr *index_at(Lower *l, const Type *t, const Coord *c) {
    const int64_t b[2] = {t->layout.b0, t->layout.b1};
    const int32_t before[MAX_RANK] = {0, t->layout.from / t->layout.b1, t->layout.halo.top, t->layout.halo.left};
    const int32_t around[MAX_RANK] = {0, 0, t->layout.halo.top + t->layout.halo.bottom,
                                      t->layout.halo.left + t->layout.halo.right};
    const int by_rows[MAX_RANK] = {0, 2, 1, 3};
    const Expr *i = ex_int(l->k, 0), *row = NULL;
    for (int k = 0; k < t->rank; k++) {
        int d = t->layout.rows ? by_rows[k] : k;
        if (t->layout.rows && d == 1) {
            row = mul_i(l, i, type_row_vectors(t));
            i = c->outer[d];
            continue;
        }
        int64_t extent = d < 2 ? div_up(t->dim[d], b[d]) : t->dim[d] + around[d];
        if (d == 1 && t->layout.whole) extent = div_up(t->layout.whole, b[1]);
        if (d > 0) i = mul_i(l, i, extent);
        i = add_e(l, i, add_i(l, c->outer[d], before[d]));
    }
    if (row) i = add_e(l, row, i);
    for (int d = t->rank < 2 ? t->rank - 1 : 1; d >= 0; d--)
        if (b[d] > 1) i = add_e(l, mul_i(l, i, b[d]), c->lane[d]);
    return i;
}

Coord coord_logical(Lower *l, const Type *t, const Expr *const *index) {
    const int64_t b[2] = {t->layout.b0, t->layout.b1};
    Coord c = {{0}, {0}};
    for (int d = 0; d < t->rank; d++) {
        bool cut = d < 2 && b[d] > 1;
        c.outer[d] = cut ? ex2(l->k, EX_div, index[d], ex_int(l->k, b[d])) : index[d];
        if (d < 2) c.lane[d] = cut ? ex2(l->k, EX_mod, index[d], ex_int(l->k, b[d])) : ex_int(l->k, 0);
    }
    return c;
}

const Expr *coord_channel(Lower *l, const Type *t, const Coord *c) {
    int d = type_channel_dim(t);
    if (d < 0) return ex_int(l->k, 0);
    return add_e(l, mul_i(l, c->outer[d], d ? t->layout.b1 : t->layout.b0), c->lane[d]);
}

/* Where the kernel has an element of the node's tensor. */
static const Expr *place_at(Lower *l, Ref node, const Coord *c) {
    const Band *b = l->band[node];
    if (!b) return index_at(l, &graph_node(l->g, node)->type, c);
    Coord at = *c;
    at.outer[0] = ex_int(l->k, 0);
    at.outer[1] = ex2(l->k, EX_sub, c->outer[1], b->block);
    at.outer[2] = ex2(l->k, EX_sub, c->outer[2], b->first);
    return index_at(l, &b->type, &at);
}

const Expr *load_at(Lower *l, Ref node, const Coord *c) {
    return ex_load(l->k, lower_arg(l, node), place_at(l, node, c));
}

Coord nest_tensor(Lower *l, Nest *nest, const Type *t) {
    static const char *const batched_name[] = {"n", "cb", "h", "w"}, *const plain_name[] = {"ob", "ib", "kh", "kw"};
    const char *const *name = type_batched(t) ? batched_name : plain_name;
    const int64_t b[2] = {t->layout.b0, t->layout.b1};
    Coord c = {{0}, {0}};
    for (int d = 0; d < t->rank; d++) {
        int64_t extent = t->dim[d] == BATCH ? BATCH : d < 2 ? div_up(t->dim[d], b[d]) : t->dim[d];
        c.outer[d] = nest_loop(l, nest, name[d], extent, d < 3 ? ROLE_TASK : ROLE_NONE);
    }
    bool lane0 = t->rank > 0 && b[0] > 1;
    if (t->rank > 1) c.lane[1] = nest_loop(l, nest, "i", b[1], lane0 ? ROLE_NONE : ROLE_LANE);
    if (t->rank > 0) c.lane[0] = nest_loop(l, nest, "o", b[0], ROLE_LANE);
    return c;
}

void nest_logical(Lower *l, Nest *nest, const Type *t, const Expr *index[MAX_RANK]) {
    static const char *const name[] = {"n", "c", "h", "w"};
    for (int d = 0; d < t->rank; d++) index[d] = nest_loop(l, nest, name[d], t->dim[d], d < 2 ? ROLE_TASK : ROLE_NONE);
}

/* ---- finishing an element ------------------------------------------------------------------------------------- */

const Expr *zero_pads(Lower *l, const Type *t, const Coord *c, const Expr *value) {
    int d = type_channel_dim(t);
    int32_t block = d == 0 ? t->layout.b0 : d == 1 ? t->layout.b1 : 1;
    if (block == 1 || type_channels(t) % block == 0) return value;
    const Expr *inside = ex2(l->k, EX_lt, coord_channel(l, t, c), ex_int(l->k, type_channels(t)));
    return ex3(l->k, EX_select, inside, value, num(l, 0));
}

static const Expr *fill_value(Lower *l, const Node *fill, const Type *t, const Coord *c) {
    const Expr *v = num(l, fill->attr.fill.value);
    if (fill->attr.fill.per_picture) v = ex2(l->k, EX_div, v, ex1(l->k, EX_tofloat, ex_batch(l->k)));
    return zero_pads(l, t, c, v);
}

static bool same_blocks(const Node *a, const Node *b) {
    return a->type.layout.b0 == b->type.layout.b0 && a->type.layout.b1 == b->type.layout.b1;
}

/* The one number of the plane that c is in. */
static const Expr *plane_value(Lower *l, Ref operand, const Coord *c) {
    const Expr *zero = ex_int(l->k, 0);
    Coord at = *c;
    if (l->logical) {
        const Expr *index[MAX_RANK] = {l->logical[0], l->logical[1], zero, zero};
        at = coord_logical(l, &graph_node(l->g, operand)->type, index);
    }
    at.outer[2] = at.outer[3] = zero;
    return load_at(l, operand, &at);
}

static const Expr *operand_value(Lower *l, const Node *user, Ref operand, const Coord *c) {
    const Node *in = graph_node(l->g, operand);
    if (l->value[operand]) return l->value[operand];
    if (in->op == OP_fill) return fill_value(l, in, &user->type, c);
    if (in->type.rank == 0) return ex_load(l->k, lower_arg(l, operand), ex_int(l->k, 0));
    if (type_same_dims(&in->type, &user->type)) {
        Coord other = l->logical ? coord_logical(l, &in->type, l->logical) : *c;
        ICE_UNLESS(l->logical || same_blocks(in, user), "%s reads node %u, which has other blocks",
                   op_info[user->op].name, operand);
        return load_at(l, operand, &other);
    }
    Broadcast b = type_broadcast(&user->type, &in->type);
    if (b == BROADCAST_PLANE) return plane_value(l, operand, c);
    const Expr *at = b == BROADCAST_ONE ? ex_int(l->k, 0) : coord_channel(l, &user->type, c);
    return ex_load(l->k, lower_arg(l, operand), at); /* a channel vector is stored in order */
}

const Expr *lower_addend(Lower *l, const Coord *c) {
    Ref ref = l->member[l->head], after = l->head + 1 < l->tail ? l->member[l->head + 1] : 0;
    const Node *n = after ? graph_node(l->g, after) : NULL;
    if (!n || n->op != OP_add || l->stored[ref] || l->uses_inside[ref] != 1) return NULL;
    Ref other = n->in[n->in[0] == ref];
    if ((n->in[0] != ref && n->in[1] != ref) || graph_node(l->g, other)->type.rank != 1) return NULL;
    l->head++;
    return operand_value(l, n, other, c);
}

/* A value that is needed more than once goes through a register. */
static const Expr *keep(Lower *l, Stmt *seq, const Coord *c, const Type *t, const Expr *value) {
    const Expr *lane = t->layout.b0 > 1 && t->rank > 0 && !type_batched(t) ? c->lane[0]
                       : t->rank > 1                                       ? c->lane[1]
                                                                           : NULL;
    int64_t lanes = t->layout.b0 > 1 ? t->layout.b0 : t->layout.b1;
    if (!lane || lane->kind != EX_var || l->one_by_one) {
        lane = ex_int(l->k, 0);
        lanes = 1;
    }
    char name[16];
    snprintf(name, sizeof name, "t%d", l->n_temp++);
    int32_t reg = lower_reg(l, name, DT_F32, lanes);
    st_append(l->k, seq, st_store(l->k, reg, lane, value));
    return ex_load(l->k, reg, lane);
}

/* An operand's value in a form that may stand in an expression as often as its rule likes. */
static const Expr *reread_value(Lower *l, Stmt *seq, const Node *user, Ref operand, const Coord *c) {
    const Expr *v = operand_value(l, user, operand, c);
    if (!op_info[user->op].rereads || v->kind == EX_load || v->kind == EX_float) return v;
    v = keep(l, seq, c, &user->type, v);
    if (l->value[operand]) l->value[operand] = v;
    return v;
}

Stmt *lower_finish(Lower *l, const Coord *c, const Expr *value) {
    Stmt *seq = st_seq(l->k);
    l->at = c;
    for (int32_t m = l->head; m < l->tail; m++) {
        Ref ref = l->member[m];
        const Node *n = graph_node(l->g, ref);
        if (m > l->head || !value) {
            const Expr *operand[8];
            for (int32_t i = 0; i < n->n_in; i++) operand[i] = reread_value(l, seq, n, n->in[i], c);
            value = lower_rule[n->op](l, ref, operand);
            if (op_info[n->op].lifts_zero) value = zero_pads(l, &n->type, c, value);
        }
        if (l->uses_inside[ref] + l->stored[ref] > 1) value = keep(l, seq, c, &n->type, value);
        l->value[ref] = value;
        if (l->stored[ref]) st_append(l->k, seq, st_store(l->k, lower_arg(l, ref), place_at(l, ref, c), value));
    }
    for (int32_t m = 0; m < l->n_member; m++) l->value[l->member[m]] = NULL;
    return seq;
}

/* ---- small kernels -------------------------------------------------------------------------------------------- */

void lower_zero(Lower *l, Ref node) {
    Nest nest = {0};
    lower_begin(l);
    const Type *t = &graph_node(l->g, node)->type;
    Coord c = nest_tensor(l, &nest, t);
    lower_end(l, nest_wrap(l, &nest, st_store(l->k, lower_arg(l, node), index_at(l, t, &c), num(l, 0))));
}

/* Zero where dimension d runs over its pad and the others over all that is stored. */
static void zero_pad_of(Lower *l, Ref node, int d) {
    const Type *t = &graph_node(l->g, node)->type;
    const int32_t b[2] = {t->layout.b0, t->layout.b1};
    if (t->dim[d] == BATCH || t->dim[d] % b[d] == 0) return;
    Nest nest = {0};
    lower_begin(l);
    const Expr *index[MAX_RANK];
    for (int i = 0; i < t->rank; i++) {
        int64_t stored = i < 2 && t->dim[i] != BATCH ? round_up(t->dim[i], b[i]) : t->dim[i];
        index[i] = i == d ? nest_range(l, &nest, "c", ex_int(l->k, t->dim[i]), ex_int(l->k, stored), ROLE_NONE)
                          : nest_loop(l, &nest, "i", stored, i == 0 ? ROLE_TASK : ROLE_NONE);
    }
    Coord c = coord_logical(l, t, index);
    lower_end(l, nest_wrap(l, &nest, st_store(l->k, lower_arg(l, node), index_at(l, t, &c), num(l, 0))));
}

void lower_zero_pads(Lower *l, Ref node) {
    for (int d = 0; d < 2 && d < graph_node(l->g, node)->type.rank; d++) zero_pad_of(l, node, d);
}

/* ---- groups --------------------------------------------------------------------------------------------------- */

/* A node needs storage if somebody outside its group reads it. A fill read by element-wise nodes only is a constant
 * there. */
static void find_stored(Lower *l) {
    const Graph *g = l->g;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        for (int32_t j = 0; j < n->n_in; j++) {
            const Node *in = graph_node(g, n->in[j]);
            bool inside = in->group && in->group == n->group;
            if (inside)
                l->uses_inside[n->in[j]]++;
            else if (in->op != OP_fill || !op_info[n->op].elementwise)
                l->stored[n->in[j]] = true;
        }
    }
    for (int32_t i = 0; i < g->n_output; i++) l->stored[g->output[i].ref] = true;
}

static void collect_group(Lower *l, Ref root) {
    int32_t group = graph_node(l->g, root)->group;
    l->n_member = l->head = 0;
    l->member[l->n_member++] = root;
    for (int32_t i = (int32_t)root + 1; group && i < l->g->n_node; i++)
        if (graph_node(l->g, (Ref)i)->group == group) l->member[l->n_member++] = (Ref)i;
    l->tail = l->n_member;
}

/* What is made of frozen parameters alone is made once, too, and kept: Winograd weights and weights for gradients, of which
 * there may be more bytes than of all else. With max_memory they are made anew in each step. */
const bool *once_nodes(const Unit *u, const Graph *g) {
    bool effects = false;
    for (int32_t i = 1; i < g->n_node; i++) effects = effects || op_info[graph_node(g, (Ref)i)->op].effect;
    return effects && u->train.max_memory ? NEW_ARRAY(u->arena, bool, g->n_node) : graph_constants(g, u->arena);
}

/* The plain copy of the picture, which is the only kernel on plain pictures that is not a sum. */
static bool copies_picture(const Lower *l, const Node *root) {
    const Layout *y = &root->type.layout;
    return l->n_member == 1 && root->n_in == 1 && graph_node(l->g, root->in[0])->op == OP_input &&
           root->type.rank == 4 && type_batched(&root->type) && y->b0 == 1 && y->b1 == 1;
}

/* Its loops: a row's columns by vectors, of which the last begins where it ends with the row. */
static Coord nest_rows(Lower *l, Nest *nest, const Type *t) {
    static const char *const name[] = {"n", "c", "h"};
    int64_t lanes = min_i64(l->u->machine->vector_lanes, t->dim[3]);
    Coord c = {{0}, {ex_int(l->k, 0), ex_int(l->k, 0)}};
    for (int d = 0; d < 3; d++) c.outer[d] = nest_loop(l, nest, name[d], t->dim[d], ROLE_TASK);
    const Expr *w = mul_i(l, nest_loop(l, nest, "w", div_up(t->dim[3], lanes), ROLE_NONE), lanes);
    w = ex2(l->k, EX_min, w, ex_int(l->k, t->dim[3] - lanes));
    c.outer[3] = add_e(l, w, nest_loop(l, nest, "i", lanes, ROLE_LANE));
    return c;
}

/* A group with an element-wise root. Operands in other blocks than the result are met element by logical element. */
static void lower_chain(Lower *l, const Node *root) {
    bool alike = true;
    for (int32_t i = 0; i < root->n_in; i++) {
        const Node *in = graph_node(l->g, root->in[i]);
        alike = alike && (!type_same_dims(&in->type, &root->type) || same_blocks(in, root));
    }
    Nest nest = {0};
    Coord c;
    const Expr *index[MAX_RANK];
    lower_begin(l);
    if (alike && copies_picture(l, root)) {
        c = nest_rows(l, &nest, &root->type);
    } else if (alike) {
        c = nest_tensor(l, &nest, &root->type);
    } else {
        nest_logical(l, &nest, &root->type, index);
        c = coord_logical(l, &root->type, index);
        l->logical = index;
    }
    Stmt *body = lower_finish(l, &c, root->op == OP_fill ? fill_value(l, root, &root->type, &c) : NULL);
    lower_end(l, nest_wrap(l, &nest, body));
    l->logical = NULL;
    for (int32_t m = 0; m < l->n_member && !alike; m++)
        if (l->stored[l->member[m]]) lower_zero_pads(l, l->member[m]);
}

bool lower_in_place(const Lower *l, Ref part, Ref whole, int32_t from) {
    return l->home[part] == l->home[whole] &&
           type_is_part(&graph_node(l->g, part)->type, &graph_node(l->g, whole)->type, from);
}

static void lower_groups(Lower *l, const bool *constant, bool once) {
    bool *done = NEW_ARRAY(l->arena, bool, l->g->n_node); /* groups, by their number */
    for (int32_t i = 1; i < l->g->n_node; i++) {
        const Node *n = graph_node(l->g, (Ref)i);
        if (n->op == OP_param || n->op == OP_input || constant[i] != once) continue;
        if (n->op == OP_fill && !l->stored[i]) continue;
        if (n->group && done[n->group]) continue;
        if (n->group) done[n->group] = true;
        collect_group(l, (Ref)i);
        if (op_info[n->op].elementwise || n->op == OP_fill) {
            lower_chain(l, n);
        } else {
            lower_rule[n->op](l, (Ref)i, NULL);
        }
    }
}

void pass_lower(Unit *u, Entry entry) {
    Graph *g = u->graph[entry];
    Program *p = NEW(u->arena, Program);
    p->name = g->name;
    p->graph = g;
    p->owns = entry == ENTRY_INFER;
    p->storage_of = NEW_ARRAY(u->arena, int32_t, g->n_node);
    for (int32_t i = 0; i < g->n_node; i++) p->storage_of[i] = -1;
    u->program[entry] = p;
    Lower l = {.u = u, .arena = u->arena, .p = p, .g = g};
    l.arg_of = NEW_ARRAY(u->arena, int32_t, g->n_node);
    l.member = NEW_ARRAY(u->arena, Ref, g->n_node);
    l.uses_inside = NEW_ARRAY(u->arena, int32_t, g->n_node);
    l.stored = NEW_ARRAY(u->arena, bool, g->n_node);
    l.zeroed = NEW_ARRAY(u->arena, bool, g->n_node);
    l.value = NEW_ARRAY(u->arena, const Expr *, g->n_node);
    l.band = NEW_ARRAY(u->arena, Band *, g->n_node);
    l.home = NEW_ARRAY(u->arena, Ref, g->n_node);
    find_homes(&l);
    find_stored(&l);
    const bool *constant = once_nodes(u, g);
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (n->op == OP_param) storage_for(&l, (Ref)i);
    }
    lower_groups(&l, constant, true);
    p->n_once = p->n_step;
    lower_groups(&l, constant, false);
    for (int32_t i = 0; i < g->n_output; i++) storage_for(&l, g->output[i].ref); /* a slice may have no kernel */
}
