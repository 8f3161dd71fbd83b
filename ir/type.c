#include "type.h"

#include "scan.h"

#include <string.h>

const char *const dtype_name[DT_COUNT] = {[DT_F32] = "f32", [DT_I32] = "i32", [DT_U8] = "u8", [DT_F16] = "f16"};
const int dtype_bytes[DT_COUNT] = {[DT_F32] = 4, [DT_I32] = 4, [DT_U8] = 1, [DT_F16] = 2};

Type type_make(DType dtype, int rank, const int32_t *dim) {
    Type t = {.dtype = dtype, .rank = rank, .layout = {.b0 = 1, .b1 = 1}};
    for (int i = 0; i < rank; i++) t.dim[i] = dim[i];
    return t;
}

bool type_batched(const Type *t) { return t->rank > 0 && t->dim[0] == BATCH; }

int type_channel_dim(const Type *t) {
    int d = type_batched(t) ? 1 : 0;
    return d < t->rank ? d : -1;
}

int32_t type_channels(const Type *t) {
    int d = type_channel_dim(t);
    return d < 0 ? 1 : t->dim[d];
}

static int32_t extent(const Type *t, int d) { return d < t->rank ? t->dim[d] : 1; }

int32_t type_height(const Type *t) { return extent(t, 2); }
int32_t type_width(const Type *t) { return extent(t, 3); }

