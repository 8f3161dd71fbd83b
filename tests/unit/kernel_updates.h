/* Cases of the updates of weights: part of kernel_cases.h, which includes it where its own helpers are there. */
#ifndef CNNC_TESTS_UNIT_KERNEL_UPDATES_H
#define CNNC_TESTS_UNIT_KERNEL_UPDATES_H

static Ref case_rate(Case *c) {
    Attr rate = {.input = {INPUT_LR, lab_type(0, NULL)}};
    return graph_add(c->g, OP_input, 0, NULL, &rate, name_of("lr"), (Span){0}, NULL);
}

typedef void CaseUpdate(Case *c, Ref w, Ref gradient, int i);

static void case_sgd(Case *c, Ref w, Ref gradient, int i) {
    Attr attr = {.sgd = {.momentum = i % 3 ? 0.9 : 0,
                         .weight_decay = i % 2 ? 0.01 : 0,
                         .lr_scale = i % 4 ? 1 : 0.5,
                         .nesterov = i % 3 == 2}};
    Type t = *case_type(c, w);
    Ref lr = case_rate(c), in[] = {w, gradient, case_param(c, ".momentum", PARAM_MOMENTUM, t.rank, t.dim), lr};
    graph_add(c->g, OP_sgd, 4, in, &attr, NULL, (Span){0}, NULL);
}

/* With a large eps, so that a gradient near zero, whose sign is one of rounding, does not make a whole step. */
static void case_adam(Case *c, Ref w, Ref gradient, int i) {
    Attr attr = {.adam = {.beta = {i % 3 ? 0.9 : 0, 0.99},
                          .eps = 1,
                          .weight_decay = i % 2 ? 0.01 : 0,
                          .lr_scale = i % 4 ? 1 : 0.5,
                          .decoupled = i % 4 > 1}};
    Type t = *case_type(c, w);
    Ref in[7] = {w, gradient, [6] = case_rate(c)};
    for (int k = 2; k < 6; k++)
        in[k] = case_param(c, (const char *const[]){".mean", ".square", ".sum", ".sums"}[k - 2], PARAM_MOMENTUM,
                           k < 4 ? t.rank : 1, k < 4 ? t.dim : (const int32_t[]){1});
    graph_add(c->g, OP_adam, 7, in, &attr, NULL, (Span){0}, NULL);
}

/* With a large eps, as adam; every combination of its states. */
static void case_rmsprop(Case *c, Ref w, Ref gradient, int i) {
    Attr attr = {.rmsprop = {.alpha = i % 3 ? 0.9 : 0,
                             .eps = 1,
                             .momentum = i % 2 ? 0.9 : 0,
                             .weight_decay = i % 5 ? 0.01 : 0,
                             .lr_scale = i % 4 ? 1 : 0.5,
                             .centred = i % 4 > 1,
                             .eps_inside = i % 8 > 3}};
    static const char *const name[3] = {".square", ".momentum", ".mean"};
    const bool has[3] = {true, attr.rmsprop.momentum > 0, attr.rmsprop.centred};
    Type t = *case_type(c, w);
    Ref in[6] = {w, gradient};
    int n = 2;
    for (int k = 0; k < 3; k++)
        if (has[k]) in[n++] = case_param(c, name[k], PARAM_MOMENTUM, t.rank, t.dim);
    in[n++] = case_rate(c);
    graph_add(c->g, OP_rmsprop, n, in, &attr, NULL, (Span){0}, NULL);
}

/* With a large eps and decay, so that what rounding makes of a small gradient's length counts little. */
static void case_lars(Case *c, Ref w, Ref gradient, int i) {
    Attr attr = {.lars = {.momentum = i % 3 ? 0.9 : 0,
                          .weight_decay = i % 5 ? 0.1 : 0,
                          .trust = 0.5,
                          .eps = 1,
                          .lr_scale = i % 4 ? 1 : 0.5}};
    Type t = *case_type(c, w);
    Ref in[6] = {w, gradient, case_param(c, ".momentum", PARAM_MOMENTUM, t.rank, t.dim)};
    int n = 3;
    if (attr.lars.weight_decay > 0) {
        in[n++] = case_op1(c, OP_total, case_op1(c, OP_row_squares, w, NULL), NULL);
        in[n++] = case_op1(c, OP_total, case_op1(c, OP_row_squares, gradient, NULL), NULL);
    }
    in[n++] = case_rate(c);
    graph_add(c->g, OP_lars, n, in, &attr, NULL, (Span){0}, NULL);
}

/* A sum that begins, or goes on. */
static void case_accumulate(Case *c, Ref w, Ref gradient, int i) {
    Attr again = {.input = {INPUT_AGAIN, lab_type(0, NULL)}};
    Type t = *case_type(c, w);
    Ref number = graph_add(c->g, OP_input, 0, NULL, &again, name_of(i / 3 % 2 ? "again" : "first"), (Span){0}, NULL);
    Ref in[] = {case_param(c, ".gradient", PARAM_GRADIENT, t.rank, t.dim), gradient, number};
    case_sgd(c, w, graph_add(c->g, OP_accumulate, ARRAY_LEN(in), in, NULL, NULL, (Span){0}, NULL), i);
}

/* Weights of convolutions and fully connected layers with their own gradients, vectors with sums. */
static Ref case_updates(Case *c, int i, CaseUpdate *update) {
    if (i % 3 == 0) {
        Ref dy = case_any_rank(c, i);
        update(c, case_vector(c, type_channels(case_type(c, dy))), case_op1(c, OP_channel_sum, dy, NULL), i);
    } else if (i % 3 == 1) {
        const ConvShape *s = &convs[i];
        Attr attr = conv_attr(s);
        Ref x = conv_x(c, i + i % 2 * N_CONVS), w = conv_weight(c, s);
        case_output(c, case_op2(c, OP_conv, x, w, &attr));
        update(c, w, case_op2(c, OP_conv_wgrad, conv_dy(c, i), x, &attr), i);
    } else {
        Ref x = fc_x(c, i), w = fc_weight(c, i);
        case_output(c, case_op2(c, OP_fc, x, w, NULL));
        update(c, w, case_op2(c, OP_fc_wgrad, fc_dy(c, i), x, NULL), i);
    }
    return 0;
}

static Ref build_accumulate(Case *c, int i) { return case_updates(c, i, case_accumulate); }

static Ref build_sgd(Case *c, int i) { return case_updates(c, i, case_sgd); }

static Ref build_adam(Case *c, int i) { return case_updates(c, i, case_adam); }

static Ref build_rmsprop(Case *c, int i) { return case_updates(c, i, case_rmsprop); }

static Ref build_lars(Case *c, int i) { return case_updates(c, i, case_lars); }

#endif
