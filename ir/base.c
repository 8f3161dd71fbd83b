#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1   /* as gcc has it */
#endif
#endif

/* AddressSanitizer sees what an arena gives like what malloc gives: a gap that nobody may touch follows each piece. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { GAP = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
enum { GAP = 0 };
#endif

typedef struct Chunk {
    struct Chunk *next;
    size_t used, size;
    _Alignas(16) char data[];
} Chunk;

struct Arena {
    Chunk *chunk;
};

enum { CHUNK_BYTES = 1 << 18 };

static void *must_alloc(size_t bytes) {
    void *p = calloc(1, bytes);
    if (!p) {
        fprintf(stderr, "cnnc: out of memory (asked for %zu bytes)\n", bytes);
        exit(EX_OSERR);
    }
    return p;
}

Arena *arena_new(void) { return must_alloc(sizeof(Arena)); }

void arena_free(Arena *a) {
    if (!a) return;
    for (Chunk *c = a->chunk, *next; c; c = next) {
        next = c->next;
        ASAN_UNPOISON_MEMORY_REGION(c->data, c->size);
        free(c);
    }
    free(a);
}

void *arena_alloc(Arena *a, size_t bytes) {
    size_t need = ((bytes + 15) & ~(size_t)15) + GAP;
    if (!a->chunk || a->chunk->size - a->chunk->used < need) {
        size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        Chunk *c = must_alloc(sizeof(Chunk) + size);
        c->size = size;
        c->next = a->chunk;
        a->chunk = c;
        ASAN_POISON_MEMORY_REGION(c->data, size);
    }
    void *p = a->chunk->data + a->chunk->used;
    a->chunk->used += need;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
    return p;
}

char *arena_strndup(Arena *a, const char *s, size_t n) {
    char *p = arena_alloc(a, n + 1);
    memcpy(p, s, n);
    return p;
}

char *arena_strdup(Arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

char *arena_vprintf(Arena *a, const char *format, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, ap);
    return p;
}

char *arena_printf(Arena *a, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    char *p = arena_vprintf(a, format, ap);
    va_end(ap);
    return p;
}

void *vec_grow(Arena *a, const void *p, int64_t n, int32_t *cap, size_t size) {
    int64_t more = *cap ? (int64_t)*cap * 2 : 8;
    if (more > INT32_MAX) {
        fprintf(stderr, "cnnc: a table has more than %d entries\n", INT32_MAX);
        exit(EX_CONFIG);
    }
    void *q = arena_alloc(a, checked_bytes(more, size));
    if (n) memcpy(q, p, (size_t)n * size);
    *cap = (int32_t)more;
    return q;
}

void str_addn(Str *s, const char *text, size_t n) {
    if (s->n + n + 1 > s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 256;
        while (cap < s->n + n + 1) cap *= 2;
        char *p = arena_alloc(s->arena, cap);
        if (s->n) memcpy(p, s->p, s->n);
        s->p = p;
        s->cap = cap;
    }
    memcpy(s->p + s->n, text, n);
    s->n += n;
    s->p[s->n] = 0;
}

void str_add(Str *s, const char *text) { str_addn(s, text, strlen(text)); }

void str_addf(Str *s, const char *format, ...) {
    char line[256];
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(line, sizeof line, format, ap);
    if ((size_t)n < sizeof line)
        str_addn(s, line, (size_t)n);
    else
        str_add(s, arena_vprintf(s->arena, format, again));
    va_end(again);
    va_end(ap);
}

/* %.*g prints the locale's decimal point; cnnc never calls setlocale, so it is a full stop. */
void str_add_double(Str *s, double x) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    str_add(s, text);
}

void str_add_float(Str *s, float x) {
    char text[40];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (strtof(text, NULL) == x) break;
    }
    str_add(s, text);
}

void str_add_json(Str *s, const char *text) {
    str_add(s, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            str_addf(s, "\\%c", *c);
        else if (*c == '\n')
            str_add(s, "\\n");
        else if (*c < 0x20)
            str_addf(s, "\\u%04x", *c);
        else
            str_addn(s, (const char *)c, 1);
    }
    str_add(s, "\"");
}

const char *str_text(const Str *s) { return s->p ? s->p : ""; }

/* The intern table: open addressing, doubled when half full. It lives as long as the process. */
static struct {
    char **slot;
    size_t n, cap;
    Arena *arena;
} names;

static size_t hash_text(const char *text, size_t n) {
    size_t h = 14695981039346656037u;   /* FNV-1a, 64 bits */
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}

static char **find_slot(const char *text, size_t n) {
    size_t i = hash_text(text, n) & (names.cap - 1);
    while (names.slot[i] && (strncmp(names.slot[i], text, n) != 0 || names.slot[i][n])) i = (i + 1) & (names.cap - 1);
    return &names.slot[i];
}

static void grow_names(void) {
    char **old = names.slot;
    size_t cap = names.cap;
    if (!names.arena) names.arena = arena_new();
    names.cap = cap ? cap * 2 : 1024;
    names.slot = must_alloc(names.cap * sizeof(char *));
    for (size_t i = 0; i < cap; i++)
        if (old[i]) *find_slot(old[i], strlen(old[i])) = old[i];
    free(old);
}

Name name_of_n(const char *text, size_t n) {
    if (names.n * 2 >= names.cap) grow_names();
    char **slot = find_slot(text, n);
    if (!*slot) {
        *slot = arena_strndup(names.arena, text, n);
        names.n++;
    }
    return *slot;
}

void names_free(void) {
    free(names.slot);
    arena_free(names.arena);
    names.slot = NULL;
    names.arena = NULL;
    names.n = names.cap = 0;
}

Name name_of(const char *text) { return name_of_n(text, strlen(text)); }

Name name_format(const char *format, ...) {
    char text[256];
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(text, sizeof text, format, ap);
    if (!names.arena) names.arena = arena_new();
    Name name = name_of((size_t)n < sizeof text ? text : arena_vprintf(names.arena, format, again));
    va_end(again);
    va_end(ap);
    return name;
}

bool mul_ok(int64_t a, int64_t b, int64_t *r) { return !__builtin_mul_overflow(a, b, r); }
bool add_ok(int64_t a, int64_t b, int64_t *r) { return !__builtin_add_overflow(a, b, r); }

size_t checked_bytes(int64_t n, size_t size) {
    int64_t bytes;
    if (n < 0 || !mul_ok(n, (int64_t)size, &bytes)) {
        fprintf(stderr, "cnnc: a size overflows: %lld elements of %zu bytes\n", (long long)n, size);
        exit(EX_CONFIG);
    }
    return (size_t)bytes;
}
