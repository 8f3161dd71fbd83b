/* The rules of loops: each is tripped by the smallest kernels that break it, and right kernels of the kinds that passes
 * make pass all of them. */
#include <CUnit/Basic.h>
#include <string.h>

#include "ir/loop.h"

static Arena *arena;

#define BUFFERS                                                                                                        \
    "arg x f32 1024 batched arg w f32 256 arg y f32 1024 batched written arg c i32 4 "                                 \
    "reg acc f32 16 written local s f32 64 written "

static Kernel *kernel_of(const char *body) {
    const char *error = NULL;
    Kernel *k = loop_read(arena, arena_printf(arena, "kernel t { " BUFFERS " %s }", body), &error);
    if (!k) printf("%s: %s\n", body, error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    return k;
}

static void expect_rule(const Kernel *k, const char *rule, const char *what) {
    const char *broken = loop_verify(arena, k);
    bool right = rule ? broken && strlen(broken) > strlen(rule) && !strncmp(broken, rule, strlen(rule)) &&
                            broken[strlen(rule)] == ':'
                      : !broken;
    CU_ASSERT_TRUE(right);
    if (!right) printf("%s\n  gives %s, not %s\n", what, broken ? broken : "nothing", rule ? rule : "nothing");
}

static void expect_all(const char *rule, const char *const *body, int n) {
    for (int i = 0; i < n; i++) expect_rule(kernel_of(body[i]), rule, body[i]);
}
#define EXPECT_ALL(rule, body) expect_all(rule, body, ARRAY_LEN(body))

static void buffers(void) {
    Kernel *k = kernel_of("");
    k->buf[1].name = k->buf[0].name;
    expect_rule(k, "buffers", "equal names");
    k = kernel_of("");
    k->n_arg--;
    expect_rule(k, "buffers", "an argument not counted");
    k = kernel_of("");
    k->buf[4].batched = true;
    expect_rule(k, "buffers", "a batched register");
    k = kernel_of("");
    k->buf[0].elements = 0;
    expect_rule(k, "buffers", "no elements");
    k = kernel_of("");
    k->buf[5].elements = LOCAL_BYTES / 4;
    expect_rule(k, "buffers", "too much scratch");
}

static void variables(void) {
    Kernel *k = kernel_of("for i in 0..4 serial { for j in 0..4 serial { } }");
    k->var[1] = k->var[0];
    expect_rule(k, "variables", "equal names");
}

/* Wrong types cannot be written or built; a pass could only make them by writing into an expression. */
static void types(void) {
    static const char *const body = "for i in 0..4 serial { if lt(i, 3) { y[i] = mul(x[i], 2.0) } }";
    enum { CASES = 7 };
    for (int n = 0; n < CASES; n++) {
        Kernel *k = kernel_of(body);
        Stmt *loop = k->body->u.seq.item[0], *guard = loop->u.loop.body->u.seq.item[0];
        Stmt *store = guard->u.guard.body->u.seq.item[0];
        Expr value = *store->u.store.value, two = *value.a[1], three = *ex_int(k, 3), load = *value.a[0];
        store->u.store.value = &value;
        if (n == 0) loop->u.loop.hi = ex_float(k, 4);
        if (n == 1) guard->u.guard.cond = ex_int(k, 1);
        if (n == 2) store->u.store.buf = 99;
        if (n == 3) store->u.store.value = &three;
        if (n == 4) value.a[1] = &three;
        if (n == 5) value.a[1] = &two, two.f = 0.1; /* no float */
        if (n == 6) value.a[0] = &load, load.type = ET_INT;
        expect_rule(k, "types", arena_printf(arena, "types, case %d", n));
    }
    expect_rule(kernel_of(body), NULL, body);
}

static void divisors(void) {
    static const char *const body[] = {
        "for i in 0..4 serial { y[div(8, i)] = 0.0 }",
        "for i in 0..4 serial { y[mod(i, 0)] = 0.0 }",
        "for i in 0..4 serial { y[0] = tofloat(div(i, -2)) }",
    };
    EXPECT_ALL("divisors", body);
}

static void written(void) {
    Kernel *k = kernel_of("y[0] = 0.0");
    k->buf[2].written = false;
    expect_rule(k, "written", "flag cleared");
}

static void scope(void) {
    static const char *const body[] = {
        "for i in 0..4 serial { } y[i] = 0.0",
        "for i in 0..4 serial { } for j in 0..i serial { }",
        "for i in 0..4 serial { for j in 0..4 serial { } if lt(j, 2) { } }",
    };
    EXPECT_ALL("scope", body);
}

static void shadow(void) {
    static const char *const body[] = {"for i in 0..4 serial { for j in 0..2 serial { for i in 0..4 serial { } } }"};
    EXPECT_ALL("shadow", body);
}

static void extent(void) {
    static const char *const body[] = {
        "for i in 0..N unroll { }",
        "for i in 0..4 serial { for j in i..8 vector { } }",
    };
    static const char *const right[] = {"for i in 0..4 serial { for j in 4*i..4*i + 4 vector { y[j] = 0.0 } }"};
    EXPECT_ALL("extent", body);
    EXPECT_ALL(NULL, right);
}

static void vector(void) {
    static const char *const body[] = {
        "for i in 0..4 vector { for j in 0..4 vector { } }",
        "for i in 0..4 vector { if lt(i, 2) { for j in 0..4 parallel { } } }",
    };
    static const char *const right[] = {
        "for i in 0..4 vector { for j in 0..N serial { y[1024*j + i] = 0.0 } for k in 0..4 unroll { } }"};
    EXPECT_ALL("vector", body);
    EXPECT_ALL(NULL, right);
}

static void blas(void) {
#define PRODUCT(n, mode, c, a, b)                                                                                      \
    "for i in 0..N " mode " { for j in 0.." n " serial { for p in 0..8 serial { " c " = fma(" a ", " b ", " c ") } } }"
    static const char *const body[] = {
        "for i in 0..4 blas { y[i] = 0.0 }",
        "for i in 0..4 blas { for j in 0..4 serial { y[4*i + j] = 0.0 for p in 0..4 serial { } } }",
        PRODUCT("16", "blas", "y[16*i + 2*j]", "x[8*i + p]", "w[16*p + j]"),
        PRODUCT("16", "blas", "y[16*i + j]", "x[8*i + 2*p]", "w[16*p + j]"),
        PRODUCT("16", "blas", "y[16*i + j]", "x[8*i + p + j]", "w[16*p + j]"),
        PRODUCT("16", "blas", "y[16*i + j]", "y[8*i + p]", "w[16*p + j]"),
        PRODUCT("16", "blas", "s[j]", "x[8*i + p]", "w[16*p + j]"),
        PRODUCT("i", "blas", "y[16*i + j]", "x[8*i + p]", "w[16*p + j]"),
        "for i in 0..4 blas { for j in 0..4 serial { for p in 0..8 serial { y[4*i + j] = fma(x[p], w[p], y[j]) } } }",
    };
    static const char *const right[] = {
        PRODUCT("16", "blas", "y[16*i + j]", "x[8*i + p]", "w[16*p + j]"),
        PRODUCT("16", "blas", "y[16*i + j]", "x[8*i + p]", "w[p + 16*j]"),
        PRODUCT("16", "serial", "y[16*i + j]", "x[8*i + p]", "w[16*p + 2*j]"),
    };
    EXPECT_ALL("blas", body);
    EXPECT_ALL(NULL, right);
#undef PRODUCT
}

static void tasks(void) {
    static const char *const body[] = {
        "for i in 0..4 serial { for j in 0..4 parallel { } }",
        "for i in 0..4 parallel { for k in 0..4 serial { for j in 0..4 parallel { y[4*i + j] = 0.0 } } }",
        "for i in 0..4 parallel { if lt(i, 2) { for j in 0..4 parallel { } } }",
        "for i in 0..4 parallel { for j in 0..i parallel { } }",
        "for i in 0..c[0] parallel { }",
    };
    static const char *const right[] = {"y[0] = 0.0 for j in 1..4 parallel { y[j] = 0.0 }",
                                        "for i in 0..4 parallel { y[4*i] = 0.0 for j in 1..4 parallel { y[4*i + j] = 0.0 } }",
                                        "for i in 0..2 parallel { y[i] = 0.0 } for j in 2..4 parallel { y[j] = 0.0 }"};
    EXPECT_ALL("tasks", body);
    EXPECT_ALL(NULL, right);
}

static void bounds(void) {
    static const char *const body[] = {
        "for i in 0..1025 serial { y[i] = 0.0 }",
        "for i in 0..4 serial { y[i - 1] = 0.0 }",
        "for i in 0..4 serial { y[0] = w[64*i + 64] }",
        "for n in 0..N serial { for i in 0..1025 serial { y[1024*n + i] = 0.0 } }",
        "for n in 0..N serial { y[1025*n] = 0.0 }",
        "for n in 0..N serial { w[n] = 0.0 }",
        "for n in 0..N + 1 serial { y[1024*n] = 0.0 }",
        "for h in 0..16 serial { for r in max(0, 1 - 2*h)..min(3, 34 - 2*h) serial { y[0] = x[64*h + 32*r] } }",
        "for h in 0..16 serial { for r in max(0, -2*h)..min(3, 33 - 2*h) serial { y[0] = x[64*h + 32*r - 32] } }",
        "for p in 0..1024 serial { y[0] = w[128*div(p, 256) + 1] }",
        "for p in 0..256 serial { y[0] = w[256*mod(p, 2) + p - 1] }",
        "for p in 0..64 serial { y[0] = x[max(0, 1024 - p)] }",
        "for i in 0..2 serial { y[select(lt(i, 1), 1024, 0)] = 0.0 }",
    };
    static const char *const right[] = {
        "for i in 0..1024 serial { y[1023 - i] = 0.0 }",
        "for n in 0..N serial { for i in 0..1024 serial { y[1024*n + i] = x[1024*n - i + 1023] } }",
        "for p in 0..1024*N serial { y[p] = x[1024*div(p, 1024) + mod(p, 1024)] }",
        "for h in 0..16 serial { for r in max(0, 1 - 2*h)..min(3, 33 - 2*h) serial { y[0] = x[64*h + 32*r - 32] } }",
        "for p in 0..256 serial { y[0] = w[128*div(p, 128) + mod(p, 128)] }",
        "for p in 0..17 serial { y[0] = w[mod(p, 16) + 240] }",
        "for p in 0..64 serial { for i in 0..min(16, 1000 - 16*p) serial { y[16*p + i] = 0.0 } }",
        "for t in 0..4 serial { for i in 0..16 serial { y[min(16*t, 1008) + i] = 0.0 } }",
        "for i in 0..9999 serial { if lt(i, 4) { y[i] = 0.0 } }", /* guarded */
        "y[0] = w[c[0]]",                                         /* nothing known */
    };
    EXPECT_ALL("bounds", body);
    EXPECT_ALL(NULL, right);
}

static void registers(void) {
    static const char *const body[] = {
        "for i in 0..16 serial { acc[i] = 0.0 }",
        "for i in 0..4 serial { for j in 0..4 unroll { acc[4*i + j] = 0.0 } }",
        "for i in 0..4 serial { for j in i..i + 2 unroll { acc[j] = 0.0 } }",
        "for i in 0..4 unroll { y[i] = acc[c[0]] }",
    };
    static const char *const right[] = {
        "for i in 0..4 unroll { for j in 0..4 vector { acc[4*i + j] = 0.0 } }",
        "for i in 0..16 serial lane { acc[i] = 0.0 }", /* to become a vector */
        "for i in 0..16 serial { s[i] = 0.0 }",
    };
    EXPECT_ALL("registers", body);
    EXPECT_ALL(NULL, right);
}

static void overlap(void) {
    static const char *const body[] = {
        "for i in 0..4 parallel { y[0] = 0.0 }",
        "for i in 0..4 parallel { for j in 0..17 serial { y[16*i + j] = 0.0 } }",
        "for i in 0..4 parallel { for j in 0..4 parallel { y[i + j] = 0.0 } }",
        "for i in 0..4 parallel { y[16*i] = y[16*i + 16] }",
        "for i in 0..4 parallel { s[0] = y[16*i + 16] y[16*i] = s[0] }",
        "for i in 0..4 parallel { y[16*i] = y[32*i] }",
        "for i in 0..4 parallel { y[16*i] = y[0] }",
        "for i in 0..4 parallel { y[16*i] = 0.0 y[16*i + 16] = 0.0 }",
        "for n in 0..N parallel { for i in 0..4 serial { y[i] = 0.0 } }",
        "for n in 0..N parallel { for i in 0..4 parallel { for j in 0..4 serial { y[1024*n + 3*i + j] = 0.0 } } }",
        "for h in 0..4 parallel { for b in 0..4 serial { for i in 0..16 serial { y[128*b + 64*h + i] = 0.0 } } }",
        "for i in 0..4 parallel { for j in 0..c[0] serial { y[16*i + j] = 0.0 } }",
    };
    static const char *const right[] = {
        "for i in 0..4 parallel { for j in 0..16 serial { y[16*i + j] = add(y[16*i + j], 1.0) } }",
        "for n in 0..N parallel { for b in 0..4 parallel { for h in 0..4 parallel { for i in 0..64 vector {"
        " y[1024*n + 256*b + 64*h + i] = 0.0 } } } }",
        "for h in 0..4 parallel { for b in 0..4 serial { for i in 0..64 serial { y[256*b + 64*h + i] = 0.0 } } }",
        /* different loops over the same blocks */
        "for h in 0..4 parallel { for b in 0..4 serial { y[256*b + 64*h] = 0.0 }"
        " for d in 0..4 serial { for i in 0..64 serial { y[256*d + 64*h + i] = add(y[256*d + 64*h], 1.0) } } }",
        /* tiles and what they leave over */
        "for h in 0..4 parallel { for n in 0..N serial { for b in 0..12 serial { for j in 0..2 serial {"
        " for i in 0..5 serial { y[1024*n + 64*b + 16*h + 5*j + i] = 0.0 } } }"
        " for i in 0..5 serial { y[1024*n + 16*h + i + 778] = 0.0 } } }",
        "for i in 0..1 parallel { y[0] = 0.0 }", "for i in 0..4 parallel { y[1023 - 16*i] = x[0] }",
        "for h in 0..8 parallel { for r in max(0, 1 - 2*h)..min(2, 9 - 2*h) serial { y[64*h + 32*r] = 0.0 } }",
        "for p in 0..64 parallel { y[32*mod(p, 32) + div(p, 32)] = 0.0 }", /* not affine: not judged */
    };
    EXPECT_ALL("overlap", body);
    EXPECT_ALL(NULL, right);
}

/* What the rules call right is right: random accesses of two loops in a parallel one, tried out element by element. */
typedef struct Pick {
    int64_t coef[3], constant;
} Pick;

static int64_t at(const Pick *p, const int64_t *v) {
    return p->coef[0] * v[0] + p->coef[1] * v[1] + p->coef[2] * v[2] + p->constant;
}

static bool meets_or_leaves(const Pick *store, const Pick *load, const int64_t *extent) {
    int64_t owner[1024], v[3]; /* 1 + the iteration that stores here */
    memset(owner, 0, sizeof owner);
    for (int pass = 0; pass < 2; pass++)
        for (v[0] = 0; v[0] < extent[0]; v[0]++)
            for (v[1] = 0; v[1] < extent[1]; v[1]++)
                for (v[2] = 0; v[2] < extent[2]; v[2]++) {
                    int64_t i = at(pass ? load : store, v);
                    if (i < 0 || i >= 1024 || (owner[i] && owner[i] != v[0] + 1)) return true;
                    if (!pass) owner[i] = v[0] + 1;
                }
    return false;
}

static uint32_t state = 1;
static int64_t pick(int64_t n) {
    state = state * 1664525u + 1013904223u;
    return (int64_t)(state >> 16) % n;
}

static void proofs_hold(void) {
    static const int64_t coef[] = {0, 1, 2, 3, 4, 8, 12, 16, 32, -1, -4, -16};
    int proven = 0, refuted = 0;
    for (int round = 0; round < 20000; round++) {
        int64_t extent[3];
        Pick a = {.constant = pick(3) ? 0 : pick(200)}, b = a;
        for (int i = 0; i < 3; i++) {
            extent[i] = 1 + pick(5);
            b.coef[i] = a.coef[i] = coef[pick(ARRAY_LEN(coef))];
        }
        if (pick(2)) b.coef[1 + pick(2)] = coef[pick(ARRAY_LEN(coef))];
        if (pick(2)) b.constant += pick(9) - 4;
        const char *body =
            arena_printf(arena,
                         "for i in 0..%d parallel { for j in 0..%d serial { for k in 0..%d serial {"
                         " y[%d*i + %d*j + %d*k + %d] = y[%d*i + %d*j + %d*k + %d] } } }",
                         (int)extent[0], (int)extent[1], (int)extent[2], (int)a.coef[0], (int)a.coef[1], (int)a.coef[2],
                         (int)a.constant, (int)b.coef[0], (int)b.coef[1], (int)b.coef[2], (int)b.constant);
        bool right = !loop_verify(arena, kernel_of(body)), bad = meets_or_leaves(&a, &b, extent);
        if (right && bad) printf("%s\n", body);
        CU_ASSERT_FALSE_FATAL(right && bad);
        proven += right;
        refuted += bad;
    }
    CU_ASSERT(proven > 1000); /* and not for want of proofs: most of what is right is seen to be */
    CU_ASSERT(20000 - refuted < 2 * proven);
}

int main(void) {
    arena = arena_new();
    if (CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite s = CU_add_suite("loop_verify", NULL, NULL);
    CU_ADD_TEST(s, buffers);
    CU_ADD_TEST(s, variables);
    CU_ADD_TEST(s, types);
    CU_ADD_TEST(s, divisors);
    CU_ADD_TEST(s, written);
    CU_ADD_TEST(s, scope);
    CU_ADD_TEST(s, shadow);
    CU_ADD_TEST(s, extent);
    CU_ADD_TEST(s, vector);
    CU_ADD_TEST(s, blas);
    CU_ADD_TEST(s, tasks);
    CU_ADD_TEST(s, bounds);
    CU_ADD_TEST(s, registers);
    CU_ADD_TEST(s, overlap);
    CU_ADD_TEST(s, proofs_hold);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(arena);
    return failures != 0;
}
