/* Pooling, local response normalisation, padding and resizing. */
#include "shape.h"

/* A window that covers a part of a number at both ends reads 2 more than the whole ones in between. No window does if
 * the rest that is shared out divides the number of windows: then each has at most one border inside. */
int32_t pool_largest(int32_t in, int32_t to) {
    int32_t rest = in % to;
    return in / to + (rest == 0 ? 0 : to % rest == 0 ? 1 : 2);
}

static bool check_attr(const Node *n, Diags *d) {
    const PoolAttr *a = &n->attr.pool;
    for (int i = 0; i < 2; i++) {
        if (a->kernel[i] < 1 || a->stride[i] < 1)
            return rule_misfit(n, d, E_WINDOW, "kernel and stride must be at least 1, but are %d and %d", a->kernel[i],
                               a->stride[i]);
        for (int k = 2 * i; k < 2 * i + 2; k++) {
            if (a->pad[k] < 0) return rule_misfit(n, d, E_WINDOW, "a pad must not be negative, but is %d", a->pad[k]);
            if (a->pad[k] >= a->kernel[i])
                return rule_misfit(n, d, E_POOL_PAD, "a pad of %d is not below the kernel's %d: a window would see "
                                   "only padding", a->pad[k], a->kernel[i]);
        }
    }
    return true;
}

/* Windows along one axis (0: height). Rounding up adds a last window that may hang over the edge, unless it would start
 * beyond the input and its first padding (the rule of Caffe and PyTorch). 0: the kernel does not fit. */
static int64_t pooled(const PoolAttr *a, int i, int64_t in) {
    int64_t before = a->pad[2 * i], pads = before + a->pad[2 * i + 1], stride = a->stride[i];
    int64_t count = window_count(in, pads, a->kernel[i], stride, 1);
    bool rest = (in + pads - a->kernel[i]) % stride != 0;
    if (count > 0 && a->ceil && rest && count * stride < in + before) count++;
    return count;
}

static bool adaptive_size(const Node *n, Diags *d, const int64_t in[2], int64_t out[2]) {
    const PoolAttr *a = &n->attr.pool;
    bool padded = a->pad[0] || a->pad[1] || a->pad[2] || a->pad[3];
    for (int i = 0; i < 2; i++) {
        out[i] = a->to[i];
        if (padded || a->to[i] < 1 || a->kernel[i] != pool_largest((int32_t)in[i], a->to[i]))
            return rule_misfit(n, d, E_INTERNAL, "windows of %d do not make %d of %lld", a->kernel[i], a->to[i],
                               (long long)in[i]);
    }
    return true;
}

static bool output_size(const Node *n, Diags *d, int64_t in_h, int64_t in_w, int64_t out[2]) {
    const PoolAttr *a = &n->attr.pool;
    if (!check_attr(n, d)) return false;
    if (a->to[0] || a->to[1]) return adaptive_size(n, d, (const int64_t[]){in_h, in_w}, out);
    out[0] = pooled(a, 0, in_h);
    out[1] = pooled(a, 1, in_w);
    return (out[0] > 0 && out[1] > 0) ||
           rule_window_misfit(n, d, in_h, in_w, a->kernel, NULL, a->pad);
}

static bool pool(const Graph *g, const Node *n, Type *result, Diags *d, DType dtype) {
    const Type *x = rule_in(g, n, 0);
    int64_t out[2];
    if (!rule_pictures(g, n, 0, d) || !output_size(n, d, x->dim[2], x->dim[3], out)) return false;
    return rule_result(n, d, result, dtype, DIMS(BATCH, x->dim[1], out[0], out[1]));
}

bool shape_maxpool(const Graph *g, const Node *n, Type *result, Diags *d) { return pool(g, n, result, d, DT_F32); }
bool shape_avgpool(const Graph *g, const Node *n, Type *result, Diags *d) { return pool(g, n, result, d, DT_F32); }

static DType index_type(const PoolAttr *a) {
    return (int64_t)a->kernel[0] * a->kernel[1] <= UINT8_MAX ? DT_U8 : DT_I32;
}

bool shape_maxpool_index(const Graph *g, const Node *n, Type *result, Diags *d) {
    const PoolAttr *a = &n->attr.pool;
    int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    if (taps > INT32_MAX) return rule_misfit(n, d, E_LIMIT, "a window of %lld numbers is too large", (long long)taps);
    return pool(g, n, result, d, index_type(a));
}

