#include "objective.h"

static Ref add_input(Graph *g, InputRole role, Type type, const char *name) {
    Attr attr = {.input = {role, type}};
    return graph_add(g, OP_input, 0, NULL, &attr, name_of(name), (Span){0}, NULL);
}

/* One for each picture; for each pixel where the logits are maps. */
static Type labels_of(const Type *logits) {
    return type_make(DT_I32, logits->rank > 2 ? 4 : 1, (const int32_t[]){BATCH, 1, type_height(logits), type_width(logits)});
}

static Ref class_weights(Graph *g, const LossTerm *term) {
    Attr attr = {.table = {term->class_weights}};
    if (!term->class_weights) return 0;
    return graph_add(g, OP_table, 0, NULL, &attr, name_of("class weights"), term->span, NULL);
}

/* Makes a mean of the sums of the pictures' losses where these are not one number each, weighted alike; else 0. */
static Ref label_factor(Graph *g, const LossTerm *term, Ref logits, Ref labels, Ref weights) {
    const Type *t = &graph_node(g, logits)->type;
    Attr attr = {.classes = {type_channels(t)}};
    Ref in[] = {labels, weights};
    if (!weights && t->rank == 2) return 0;
    return graph_add(g, OP_label_factor, weights ? 2 : 1, in, &attr, name_of("loss"), term->span, NULL);
}

/* weight * loss(logits, labels); 0 if the shapes do not fit. */
static Ref add_term(Unit *u, Graph *g, const LossTerm *term, Ref logits, Ref labels) {
    Attr weight = {.scale = {.alpha = term->weight}};
    Ref weights = class_weights(g, term), in[] = {logits, labels, label_factor(g, term, logits, labels, weights), weights};
    const Attr *attr = op_info[term->op].attr == ATTR_NONE ? NULL : &term->attr;
    Ref loss = graph_add(g, term->op, 2 + (in[2] != 0) + (in[3] != 0), in, attr, name_of("loss"), term->span, u->diags);
    if (!loss || term->weight == 1) return loss;
    return graph_op1(g, OP_scale, loss, &weight, loss);
}

/* What labels and, with mixed pictures, those of their partners count: [N]. */
typedef struct Labels {
    Ref own, partner, share, rest;
} Labels;

static Labels add_labels(const Unit *u, Graph *g, Ref first) {
    const Type one = type_make(DT_F32, 1, (const int32_t[]){BATCH});
    Attr rest = {.scale = {.alpha = -1, .beta = 1}};
    Labels l = {.own = add_input(g, INPUT_LABEL, labels_of(&graph_node(g, first)->type), "labels")};
    if (!u->train.mixes) return l;
    l.partner = add_input(g, INPUT_PARTNER, labels_of(&graph_node(g, first)->type), "partners");
    l.share = add_input(g, INPUT_SHARE, one, "shares");
    l.rest = graph_op1(g, OP_scale, l.share, &rest, l.share);
    return l;
}

/* share * loss(logits, own labels) + (1 - share) * loss(logits, labels of the partners). */
static Ref add_mixed(Unit *u, Graph *g, const LossTerm *term, Ref logits, const Labels *l) {
    Ref own = add_term(u, g, term, logits, l->own), partner = own && l->partner ? add_term(u, g, term, logits, l->partner) : 0;
    if (!partner) return own;
    return graph_op2(g, OP_add, graph_op2(g, OP_mul, own, l->share, NULL, own),
                     graph_op2(g, OP_mul, partner, l->rest, NULL, partner), NULL, own);
}

Ref objective_loss(Unit *u, Graph *g) {
    const TrainConfig *t = &u->train;
    ICE_UNLESS(g->n_output == t->n_loss && t->n_loss > 0, "%d outputs for %d loss terms", g->n_output, t->n_loss);
    Ref total = 0, first = g->output[0].ref;
    const Labels labels = add_labels(u, g, first);
    for (int i = 0; i < t->n_loss; i++) {
        Ref term = add_mixed(u, g, &t->loss[i], g->output[i].ref, &labels);
        if (!term) return 0;
        total = total ? graph_op2(g, OP_add, total, term, NULL, total) : term;
    }
    g->n_output = 0;
    graph_output(g, name_of("loss"), total, ONLY_BOTH);
    graph_output(g, name_of("logits"), first, ONLY_BOTH);
    return total;
}

Ref objective_seed(const Unit *u, Graph *g, Ref loss) {
    const Node *n = graph_node(g, loss);
    Attr attr = {.fill = {1, !u->train.gathers, n->type}};
    return graph_add(g, OP_fill, 0, NULL, &attr, n->name, n->span, NULL);
}

static Ref add_state(Graph *g, ParamRole role, const char *name, Span span, const Type *type) {
    Attr attr = {.param = {.role = role, .init = INIT_CONSTANT, .type = *type}};
    return graph_add(g, OP_param, 0, NULL, &attr, name_of(name), span, NULL);
}

/* "<weight>.<what>", of the weight's shape. */
static Ref weight_state(Graph *g, Ref weight, ParamRole role, const char *what) {
    const Node *w = graph_node(g, weight);
    Type type = w->attr.param.type;
    return add_state(g, role, name_format("%s.%s", w->name, what), w->span, &type);
}

/* What updates have in common: the learning rate, and of Adam the sums that its averages are divided by. */
typedef struct Updates {
    const TrainConfig *train;
    Graph *g;
    Ref lr, sum[2];
} Updates;

