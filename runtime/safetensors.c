#include "safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char metadata_key[] = "__metadata__", digest_key[] = "xxh3";
enum { ALIGN = 64, DIGEST = 16, CHUNK = 1 << 20 };

/* The types of the format and their size in bytes. */
static const struct {
    const char *name;
    uint64_t bytes;
} dtypes[] = {{"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
              {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"BOOL", 1}, {"F8_E5M2", 1}, {"F8_E4M3", 1}};

static uint64_t dtype_bytes(const char *name) {
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, name) == 0) return dtypes[i].bytes;
    return 0;
}

/* ---- reading ---- */

static bool read_at(const SafeFile *f, uint64_t offset, void *to, size_t bytes, RtError *err) {
    char *p = to;
    while (bytes > 0) {
        ssize_t n = pread(f->fd, p, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            rt_fail(err, RT_IO, "cannot read %s: %s", f->path,
                    n < 0 ? strerror(errno) : "it became shorter while it was read");
            return false;
        }
        p += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return true;
}

/* Formats that people try by mistake, by their first bytes. */
static const char *other_format(const unsigned char *head) {
    static const struct {
        const char *magic, *what;
        size_t bytes;
    } known[] = {{"PK\3\4", "a zip file (PyTorch's .pt?); pickled weights are never read", 4},
                 {"\x80\2", "a pickle; pickled weights are never read", 2},
                 {"\x80\4", "a pickle; pickled weights are never read", 2},
                 {"\x89HDF", "an HDF5 file", 4},
                 {"GGUF", "a GGUF file", 4},
                 {"\x93NUMPY", "a NumPy file", 6}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (memcmp(head, known[i].magic, known[i].bytes) == 0) return known[i].what;
    return NULL;
}

static bool open_plain(SafeFile *f, uint64_t *size, RtError *err) {
    struct stat st;
    f->fd = rt_open_plain(f->path, err);
    if (f->fd < 0) return false;
    if (fstat(f->fd, &st) != 0) {
        rt_fail(err, RT_NO_INPUT, "cannot open %s: %s", f->path, strerror(errno));
        return false;
    }
    *size = (uint64_t)st.st_size;
    return true;
}

static uint64_t little_endian(const unsigned char *byte) {
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--) x = x << 8 | byte[i];
    return x;
}

static bool read_header(SafeFile *f, uint64_t size, RtError *err) {
    unsigned char head[8];
    if (size < sizeof head) {
        rt_fail(err, RT_DATA, "%s is not a safetensors file: %" PRIu64 " bytes are too few", f->path, size);
        return false;
    }
    if (!read_at(f, 0, head, sizeof head, err)) return false;
    uint64_t length = little_endian(head);
    if (length > SAFE_MAX_HEADER || length > size - sizeof head) {
        const char *what = other_format(head);
        rt_fail(err, RT_DATA, "%s is not a safetensors file: %s", f->path,
                what ? what : "its header would be longer than the file or than 100 MB");
        return false;
    }
    char *text = rt_alloc((size_t)length, 1, err);
    if (!text || !read_at(f, sizeof head, text, (size_t)length, err)) {
        free(text);
        return false;
    }
    json_error_t where;
    f->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    f->data = sizeof head + length;
    free(text);
    if (json_is_object(f->header)) return true;
    rt_fail(err, RT_DATA, "%s: offset %d: bad header: %.160s", f->path, f->header ? 8 : 8 + where.position,
            f->header ? "not an object" : where.text);
    return false;
}

/* Sets the error of a tensor and returns false. */
static bool bad_tensor(const SafeFile *f, const char *name, const char *what, RtError *err) {
    rt_fail(err, RT_DATA, "%s: tensor \"%.120s\": %s", f->path, name, what);
    return false;
}

static bool parse_shape(SafeTensor *t, const json_t *shape) {
    uint64_t n = 1;
    t->rank = (int)json_array_size(shape);
    if (!json_is_array(shape) || json_array_size(shape) > SAFE_MAX_RANK) return false;
    for (int i = 0; i < t->rank; i++) {
        const json_t *extent = json_array_get(shape, (size_t)i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0) return false;
        t->shape[i] = json_integer_value(extent);
        if (__builtin_mul_overflow(n, (uint64_t)t->shape[i], &n)) return false;
    }
    uint64_t bytes;
    if (n > INT64_MAX || __builtin_mul_overflow(n, dtype_bytes(t->dtype), &bytes)) return false;
    t->elements = (int64_t)n;
    return bytes == t->bytes;
}

static bool parse_offsets(SafeTensor *t, const json_t *offsets) {
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end)) return false;
    json_int_t b = json_integer_value(begin), e = json_integer_value(end);
    if (b < 0 || e < b) return false;
    t->begin = (uint64_t)b;
    t->bytes = (uint64_t)(e - b);
    return true;
}