/* The gradient of a pooling whose input was in_h x in_w; dy must have the pooled size. */
static bool pool_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    const PoolAttr *a = &n->attr.pool;
    const Type *dy = rule_in(g, n, 0);
    int64_t out[2];
    if (a->in_h < 1 || a->in_w < 1)
        return rule_misfit(n, d, E_INTERNAL, "`%s` does not know the shape of x", op_info[n->op].name);
    if (!rule_pictures(g, n, 0, d) || !output_size(n, d, a->in_h, a->in_w, out)) return false;
    if (dy->dim[2] != out[0] || dy->dim[3] != out[1])
        return rule_misfit(n, d, E_INTERNAL, "`%s` needs a gradient of height %lld and width %lld, but gets %s",
                           op_info[n->op].name, (long long)out[0], (long long)out[1], rule_text(d, dy));
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, dy->dim[1], a->in_h, a->in_w));
}

bool shape_avgpool_grad(const Graph *g, const Node *n, Type *result, Diags *d) { return pool_grad(g, n, result, d); }

bool shape_maxpool_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *dy = rule_in(g, n, 0), *index = rule_in(g, n, 1);
    Type want = *dy;
    want.dtype = index_type(&n->attr.pool);
    if (!type_same_shape(index, &want))
        return rule_misfit(n, d, E_INTERNAL, "`maxpool_grad` gets a gradient of %s and an index of %s",
                           rule_text(d, dy), rule_text(d, index));
    return pool_grad(g, n, result, d);
}

bool shape_lrn(const Graph *g, const Node *n, Type *result, Diags *d) {
    if (!rule_pictures(g, n, 0, d)) return false;
    if (n->attr.lrn.size < 1)
        return rule_misfit(n, d, E_WINDOW, "the size of `lrn` must be at least 1, but is %d", n->attr.lrn.size);
    return rule_like(g, n, d, result, 0);
}

bool shape_lrn_grad(const Graph *g, const Node *n, Type *result, Diags *d) {
    return rule_same(g, n, 0, 1, d) && shape_lrn(g, n, result, d);
}

bool shape_pad(const Graph *g, const Node *n, Type *result, Diags *d) {
    const Type *x = rule_in(g, n, 0);
    const int32_t *pad = n->attr.pad.pad;
    if (!rule_pictures(g, n, 0, d)) return false;
    int64_t h = (int64_t)x->dim[2] + pad[0] + pad[1], w = (int64_t)x->dim[3] + pad[2] + pad[3];
    bool left = h > 0 && w > 0; /* each side by itself must leave something, too: pixels of x, or of the border */
    for (int i = 0; i < 4; i++) left = left && pad[i] > -x->dim[2 + i / 2];
    if (!left) return rule_misfit(n, d, E_RANGE, "nothing of %s would be left", rule_text(d, x));
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, x->dim[1], h, w));
}

enum { MAX_RESIZED = 1 << 28 }; /* places are computed in 64 bits */

static bool resize(const Graph *g, const Node *n, Type *result, Diags *d, bool gradient) {
    const ResizeAttr *a = &n->attr.resize;
    const int32_t *in = gradient ? a->to : a->from, *out = gradient ? a->from : a->to;
    const Type *x = rule_in(g, n, 0);
    if (!rule_pictures(g, n, 0, d)) return false;
    for (int i = 0; i < 2; i++) {
        if (in[i] > MAX_RESIZED || out[i] > MAX_RESIZED)
            return rule_misfit(n, d, E_LIMIT, "a picture of height or width above %d cannot be resized", MAX_RESIZED);
        if (in[i] != x->dim[2 + i] || out[i] < 1)
            return rule_misfit(n, d, E_INTERNAL, "`%s` from %dx%d to %dx%d does not take %s", op_info[n->op].name,
                               a->from[0], a->from[1], a->to[0], a->to[1], rule_text(d, x));
    }
    return rule_result(n, d, result, DT_F32, DIMS(BATCH, x->dim[1], out[0], out[1]));
}

bool shape_resize(const Graph *g, const Node *n, Type *result, Diags *d) { return resize(g, n, result, d, false); }
bool shape_resize_grad(const Graph *g, const Node *n, Type *result, Diags *d) { return resize(g, n, result, d, true); }
