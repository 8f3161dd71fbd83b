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

Ref objective_loss(Unit *u, Graph *g) {
    const TrainConfig *t = &u->train;
    ICE_UNLESS(g->n_output == t->n_loss && t->n_loss > 0, "%d outputs for %d loss terms", g->n_output, t->n_loss);
    Ref total = 0, first = g->output[0].ref;
    Ref labels = add_input(g, INPUT_LABEL, labels_of(&graph_node(g, first)->type), "labels");
    for (int i = 0; i < t->n_loss; i++) {
        Ref term = add_term(u, g, &t->loss[i], g->output[i].ref, labels);
        if (!term) return 0;
        total = total ? graph_op2(g, OP_add, total, term, NULL, total) : term;
    }
    g->n_output = 0;
    graph_output(g, name_of("loss"), total, ONLY_BOTH);
    graph_output(g, name_of("logits"), first, ONLY_BOTH);
    return total;
}

Ref objective_seed(Graph *g, Ref loss) {
    const Node *n = graph_node(g, loss);
    Attr attr = {.fill = {1, true, n->type}};
    return graph_add(g, OP_fill, 0, NULL, &attr, n->name, n->span, NULL);
}

static Ref add_momentum(Graph *g, Ref weight) {
    const Node *w = graph_node(g, weight);
    Attr attr = {.param = {.role = PARAM_MOMENTUM, .init = INIT_CONSTANT, .type = w->attr.param.type}};
    return graph_add(g, OP_param, 0, NULL, &attr, name_format("%s.momentum", w->name), w->span, NULL);
}

void objective_updates(const Unit *u, Graph *g, const Ref *grad, int32_t n) {
    Ref lr = add_input(g, INPUT_LR, type_make(DT_F32, 0, NULL), "lr");
    for (Ref r = 1; r < (Ref)n; r++) {
        const Node *w = graph_node(g, r);
        if (!grad[r] || w->op != OP_param) continue;
        Span span = w->span;
        Attr attr = {.sgd = {.momentum = u->train.momentum,
                             .weight_decay = w->attr.param.weight_decay,
                             .lr_scale = w->attr.param.lr_scale,
                             .nesterov = u->train.nesterov}};
        Name name = w->name;
        Ref in[] = {r, grad[r], add_momentum(g, r), lr};
        graph_add(g, OP_sgd, 4, in, &attr, name, span, NULL);
    }
}
