/* The driver of the graph interpreter, and what its float and its double half share. The operators are in ref_*.h,
 * which are compiled twice: REAL is the number type, REF(id) the name of a function for it. */
#include "ref.h"

#include <Random123/philox.h>
#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "../ir/diag.h"
#include "../ir/half.h"
#include "../ir/winograd.h"

/* A tensor as outer x channels x inner elements: whatever the rank is, element e is in channel e / inner % channels. */
typedef struct View {
    int64_t outer, channels, inner;
} View;

static int64_t pictures(const RefRun *r, const Type *t) { return type_batched(t) ? r->n : 1; }

static View view_of(const RefRun *r, const Type *t) {
    View v = {1, type_channels(t), 1};
    int c = type_channel_dim(t);
    for (int i = 0; i < t->rank; i++) {
        int64_t extent = t->dim[i] == BATCH ? r->n : t->dim[i];
        if (i < c || c < 0) v.outer *= extent;
        if (i > c && c >= 0) v.inner *= extent;
    }
    return v;
}

static const Type *type_in(const RefRun *r, const Node *n, int i) { return &graph_node(r->graph, n->in[i])->type; }

/* One axis of a pooling window: real positions begin..end, where tap 0 is, and how many positions of the padded input
 * it covers. */
typedef struct Window {
    int64_t begin, end, start, padded;
} Window;

static Window window_of(int64_t out, int32_t kernel, int32_t stride, int32_t pad_before, int32_t pad_after,
                        int64_t in) {
    int64_t start = out * stride - pad_before;
    int64_t stop = min_i64(start + kernel, in + pad_after);
    return (Window){max_i64(start, 0), min_i64(stop, in), start, stop - start};
}

/* Window number `out` of the `to` that share the input out among them: every position that belongs to it in part. */
static Window window_share(int64_t out, int64_t to, int64_t in) {
    int64_t begin = out * in / to, end = ((out + 1) * in + to - 1) / to;
    return (Window){begin, end, begin, end - begin};
}

/* The uniform number that runtime/abi.h defines for this index of this site. */
static double uniform(const RefRun *r, int32_t site, int64_t index) {
    philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)((uint64_t)index >> 32), (uint32_t)site, 0}};
    philox4x32_key_t key = {{r->key[0], r->key[1]}};
    return (double)(philox4x32_R(10, counter, key).v[0] >> 8) * 0x1p-24;
}

#define REAL float
#define REF(id) ref_##id##_float
#include "ref_conv.h"
#include "ref_loss.h"
#include "ref_ops.h"
#include "ref_norm.h"
#include "ref_resize.h"
#include "ref_act.h"
#include "ref_window.h"
#include "ref_winograd.h"
#undef REAL
#undef REF

#define REAL double
#define REF(id) ref_##id##_double
#include "ref_conv.h"
#include "ref_loss.h"
#include "ref_ops.h"
#include "ref_norm.h"
#include "ref_resize.h"
#include "ref_act.h"
#include "ref_window.h"
#include "ref_winograd.h"
#undef REAL
#undef REF

typedef void RefFloat(const RefRun *r, const Node *n, float *y);
typedef void RefDouble(const RefRun *r, const Node *n, double *y);

#define OP(id, diff, ...) [OP_##id] = ref_##id##_float,
static RefFloat *const ref_float[OP_COUNT] = {
#include "../ir/ops.def"
};
#undef OP

#define OP(id, diff, ...) [OP_##id] = ref_##id##_double,
static RefDouble *const ref_double[OP_COUNT] = {
#include "../ir/ops.def"
};
#undef OP

RefRun *ref_new(Arena *a, const Graph *g, int64_t n, bool in_double) {
    ICE_UNLESS(n > 0, "ref_new: %lld pictures", (long long)n);
    RefRun *r = NEW(a, RefRun);
    *r = (RefRun){.graph = g, .n = n, .in_double = in_double, .arena = a};
    r->value = NEW_ARRAY(a, void *, g->n_node);
    return r;
}

int64_t ref_count(const RefRun *r, Ref ref) {
    const Type *t = &graph_node(r->graph, ref)->type;
    int64_t count;
    ICE_UNLESS(mul_ok(type_elements(t), pictures(r, t), &count), "ref_count: %%%u is too big", ref);
    return count;
}

static size_t array_bytes(const RefRun *r, Ref ref) {
    return checked_bytes(ref_count(r, ref), r->in_double ? sizeof(double) : sizeof(float));
}

double ref_get(const RefRun *r, Ref ref, int64_t i) {
    ICE_UNLESS(r->value[ref] && i >= 0 && i < ref_count(r, ref), "ref_get: %%%u[%lld]", ref, (long long)i);
    return r->in_double ? ((const double *)r->value[ref])[i] : (double)((const float *)r->value[ref])[i];
}

void ref_set(RefRun *r, Ref ref, int64_t i, double x) {
    ICE_UNLESS(i >= 0 && i < ref_count(r, ref), "ref_set: %%%u[%lld]", ref, (long long)i);
    if (!r->value[ref]) r->value[ref] = arena_alloc(r->arena, array_bytes(r, ref));
    if (r->in_double)
        ((double *)r->value[ref])[i] = x;
    else
        ((float *)r->value[ref])[i] = (float)x;
}

/* Operators find zeros in their result, so that sums can start from it. Inputs and params keep what the caller set. */
static void prepare(RefRun *r, Ref ref) {
    AttrKind kind = op_info[graph_node(r->graph, ref)->op].attr;
    if (kind == ATTR_INPUT || kind == ATTR_PARAM) return;
    if (!r->value[ref])
        r->value[ref] = arena_alloc(r->arena, array_bytes(r, ref));
    else
        memset(r->value[ref], 0, array_bytes(r, ref));
}

void ref_run(RefRun *r) {
    for (Ref i = 1; i < (Ref)r->graph->n_node; i++) {
        const Node *n = graph_node(r->graph, i);
        prepare(r, i);
        ICE_UNLESS(r->value[i], "ref_run: nobody set %s %%%u \"%s\"", op_info[n->op].name, i, n->name ? n->name : "");
        if (r->in_double)
            ref_double[n->op](r, n, r->value[i]);
        else
            ref_float[n->op](r, n, r->value[i]);
    }
}