static bool parse_tensor(const SafeFile *f, SafeTensor *t, const char *name, const json_t *j, RtError *err) {
    t->name = name;
    t->dtype = json_string_value(json_object_get(j, "dtype"));
    if (json_object_size(j) != 3 || !t->dtype)
        return bad_tensor(f, name, "it must have \"dtype\", \"shape\" and \"data_offsets\" and nothing else", err);
    if (!dtype_bytes(t->dtype)) return bad_tensor(f, name, "unknown dtype", err);
    if (!parse_offsets(t, json_object_get(j, "data_offsets")))
        return bad_tensor(f, name, "\"data_offsets\" are not two rising numbers", err);
    if (!parse_shape(t, json_object_get(j, "shape")))
        return bad_tensor(f, name, "its shape is not valid or does not fit its offsets (or is too large)", err);
    return true;
}

static bool parse_metadata(SafeFile *f, json_t *metadata, RtError *err) {
    const char *key;
    json_t *value;
    bool ok = json_is_object(metadata);
    json_object_foreach(metadata, key, value) ok = ok && json_is_string(value);
    if (!ok) rt_fail(err, RT_DATA, "%s: __metadata__ is not a list of texts", f->path);
    f->metadata = metadata;
    return ok;
}

static bool parse_header(SafeFile *f, RtError *err) {
    const char *key;
    json_t *value;
    if (json_object_size(f->header) > SAFE_MAX_TENSORS + 1) {
        rt_fail(err, RT_LIMIT, "%s has more than %d tensors", f->path, SAFE_MAX_TENSORS);
        return false;
    }
    f->tensor = rt_alloc(json_object_size(f->header), sizeof *f->tensor, err);
    if (!f->tensor) return false;
    json_object_foreach(f->header, key, value) {
        bool ok = strcmp(key, metadata_key) == 0 ? parse_metadata(f, value, err)
                                                 : parse_tensor(f, &f->tensor[f->n++], key, value, err);
        if (!ok) return false;
    }
    return true;
}

static int by_offset(const void *a, const void *b) {
    const SafeTensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty ones first */
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const SafeTensor *)a)->name, ((const SafeTensor *)b)->name);
}

/* The tensors must cover the data exactly once. */
static bool check_cover(SafeFile *f, uint64_t size, RtError *err) {
    uint64_t at = 0, data = size - f->data;
    qsort(f->tensor, f->n, sizeof *f->tensor, by_offset);
    for (size_t i = 0; i < f->n; i++) {
        const SafeTensor *t = &f->tensor[i];
        if (t->begin != at)
            return bad_tensor(f, t->name, t->begin < at ? "overlaps another" : "leaves a hole before it", err);
        if (t->bytes > data - at) return bad_tensor(f, t->name, "ends after the end of the file", err);
        at += t->bytes;
    }
    if (at != data) {
        rt_fail(err, RT_DATA, "%s: %" PRIu64 " bytes after the last tensor", f->path, data - at);
        return false;
    }
    qsort(f->tensor, f->n, sizeof *f->tensor, by_name);
    return true;
}

SafeFile *safe_open(const char *path, RtError *err) {
    SafeFile *f = rt_alloc(1, sizeof *f, err);
    if (!f) return NULL;
    uint64_t size;
    f->fd = -1;
    f->path = rt_copy_text(path, err);
    if (f->path && open_plain(f, &size, err) && read_header(f, size, err) && parse_header(f, err) &&
        check_cover(f, size, err))
        return f;
    safe_close(f);
    return NULL;
}

void safe_close(SafeFile *f) {
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    json_decref(f->header);
    free(f->tensor);
    free(f->path);
    free(f);
}

const SafeTensor *safe_find(const SafeFile *f, const char *name) {
    SafeTensor key = {.name = name};
    return bsearch(&key, f->tensor, f->n, sizeof key, by_name);
}

const char *safe_metadata(const SafeFile *f, const char *key) {
    return json_string_value(json_object_get(f->metadata, key));
}

bool safe_read(const SafeFile *f, const SafeTensor *t, uint64_t from, void *to, size_t bytes, RtError *err) {
    return read_at(f, f->data + t->begin + from, to, bytes, err);
}

static void digest_text(uint64_t digest, char text[DIGEST + 1]) { snprintf(text, DIGEST + 1, "%016" PRIx64, digest); }

