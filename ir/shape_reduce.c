/* Reductions, classification, and the operators that update parameters. */
#include "shape.h"

static bool per_channel(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_channels(g, n, 0, d) && rule_result(n, d, result, DT_F32, DIMS(type_channels(rule_in(g, n, 0))));
}

bool shape_mean(const Graph *g, const Node *n, Type *result, Diags *d) { return per_channel(g, n, result, d); }
bool shape_var(const Graph *g, const Node *n, Type *result, Diags *d) { return per_channel(g, n, result, d); }
bool shape_channel_sum(const Graph *g, const Node *n, Type *result, Diags *d) { return per_channel(g, n, result, d); }

bool shape_channel_dot(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_same(g, n, 0, 1, d) && per_channel(g, n, result, d);
}

bool shape_plane_dot(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    if (!rule_pictures(g, n, 0, d) || !rule_same(g, n, 0, 1, d) || !rule_given(n, d, result, &n->attr.shape.type))
        return false;
    bool single = type_same_dims(x, result) && type_height(x) == 1 && type_width(x) == 1;
    return single || type_broadcast(x, result) == BROADCAST_PLANE ||
           rule_misfit(n, d, E_INTERNAL, "the planes of %s do not make %s", rule_text(d, x), rule_text(d, result));
}

static bool per_plane(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_pictures(g, n, 0, d) && rule_result(n, d, result, DT_F32, DIMS(BATCH, rule_in(g, n, 0)->dim[1]));
}

bool shape_plane_mean(const Graph *g, const Node *n, Type *result, Diags *d) { return per_plane(g, n, result, d); }
bool shape_plane_var(const Graph *g, const Node *n, Type *result, Diags *d) { return per_plane(g, n, result, d); }

static bool of_pictures(const Graph *g, const Node *n, int i, Diags *d) {
    const Type *x = rule_in(g, n, i);
    return (x->dtype == DT_F32 && x->rank == 2 && type_batched(x)) ||
           rule_misfit(n, d, E_INTERNAL, "`%s` needs one number for each channel of each picture, but gets %s",
                       op_info[n->op].name, rule_text(d, x));
}

bool shape_ghost_mean(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (n->attr.ghost.pictures < 1)
        return rule_misfit(n, d, E_INTERNAL, "`ghost_mean` of %d pictures", n->attr.ghost.pictures);
    return of_pictures(g, n, 0, d) && rule_like(g, n, d, result, 0);
}

bool shape_total(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_vector(g, n, 0, type_channels(rule_in(g, n, 0)), d) && rule_result(n, d, result, DT_F32, DIMS(1));
}

bool shape_row_squares(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    if (!rule_floats(g, n, 0, d)) return false;
    if (x->rank < 1 || type_batched(x))
        return rule_misfit(n, d, E_INTERNAL, "`row_squares` needs a weight, but gets %s", rule_text(d, x));
    return rule_result(n, d, result, DT_F32, DIMS(x->dim[0]));
}

static bool scores(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    if (!rule_channels(g, n, 0, d)) return false;
    if (!type_batched(x) || (x->rank != 2 && x->rank != 4))
        return rule_misfit(n, d, E_OPERAND, "`%s` needs scores per picture, but its input is %s", op_info[n->op].name,
                           rule_text(d, x));
    return rule_like(g, n, d, result, 0);
}

bool shape_softmax(const Graph *g, const Node *n, Type *result, Diags *d) { return scores(g, n, result, d); }
bool shape_log_softmax(const Graph *g, const Node *n, Type *result, Diags *d) { return scores(g, n, result, d); }

bool shape_log_softmax_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_same(g, n, 0, 1, d) && scores(g, n, result, d);
}

bool shape_softmax_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_same(g, n, 0, 1, d) && scores(g, n, result, d);
}

/* Logits [N,K] and labels [N]. */
static bool check_loss(const Graph *g, const Node *n, Diags *d) {
    const Type *logits = rule_in(g, n, 0), *labels = rule_in(g, n, 1);
    if (logits->dtype != DT_F32 || logits->rank != 2 || !type_batched(logits))
        return rule_misfit(n, d, E_OPERAND, "`%s` needs one score per class, but gets %s", op_info[n->op].name,
                           rule_text(d, logits));
    return (labels->dtype == DT_I32 && labels->rank == 1 && type_batched(labels)) ||
           rule_misfit(n, d, E_INTERNAL, "`%s` needs one label per picture, but gets %s", op_info[n->op].name,
                       rule_text(d, labels));
}

/* Logits [N,K,H,W] and labels [N,1,H,W]. */
static bool check_map_loss(const Graph *g, const Node *n, Diags *d) {
    const Type *logits = rule_in(g, n, 0), *labels = rule_in(g, n, 1);
    bool fits = labels->dtype == DT_I32 && labels->rank == 4 && type_batched(labels) && labels->dim[1] == 1 &&
                labels->dim[2] == logits->dim[2] && labels->dim[3] == logits->dim[3];
    return fits || rule_misfit(n, d, E_INTERNAL, "`%s` needs one label per pixel of %s, but gets %s", op_info[n->op].name,
                               rule_text(d, logits), rule_text(d, labels));
}

static bool check_entropy(const Graph *g, const Node *n, Diags *d) {
    const Type *logits = rule_in(g, n, 0);
    bool map = logits->dtype == DT_F32 && logits->rank == 4 && type_batched(logits);
    return map ? check_map_loss(g, n, d) : check_loss(g, n, d);
}

