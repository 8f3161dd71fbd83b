/* Layers that move numbers: split, channel_shuffle. */
#include "layers.h"

Value build_channel_shuffle(Elab *e, const Bound *b) {
    return layer_unary(e, b, OP_channel_shuffle, &(Attr){.shuffle = {(int32_t)bound_int(b, "groups")}});
}

/* The channels of each part: `parts` is how many equal ones there are, or their channels. NULL if they do not make up x. */
static const int32_t *part_sizes(Elab *e, const Bound *b, int32_t *n) {
    const Value *parts = bound(b, "parts");
    const Type *x = tensor_type(e, bound(b, "x"));
    int64_t channels = type_channels(x), sum = 0;
    bool equal = parts->kind != V_LIST;
    int64_t count = equal ? value_whole(parts) : parts->n;
    if (equal && channels % count != 0) {
        diag_error(e->diags, bound_span(b, "parts"), "E0330",
                   "cannot split the %lld channels of %s into %lld equal parts", (long long)channels,
                   type_shape_text(e->arena, x), (long long)count);
        return NULL;
    }
    int32_t *size = NEW_ARRAY(e->arena, int32_t, count);
    *n = (int32_t)count;
    for (int32_t i = 0; i < *n; i++) {
        size[i] = equal ? (int32_t)(channels / count) : (int32_t)value_whole(&parts->item[i]);
        sum += size[i];
    }
    if (sum == channels) return size;
    diag_error(e->diags, bound_span(b, "parts"), "E0331", "the parts have %lld channels together, but %s has %lld",
               (long long)sum, type_shape_text(e->arena, x), (long long)channels);
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
