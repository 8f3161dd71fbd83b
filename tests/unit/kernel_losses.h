/* Cases of classification: part of kernel_cases.h, which includes it where its own helpers are there. */
#ifndef CNNC_TESTS_UNIT_KERNEL_LOSSES_H
#define CNNC_TESTS_UNIT_KERNEL_LOSSES_H

static Ref build_softmax(Case *c, int i) { return case_op1(c, OP_softmax, case_any_rank(c, i), NULL); }

static Ref build_softmax_grad(Case *c, int i) {
    Ref dy = case_any_rank(c, i);
    return case_op2(c, OP_softmax_grad, dy, case_op1(c, OP_softmax, case_like(c, dy), NULL), NULL);
}

/* Labels are 0, 1, 2, -1, 0, ...: some are none. */
static const int32_t classes[] = {1, 3, 7, 17, 33, 2, 10, 5, 3, 4, 100, 16};

enum { N_LOGITS = ARRAY_LEN(classes) };

/* Vectors, then maps. */
static Ref case_logits(Case *c, int i) {
    if (i >= N_LOGITS) return case_any(c, i - N_LOGITS);
    c->n = i == 0 ? 1 : shapes[i].n + 3;
    return case_features(c, classes[i]);
}

/* Some lie beyond the margins of hinge. */
static Ref case_scores(Case *c, Op loss, int i) {
    Ref x = case_logits(c, i);
    return loss == OP_hinge ? case_op2(c, OP_add, x, x, NULL) : x;
}

/* In every other case cross entropy has weights of classes; of maps, mostly a factor. */
static int case_class_operands(Case *c, Op op, int i, Ref *in, int n) {
    if (op != OP_cross_entropy && op != OP_cross_entropy_grad) return n;
    return lab_class_operands(c->g, in, n, i >= N_LOGITS && i % 3 != 2, i % 2);
}

static Ref build_loss(Case *c, Op op, int i) {
    Attr attr = lab_loss_attr(op, i);
    Ref in[4] = {case_scores(c, op, i)};
    in[1] = lab_labels(c->g, in[0]);
    int n = case_class_operands(c, op, i, in, 2);
    return graph_add(c->g, op, n, in, lab_attr_or_null(op, &attr), NULL, (Span){0}, NULL);
}

static Ref build_loss_grad(Case *c, Op op, Op loss, int i) {
    Attr attr = lab_loss_attr(op, i), twice = {.scale = {2, 0.5, true}};
    const Attr *given = lab_attr_or_null(op, &attr);
    Ref x = case_scores(c, loss, i), labels = lab_labels(c->g, x);
    const Type t = type_make(DT_F32, 1, (const int32_t[]){BATCH});
    Ref dloss = case_fill(c, 0.5, i % 2, &t);
    if (i % 3 == 0) dloss = case_op1(c, OP_scale, case_op2(c, loss, x, labels, given), &twice);
    Ref in[5] = {x, labels, dloss};
    int n = case_class_operands(c, op, i, in, 3);
    return graph_add(c->g, op, n, in, given, NULL, (Span){0}, NULL);
}

/* Of pictures and of pixels, each label alike or by its class. */
static Ref build_label_factor(Case *c, int i) {
    Ref in[4] = {case_logits(c, i)};
    in[1] = lab_labels(c->g, in[0]);
    lab_class_operands(c->g, in, 2, true, i % 2);
    return in[2];
}

static Ref build_cross_entropy(Case *c, int i) { return build_loss(c, OP_cross_entropy, i); }
static Ref build_cross_entropy_grad(Case *c, int i) {
    return build_loss_grad(c, OP_cross_entropy_grad, OP_cross_entropy, i);
}

#define LOSS(id, ...)                                                                                                  \
    static Ref build_##id(Case *c, int i) { return build_loss(c, OP_##id, i); }                                        \
    static Ref build_##id##_grad(Case *c, int i) { return build_loss_grad(c, OP_##id##_grad, OP_##id, i); }
#include "ir/losses.def"
#undef LOSS

static Ref build_log_softmax(Case *c, int i) { return case_op1(c, OP_log_softmax, case_any_rank(c, i), NULL); }

static Ref build_log_softmax_grad(Case *c, int i) {
    Ref dy = case_any_rank(c, i);
    return case_op2(c, OP_log_softmax_grad, dy, case_op1(c, OP_log_softmax, case_like(c, dy), NULL), NULL);
}

#endif
