/* Random nets of the language, as text: a seed is a net, for ever. For test_random_nets.c.
 *
 * A net is a list of values; value 0 is the picture, every other one is a layer on values before it. What nobody reads
 * is an output, and some others are. Sizes, strides, dilations and groups are those in which compilers were found
 * wrong: next to powers of two, windows larger than what they look at, planes of one pixel. Layers are drawn by the
 * rows of gen_rules, and each net has some ordered pairs of them for sure, so that enough nets have all pairs. */
#ifndef CNNC_TESTS_UNIT_NET_GEN_H
#define CNNC_TESTS_UNIT_NET_GEN_H

#include <string.h>

#include "ir/base.h"

enum { GEN_VALUES = 24, GEN_ARGS = 160, GEN_IN = 4, GEN_PAIRS = 7, GEN_TRIES = 30 };
/* Per picture, so that an interpreter is done in a moment. */
enum { GEN_PLANE = 1100, GEN_ELEMENTS = 24000, GEN_LAYER_MACS = 1000000, GEN_MACS = 2000000 };

typedef struct GenShape {
    int32_t rank, c, h, w; /* rank 4, or 2: then h and w are 1 */
} GenShape;

typedef struct GenValue {
    const char *layer; /* NULL for the picture */
    int32_t n_in, in[GEN_IN];
    char args[GEN_ARGS]; /* ", 17, stride=2" */
    int32_t item;        /* of the list that the layer gives; 0: it gives a tensor. Counted from 1 */
    GenShape shape;
    bool arrow, output, nofuse;
} GenValue;

typedef struct GenNet {
    GenValue value[GEN_VALUES];
    int32_t n;
    bool half; /* weights of fc in 16 bits */
} GenNet;

typedef struct Gen {
    GenNet *net;
    uint64_t state;
    bool whole;          /* only layers that whole numbers go through unrounded, where there is a choice */
    int64_t macs, scale; /* made so far; how many times the usual sizes this net may have */
    int32_t products;    /* of two values: each doubles exponents */
} Gen;

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static inline uint64_t gen_next(Gen *g) { /* splitmix64 */
    uint64_t z = g->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline int32_t gen_below(Gen *g, int32_t n) { return (int32_t)(gen_next(g) % (uint64_t)n); }
static inline int32_t gen_from(Gen *g, int32_t lo, int32_t hi) { return lo + gen_below(g, hi - lo + 1); }
static inline bool gen_chance(Gen *g, int32_t percent) { return gen_below(g, 100) < percent; }

static inline int32_t gen_size(Gen *g, int32_t most) {
    static const int32_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65};
    int n = ARRAY_LEN(sizes);
    while (sizes[n - 1] > most) n--;
    return sizes[gen_below(g, n)];
}