/* A factor and the weights of classes, where they are operands i and i + 1. */
static bool check_class_weights(const Graph *g, const Node *n, int i, Diags *d) {
    return n->n_in <= i || (rule_vector(g, n, i, 1, d) &&
                            (n->n_in <= i + 1 || rule_vector(g, n, i + 1, type_channels(rule_in(g, n, 0)), d)));
}

bool shape_cross_entropy(const Graph *g, const Node *n, Type *result, Diags *d) {
    return check_entropy(g, n, d) && check_class_weights(g, n, 2, d) && rule_result(n, d, result, DT_F32, DIMS(BATCH));
}

static bool loss_gradient(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *dloss = rule_in(g, n, 2);
    if (dloss->dtype != DT_F32 || dloss->rank != 1 || !type_batched(dloss))
        return rule_misfit(n, d, E_INTERNAL, "`%s` needs one number per picture, but gets %s", op_info[n->op].name,
                           rule_text(d, dloss));
    return rule_like(g, n, d, result, 0);
}

bool shape_cross_entropy_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    return check_entropy(g, n, d) && loss_gradient(g, n, result, d) && check_class_weights(g, n, 3, d);
}

bool shape_label_factor(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *labels = rule_in(g, n, 0);
    if (labels->dtype != DT_I32 || !type_batched(labels) || n->attr.classes.classes < 1)
        return rule_misfit(n, d, E_INTERNAL, "`label_factor` needs labels of one class or more, but gets %s",
                           rule_text(d, labels));
    return (n->n_in < 2 || rule_vector(g, n, 1, n->attr.classes.classes, d)) &&
           rule_result(n, d, result, DT_F32, DIMS(1));
}

#define LOSS(id, ...)                                                                              \
    bool shape_##id(const Graph *g, const Node *n, Type *result, Diags *d) {                       \
        return check_loss(g, n, d) && rule_result(n, d, result, DT_F32, DIMS(BATCH));              \
    }                                                                                              \
    bool shape_##id##_grad(const Graph *g, const Node *n, Type *result, Diags *d) {                \
        return check_loss(g, n, d) && loss_gradient(g, n, result, d);                              \
    }
#include "losses.def"
#undef LOSS

/* What an effect gives: a scalar that nobody reads. */
static bool nothing(const Node *n, Type *result, Diags *d) { return rule_result(n, d, result, DT_F32, 0, NULL); }

/* The update of the first of n_same tensors of one shape; the last operand is the learning rate. */
static bool check_update(const Graph *g, const Node *n, int n_same, Diags *d) {
    if (!rule_floats(g, n, 0, d)) return false;
    for (int i = 1; i < n_same; i++)
        if (!rule_same(g, n, 0, i, d)) return false;
    const Type *lr = rule_in(g, n, n->n_in - 1);
    return (lr->dtype == DT_F32 && lr->rank == 0) ||
           rule_misfit(n, d, E_INTERNAL, "`%s` needs one learning rate, but gets %s", op_info[n->op].name,
                       rule_text(d, lr));
}

bool shape_accumulate(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *again = rule_in(g, n, 2);
    if (again->dtype != DT_F32 || again->rank != 0)
        return rule_misfit(n, d, E_INTERNAL, "`accumulate` needs one number, but gets %s", rule_text(d, again));
    *result = *rule_in(g, n, 1);
    result->layout = (Layout){.b0 = 1, .b1 = 1};
    return rule_same(g, n, 0, 1, d);
}

bool shape_sgd(const Graph *g, const Node *n, Type *result, Diags *d) {
    return check_update(g, n, 3, d) && nothing(n, result, d);
}

bool shape_adam(const Graph *g, const Node *n, Type *result, Diags *d) {
    return check_update(g, n, 4, d) && rule_vector(g, n, 4, 1, d) && rule_vector(g, n, 5, 1, d) &&
           nothing(n, result, d);
}

bool shape_rmsprop(const Graph *g, const Node *n, Type *result, Diags *d) {
    int state = 1 + (n->attr.rmsprop.momentum > 0) + n->attr.rmsprop.centred;
    if (n->n_in != 3 + state)
        return rule_misfit(n, d, E_INTERNAL, "`rmsprop` needs %d tensors of state, but gets %d", state, n->n_in - 3);
    return check_update(g, n, n->n_in - 1, d) && nothing(n, result, d);
}

bool shape_lars(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (n->n_in == 5) return rule_misfit(n, d, E_INTERNAL, "`lars` needs both lengths or none");
    bool lengths = n->n_in == 4 || (rule_vector(g, n, 3, 1, d) && rule_vector(g, n, 4, 1, d));
    return lengths && check_update(g, n, 3, d) && nothing(n, result, d);
}

bool shape_ema(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *running = rule_in(g, n, 0);
    if (n->attr.ema.pixels < 0)
        return rule_misfit(n, d, E_INTERNAL, "`ema` cannot count %d pixels", n->attr.ema.pixels);
    if (!rule_vector(g, n, 0, type_channels(running), d)) return false;
    if (n->attr.ema.ghost == 0) return rule_same(g, n, 0, 1, d) && nothing(n, result, d);
    if (n->attr.ema.ghost < 0 || type_channels(rule_in(g, n, 1)) != type_channels(running))
        return rule_misfit(n, d, E_INTERNAL, "`ema` cannot take %d pictures at a time of %s", n->attr.ema.ghost,
                           rule_text(d, rule_in(g, n, 1)));
    return of_pictures(g, n, 1, d) && nothing(n, result, d);
}