static bool hash_data(const SafeFile *f, XXH3_state_t *state, RtError *err) {
    uint64_t left = 0;
    for (size_t i = 0; i < f->n; i++) left += f->tensor[i].bytes;
    char *buffer = rt_alloc(CHUNK, 1, err);
    XXH3_64bits_reset(state);
    for (uint64_t at = f->data; buffer && left > 0;) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        if (!read_at(f, at, buffer, n, err)) break;
        XXH3_64bits_update(state, buffer, n);
        at += n;
        left -= n;
    }
    free(buffer);
    return buffer && left == 0;
}

bool safe_check(const SafeFile *f, RtError *err) {
    const char *expected = safe_metadata(f, digest_key);
    XXH3_state_t state;
    char found[DIGEST + 1];
    if (!expected) return true;
    if (!hash_data(f, &state, err)) return false;
    digest_text(XXH3_64bits_digest(&state), found);
    if (strcmp(found, expected) == 0) return true;
    rt_fail(err, RT_DATA, "%s is damaged: its checksum is %s, not %.20s", f->path, found, expected);
    return false;
}

/* ---- writing ---- */

struct SafeWriter {
    OutFile out;
    uint64_t digest_at; /* where the checksum's text is in the file */
    uint64_t end;       /* length of the whole file */
    XXH3_state_t hash;
};

static json_t *tensor_json(const SafeTensor *t, uint64_t *at) {
    uint64_t bytes = dtype_bytes(t->dtype);
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++) {
        json_array_append_new(shape, json_integer(t->shape[i]));
        bytes *= (uint64_t)t->shape[i];
    }
    json_t *j = json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->dtype, "shape", shape, "data_offsets", (json_int_t)*at,
                          (json_int_t)(*at + bytes));
    *at += bytes;
    return j;
}

/* The header as text, the checksum first in it so that its place is known; *data becomes the number of bytes of data.
 */
static char *header_text(const SafeTensor *tensor, size_t n, json_t *metadata, uint64_t *data) {
    json_t *header = json_object(), *own = json_pack("{s:s}", digest_key, "0000000000000000");
    *data = 0;
    if (metadata) json_object_update_missing(own, metadata);
    json_object_set_new(header, metadata_key, own);
    for (size_t i = 0; i < n; i++) json_object_set_new(header, tensor[i].name, tensor_json(&tensor[i], data));
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

static bool write_header(SafeWriter *w, const char *text, uint64_t data, RtError *err) {
    static const char spaces[ALIGN + 1] = "                                                                ";
    static const char before[] = "{\"__metadata__\":{\"xxh3\":\"";
    size_t length = strlen(text), padded = (8 + length + ALIGN - 1) / ALIGN * ALIGN - 8;
    unsigned char head[8];
    for (int i = 0; i < 8; i++) head[i] = (unsigned char)(padded >> 8 * i);
    w->digest_at = 8 + sizeof before - 1;
    w->end = 8 + padded + data;
    return outfile_write(&w->out, head, sizeof head, err) && outfile_write(&w->out, text, length, err) &&
           outfile_write(&w->out, spaces, padded - length, err);
}

SafeWriter *safe_create(const char *path, const SafeTensor *tensor, size_t n, json_t *metadata, RtError *err) {
    SafeWriter *w = rt_alloc_aligned(1, sizeof *w, err); /* the state of XXH3 wants 64 bytes */
    if (!w) return NULL;
    uint64_t data;
    char *text = header_text(tensor, n, metadata, &data);
    memset(&w->out, 0, sizeof w->out);
    XXH3_64bits_reset(&w->hash);
    if (!text) rt_fail(err, RT_OS, "out of memory: the header of %s", path);
    bool ok = text && outfile_open(&w->out, path, err) && write_header(w, text, data, err);
    free(text);
    if (ok) return w;
    safe_abort(w);
    return NULL;
}

bool safe_write(SafeWriter *w, const void *data, size_t bytes, RtError *err) {
    XXH3_64bits_update(&w->hash, data, bytes);
    return outfile_write(&w->out, data, bytes, err);
}

bool safe_commit(SafeWriter *w, RtError *err) {
    char digest[DIGEST + 1];
    digest_text(XXH3_64bits_digest(&w->hash), digest);
    if (w->out.written != w->end)
        rt_fail(err, RT_INTERNAL, "%s: %" PRIu64 " bytes were written instead of %" PRIu64, w->out.path, w->out.written,
                w->end);
    bool ok = w->out.written == w->end && outfile_patch(&w->out, w->digest_at, digest, DIGEST, err) &&
              outfile_commit(&w->out, err);
    safe_abort(w);
    return ok;
}

void safe_abort(SafeWriter *w) {
    if (!w) return;
    outfile_abort(&w->out);
    free(w);
}
