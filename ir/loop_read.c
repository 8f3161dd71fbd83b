/* Loops from the text that loop_print writes; blanks and line ends may stand anywhere between words. Everything is made
 * by the builders of loop.h, so what they fold is folded. */
#include "loop.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200 }; /* of parentheses, calls and braces: a bound on the recursion */

typedef struct Reader {
    Arena *arena;
    const char *text, *p;
    Kernel *k;
    const char *error; /* the first one; from then on every function fails */
    int depth;
} Reader;

/* Blanks may have been passed in looking for what comes next; the line meant is that of the word before them. */
static bool fail(Reader *r, const char *what) {
    if (r->error) return false;
    int line = 1;
    const char *end = r->p;
    while (end > r->text && isspace((unsigned char)end[-1])) end--;
    for (const char *c = r->text; c < end; c++) line += *c == '\n';
    r->error = arena_printf(r->arena, "line %d: %s", line, what);
    return false;
}

static const Expr *fail_expr(Reader *r, const char *what) {
    fail(r, what);
    return NULL;
}

/* Words. */

static void skip_blanks(Reader *r) {
    while (isspace((unsigned char)*r->p)) r->p++;
}

static bool next_is(Reader *r, char c) {
    skip_blanks(r);
    return *r->p == c;
}

static bool accept(Reader *r, char c) {
    if (!next_is(r, c)) return false;
    r->p++;
    return true;
}

