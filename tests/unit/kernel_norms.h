/* Cases of layer norm, group norm and the parts of ghost batch norm, for kernel_cases.h, which includes this. */
#ifndef CNNC_TESTS_UNIT_KERNEL_NORMS_H
#define CNNC_TESTS_UNIT_KERNEL_NORMS_H

/* n, c, h, w and groups: of one channel, of fewer than a block has, across blocks, of whole blocks, of all channels;
 * several slabs of blocks, pads. */
static const struct NormShape {
    Shape s;
    int32_t groups;
} norms[] = {{{1, 1, 1, 1}, 1},   {{2, 3, 5, 4}, 3},  {{5, 7, 1, 1}, 1},  {{1, 17, 3, 7}, 17}, {{2, 33, 2, 2}, 11},
             {{5, 8, 6, 3}, 4},   {{1, 32, 5, 1}, 8}, {{2, 64, 1, 6}, 4}, {{5, 48, 4, 4}, 16}, {{1, 96, 3, 3}, 32},
             {{2, 24, 7, 2}, 2},  {{1, 72, 3, 5}, 6}, {{1, 64, 4, 5}, 1}, {{2, 32, 3, 9}, 2},  {{1, 40, 2, 8}, 5},
             {{2, 128, 2, 3}, 4}, {{1, 64, 2, 1}, 2}, {{3, 16, 1, 13}, 1}};
enum { N_NORMS = ARRAY_LEN(norms) };

/* In every fifth case far from zero, where the mean of squares less the square of the mean would cancel; and in every fifth
 * all one number, where what a mean is off by would be divided by sqrt(eps). */
static Ref norm_x(Case *c, int i) {
    const double slope = i % 5 == 4, level = i % 5 == 4 ? 16 : 1000.7;
    Attr far = {.scale = {.alpha = slope, .beta = level}};
    Shape s = norms[i % N_NORMS].s;
    c->n = s.n;
    Ref x = case_pictures(c, i, s.c, s.h, s.w);
    if (i >= N_NORMS) x = case_op1(c, OP_flatten, x, NULL);
    return i % 5 >= 3 ? case_op1(c, OP_scale, x, &far) : x;
}

static Attr norm_attr(Op op, int i) {
    double eps = i % 2 ? 1e-5 : 0.1;
    if (op_info[op].attr == ATTR_EPS) return (Attr){.eps = {eps}};
    return (Attr){.groups = {eps, norms[i % N_NORMS].groups}};
}

static Ref build_norm(Case *c, Op op, int i) {
    Attr attr = norm_attr(op, i);
    Ref x = norm_x(c, i);
    int32_t channels = type_channels(case_type(c, x));
    Ref gamma = case_vector(c, channels), beta = case_vector(c, channels);
    return case_followed(c, graph_op3(c->g, op, x, gamma, beta, &attr, x), i);
}

static Ref build_norm_grad(Case *c, Op op, int i) {
    Attr attr = norm_attr(op, i);
    Ref x = norm_x(c, i), gamma = case_vector(c, type_channels(case_type(c, x)));
    return case_followed(c, graph_op3(c->g, op, case_like(c, x), x, gamma, &attr, x), i);
}

static Ref build_norm_dot(Case *c, Op op, int i) {
    Attr attr = norm_attr(op, i);
    Ref x = norm_x(c, i);
    return case_followed(c, case_op2(c, op, case_like(c, x), x, &attr), i);
}

static Ref build_layer_norm(Case *c, int i) { return build_norm(c, OP_layer_norm, i); }
static Ref build_layer_norm_grad(Case *c, int i) { return build_norm_grad(c, OP_layer_norm_grad, i); }
static Ref build_layer_norm_dot(Case *c, int i) { return build_norm_dot(c, OP_layer_norm_dot, i); }
static Ref build_group_norm(Case *c, int i) { return build_norm(c, OP_group_norm, i); }
static Ref build_group_norm_grad(Case *c, int i) { return build_norm_grad(c, OP_group_norm_grad, i); }
static Ref build_group_norm_dot(Case *c, int i) { return build_norm_dot(c, OP_group_norm_dot, i); }

/* ---- batch norm of some pictures at a time --------------------------------------------------------------------- */

static Ref build_plane(Case *c, Op op, int i) { return case_followed(c, case_op1(c, op, norm_x(c, i), NULL), i); }
static Ref build_plane_mean(Case *c, int i) { return build_plane(c, OP_plane_mean, i); }
static Ref build_plane_var(Case *c, int i) { return build_plane(c, OP_plane_var, i); }

/* Fewer pictures than are together, as many, a last run that is shorter. */
static Ref build_ghost_mean(Case *c, int i) {
    static const int32_t runs[] = {1, 2, 3, 4, 64};
    Attr attr = {.ghost = {runs[i % ARRAY_LEN(runs)]}};
    Ref x = case_features(c, norms[i].s.c);
    c->n = 1 + i % 7;
    return case_followed(c, case_op1(c, OP_ghost_mean, x, &attr), i);
}

#endif