bool type_same_dims(const Type *a, const Type *b) {
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

bool type_same_shape(const Type *a, const Type *b) { return a->dtype == b->dtype && type_same_dims(a, b); }

Broadcast type_broadcast(const Type *x, const Type *y) {
    if (type_same_dims(x, y)) return BROADCAST_NONE;
    if (y->rank == 1 && !type_batched(y) && type_channel_dim(x) >= 0) {
        if (y->dim[0] == type_channels(x)) return BROADCAST_CHANNEL;
        return y->dim[0] == 1 && type_batched(x) ? BROADCAST_ONE : BROADCAST_MISFIT;
    }
    bool pictures = type_batched(x) && x->rank == MAX_RANK && type_batched(y) && (y->rank == 2 || y->rank == MAX_RANK);
    bool planes = pictures && y->dim[1] == x->dim[1] && type_height(y) == 1 && type_width(y) == 1;
    return planes ? BROADCAST_PLANE : BROADCAST_MISFIT;
}

static bool same_layout(const Layout *a, const Layout *b) {
    return a->b0 == b->b0 && a->b1 == b->b1 && a->halo.top == b->halo.top && a->halo.bottom == b->halo.bottom &&
           a->halo.left == b->halo.left && a->halo.right == b->halo.right && a->whole == b->whole && a->from == b->from &&
           a->rows == b->rows;
}

bool type_equal(const Type *a, const Type *b) { return type_same_shape(a, b) && same_layout(&a->layout, &b->layout); }

static int64_t times(int64_t a, int64_t b) {
    int64_t r;
    return mul_ok(a, b, &r) ? r : INT64_MAX;
}

int64_t type_elements(const Type *t) {
    int64_t n = 1;
    for (int i = type_batched(t) ? 1 : 0; i < t->rank; i++) n = times(n, t->dim[i]);
    return n;
}

/* Rows and columns of a stored plane. */
static int64_t stored_height(const Type *t) {
    return (int64_t)type_height(t) + t->layout.halo.top + t->layout.halo.bottom;
}
static int64_t stored_width(const Type *t) {
    return (int64_t)type_width(t) + t->layout.halo.left + t->layout.halo.right;
}

/* Dimension 1 as stored, before it is rounded up. */
static int32_t stored_extent(const Type *t) { return t->layout.whole ? t->layout.whole : extent(t, 1); }

/* Channels as stored before blocks round them up: those of the tensor that t is a part of, or its own. */
static int32_t whole_channels(const Type *t) { return t->layout.whole ? t->layout.whole : type_channels(t); }

int64_t type_row_vectors(const Type *t) { return div_up(t->dim[1], t->layout.b1) * t->dim[3] | 1; }

int64_t type_stored(const Type *t) {
    int64_t d0 = type_batched(t) ? 1 : extent(t, 0);
    if (t->layout.rows) return times(times(d0 * type_height(t), type_row_vectors(t)), t->layout.b1);
    int64_t n = times(round_up(d0, t->layout.b0), round_up(stored_extent(t), t->layout.b1));
    return times(times(n, stored_height(t)), stored_width(t));
}

int64_t type_bytes(const Type *t) {
    int64_t bytes = times(type_stored(t), dtype_bytes[t->dtype]);
    return bytes > INT64_MAX - 63 ? INT64_MAX : round_up(bytes, 64);
}

int64_t type_offset(const Type *t, const int64_t *index) {
    int64_t i[MAX_RANK] = {0};
    for (int d = 0; d < t->rank; d++) i[d] = index[d];
    int64_t b0 = t->layout.b0, b1 = t->layout.b1;
    i[1] += t->layout.from;
    int64_t blocks = div_up(stored_extent(t), b1), height = stored_height(t), row = i[2] + t->layout.halo.top;
    int64_t at = ((i[0] / b0 * blocks + i[1] / b1) * height + row) * stored_width(t) + i[3] + t->layout.halo.left;
    if (t->layout.rows) at = (i[0] * height + row) * type_row_vectors(t) + i[1] / b1 * type_width(t) + i[3];
    return (at * b1 + i[1] % b1) * b0 + i[0] % b0;
}

Layout type_part_layout(const Type *t, int32_t from, int32_t channels) {
    Layout l = t->layout;
    if (channels == type_channels(t)) return l;
    l.whole = whole_channels(t);
    l.from += from;
    return l;
}

bool type_is_part(const Type *part, const Type *t, int32_t from) {
    Type same = *part;
    int d = type_channel_dim(t);
    if (d != 1 || part->rank != t->rank) return false;
    same.dim[d] = t->dim[d];
    same.layout = type_part_layout(t, from, part->dim[d]);
    return type_same_shape(&same, t) && same_layout(&same.layout, &part->layout);
}

void type_print(Str *s, const Type *t) {
    static const Layout plain = {.b0 = 1, .b1 = 1};
    str_add(s, dtype_name[t->dtype]);
    str_add(s, "[");
    for (int i = 0; i < t->rank; i++) {
        str_add(s, i ? "," : "");
        if (i == 0 && t->dim[0] == BATCH)
            str_add(s, "N");
        else
            str_addf(s, "%d", t->dim[i]);
    }
    str_add(s, "]");
    const Layout *l = &t->layout;
    if (same_layout(l, &plain)) return;
    str_addf(s, "{%d,%d;%d,%d,%d,%d", l->b0, l->b1, l->halo.top, l->halo.bottom, l->halo.left, l->halo.right);
    if (l->whole) str_addf(s, ";%d/%d", l->from, l->whole);
    if (l->rows) str_add(s, ";rows");
    str_add(s, "}");
}

static bool read_part(const char **p, Layout *l) {
    l->rows = scan_text(p, ";rows");
    return l->rows || !scan_text(p, ";") || (scan_i32(p, &l->from) && scan_text(p, "/") && scan_i32(p, &l->whole));
}

static bool read_layout(const char **p, Layout *l) {
    if (!scan_text(p, "{")) return true;
    return scan_i32(p, &l->b0) && scan_text(p, ",") && scan_i32(p, &l->b1) && scan_text(p, ";") &&
           scan_i32(p, &l->halo.top) && scan_text(p, ",") && scan_i32(p, &l->halo.bottom) && scan_text(p, ",") &&
           scan_i32(p, &l->halo.left) && scan_text(p, ",") && scan_i32(p, &l->halo.right) && read_part(p, l) &&
           scan_text(p, "}");
}

bool type_read(const char **text, Type *t) {
    int dtype;
    *t = type_make(DT_F32, 0, NULL);
    if (!scan_one_of(text, dtype_name, DT_COUNT, &dtype) || !scan_text(text, "[")) return false;
    t->dtype = (DType)dtype;
    while (!scan_text(text, "]")) {
        if (t->rank == MAX_RANK || (t->rank > 0 && !scan_text(text, ","))) return false;
        if (t->rank == 0 && scan_text(text, "N"))
            t->dim[0] = BATCH;
        else if (!scan_i32(text, &t->dim[t->rank]) || t->dim[t->rank] < 1)
            return false;
        t->rank++;
    }
    return read_layout(text, &t->layout);
}

const char *type_shape_text(Arena *a, const Type *t) {
    Str s = STR(a);
    int first = type_batched(t) ? 1 : 0;
    for (int i = first; i < t->rank; i++) str_addf(&s, i > first ? "x%d" : "%d", t->dim[i]);
    return s.n ? str_text(&s) : "one number";
}