/* A divisor of n: 1 mostly, n, 2, or any. */
static inline int32_t gen_divisor(Gen *g, int32_t n) {
    int32_t kind = gen_below(g, 10), d = kind < 5 ? 1 : kind < 7 ? n : kind < 8 ? 2 : gen_from(g, 1, n);
    while (n % d) d--;
    return d;
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

static inline void gen_arg(GenValue *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void gen_arg(GenValue *v, const char *format, ...) {
    size_t n = strlen(v->args);
    va_list ap;
    va_start(ap, format);
    n += (size_t)snprintf(v->args + n, GEN_ARGS - n, ", ");
    vsnprintf(v->args + n, GEN_ARGS - n, format, ap);
    va_end(ap);
}

/* Height and width in one of the ways to write them. */
static inline void gen_pair(Gen *g, GenValue *v, const char *name, const int32_t *hw) {
    if (hw[0] == hw[1] && gen_chance(g, 80))
        gen_arg(v, "%s%d", name, hw[0]);
    else
        gen_arg(v, gen_chance(g, 50) ? "%s[%d, %d]" : "%s%dx%d", name, hw[0], hw[1]);
}

static inline void gen_pad(GenValue *v, const int32_t *pad) {
    if (pad[0] == pad[1] && pad[2] == pad[3] && pad[0] == pad[2])
        gen_arg(v, "pad=%d", pad[0]);
    else if (pad[0] == pad[1] && pad[2] == pad[3])
        gen_arg(v, "pad=[%d, %d]", pad[0], pad[2]);
    else
        gen_arg(v, "pad=[%d, %d, %d, %d]", pad[0], pad[1], pad[2], pad[3]);
}

static inline void gen_print_value(Str *s, const GenValue *v, int32_t number) {
    str_addf(s, "    v%d = ", number);
    if (v->n_in == 2 && v->arrow && !strcmp(v->layer, "add")) {
        str_addf(s, "v%d + v%d\n", v->in[0], v->in[1]);
        return;
    }
    bool arrow = v->n_in == 1 && v->arrow && !v->item;
    if (arrow)
        str_addf(s, "v%d -> %s(%s", v->in[0], v->layer, v->args[0] ? v->args + 2 : "");
    else
        str_addf(s, "%s(", v->layer);
    for (int i = 0; i < v->n_in && !arrow; i++) str_addf(s, "%sv%d", i ? ", " : "", v->in[i]);
    str_addf(s, "%s)%s", arrow ? "" : v->args, v->nofuse ? "@nofuse()" : "");
    if (v->item) str_addf(s, "[%d]", v->item - 1);
    str_add(s, "\n");
}

static inline void gen_print(Str *s, const GenNet *net) {
    const GenShape *p = &net->value[0].shape;
    str_addf(s, "cnnc 1\ninput v0 {\n    size = %dx%d\n    colour = %s\n}\n", p->h, p->w, p->c == 1 ? "grey" : "rgb");
    str_add(s, "net random(v0) {\n");
    for (int i = 1; i < net->n; i++) gen_print_value(s, &net->value[i], i);
    for (int i = 0; i < net->n; i++)
        if (net->value[i].output) str_addf(s, "    output o%d = v%d\n", i, i);
    str_addf(s, "}\n%s", net->half ? "deploy {\n    weights = fp16\n}\n" : "");
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

typedef struct GenWindow {
    int32_t kernel[2], stride[2], dilation[2], pad[4];
    bool ceil;
} GenWindow;

/* How many windows along axis i, 0 if the kernel does not fit; with ceil one more may hang over the end. */
static inline int32_t gen_windows(const GenWindow *w, int i, int32_t in) {
    int32_t span = (w->kernel[i] - 1) * w->dilation[i] + 1, room = in + w->pad[2 * i] + w->pad[2 * i + 1] - span;
    if (room < 0) return 0;
    int32_t n = room / w->stride[i] + 1;
    return n + (w->ceil && room % w->stride[i] != 0 && n * w->stride[i] < in + w->pad[2 * i]);
}

static inline void gen_both(Gen *g, int32_t *hw, int32_t lo, int32_t hi, int32_t equal_percent) {
    hw[0] = gen_from(g, lo, hi);
    hw[1] = gen_chance(g, equal_percent) ? hw[0] : gen_from(g, lo, hi);
}

/* Pads: none, such that the size stays, or anything below `most` on each side. */
static inline void gen_pads(Gen *g, GenWindow *w, int32_t most) {
    int32_t kind = gen_below(g, 10);
    for (int i = 0; i < 4; i++) {
        int32_t same = w->dilation[i / 2] * (w->kernel[i / 2] - 1) / 2;
        w->pad[i] = kind < 3 ? 0 : kind < 7 ? same : gen_below(g, w->kernel[i / 2] + 1);
        if (w->pad[i] > most) w->pad[i] = most;
    }
}

/* ---- layers: each fills args, shape and further operands, given in[0]; false if what it drew does not fit ------- */

static inline const GenShape *gen_shape(const Gen *g, const GenValue *v) { return &g->net->value[v->in[0]].shape; }

static inline bool gen_conv_fits(Gen *g, const GenWindow *w, const GenShape *x, int32_t groups, GenShape *y) {
    *y = (GenShape){4, y->c, gen_windows(w, 0, x->h), gen_windows(w, 1, x->w)};
    if (y->h == 0 || y->w == 0 || (int64_t)y->c * y->h * y->w > g->scale * GEN_ELEMENTS) return false;
    int64_t macs = (int64_t)y->c * y->h * y->w * (x->c / groups) * w->kernel[0] * w->kernel[1];
    if (macs > g->scale * GEN_LAYER_MACS || g->macs + macs > g->scale * GEN_MACS) return false;
    g->macs += macs;
    return true;
}

/* Many are the plain 3x3 and 5x5 ones that have algorithms of their own where there are channels enough. */
static inline bool gen_conv(Gen *g, GenValue *v) {
    const GenShape *x = gen_shape(g, v);
    GenWindow w = {.stride = {1, 1}, .dilation = {1, 1}};
    int32_t groups = 1;
    if (gen_chance(g, x->c < 8 ? 15 : 50)) {
        w.kernel[0] = w.kernel[1] = gen_chance(g, 75) ? 3 : 5;
        for (int i = 0; i < 4; i++) w.pad[i] = gen_chance(g, 80) ? w.kernel[0] / 2 : gen_below(g, 3);
    } else {
        gen_both(g, w.kernel, 1, 7, 60);
        if (gen_chance(g, 25)) w.kernel[0] = w.kernel[1] = 1;
        if (gen_chance(g, 40)) gen_both(g, w.stride, 1, 4, 70);
        if (gen_chance(g, 25)) gen_both(g, w.dilation, 1, 3, 60);
        gen_pads(g, &w, 12);
        groups = gen_divisor(g, x->c);
    }
    int32_t out = gen_size(g, 65);
    v->shape.c = groups == 1 ? out : groups * (groups == x->c && gen_chance(g, 60) ? 1 : 1 + gen_below(g, 3));
    if (groups > 1 && groups < x->c && gen_chance(g, 50)) v->shape.c = groups * (1 + (out - 1) / groups);
    if (!gen_conv_fits(g, &w, x, groups, &v->shape)) return false;
    gen_arg(v, "%d", v->shape.c);
    gen_pair(g, v, gen_chance(g, 10) ? "kernel=" : "", w.kernel);
    if (w.stride[0] != 1 || w.stride[1] != 1) gen_pair(g, v, "stride=", w.stride);
    if (w.pad[0] || w.pad[1] || w.pad[2] || w.pad[3]) gen_pad(v, w.pad);
    if (w.dilation[0] != 1 || w.dilation[1] != 1) gen_pair(g, v, "dilation=", w.dilation);
    if (groups > 1) gen_arg(v, "groups=%d", groups);
    if (gen_chance(g, 40)) gen_arg(v, "bias=false");
    return true;
}

static inline bool gen_deconv(Gen *g, GenValue *v) {
    const GenShape *x = gen_shape(g, v);
    GenWindow w = {.stride = {1, 1}, .dilation = {1, 1}};
    int32_t groups = gen_divisor(g, x->c), extra[2] = {0, 0}, size[2];
    gen_both(g, w.kernel, 1, 5, 70);
    if (gen_chance(g, 70)) gen_both(g, w.stride, 1, 3, 80);
    if (gen_chance(g, 20)) gen_both(g, w.dilation, 1, 3, 60);
    gen_pads(g, &w, 3);
    for (int d = 0; d < 2; d++) {
        if (gen_chance(g, 30)) extra[d] = gen_below(g, w.stride[d]);
        size[d] = ((d ? x->w : x->h) - 1) * w.stride[d] - w.pad[2 * d] - w.pad[2 * d + 1] +
                  w.dilation[d] * (w.kernel[d] - 1) + 1 + extra[d];
    }
    v->shape = (GenShape){4, groups * (1 + (gen_size(g, 33) - 1) / groups), size[0], size[1]};
    int64_t macs = (int64_t)x->c * x->h * x->w * (v->shape.c / groups) * w.kernel[0] * w.kernel[1];
    if (size[0] < 1 || size[1] < 1 || (int64_t)v->shape.c * size[0] * size[1] > g->scale * GEN_ELEMENTS) return false;
    if (macs > g->scale * GEN_LAYER_MACS || g->macs + macs > g->scale * GEN_MACS) return false;
    g->macs += macs;
    gen_arg(v, "%d", v->shape.c);
    gen_pair(g, v, "", w.kernel);
    if (w.stride[0] != 1 || w.stride[1] != 1) gen_pair(g, v, "stride=", w.stride);
    if (w.pad[0] || w.pad[1] || w.pad[2] || w.pad[3]) gen_pad(v, w.pad);
    if (extra[0] || extra[1]) gen_arg(v, "output_pad=[%d, %d]", extra[0], extra[1]);
    if (w.dilation[0] != 1 || w.dilation[1] != 1) gen_pair(g, v, "dilation=", w.dilation);
    if (groups > 1) gen_arg(v, "groups=%d", groups);
    if (gen_chance(g, 40)) gen_arg(v, "bias=false");
    return true;
}

static inline bool gen_fc(Gen *g, GenValue *v) {
    const GenShape *x = gen_shape(g, v);
    v->shape = (GenShape){2, gen_size(g, 65), 1, 1};
    int64_t macs = (int64_t)x->c * v->shape.c;
    if (macs > g->scale * GEN_LAYER_MACS || g->macs + macs > g->scale * GEN_MACS) return false;
    g->macs += macs;
    gen_arg(v, "%d", v->shape.c);
    if (gen_chance(g, 40)) gen_arg(v, "bias=false");
    return true;
}

/* The window of a pooling. Whole numbers stay exact in averages of 1, 2 and 4 of them. */
static inline void gen_pool_window(Gen *g, GenWindow *w, bool exact) {
    gen_both(g, w->kernel, 1, exact ? 2 : 5, 70);
    w->stride[0] = w->kernel[0];
    w->stride[1] = w->kernel[1];
    if (gen_chance(g, 75)) gen_both(g, w->stride, 1, gen_chance(g, 50) ? 2 : 4, 75);
    gen_pads(g, w, 12);
    for (int i = 0; i < 4; i++)
        if (w->pad[i] >= w->kernel[i / 2]) w->pad[i] = w->kernel[i / 2] - 1;
    w->ceil = gen_chance(g, 40);
}

/* Of a given size: smaller, equal, larger. */
static inline bool gen_pool_to(Gen *g, GenValue *v) {
    const GenShape *x = gen_shape(g, v);
    const int32_t to[2] = {gen_from(g, 1, gen_chance(g, 85) ? x->h : 2 * x->h), gen_from(g, 1, x->w)};
    v->shape = (GenShape){4, x->c, to[0], to[1]};
    gen_pair(g, v, "to=", to);
    return (int64_t)v->shape.c * v->shape.h * v->shape.w <= g->scale * GEN_ELEMENTS;
}

static inline bool gen_pool(Gen *g, GenValue *v, bool exact) {
    const GenShape *x = gen_shape(g, v);
    if (!exact && gen_chance(g, 20)) return gen_pool_to(g, v);
    GenWindow w = {.kernel = {x->h, x->w}, .stride = {x->h, x->w}, .dilation = {1, 1}};
    bool global = gen_chance(g, 15);
    if (!global) gen_pool_window(g, &w, exact);
    v->shape = (GenShape){4, x->c, gen_windows(&w, 0, x->h), gen_windows(&w, 1, x->w)};
    if (v->shape.h == 0 || v->shape.w == 0 || (int64_t)v->shape.c * v->shape.h * v->shape.w > g->scale * GEN_ELEMENTS)
        return false;
    if (global)
        gen_arg(v, "global=true");
    else
        gen_pair(g, v, "", w.kernel);
    if (!global && (w.stride[0] != w.kernel[0] || w.stride[1] != w.kernel[1])) gen_pair(g, v, "stride=", w.stride);
    if (w.pad[0] || w.pad[1] || w.pad[2] || w.pad[3]) gen_pad(v, w.pad);
    if (w.ceil) gen_arg(v, "round=ceil");
    return true;
}

static inline bool gen_maxpool(Gen *g, GenValue *v) { return gen_pool(g, v, false); }

static inline bool gen_avgpool(Gen *g, GenValue *v) {
    if (!gen_pool(g, v, g->whole)) return false;
    if (!strstr(v->args, "to=") && gen_chance(g, 40))
        gen_arg(v, "count_include_pad=%s", gen_chance(g, 70) ? "false" : "true");
    return true;
}

/* Layers whose result has the shape of what they get. */
static inline bool gen_plain(Gen *g, GenValue *v) {
    v->shape = *gen_shape(g, v);
    return true;
}

static inline bool gen_bn(Gen *g, GenValue *v) {
    if (gen_chance(g, 20)) gen_arg(v, "eps=%s", gen_chance(g, 50) ? "1e-3" : "0.5");
    if (gen_chance(g, 10)) gen_arg(v, "ghost=2"); /* which inference does not know */
    return gen_plain(g, v);
}

static inline bool gen_layer_norm(Gen *g, GenValue *v) {
    if (gen_chance(g, 30)) gen_arg(v, "eps=%s", gen_chance(g, 50) ? "1e-3" : "0.5");
    return gen_plain(g, v);
}

static inline bool gen_group_norm(Gen *g, GenValue *v) {
    gen_arg(v, "%d", gen_divisor(g, gen_shape(g, v)->c));
    return gen_layer_norm(g, v);
}

static inline bool gen_slope(Gen *g, GenValue *v) {
    if (gen_chance(g, 60)) gen_arg(v, "%s", gen_chance(g, 30) ? "0" : gen_chance(g, 50) ? "0.25" : "1.5");
    return gen_plain(g, v);
}

static inline bool gen_prelu(Gen *g, GenValue *v) {
    if (gen_chance(g, 50)) gen_arg(v, "shared=true");
    return gen_plain(g, v);
}

static inline bool gen_gelu(Gen *g, GenValue *v) {
    if (gen_chance(g, 60)) gen_arg(v, "approximate=\"%s\"", gen_chance(g, 80) ? "tanh" : "none");
    return gen_plain(g, v);
}

static inline bool gen_dropout(Gen *g, GenValue *v) {
    if (gen_chance(g, 70)) gen_arg(v, "0.%d", gen_below(g, 10));
    return gen_plain(g, v);
}

static inline bool gen_stochastic_depth(Gen *g, GenValue *v) {
    gen_arg(v, "0.%d", gen_below(g, 10));
    return gen_plain(g, v);
}

static inline bool gen_lrn(Gen *g, GenValue *v) {
    static const char *const alpha[] = {"1e-4", "0.1", "1", "0"}, *const beta[] = {"0.5", "1", "0.3", "2", "0"};
    gen_arg(v, "%d", gen_from(g, 1, 9));
    if (gen_chance(g, 70)) gen_arg(v, "alpha=%s", alpha[gen_below(g, ARRAY_LEN(alpha))]);
    if (gen_chance(g, 50)) gen_arg(v, "beta=%s", beta[gen_below(g, ARRAY_LEN(beta))]);
    if (gen_chance(g, 50)) gen_arg(v, "k=%s", gen_chance(g, 50) ? "0.5" : "2");
    return gen_plain(g, v);
}

static inline bool gen_flatten(Gen *g, GenValue *v) {
    const GenShape *x = gen_shape(g, v);
    v->shape = (GenShape){2, x->c * x->h * x->w, 1, 1};
    return true;
}

/* A value that goes with x: of its shape, or (join) of its rank, height and width. It may be x itself. */
static inline int32_t gen_partner(Gen *g, const GenShape *x, bool join) {
    int32_t found = -1, n = 0;
    for (int32_t i = 0; i < g->net->n; i++) {
        const GenShape *y = &g->net->value[i].shape;
        bool fits = y->rank == x->rank && y->h == x->h && y->w == x->w && (join || y->c == x->c);
        if (fits && gen_below(g, ++n) == 0) found = i;
    }
    return found;
}

static inline bool gen_concat(Gen *g, GenValue *v) {
    GenShape x = *gen_shape(g, v);
    int32_t n = gen_from(g, 1, GEN_IN);
    v->shape = x;
    for (v->n_in = 1; v->n_in < n; v->n_in++) {
        v->in[v->n_in] = gen_partner(g, &x, true);
        v->shape.c += g->net->value[v->in[v->n_in]].shape.c;
    }
    int32_t first = gen_below(g, n), swapped = v->in[first]; /* in[0] in any place */
    v->in[first] = v->in[0];
    v->in[0] = swapped;
    return (int64_t)v->shape.c * v->shape.h * v->shape.w <= g->scale * GEN_ELEMENTS;
}

static inline bool gen_join(Gen *g, GenValue *v) {
    int32_t n = gen_chance(g, 85) ? 2 : 3;
    v->shape = *gen_shape(g, v);
    for (v->n_in = 1; v->n_in < n; v->n_in++) v->in[v->n_in] = gen_partner(g, &v->shape, false);
    return true;
}

/* One number for each channel of each picture: of rank 2, or a plane of one pixel. */
static inline int32_t gen_gate(Gen *g, const GenShape *x) {
    int32_t found = -1, n = 0;
    for (int32_t i = 0; i < g->net->n; i++) {
        const GenShape *y = &g->net->value[i].shape;
        if (y->c == x->c && y->h == 1 && y->w == 1 && gen_below(g, ++n) == 0) found = i;
    }
    return found;
}

static inline bool gen_mul(Gen *g, GenValue *v) {
    if (++g->products > 2) return false;
    GenShape x = *gen_shape(g, v);
    int32_t gate = gen_gate(g, &x);
    if (x.rank != 4 || gate < 0 || gen_chance(g, 30)) return gen_join(g, v);
    int32_t gated = v->in[0], second = gen_below(g, 2);
    v->in[second] = gate;
    v->in[1 - second] = gated;
    v->n_in = 2;
    v->shape = x;
    return true;
}

/* Equal parts, or two of any size. */
static inline bool gen_split(Gen *g, GenValue *v) {
    GenShape x = *gen_shape(g, v);
    v->shape = x;
    if (x.c > 1 && gen_chance(g, 50)) {
        int32_t first = gen_from(g, 1, x.c - 1);
        v->item = gen_from(g, 1, 2);
        v->shape.c = v->item == 1 ? first : x.c - first;
        gen_arg(v, "[%d, %d]", first, x.c - first);
    } else {
        int32_t parts = gen_divisor(g, x.c);
        v->item = gen_from(g, 1, parts);
        v->shape.c = x.c / parts;
        gen_arg(v, "%d", parts);
    }
    return true;
}

static inline bool gen_channel_shuffle(Gen *g, GenValue *v) {
    gen_arg(v, "%d", gen_divisor(g, gen_shape(g, v)->c));
    return gen_plain(g, v);
}

static inline bool gen_has_room(const Gen *g, const GenShape *s) {
    return (int64_t)s->c * s->h * s->w <= g->scale * GEN_ELEMENTS;
}

static inline bool gen_se(Gen *g, GenValue *v) {
    int32_t squeeze = gen_size(g, 17);
    gen_arg(v, "%d", squeeze);
    g->macs += (int64_t)2 * squeeze * gen_shape(g, v)->c;
    return g->macs <= g->scale * GEN_MACS && gen_plain(g, v);
}

static inline bool gen_spp(Gen *g, GenValue *v) {
    int32_t level[3], n = gen_from(g, 1, ARRAY_LEN(level)), windows = 0;
    for (int32_t i = 0; i < ARRAY_LEN(level); i++) {
        level[i] = gen_from(g, 1, 5);
        if (i < n) windows += level[i] * level[i];
    }
    gen_arg(v, n == 1 ? "[%d]" : n == 2 ? "[%d, %d]" : "[%d, %d, %d]", level[0], level[1], level[2]);
    v->shape = (GenShape){2, gen_shape(g, v)->c * windows, 1, 1};
    return gen_has_room(g, &v->shape);
}

static inline bool gen_pad_layer(Gen *g, GenValue *v) {
    GenShape x = *gen_shape(g, v);
    int32_t pad[4], one = gen_below(g, 4), same = gen_chance(g, 50);
    for (int i = 0; i < 4; i++) pad[i] = same ? one : gen_below(g, 4);
    v->shape = (GenShape){4, x.c, x.h + pad[0] + pad[1], x.w + pad[2] + pad[3]};
    if (same) gen_arg(v, "%d", one);
    else gen_arg(v, "[%d, %d, %d, %d]", pad[0], pad[1], pad[2], pad[3]);
    if (gen_chance(g, 40)) gen_arg(v, "value=%s", gen_chance(g, 70) ? "-2" : "0.3");
    return gen_has_room(g, &v->shape);
}

static inline bool gen_crop(Gen *g, GenValue *v) {
    GenShape x = *gen_shape(g, v);
    const int32_t size[2] = {gen_from(g, 1, x.h), gen_from(g, 1, x.w)};
    v->shape = (GenShape){4, x.c, size[0], size[1]};
    gen_pair(g, v, "", size);
    if (gen_chance(g, 50)) gen_arg(v, "at=[%d, %d]", gen_from(g, 0, x.h - size[0]), gen_from(g, 0, x.w - size[1]));
    return true;
}

static inline bool gen_upsample(Gen *g, GenValue *v) {
    GenShape x = *gen_shape(g, v);
    int32_t scale[2], size[2] = {gen_size(g, 33), gen_size(g, 33)};
    bool by_scale = gen_chance(g, 60), linear = gen_chance(g, g->whole ? 5 : 60);
    gen_both(g, scale, 1, 4, 70);
    v->shape = (GenShape){4, x.c, by_scale ? x.h * scale[0] : size[0], by_scale ? x.w * scale[1] : size[1]};
    gen_pair(g, v, by_scale ? "scale=" : "size=", by_scale ? scale : size);
    if (linear) gen_arg(v, "filter=\"bilinear\"");
    if (linear && gen_chance(g, 30)) gen_arg(v, "align_corners=true");
    return gen_has_room(g, &v->shape);
}

enum { GEN_EXACT = 1, /* whole numbers stay exact */ GEN_VECTOR = 2 /* gives one of rank 2, whatever it reads */ };

/* ONE ROW PER LAYER of frontend/layers.def. rank: of the operands, 0 for any. */
typedef struct GenRule {
    const char *layer;
    int32_t weight, rank, flags;
    bool (*draw)(Gen *g, GenValue *v);
} GenRule;

static const GenRule gen_rules[] = {
    {"conv",             30, 4, GEN_EXACT,              gen_conv},
    {"fc",                7, 2, GEN_EXACT,              gen_fc},
    {"bn",                8, 0, 0,                      gen_bn},
    {"relu",             12, 0, GEN_EXACT,              gen_plain},
    {"maxpool",           7, 4, GEN_EXACT,              gen_maxpool},
    {"avgpool",           6, 4, GEN_EXACT,              gen_avgpool},
    {"lrn",               5, 4, 0,                      gen_lrn},
    {"dropout",           3, 0, GEN_EXACT,              gen_dropout},
    {"flatten",           4, 0, GEN_EXACT | GEN_VECTOR, gen_flatten},
    {"concat",            8, 0, GEN_EXACT,              gen_concat},
    {"add",               9, 0, GEN_EXACT,              gen_join},
    {"mul",               3, 0, GEN_EXACT,              gen_mul},
    {"softmax",           3, 0, 0,                      gen_plain},
    {"identity",          1, 0, GEN_EXACT,              gen_plain},
    {"relu6",             4, 0, GEN_EXACT,              gen_plain},
    {"split",             4, 0, GEN_EXACT,              gen_split},
    {"channel_shuffle",   4, 0, GEN_EXACT,              gen_channel_shuffle},
    {"stochastic_depth",  2, 0, GEN_EXACT,              gen_stochastic_depth},
    {"deconv",            6, 4, GEN_EXACT,              gen_deconv},
    {"pad",               4, 4, GEN_EXACT,              gen_pad_layer},
    {"crop",              4, 4, GEN_EXACT,              gen_crop},
    {"upsample",          4, 4, GEN_EXACT,              gen_upsample},
    {"leaky_relu",        2, 0, 0,                      gen_slope},
    {"elu",               2, 0, 0,                      gen_slope},
    {"gelu",              2, 0, 0,                      gen_gelu},
    {"sigmoid",           2, 0, 0,                      gen_plain},
    {"tanh",              2, 0, 0,                      gen_plain},
    {"swish",             3, 0, 0,                      gen_plain},
    {"hswish",            3, 0, 0,                      gen_plain},
    {"hsigmoid",          2, 0, 0,                      gen_plain},
    {"prelu",             3, 0, 0,                      gen_prelu},
    {"log_softmax",       2, 0, 0,                      gen_plain},
    {"layer_norm",        4, 0, 0,                      gen_layer_norm},
    {"scale",             2, 0, GEN_EXACT,              gen_plain},
    {"group_norm",        4, 0, 0,                      gen_group_norm},
    {"se",                3, 4, 0,                      gen_se},
    {"spp",               3, 4, GEN_EXACT | GEN_VECTOR, gen_spp},
};
enum { N_GEN_RULES = ARRAY_LEN(gen_rules) };

static inline const GenRule *gen_rule(const char *layer) {
    for (int i = 0; i < N_GEN_RULES; i++)
        if (!strcmp(gen_rules[i].layer, layer)) return &gen_rules[i];
    return NULL;
}

/* ---- nets ------------------------------------------------------------------------------------------------------- */

/* Appends a layer that reads value x. 0 if nothing fits. */
static inline int32_t gen_append(Gen *g, const GenRule *rule, int32_t x) {
    GenNet *net = g->net;
    bool fits = net->n < GEN_VALUES && (!rule->rank || rule->rank == net->value[x].shape.rank);
    for (int i = 0; fits && i < GEN_TRIES; i++) {
        GenValue v = {.layer = rule->layer, .n_in = 1, .in = {x}, .arrow = gen_chance(g, 50)};
        if (!rule->draw(g, &v)) continue;
        net->value[net->n] = v;
        return net->n++;
    }
    return 0;
}

/* A value to go on from: the last mostly, else any; of the rank that the rule takes. A vector is made if none is there;
 * -1 if there is no such value. */
static inline int32_t gen_operand(Gen *g, const GenRule *rule) {
    int32_t last = g->net->n - 1, found = -1, n = 0;
    if (gen_chance(g, 65) && (!rule->rank || g->net->value[last].shape.rank == rule->rank)) return last;
    for (int32_t i = 0; i <= last; i++)
        if ((!rule->rank || g->net->value[i].shape.rank == rule->rank) && gen_below(g, ++n) == 0) found = i;
    return found;
}

static inline const GenRule *gen_pick(Gen *g) {
    for (;;) {
        int32_t total = 0;
        for (int i = 0; i < N_GEN_RULES; i++) total += gen_rules[i].weight;
        int32_t at = gen_below(g, total);
        const GenRule *rule = gen_rules;
        while (at >= rule->weight) at -= rule++->weight;
        if ((rule->flags & GEN_EXACT) || !g->whole || gen_chance(g, 5)) return rule;
    }
}

/* Layer a on something, and layer b on that. */
static inline void gen_feed(Gen *g, const GenRule *a, const GenRule *b) {
    int32_t x = gen_operand(g, a);
    if (x < 0) x = gen_append(g, gen_rule("flatten"), gen_operand(g, gen_rule("flatten")));
    if (b->rank == 2 && !a->rank && g->net->value[x].shape.rank == 4) x = gen_append(g, gen_rule("flatten"), x);
    int32_t y = gen_append(g, a, x);
    if (y) gen_append(g, b, y);
}

/* Net number `seed`. Numbers that follow each other have all pairs of layers. */
static inline void gen_net(GenNet *net, uint64_t seed, bool whole) {
    Gen g = {.net = net, .state = seed * 0xd1342543de82ef95u + 1, .whole = whole};
    g.scale = gen_chance(&g, 3) ? 4 : 1;
    *net = (GenNet){.n = 1, .half = gen_chance(&g, 15)};
    GenShape *p = &net->value[0].shape;
    *p = (GenShape){4, gen_chance(&g, 25) ? 1 : 3, gen_size(&g, 65), 0};
    p->w = gen_chance(&g, 30) ? p->h : gen_size(&g, 65);
    while (p->h * p->w > g.scale * GEN_PLANE) p->h = gen_size(&g, 65), p->w = gen_size(&g, 65);
    int32_t layers = gen_chance(&g, 40) ? gen_from(&g, 1, 4) : gen_from(&g, 3, 8), forced = gen_below(&g, layers);
    for (int32_t i = 0; i < layers; i++) {
        const GenRule *rule = gen_pick(&g);
        int32_t x = gen_operand(&g, rule);
        if (x >= 0) gen_append(&g, rule, x);
        for (uint64_t k = 0; i == forced && k < GEN_PAIRS; k++) {
            uint64_t pair = seed * GEN_PAIRS + k;
            const GenRule *a = &gen_rules[pair % N_GEN_RULES], *b = &gen_rules[pair / N_GEN_RULES % N_GEN_RULES];
            if ((a->flags & b->flags & GEN_EXACT) || !whole) gen_feed(&g, a, b);
        }
    }
    if (gen_chance(&g, 40)) gen_feed(&g, gen_rule("conv"), gen_rule("conv"));
    for (int32_t i = 0; i < net->n; i++) net->value[i].output = i > 0 ? gen_chance(&g, 10) : gen_chance(&g, 1);
    for (int32_t i = 1; i < net->n; i++) {
        bool read = false;
        for (int32_t k = i + 1; k < net->n; k++)
            for (int32_t j = 0; j < net->value[k].n_in; j++) read = read || net->value[k].in[j] == i;
        if (!read) net->value[i].output = true;
    }
    if (net->n == 1) net->value[0].output = true;
    bool apart = gen_chance(&g, 10);
    for (int32_t i = 1; apart && i < net->n; i++) net->value[i].nofuse = gen_chance(&g, 35);
}

#endif