static bool expect(Reader *r, char c) {
    char what[] = "expected ' '";
    what[sizeof what - 3] = c;
    return accept(r, c) || fail(r, what);
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* The word that comes next, "" if there is none. */
static Name peek_word(Reader *r) {
    skip_blanks(r);
    size_t n = 0;
    if (!isdigit((unsigned char)*r->p))
        while (is_word(r->p[n])) n++;
    return name_of_n(r->p, n);
}

static bool accept_word(Reader *r, const char *word) {
    if (strcmp(peek_word(r), word) != 0) return false;
    r->p += strlen(word);
    return true;
}

static Name read_word(Reader *r) {
    Name word = peek_word(r);
    if (!*word) fail(r, "expected a name");
    r->p += strlen(word);
    return word;
}

/* Which of the names comes next? -1, and nothing taken, if none of them. */
static int accept_one_of(Reader *r, const char *const *name, int n) {
    for (int i = 0; i < n; i++)
        if (accept_word(r, name[i])) return i;
    return -1;
}

static bool read_int(Reader *r, int64_t *out) {
    skip_blanks(r);
    const char *digits = r->p + (*r->p == '-');
    if (!isdigit((unsigned char)*digits)) return fail(r, "expected a number");
    char *end;
    errno = 0;
    *out = strtoll(r->p, &end, 10);
    r->p = end;
    return errno == 0 || fail(r, "this number does not fit 64 bits");
}

/* Expressions. */

static const Expr *read_sum(Reader *r);

/* "0.5", "1e-05", but not "0" nor "0..16". */
static bool float_next(const Reader *r) {
    const char *c = r->p + (*r->p == '-');
    c += strspn(c, "0123456789");
    return *c == 'e' || (c[0] == '.' && c[1] != '.');
}

static const Expr *read_number(Reader *r) {
    int64_t i;
    if (!float_next(r)) return read_int(r, &i) ? ex_int(r->k, i) : NULL;
    char *end;
    float f = strtof(r->p, &end);
    r->p = end;
    return ex_float(r->k, (double)f);
}

static const Expr *read_negative(Reader *r) {
    if (isdigit((unsigned char)r->p[1])) return read_number(r);
    r->p++;
    return accept_word(r, "inf") ? ex_float(r->k, -INFINITY) : fail_expr(r, "expected a number after '-'");
}

static int32_t find_buf(const Kernel *k, Name name) {
    int32_t i = 0;
    while (i < k->n_buf && k->buf[i].name != name) i++;
    return i < k->n_buf ? i : -1;
}

static int32_t find_var(const Kernel *k, Name name) {
    int32_t i = 0;
    while (i < k->n_var && k->var[i] != name) i++;
    return i < k->n_var ? i : -1;
}

/* "[index]" after the name of a buffer. */
static const Expr *read_index(Reader *r, Name name, int32_t *buf) {
    *buf = find_buf(r->k, name);
    if (*buf < 0) return fail_expr(r, "there is no such buffer");
    if (!expect(r, '[')) return NULL;
    const Expr *index = read_sum(r);
    if (!index || !expect(r, ']')) return NULL;
    return index->type == ET_INT ? index : fail_expr(r, "an index must be an integer");
}

static const Expr *read_load(Reader *r, Name name) {
    int32_t buf;
    const Expr *index = read_index(r, name, &buf);
    return index ? ex_load(r->k, buf, index) : NULL;
}

static const Expr *build(Reader *r, ExprKind kind, const Expr *const *a) {
    if (!ex_accepts(kind, a)) return fail_expr(r, "an operand has the wrong type");
    switch (expr_info[kind].n) {
    case 1: return ex1(r->k, kind, a[0]);
    case 2: return ex2(r->k, kind, a[0], a[1]);
    default: return ex3(r->k, kind, a[0], a[1], a[2]);
    }
}

/* Only what is printed as a call: not constants, variables and loads. */
static ExprKind call_kind(Name name) {
    ExprKind kind = EX_add;
    while (kind < EX_COUNT && strcmp(expr_info[kind].name, name) != 0) kind++;
    return kind;
}

static const Expr *read_call(Reader *r, Name name) {
    ExprKind kind = call_kind(name);
    const Expr *a[3];
    int64_t site = 0;
    if (kind == EX_COUNT) return fail_expr(r, "there is no such operation");
    if (!expect(r, '(') || (kind == EX_random && (!read_int(r, &site) || !expect(r, ',')))) return NULL;
    for (int32_t i = 0; i < expr_info[kind].n; i++)
        if ((i && !expect(r, ',')) || !(a[i] = read_sum(r))) return NULL;
    if (!expect(r, ')')) return NULL;
    if (kind != EX_random) return build(r, kind, a);
    return ex_accepts(kind, a) ? ex_random(r->k, site, a[0]) : fail_expr(r, "an operand has the wrong type");
}

static const Expr *truth(Kernel *k, bool b) { return ex2(k, EX_eq, ex_int(k, b), ex_int(k, 1)); }

static const Expr *read_named(Reader *r) {
    Name name = peek_word(r);
    if (!*name) return fail_expr(r, "expected an expression");
    r->p += strlen(name);
    if (next_is(r, '(')) return read_call(r, name);
    if (next_is(r, '[')) return read_load(r, name);
    if (!strcmp(name, "N")) return ex_batch(r->k);
    if (!strcmp(name, "true") || !strcmp(name, "false")) return truth(r->k, name[0] == 't');
    if (!strcmp(name, "inf")) return ex_float(r->k, INFINITY);
    if (!strcmp(name, "nan")) return ex_float(r->k, NAN);
    int32_t var = find_var(r->k, name);
    return var < 0 ? fail_expr(r, "there is no such variable") : ex_var(r->k, var);
}

static const Expr *read_bare(Reader *r) {
    if (r->depth >= DEPTH_MAX) return fail_expr(r, "this is nested too deeply");
    r->depth++;
    const Expr *e;
    skip_blanks(r);
    if (accept(r, '(')) {
        e = read_sum(r);
        if (e && !expect(r, ')')) e = NULL;
    } else if (*r->p == '-') {
        e = read_negative(r);
    } else {
        e = isdigit((unsigned char)*r->p) ? read_number(r) : read_named(r);
    }
    r->depth--;
    return e;
}

static const Expr *infix(Reader *r, ExprKind kind, const Expr *a, const Expr *b) {
    if (!a || !b) return NULL;
    if (a->type != ET_INT) return fail_expr(r, "+, - and * are for integers");
    return build(r, kind, (const Expr *const[]){a, b});
}

static const Expr *read_product(Reader *r) {
    const Expr *e = read_bare(r);
    while (e && accept(r, '*')) e = infix(r, EX_mul, e, read_bare(r));
    return e;
}

static const Expr *read_sum(Reader *r) {
    const Expr *e = read_product(r);
    while (e && (next_is(r, '+') || next_is(r, '-'))) {
        ExprKind kind = *r->p++ == '+' ? EX_add : EX_sub;
        e = infix(r, kind, e, read_product(r));
    }
    return e;
}

static const Expr *read_typed(Reader *r, ExprType type, const char *complaint) {
    const Expr *e = read_sum(r);
    return !e || e->type == type ? e : fail_expr(r, complaint);
}

/* Statements. */

static Stmt *read_body(Reader *r);

static bool read_range(Reader *r, const Expr **lo, const Expr **hi) {
    *lo = read_typed(r, ET_INT, "a loop's bound must be an integer");
    if (!*lo || !expect(r, '.') || !expect(r, '.')) return false;
    *hi = read_typed(r, ET_INT, "a loop's bound must be an integer");
    return *hi;
}

static int32_t loop_variable(Reader *r) {
    Name name = read_word(r);
    int32_t var = find_var(r->k, name);
    if (r->error || var >= 0) return var;
    var = kernel_add_var(r->k, name);
    if (r->k->var[var] != name) fail(r, "this word cannot name a variable");
    return var;
}

static Stmt *read_for(Reader *r) {
    const Expr *lo, *hi;
    int32_t var = loop_variable(r);
    if (r->error || (!accept_word(r, "in") && !fail(r, "expected 'in'")) || !read_range(r, &lo, &hi)) return NULL;
    int mode = accept_one_of(r, loop_mode_name, LOOP_MODE_COUNT);
    if (mode < 0) fail(r, "expected the loop's mode");
    int role = accept_one_of(r, loop_role_name, ROLE_COUNT);
    Stmt *body = read_body(r);
    if (!body) return NULL;
    return st_for(r->k, var, lo, hi, (LoopMode)mode, role < 0 ? ROLE_NONE : (LoopRole)role, body);
}

static Stmt *read_if(Reader *r) {
    const Expr *cond = read_typed(r, ET_BOOL, "a condition must be a comparison");
    Stmt *body = cond ? read_body(r) : NULL;
    return body ? st_guard(r->k, cond, body) : NULL;
}

static Stmt *read_prefetch(Reader *r) {
    int32_t buf;
    Name name = read_word(r);
    const Expr *index = r->error ? NULL : read_index(r, name, &buf);
    return index ? st_prefetch(r->k, buf, index) : NULL;
}

static Stmt *read_store(Reader *r, Name name) {
    int32_t buf;
    const Expr *index = read_index(r, name, &buf);
    if (!index || !expect(r, '=')) return NULL;
    bool real = dtype_real(r->k->buf[buf].dtype);
    const Expr *value = read_typed(r, real ? ET_FLOAT : ET_INT, "this value is of another type than the buffer");
    return value ? st_store(r->k, buf, index, value) : NULL;
}

static Stmt *read_stmt(Reader *r) {
    Name word = read_word(r);
    if (r->error) return NULL;
    if (next_is(r, '[')) return read_store(r, word);
    if (!strcmp(word, "for")) return read_for(r);
    if (!strcmp(word, "if")) return read_if(r);
    if (!strcmp(word, "prefetch")) return read_prefetch(r);
    fail(r, "expected a statement");
    return NULL;
}

/* Statements up to the closing brace, which is taken too. */
static bool read_rest(Reader *r, Stmt *seq) {
    while (!accept(r, '}')) {
        Stmt *s = read_stmt(r);
        if (!s) return false;
        st_append(r->k, seq, s);
    }
    return true;
}

static Stmt *read_body(Reader *r) {
    if (r->error || !expect(r, '{')) return NULL;
    if (r->depth >= DEPTH_MAX) fail(r, "this is nested too deeply");
    r->depth++;
    Stmt *seq = st_seq(r->k);
    bool ok = !r->error && read_rest(r, seq);
    r->depth--;
    return ok ? seq : NULL;
}

/* The kernel. */

static bool read_buf(Reader *r, BufClass cls) {
    Name name = read_word(r);
    int64_t elements;
    int dtype = r->error ? -1 : accept_one_of(r, dtype_name, DT_COUNT);
    if (dtype < 0) return fail(r, "expected an element type");
    if (!read_int(r, &elements)) return false;
    if (elements <= 0) return fail(r, "a buffer must have elements");
    if (cls == BUF_ARG && r->k->n_arg < r->k->n_buf) return fail(r, "arguments come before local buffers");
    bool batched = accept_word(r, "batched"), written = accept_word(r, "written");
    if (batched && cls != BUF_ARG) return fail(r, "only arguments are batched");
    int32_t buf = kernel_add_buf(r->k, name, cls, (DType)dtype, elements, batched);
    if (r->k->buf[buf].name != name) return fail(r, "this buffer's name is taken");
    r->k->buf[buf].written = written;
    return true;
}

/* A declaration begins with a class; a store to a buffer of that name has a bracket there. */
static int declared_class(Reader *r) {
    const char *at = r->p;
    int cls = accept_one_of(r, buf_class_name, BUF_CLASS_COUNT);
    if (cls >= 0 && !next_is(r, '[')) return cls;
    r->p = at;
    return -1;
}

/* Kernels are named after layers: whatever is not blank belongs to the name. */
static bool read_title(Reader *r) {
    if (!accept_word(r, "kernel")) return fail(r, "expected 'kernel'");
    skip_blanks(r);
    size_t n = strcspn(r->p, " \t\r\n");
    if (!n) return fail(r, "expected the kernel's name");
    r->k = kernel_new(r->arena, name_of_n(r->p, n));
    r->p += n;
    return expect(r, '{');
}

Kernel *loop_read(Arena *a, const char *text, const char **error) {
    Reader r = {.arena = a, .text = text, .p = text};
    bool ok = read_title(&r);
    for (int cls; ok && (cls = declared_class(&r)) >= 0;) ok = read_buf(&r, (BufClass)cls);
    ok = ok && read_rest(&r, r.k->body);
    if (ok && !next_is(&r, 0)) ok = fail(&r, "there is more after the kernel");
    *error = r.error;
    return ok ? r.k : NULL;
}
