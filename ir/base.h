/* What every part of the compiler stands on: an arena, growable arrays, strings, interned names, checked sizes.
 *
 * Memory: one compilation owns one Arena; nothing in it is freed before the end. Running out of memory prints one
 * line and exits with EX_OSERR, so no caller checks for NULL. Only this library and the C library are used here. */
#ifndef CNNC_IR_BASE_H
#define CNNC_IR_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *a);
/* Zeroed memory, aligned to 16 bytes. */
void *arena_alloc(Arena *a, size_t bytes);
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

#define NEW(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_alloc((arena), checked_bytes((int64_t)(n), sizeof(T))))

/* Appends x to the arena array p (length n, capacity cap, all lvalues), growing it by doubling. */
#define PUSH(arena, p, n, cap, x)                                                        \
    do {                                                                                 \
        if ((n) == (cap)) (p) = vec_grow((arena), (p), (int64_t)(n), &(cap), sizeof(*(p))); \
        (p)[(n)++] = (x);                                                                \
    } while (0)
void *vec_grow(Arena *a, const void *p, int64_t n, int32_t *cap, size_t size);

/* A growing text; `p` is always terminated once anything was added. Zero-initialise it with STR(arena). */
typedef struct Str {
    Arena *arena;
    char *p;
    size_t n, cap;
} Str;
#define STR(a) ((Str){.arena = (a)})
void str_add(Str *s, const char *text);
void str_addn(Str *s, const char *text, size_t n);
void str_addf(Str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The shortest decimal that reads back as the same float (as the same double with str_add_double): "0.1", "1e-05". */
void str_add_float(Str *s, float x);
void str_add_double(Str *s, double x);
/* `text` as a JSON string, with its quotes. */
void str_add_json(Str *s, const char *text);
const char *str_text(const Str *s);   /* "" when nothing was added */

/* Names are interned for the life of the process: equal text, equal pointer. */
typedef const char *Name;
Name name_of(const char *text);
Name name_of_n(const char *text, size_t n);
Name name_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Forgets all names: for a process that compiles without end, at a moment when nothing holds one. */
void names_free(void);

/* n * size, or exits with EX_CONFIG (limit exceeded) on overflow or n < 0. */
size_t checked_bytes(int64_t n, size_t size);
/* False on overflow; *r is set otherwise. */
bool mul_ok(int64_t a, int64_t b, int64_t *r);
bool add_ok(int64_t a, int64_t b, int64_t *r);
static inline int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t round_up(int64_t a, int64_t b) { return div_up(a, b) * b; }
static inline int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }
/* The largest number that divides both, whatever their signs; 0 for two zeros. */
static inline int64_t common_divisor(int64_t a, int64_t b) {
    for (int64_t rest; b; b = rest) {
        rest = a % b;
        a = b;
    }
    return a < 0 ? -a : a;
}

#endif
