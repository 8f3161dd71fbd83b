/* The graph interpreter: pad and resize. Compiled for each REAL by ref.c. */

static void REF(pad)(const RefRun *r, const Node *n, REAL *y) {
    const int32_t *pad = n->attr.pad.pad;
    const Type *in = type_in(r, n, 0);
    const REAL *x = r->value[n->in[0]];
    for (int64_t plane = 0; plane < r->n * type_channels(in); plane++)
        for (int64_t h = 0; h < type_height(&n->type); h++)
            for (int64_t w = 0; w < type_width(&n->type); w++) {
                int64_t from_h = h - pad[0], from_w = w - pad[2];
                bool inside = from_h >= 0 && from_h < type_height(in) && from_w >= 0 && from_w < type_width(in);
                *y++ = inside ? x[(plane * type_height(in) + from_h) * type_width(in) + from_w] : (REAL)n->attr.pad.value;
            }
}

/* Result `o` of an axis is the sum of weight[i] times the number at place[i]. */
typedef struct REF(Mix) {
    int64_t place[2];
    double weight[2];
} REF(Mix);

/* PyTorch's interpolate: without align_corners pixels are squares, whose centres lie at halves. */
static REF(Mix) REF(mix)(const ResizeAttr *a, int d, int64_t o) {
    int64_t in = a->from[d], out = a->to[d];
    if (!a->linear) return (REF(Mix)){{o * in / out, 0}, {1, 0}};
    double at = ((double)o + 0.5) * (double)in / (double)out - 0.5;
    if (a->corners) at = out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0;
    at = fmax(at, 0);
    int64_t first = min_i64((int64_t)at, in - 1);
    return (REF(Mix)){{first, min_i64(first + 1, in - 1)}, {1 - (at - (double)first), at - (double)first}};
}

/* Calls for every result and every place it reads; back: the other way round, as the gradient does. */
static void REF(mix_planes)(const RefRun *r, const Node *n, REAL *result, bool back) {
    const ResizeAttr *a = &n->attr.resize;
    int64_t in = (int64_t)a->from[0] * a->from[1], out = (int64_t)a->to[0] * a->to[1];
    for (int64_t plane = 0; plane < r->n * type_channels(&n->type); plane++)
        for (int64_t o = 0; o < out; o++) {
            REF(Mix) h = REF(mix)(a, 0, o / a->to[1]), w = REF(mix)(a, 1, o % a->to[1]);
            for (int i = 0; i < 4; i++) {
                int64_t at = plane * in + h.place[i / 2] * a->from[1] + w.place[i % 2];
                REAL weight = (REAL)(h.weight[i / 2] * w.weight[i % 2]);
                const REAL *operand = r->value[n->in[0]];
                if (back)
                    result[at] += weight * operand[plane * out + o];
                else if (weight != 0)
                    result[plane * out + o] += weight * operand[at];
            }
        }
}

static void REF(resize)(const RefRun *r, const Node *n, REAL *y) { REF(mix_planes)(r, n, y, false); }

static void REF(resize_grad)(const RefRun *r, const Node *n, REAL *dx) { REF(mix_planes)(r, n, dx, true); }
