/* Compile-time values: what expressions of a .net file evaluate to.
 *
 * Numbers are exact rationals as long as they can be (integers, quotients of integers) and reals otherwise (a literal
 * with a point or an exponent, and whatever such a number touches). Either may carry a unit. Values are immutable and
 * live in the arena, so lists are shared, never copied. V_ERROR is the result of anything that was already reported;
 * every operation passes it on in silence, so one mistake gives one message. What a layer would have made is a V_ERROR
 * with n = 1, a lost tensor: blocks run with it, so that mistakes that do not depend on it are found in the same run. */
#ifndef CNNC_FRONTEND_VALUE_H
#define CNNC_FRONTEND_VALUE_H

#include "../ir/graph.h"

/* Products of two parts of ratios fit, and sums of two such products. */
typedef __int128 Wide;

typedef enum ValueKind {
    V_ERROR, V_NONE, V_RATIO, V_REAL, V_BOOL, V_TEXT, V_DIM, V_PAD, V_LIST, V_TENSOR, V_PIPE, V_FUNC, V_INIT, V_RECORD
} ValueKind;

typedef enum Measure {
    UNIT_NONE,
    UNIT_EPOCHS,
    UNIT_STEPS,
    UNIT_BATCHES,
    UNIT_IMAGES,
    UNIT_SECONDS,
    UNIT_BYTES
} Measure;

struct Function;    /* something callable: eval.h */
struct Pipe;        /* calls that wait for their first tensor: eval.h */
struct Record;

typedef struct Value {
    uint8_t kind;       /* ValueKind */
    uint8_t unit;       /* Measure, of V_RATIO and V_REAL */
    int32_t n;          /* items of V_LIST; 1 of a lost tensor */
    union {
        struct { int64_t num, den; } ratio;         /* den > 0, reduced */
        double real;
        bool flag;
        const char *text;
        struct { int32_t h, w; } dim;
        int32_t pad[4];                             /* top, bottom, left, right */
        const struct Value *item;
        Ref tensor;
        const struct Pipe *pipe;
        const struct Function *func;
        struct { InitKind kind; double a, b; } init;
        const struct Record *record;
    };
} Value;

/* A section or a call of one, after checking: what the settings JSON is printed from. */
typedef struct Field {
    Name key;
    Value value;        /* V_NONE: absent */
    Span span;          /* of the user's text; line 0 for a default */
} Field;

typedef struct Record {
    Name call;          /* printed as "call"; NULL for a section */
    Field *field;
    int32_t n, cap;
} Record;

Value value_int(int64_t n);
Value value_real(double x);
Value value_bool(bool b);
Value value_text(const char *text);
Value value_dim(int64_t h, int64_t w);
Value value_list(const Value *item, int32_t n);
/* num/den reduced, which are below 2^127 in size; V_ERROR if den is 0 or the reduced fraction has no 64 bits for its
 * parts. */
Value value_ratio(Wide num, Wide den);

static inline bool value_is_lost(const Value *v) { return v->kind == V_ERROR && v->n > 0; }
bool value_is_number(const Value *v);
/* Below 0, 0, above 0: of numbers, whatever their units; exact for two ratios. */
int value_compare(const Value *a, const Value *b);
bool value_is_whole(const Value *v);      /* a number without a unit that is an integer, exact or real */
double value_double(const Value *v);      /* of a number */
int64_t value_whole(const Value *v);      /* of a whole number; saturates */
/* Deep equality; numbers of equal value and unit are equal. `budget` bounds the comparisons (shared lists can unfold to
 * astronomic size); below zero the answer means nothing. */
bool value_equal(const Value *a, const Value *b, int64_t *budget);

/* The value as source text, for messages and string substitution; at most `limit` bytes are added. */
void value_print(Str *s, const Value *v, size_t limit);
const char *value_text_of(Arena *a, const Value *v);
/* "a number", "a list", "a tensor": for messages. */
const char *value_kind_name(const Value *v);
/* As runtime/abi.h wants settings: ratios as numbers, sizes [h, w], bytes and percent plain, quantities with unit. */
void value_json(Str *s, const Value *v);

/* The field's value, or NULL. */
const Field *record_field(const Record *r, const char *key);

/* The unit's spelling in messages and JSON: "epochs", "s". */
extern const char *const measure_name[];
/* Reads a number literal with its suffix or unit as the lexer found it. V_ERROR with *error set if it does not fit. */
Value value_read_number(const char *text, size_t n, const char **error);

#endif
