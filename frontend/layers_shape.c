/* Layers that move numbers: split, channel_shuffle, pad, crop, upsample. */
#include <string.h>

#include "layers.h"

Value build_channel_shuffle(Elab *e, const Bound *b) {
    return layer_unary(e, b, OP_channel_shuffle, &(Attr){.shuffle = {(int32_t)bound_int(b, "groups")}});
}

/* The channels of each part: `parts` is how many equal ones there are, or their channels. NULL if they do not make up
 * x. */
static const int32_t *part_sizes(Elab *e, const Bound *b, int32_t *n) {
    const Value *parts = bound(b, "parts");
    const Type *x = tensor_type(e, bound(b, "x"));
    int64_t channels = type_channels(x), sum = 0;
    bool equal = parts->kind != V_LIST;
    int64_t count = equal ? value_whole(parts) : parts->n;
    if (equal && channels % count != 0) {
        diag_error(e->diags, bound_span(b, "parts"), "E0330",
                   "cannot split the %lld channels of %s into %lld equal parts: %lld = %lld * %lld + %lld",
                   (long long)channels, type_shape_text(e->arena, x), (long long)count, (long long)channels,
                   (long long)(channels / count), (long long)count, (long long)(channels % count));
        return NULL;
    }
    int32_t *size = NEW_ARRAY(e->arena, int32_t, count);
    *n = (int32_t)count;
    for (int32_t i = 0; i < *n; i++) {
        size[i] = equal ? (int32_t)(channels / count) : (int32_t)value_whole(&parts->item[i]);
        sum += size[i];
    }
    if (sum == channels) return size;
    Str terms = STR(e->arena);
    for (int32_t i = 0; i < *n && i < 8; i++) str_addf(&terms, "%s%d", i ? " + " : "", size[i]);
    diag_error(e->diags, bound_span(b, "parts"), "E0331", "the parts have %s%s = %lld channels, but %s has %lld",
               str_text(&terms), *n > 8 ? " + ..." : "", (long long)sum, type_shape_text(e->arena, x),
               (long long)channels);
    return NULL;
}

Value build_split(Elab *e, const Bound *b) {
    int32_t n = 0, from = 0;
    const int32_t *size = part_sizes(e, b, &n);
    if (!size || !spend(e, n)) return v_error;
    Value *item = NEW_ARRAY(e->arena, Value, n);
    for (int32_t i = 0; i < n; i++) {
        item[i] = layer_unary(e, b, OP_slice, &(Attr){.slice = {from, size[i]}});
        if (item[i].kind == V_ERROR) return v_error;
        from += size[i];
    }
    return value_list(item, n);
}

Value build_pad(Elab *e, const Bound *b) {
    Attr attr = {.pad = {.value = bound_real(b, "value")}};
    memcpy(attr.pad.pad, bound(b, "pad")->pad, sizeof attr.pad.pad);
    return layer_unary(e, b, OP_pad, &attr);
}

static bool is_picture(Elab *e, const Bound *b, const Type *x, const char *layer) {
    if (x->rank == 4) return true;
    diag_error(e->diags, b->at, "E0302", "`%s` needs channels x height x width, but its input is %s", layer,
               type_shape_text(e->arena, x));
    return false;
}

/* The middle, where the argument `at` does not say otherwise; of an odd rest the smaller half is above and to the left. */
Value build_crop(Elab *e, const Bound *b) {
    const Type *x = tensor_type(e, bound(b, "x"));
    const Value *at = bound(b, "at");
    if (!is_picture(e, b, x, "crop")) return v_error;
    int32_t size[2], first[2];
    layer_pair(size, bound(b, "size"));
    Attr attr = {.pad = {.value = 0}};
    for (int d = 0; d < 2; d++) {
        int32_t rest = x->dim[2 + d] - size[d];
        first[d] = at->kind == V_NONE ? rest / 2 : at->pad[2 * d];
        if (rest < 0 || first[d] > rest) {
            const char *from = at->kind == V_NONE ? "" : arena_printf(e->arena, " from [%d, %d] on", at->pad[0], at->pad[2]);
            diag_error(e->diags, b->at, "E0332", "%dx%d%s is not inside the %dx%d of %s", size[0], size[1], from,
                       x->dim[2], x->dim[3], type_shape_text(e->arena, x));
            return v_error;
        }
        attr.pad.pad[2 * d] = -first[d];
        attr.pad.pad[2 * d + 1] = first[d] - rest;
    }
    return layer_unary(e, b, OP_pad, &attr);
}

Value build_upsample(Elab *e, const Bound *b) {
    const Type *x = tensor_type(e, bound(b, "x"));
    bool scale = bound_given(b, "scale");
    if (scale == bound_given(b, "size")) {
        diag_error(e->diags, b->at, "E0333", "`upsample` takes either scale=, how many times, or size=");
        return v_error;
    }
    if (!is_picture(e, b, x, "upsample")) return v_error;
    Attr attr = {.resize = {.linear = bound(b, "filter")->flag, .corners = bound(b, "align_corners")->flag}};
    if (attr.resize.corners && !attr.resize.linear) {
        diag_error(e->diags, bound_span(b, "align_corners"), "E0334", "align_corners goes with filter=\"bilinear\"");
        return v_error;
    }
    layer_pair(attr.resize.to, bound(b, scale ? "scale" : "size"));
    for (int d = 0; d < 2; d++) {
        int64_t to = (int64_t)attr.resize.to[d] * (scale ? x->dim[2 + d] : 1);
        attr.resize.from[d] = x->dim[2 + d];
        attr.resize.to[d] = (int32_t)min_i64(to, INT32_MAX); /* which the shape rule refuses */
    }
    return layer_unary(e, b, OP_resize, &attr);
}
