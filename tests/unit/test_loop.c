/* Loops: the builders' arithmetic, affine views, substitution, text and back. */
#include <CUnit/Basic.h>
#include <math.h>
#include <string.h>

#include "ir/loop.h"

static Arena *arena;

static const char *print(const Kernel *k) {
    Str s = STR(arena);
    loop_print(&s, k);
    return str_text(&s);
}

/* A kernel that stores one expression of i and j, so that an expression can be written and seen as text. */
static const char *in_kernel(const char *dtype, const char *expr) {
    return arena_printf(arena,
                        "kernel t {\n  arg x f32 8\n  arg c i32 8\n  arg y %s 1 written\n"
                        "  for i in 0..4 serial {\n    for j in 0..4 serial {\n      y[0] = %s\n    }\n  }\n}\n",
                        dtype, expr);
}

static void check_expr(const char *dtype, const char *written, const char *expected) {
    const char *error;
    Kernel *k = loop_read(arena, in_kernel(dtype, written), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    const char *text = print(k), *wanted = in_kernel(dtype, expected);
    CU_ASSERT_STRING_EQUAL(text, wanted);
    if (strcmp(text, wanted)) printf("%s:\n%s", written, text);
    k = loop_read(arena, text, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    CU_ASSERT_STRING_EQUAL(print(k), text);
}

static void test_integer_folding(void) {
    static const char *const pair[][2] = {
        {"2 + 3*4", "14"},
        {"2 - 5", "-3"},
        {"i + 0", "i"},
        {"0 + i", "i"},
        {"1*i", "i"},
        {"i*1", "i"},
        {"i*0", "0"},
        {"(i + 3) + 4", "i + 7"},
        {"i - i", "0"},
        {"i + j - i", "j"},
        {"3*(i + 2) - 6", "3*i"},
        {"i*5 + 2*i", "7*i"},
        {"2 - i", "2 - i"},
        {"j - 2*i + 1", "j - 2*i + 1"},
        {"-1*i - 3", "-1*i - 3"},
        {"-2*i + j", "j - 2*i"},
        {"i*(j + 1)", "i*(j + 1)"},
        {"(i*j)*3", "3*(i*j)"},
        {"N*i + 2*N", "N*i + 2*N"},
        {"c[i + 0] + c[i] - 2*c[i]", "0"},
        {"9223372036854775807 + 1", "9223372036854775807 + 1"},
        {"4611686018427387904*i*4", "4611686018427387904*i*4"},
        {"div(i, 1)", "i"},
        {"mod(i, 1)", "0"},
        {"div(-7, 2)", "-4"},
        {"mod(-7, 2)", "1"},
        {"div(16*i + 48, 16)", "i + 3"},
        {"mod(16*i + 48, 16)", "0"},
        {"div(16*i + j, 16)", "i + div(j, 16)"},
        {"mod(16*i + j, 16)", "mod(j, 16)"},
        {"div(16*i + mod(j, 16), 16)", "i"},
        {"mod(16*i + mod(j, 16), 16)", "mod(j, 16)"},
        {"div(16*i + mod(j, 16) + 1, 16)", "i + div(mod(j, 16) + 1, 16)"},
        {"div(i + 20, 16)", "div(i + 4, 16) + 1"},
        {"div(i - 1, 16)", "div(i + 15, 16) - 1"},
        {"div(i, j)", "div(i, j)"},
        {"min(3, 5)", "3"},
        {"max(3, 5)", "5"},
        {"max(i, i + 1)", "i + 1"},
        {"min(i + 1, i)", "i"},
        {"min(i, j)", "min(i, j)"},
        {"select(lt(1, 2), i, j)", "i"},
        {"select(le(i, i - 1), i, j)", "j"},
        {"select(and(lt(i, j), eq(2, 2)), i, j)", "select(lt(i, j), i, j)"},
        {"select(and(eq(1, 2), lt(i, j)), i, j)", "j"},
    };
    for (int n = 0; n < ARRAY_LEN(pair); n++) check_expr("i32", pair[n][0], pair[n][1]);
}

static void test_floats_stay(void) {
    static const char *const pair[][2] = {
        {"add(1.0, 2.0)", "add(1.0, 2.0)"},
        {"mul(0.0, x[2*i])", "mul(0.0, x[2*i])"},
        {"fma(x[i], 1.0, -0.0)", "fma(x[i], 1.0, -0.0)"},
        {"max(0.1000000001, -inf)", "max(0.1, -inf)"},
        {"min(16777217.0, nan)", "min(16777216.0, nan)"},
        {"div(1e-05, inf)", "div(1e-05, inf)"},
        {"sqrt(exp(log(tofloat(i + 1))))", "sqrt(exp(log(tofloat(i + 1))))"},
        {"random(3, 4*i + j)", "random(3, 4*i + j)"},
        {"select(lt(x[i], 0.5), x[i], 1.5)", "select(lt(x[i], 0.5), x[i], 1.5)"},
    };
    for (int n = 0; n < ARRAY_LEN(pair); n++) check_expr("f32", pair[n][0], pair[n][1]);
}

static const char *new_var(Kernel *k, const char *wish) {
    int32_t var = kernel_add_var(k, wish);
    return k->var[var];
}

static void test_names(void) {
    Kernel *k = kernel_new(arena, name_of("t"));
    CU_ASSERT_STRING_EQUAL(new_var(k, "ow"), "ow");
    CU_ASSERT_STRING_EQUAL(new_var(k, "ow"), "ow_1");
    CU_ASSERT_STRING_EQUAL(new_var(k, "ow_1"), "ow_2");
    CU_ASSERT_STRING_EQUAL(new_var(k, "N"), "N_1"); /* N alone is the batch */
    int32_t x = kernel_add_buf(k, name_of("x"), BUF_ARG, DT_F32, 4, true);
    int32_t acc = kernel_add_buf(k, name_of("x"), BUF_REG, DT_F32, 4, false);
    CU_ASSERT_STRING_EQUAL(k->buf[x].name, "x");
    CU_ASSERT_STRING_EQUAL(k->buf[acc].name, "x_1");
    CU_ASSERT_EQUAL(k->n_arg, 1);
}

static void test_statements(void) {
    Kernel *k = kernel_new(arena, name_of("t"));
    int32_t x = kernel_add_buf(k, name_of("x"), BUF_ARG, DT_F32, 4, false);
    const Expr *zero = ex_int(k, 0);
    Stmt *inner = st_seq(k), *outer = st_seq(k);
    CU_ASSERT_FALSE(k->buf[x].written);
    st_append(k, inner, st_store(k, x, zero, ex_float(k, 0.1)));
    CU_ASSERT_TRUE(k->buf[x].written);
    CU_ASSERT_EQUAL(inner->u.seq.item[0]->u.store.value->f, (double)0.1f);
    st_append(k, inner, st_store(k, x, ex_int(k, 1), ex_float(k, 2)));
    st_append(k, outer, inner);
    st_append(k, outer, st_seq(k));
    CU_ASSERT_EQUAL(outer->u.seq.n, 2);
    CU_ASSERT_PTR_EQUAL(st_guard(k, ex2(k, EX_le, zero, zero), outer), outer);
    CU_ASSERT_EQUAL(st_guard(k, ex2(k, EX_lt, zero, zero), outer)->u.seq.n, 0);
}

static void test_affine(void) {
    Kernel *k = kernel_new(arena, name_of("t"));
    int32_t i = kernel_add_var(k, "i"), j = kernel_add_var(k, "j");
    const Expr *vi = ex_var(k, i), *vj = ex_var(k, j);
    const Expr *product = ex2(k, EX_mul, ex2(k, EX_add, vj, ex_int(k, 3)), ex_int(k, 5));
    const Expr *sum = ex2(k, EX_sub, product, ex2(k, EX_mul, vi, ex_int(k, 2)));
    Affine a;
    CU_ASSERT_TRUE_FATAL(affine_of(sum, &a));
    CU_ASSERT_EQUAL(a.n, 2);
    CU_ASSERT_EQUAL(a.var[0], i); /* in increasing number, whatever the order in the text */
    CU_ASSERT_EQUAL(a.coef[0], -2);
    CU_ASSERT_EQUAL(affine_coef(&a, j), 5);
    CU_ASSERT_EQUAL(a.constant, 15);
    CU_ASSERT_EQUAL(affine_coef(&a, 7), 0);
    CU_ASSERT_TRUE(affine_of(ex_int(k, -4), &a));
    CU_ASSERT_EQUAL(a.constant, -4);
    CU_ASSERT_FALSE(affine_of(ex_batch(k), &a));
    CU_ASSERT_FALSE(affine_of(ex2(k, EX_mul, vi, vj), &a));
    CU_ASSERT_FALSE(affine_of(ex2(k, EX_div, vi, ex_int(k, 2)), &a));
    CU_ASSERT_FALSE(affine_of(ex_float(k, 1), &a));
    const Expr *many = ex_int(k, 0);
    for (int n = 0; n <= AFFINE_MAX; n++) many = ex2(k, EX_add, many, ex_var(k, kernel_add_var(k, "v")));
    CU_ASSERT_FALSE(affine_of(many, &a));
}

static const char *const tile_text = "kernel tile {\n"
                                     "  arg x f16 64 batched\n"
                                     "  arg y f32 64 batched written\n"
                                     "  reg acc f32 4 written\n"
                                     "  for n in 0..N parallel task {\n"
                                     "    for t in 0..16 serial point {\n"
                                     "      prefetch x[64*n + 4*t + 256]\n"
                                     "      for u in 0..4 unroll {\n"
                                     "        acc[u] = mul(x[64*n + 4*t + u], 2.0)\n"
                                     "      }\n"
                                     "      for u in 0..4 unroll {\n"
                                     "        if lt(4*t + u, 63) {\n"
                                     "          y[64*n + 4*t + u] = acc[u]\n"
                                     "        }\n"
                                     "      }\n"
                                     "    }\n"
                                     "  }\n"
                                     "}\n";

static void test_round_trip(void) {
    const char *error;
    Kernel *k = loop_read(arena, tile_text, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    CU_ASSERT_STRING_EQUAL(print(k), tile_text);
    CU_ASSERT_EQUAL(k->n_var, 3); /* both loops over u run the same variable */
    CU_ASSERT_EQUAL(k->n_arg, 2);
    CU_ASSERT_PTR_NULL(loop_verify(arena, k));
}

static void test_substitution(void) {
    const char *error;
    Kernel *k = loop_read(arena, tile_text, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    int32_t w = kernel_add_var(k, "u");
    const Stmt *n_loop = k->body->u.seq.item[0], *t_loop = n_loop->u.loop.body->u.seq.item[0];
    const Expr *map[4] = {NULL, ex_int(k, 15), ex_var(k, w), NULL};
    k->body = st_subst(k, t_loop->u.loop.body, map);
    CU_ASSERT_STRING_EQUAL(strchr(print(k), '\n'),
                           "\n  arg x f16 64 batched\n  arg y f32 64 batched written\n  reg acc f32 4 written\n"
                           "  prefetch x[64*n + 316]\n"
                           "  for u_1 in 0..4 unroll {\n    acc[u_1] = mul(x[64*n + u_1 + 60], 2.0)\n  }\n"
                           "  for u_1 in 0..4 unroll {\n    if lt(u_1 + 60, 63) {\n"
                           "      y[64*n + u_1 + 60] = acc[u_1]\n    }\n  }\n}\n");
    const Expr *load = ex_load(k, 0, ex_var(k, 0));
    CU_ASSERT_PTR_EQUAL(ex_subst(k, load, map), load); /* what does not change is shared */
    const Expr *zeros[4] = {ex_int(k, 0), ex_int(k, 0), ex_int(k, 0), ex_int(k, 0)};
    Stmt *guard = st_guard(k, ex2(k, EX_lt, ex_int(k, 0), ex_var(k, 1)), st_store(k, 1, ex_var(k, 0), load));
    CU_ASSERT_EQUAL(st_subst(k, guard, zeros)->kind, ST_SEQ);
}

static void test_reader_complains(void) {
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"", "line 1: expected 'kernel'"},
        {"kernel t", "line 1: expected '{'"},
        {"kernel t {\n  y[0] = 1\n}\n", "line 2: there is no such buffer"},
        {"kernel t {\n  arg y f64 1\n}\n", "line 2: expected an element type"},
        {"kernel t {\n  arg y f32 0\n}\n", "line 2: a buffer must have elements"},
        {"kernel t {\n  arg y f32 99999999999999999999\n}\n", "line 2: this number does not fit 64 bits"},
        {"kernel t {\n  reg y f32 1 batched\n}\n", "line 2: only arguments are batched"},
        {"kernel t {\n  reg y f32 1\n  arg x f32 1\n}\n", "line 3: arguments come before local buffers"},
        {"kernel t {\n  arg y f32 1\n  arg y f32 1\n}\n", "line 3: this buffer's name is taken"},
        {"kernel t {\n  arg y f32 1\n  y[0] = 1\n}\n", "line 3: this value is of another type than the buffer"},
        {"kernel t {\n  arg y f32 1\n  y[0.5] = 1.0\n}\n", "line 3: an index must be an integer"},
        {"kernel t {\n  arg y f32 1\n  y[0] = 1.0 + 2.0\n}\n", "line 3: +, - and * are for integers"},
        {"kernel t {\n  arg y f32 1\n  y[0] = add(1.0, 2)\n}\n", "line 3: an operand has the wrong type"},
        {"kernel t {\n  arg y f32 1\n  y[0] = sin(1.0)\n}\n", "line 3: there is no such operation"},
        {"kernel t {\n  arg y f32 1\n  y[i] = 1.0\n}\n", "line 3: there is no such variable"},
        {"kernel t {\n  arg y f32 1\n  y[0] = -x\n}\n", "line 3: expected a number after '-'"},
        {"kernel t {\n  for N in 0..1 serial {\n  }\n}\n", "line 2: this word cannot name a variable"},
        {"kernel t {\n  for i in 0..1.0 serial {\n  }\n}\n", "line 2: a loop's bound must be an integer"},
        {"kernel t {\n  for i in 0..1 quickly {\n  }\n}\n", "line 2: expected the loop's mode"},
        {"kernel t {\n  for i in 0..1 serial {\n", "line 2: expected a name"},
        {"kernel t {\n  if 1 {\n  }\n}\n", "line 2: a condition must be a comparison"},
        {"kernel t {\n}\n}\n", "line 2: there is more after the kernel"},
    };
    for (int i = 0; i < ARRAY_LEN(bad); i++) {
        const char *error = NULL;
        CU_ASSERT_PTR_NULL(loop_read(arena, bad[i].text, &error));
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_STRING_EQUAL(error, bad[i].error);
        if (strcmp(error, bad[i].error)) printf("%s\n  not %s\n", error, bad[i].error);
    }
}

/* Whatever is cut off or overwritten, reading ends with a kernel or a message. */
static void test_reader_survives(void) {
    static const char junk[] = "([{0-9.,x*\n";
    size_t n = strlen(tile_text);
    for (size_t at = 0; at < n; at++)
        for (size_t j = 0; j < sizeof junk; j++) {
            char *text = arena_strdup(arena, tile_text);
            text[at] = junk[j];
            const char *error = NULL;
            Kernel *k = loop_read(arena, text, &error);
            CU_ASSERT_EQUAL(k == NULL, error != NULL);
            if (k) loop_verify(arena, k);
        }
    char *deep = arena_alloc(arena, 100001);
    memset(deep, '(', 100000);
    const char *error = NULL;
    CU_ASSERT_PTR_NULL(loop_read(arena, in_kernel("i32", deep), &error));
    CU_ASSERT_STRING_EQUAL(error, "line 7: this is nested too deeply");
}

int main(void) {
    arena = arena_new();
    CU_initialize_registry();
    CU_pSuite s = CU_add_suite("loop", NULL, NULL);
    CU_add_test(s, "integer arithmetic folds", test_integer_folding);
    CU_add_test(s, "float arithmetic stays", test_floats_stay);
    CU_add_test(s, "names are unique", test_names);
    CU_add_test(s, "statements", test_statements);
    CU_add_test(s, "affine views", test_affine);
    CU_add_test(s, "text and back", test_round_trip);
    CU_add_test(s, "substitution", test_substitution);
    CU_add_test(s, "the reader's messages", test_reader_complains);
    CU_add_test(s, "the reader survives", test_reader_survives);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(arena);
    return failures != 0;
}