/* The operands of an update between the gradient and the learning rate, with PyTorch's names; returns how many. */
enum { MOST_STATE = 4 };
typedef int State(const Updates *u, Ref weight, Ref gradient, Ref state[MOST_STATE]);

static const char *const average_name[2] = {"exp_avg", "exp_avg_sq"};

static int sgd_state(const Updates *u, Ref weight, Ref gradient, Ref state[MOST_STATE]) {
    (void)gradient;
    state[0] = weight_state(u->g, weight, PARAM_MOMENTUM, "momentum");
    return 1;
}

static int adam_state(const Updates *u, Ref weight, Ref gradient, Ref state[MOST_STATE]) {
    (void)gradient;
    for (int i = 0; i < 2; i++) state[i] = weight_state(u->g, weight, PARAM_MOMENTUM, average_name[i]);
    for (int i = 0; i < 2; i++) state[2 + i] = u->sum[i];
    return 4;
}

static int rmsprop_state(const Updates *u, Ref weight, Ref gradient, Ref state[MOST_STATE]) {
    const RmspropAttr *a = &u->train->update.rmsprop;
    int n = 0;
    (void)gradient;
    state[n++] = weight_state(u->g, weight, PARAM_MOMENTUM, "square_avg");
    if (a->momentum > 0) state[n++] = weight_state(u->g, weight, PARAM_MOMENTUM, "momentum");
    if (a->centred) state[n++] = weight_state(u->g, weight, PARAM_MOMENTUM, "grad_avg");
    return n;
}

static Ref sum_of_squares(Graph *g, Ref x) { return graph_op1(g, OP_total, graph_op1(g, OP_row_squares, x, NULL, x), NULL, x); }

/* A weight without decay, as a group may say of norms and biases, has the plain rate. */
static int lars_state(const Updates *u, Ref weight, Ref gradient, Ref state[MOST_STATE]) {
    int n = sgd_state(u, weight, gradient, state);
    if (graph_node(u->g, weight)->attr.param.weight_decay == 0) return n;
    state[n++] = sum_of_squares(u->g, weight);
    state[n++] = sum_of_squares(u->g, gradient);
    return n;
}

static void begin_adam(Updates *u) {
    const Type one = type_make(DT_F32, 1, (const int32_t[]){1});
    for (int i = 0; i < 2; i++)
        u->sum[i] = add_state(u->g, PARAM_MOMENTUM, arena_printf(u->g->arena, "%s.sum", average_name[i]), u->train->span, &one);
}

static void end_adam(const Updates *u) {
    for (int i = 0; i < 2; i++) {
        Type one = graph_node(u->g, u->sum[i])->type;
        Attr fill = {.fill = {.value = 1, .type = one}}, ema = {.ema = {.momentum = 1 - u->train->update.adam.beta[i]}};
        graph_op2(u->g, OP_ema, u->sum[i], graph_add(u->g, OP_fill, 0, NULL, &fill, name_of("adam"), u->train->span, NULL),
                  &ema, u->sum[i]);
    }
}

/* ONE ROW PER OPTIMISER: what its operator reads besides weight, gradient and rate, and what is before and after all. */
static const struct Optimizer {
    State *state;
    void (*begin)(Updates *u);
    void (*end)(const Updates *u);
} optimizers[OP_COUNT] = {[OP_sgd] = {sgd_state, NULL, NULL},
                          [OP_adam] = {adam_state, begin_adam, end_adam},
                          [OP_rmsprop] = {rmsprop_state, NULL, NULL},
                          [OP_lars] = {lars_state, NULL, NULL}};

static void update(const Updates *u, State *state, Ref weight, Ref gradient) {
    Ref in[MOST_STATE + 3] = {weight, gradient};
    int n = 2 + state(u, weight, gradient, in + 2);
    const Node *w = graph_node(u->g, weight);
    Attr attr = u->train->update;
    attr.update = (UpdateAttr){w->attr.param.weight_decay, w->attr.param.lr_scale};
    in[n++] = u->lr;
    graph_add(u->g, u->train->optimizer, n, in, &attr, w->name, w->span, NULL);
}

static void keep_gradients(Graph *g, Ref *grad, int32_t n) {
    Ref again = add_input(g, INPUT_AGAIN, type_make(DT_F32, 0, NULL), "again");
    for (Ref r = 1; r < (Ref)n; r++) {
        if (!grad[r] || graph_node(g, r)->op != OP_param) continue;
        grad[r] = graph_op3(g, OP_accumulate, weight_state(g, r, PARAM_GRADIENT, "gradient"), grad[r], again, NULL, r);
    }
}

void objective_updates(const Unit *u, Graph *g, Ref *grad, int32_t n) {
    const struct Optimizer *o = &optimizers[u->train.optimizer];
    Updates all = {.train = &u->train, .g = g, .lr = add_input(g, INPUT_LR, type_make(DT_F32, 0, NULL), "lr")};
    ICE_UNLESS(o->state, "%s is no optimizer", op_info[u->train.optimizer].name);
    if (u->train.gathers) keep_gradients(g, grad, n);
    if (o->begin) o->begin(&all);
    for (Ref r = 1; r < (Ref)n; r++)
        if (grad[r] && graph_node(g, r)->op == OP_param) update(&all, o->state, r, grad[r]);
    if (o->end) o->end(&all);
}
