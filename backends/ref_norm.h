/* The graph interpreter: layer norm and group norm. Compiled for each REAL by ref.c.
 *
 * Both standardise sets of numbers: set number i of `count` has element `first` + c * step + p of the tensor for
 * channels c and pixels p. */

typedef struct REF(Set) {
    int64_t first, channels, step, pixels, count;
    REAL mean, r; /* r: 1 / deviation */
} REF(Set);

/* Set i of x, in one row of numbers: its shape alone if x is NULL. */
static REF(Set) REF(set)(const RefRun *r, const Node *n, const Type *t, int64_t i, const REAL *x) {
    View v = view_of(r, t);
    bool groups = op_info[n->op].attr == ATTR_GROUPS;
    int64_t parts = groups ? n->attr.groups.groups : v.inner;
    REF(Set) s = {.channels = groups ? v.channels / parts : v.channels, .step = v.inner, .count = v.outer * parts};
    s.pixels = groups ? v.inner : 1;
    s.first = i / parts * v.channels * v.inner + i % parts * (groups ? s.channels * v.inner : 1);
    if (!x) return s;
    REAL sum = 0, squares = 0, eps = (REAL)(groups ? n->attr.groups.eps : n->attr.eps.eps);
    for (int64_t c = 0; c < s.channels; c++)
        for (int64_t p = 0; p < s.pixels; p++) sum += x[s.first + c * s.step + p];
    s.mean = sum / (REAL)(s.channels * s.pixels);
    for (int64_t c = 0; c < s.channels; c++)
        for (int64_t p = 0; p < s.pixels; p++) {
            REAL d = x[s.first + c * s.step + p] - s.mean;
            squares += d * d;
        }
    s.r = 1 / sqrt(squares / (REAL)(s.channels * s.pixels) + eps);
    return s;
}

static void REF(norm)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *x = REF(operand)(r, n, 0), *gamma = REF(operand)(r, n, 1), *beta = REF(operand)(r, n, 2);
    View v = view_of(r, &n->type);
    for (int64_t i = 0; i < REF(set)(r, n, &n->type, 0, NULL).count; i++) {
        REF(Set) s = REF(set)(r, n, &n->type, i, x);
        for (int64_t c = 0; c < s.channels; c++)
            for (int64_t p = 0; p < s.pixels; p++) {
                int64_t e = s.first + c * s.step + p, channel = e / v.inner % v.channels;
                y[e] = (x[e] - s.mean) * s.r * gamma[channel] + beta[channel];
            }
    }
}

/* With g the gradient of the standardised number: dx = r (g - mean of g - standardised * mean of g * standardised). */
static void REF(norm_grad)(const RefRun *r, const Node *n, REAL *dx) {
    const REAL *dy = REF(operand)(r, n, 0), *x = REF(operand)(r, n, 1), *gamma = REF(operand)(r, n, 2);
    View v = view_of(r, &n->type);
    for (int64_t i = 0; i < REF(set)(r, n, &n->type, 0, NULL).count; i++) {
        REF(Set) s = REF(set)(r, n, &n->type, i, x);
        REAL sum = 0, dot = 0, count = (REAL)(s.channels * s.pixels);
        for (int pass = 0; pass < 2; pass++)
            for (int64_t c = 0; c < s.channels; c++)
                for (int64_t p = 0; p < s.pixels; p++) {
                    int64_t e = s.first + c * s.step + p;
                    REAL g = dy[e] * gamma[e / v.inner % v.channels], standard = (x[e] - s.mean) * s.r;
                    if (pass)
                        dx[e] = s.r * (g - sum / count - standard * dot / count);
                    else
                        sum += g, dot += g * standard;
                }
    }
}

/* Each sum of the result is of `run` numbers in a row. */
static void REF(norm_dot)(const RefRun *r, const Node *n, REAL *y) {
    const REAL *dy = REF(operand)(r, n, 0), *x = REF(operand)(r, n, 1);
    const Type *t = type_in(r, n, 1);
    int64_t run = type_elements(t) / type_elements(&n->type);
    for (int64_t i = 0; i < REF(set)(r, n, t, 0, NULL).count; i++) {
        REF(Set) s = REF(set)(r, n, t, i, x);
        for (int64_t c = 0; c < s.channels; c++)
            for (int64_t p = 0; p < s.pixels; p++) {
                int64_t e = s.first + c * s.step + p;
                y[e / run] += dy[e] * (x[e] - s.mean) * s.r;
            }
    }
}

static void REF(layer_norm)(const RefRun *r, const Node *n, REAL *y) { REF(norm)(r, n, y); }
static void REF(layer_norm_grad)(const RefRun *r, const Node *n, REAL *dx) { REF(norm_grad)(r, n, dx); }
static void REF(layer_norm_dot)(const RefRun *r, const Node *n, REAL *y) { REF(norm_dot)(r, n, y); }
static void REF(group_norm)(const RefRun *r, const Node *n, REAL *y) { REF(norm)(r, n, y); }
static void REF(group_norm_grad)(const RefRun *r, const Node *n, REAL *dx) { REF(norm_grad)(r, n, dx); }
static void REF(group_norm_dot)(const RefRun *r, const Node *n, REAL *y) { REF(norm_dot)(r, n, y); }
