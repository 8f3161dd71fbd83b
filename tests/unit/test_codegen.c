/* Generated code against the interpreter: every expression, every loop mode, awkward sizes, at three levels of
 * optimisation. All but lane sums and exp and log must agree bit for bit. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <Random123/philox.h>

#include "backends/emit.h"
#include "backends/ref_loop.h"
#include "backends/target.h"
#include "ir/half.h"
#include "runtime/abi.h"

static Arena *arena;
static const Machine *machine;
static const int levels[] = {0, 2, 3};
static const CnncRun run3 = {.n = 3, .key = {7, 11}};

static Kernel *kernel_of(const char *text) {
    const char *error = NULL;
    Kernel *k = loop_read(arena, text, &error);
    if (!k) printf("%s\n%s", error, text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    const char *broken = loop_verify(arena, k);
    if (broken) printf("%s\n%s", broken, text);
    CU_ASSERT_PTR_NULL(broken);
    return k;
}

static Jit *jit_of(Kernel *k, int level) {
    const char *error = NULL;
    Jit *j = jit_new(machine, level, &k, 1, &error);
    if (!j) printf("%s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(j);
    return j;
}

static uint32_t state = 1;
static uint32_t next_word(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

enum { MAX_ARG = 8 };
typedef struct Args {
    void *p[MAX_ARG];
    size_t bytes[MAX_ARG];
    int n;
} Args;

static void *aligned(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) abort();
    return p;
}

/* Random memory for every argument: floats in (-2, 2), whole numbers below 8. */
static Args args_new(const Kernel *k) {
    Args a = {.n = k->n_arg};
    for (int i = 0; i < a.n; i++) {
        const Buf *b = &k->buf[i];
        size_t n = (size_t)(b->elements * (b->batched ? run3.n : 1));
        a.bytes[i] = n * (size_t)dtype_bytes[b->dtype];
        a.p[i] = aligned(a.bytes[i]);
        for (size_t e = 0; e < n; e++) {
            uint32_t w = next_word();
            if (b->dtype == DT_F32) ((float *)a.p[i])[e] = (float)(int32_t)(w - (1u << 23)) * 0x1p-22f;
            else if (b->dtype == DT_I32) ((int32_t *)a.p[i])[e] = (int32_t)(w % 8);
            else ((uint8_t *)a.p[i])[e] = (uint8_t)(w % 8);
        }
    }
    return a;
}

static Args args_copy(const Args *a) {
    Args c = *a;
    for (int i = 0; i < a->n; i++) {
        c.p[i] = aligned(a->bytes[i]);
        memcpy(c.p[i], a->p[i], a->bytes[i]);
    }
    return c;
}

static void args_free(Args *a) {
    for (int i = 0; i < a->n; i++) free(a->p[i]);
}

/* Extents of nested parallel loops, multiplied; of statements beside each other added. */
static int64_t tasks_at(const Stmt *s) {
    int64_t tasks = 0, lo = 0, hi = 0;
    if (!stmt_has_tasks(s)) return 1;
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++) tasks += tasks_at(s->u.seq.item[i]);
    if (s->kind == ST_SEQ) return tasks;
    ex_is_int(s->u.loop.lo, &lo);
    return (ex_is_int(s->u.loop.hi, &hi) ? hi - lo : run3.n) * tasks_at(s->u.loop.body);
}

static bool near_enough(const Kernel *k, const Args *a, const Args *b, float tolerance) {
    for (int i = 0; i < a->n; i++) {
        if (!memcmp(a->p[i], b->p[i], a->bytes[i])) continue;
        if (k->buf[i].dtype != DT_F32 || tolerance == 0) return false;
        const float *x = a->p[i], *y = b->p[i];
        for (size_t e = 0; e < a->bytes[i] / 4; e++)
            if (!(fabsf(x[e] - y[e]) <= tolerance * (1 + fabsf(y[e]))) && memcmp(&x[e], &y[e], 4)) return false;
    }
    return true;
}

/* Compares for each level; tasks are run in two parts, the later one first. */
static void check_near(const char *text, float tolerance) {
    Kernel *k = kernel_of(text);
    Args start = args_new(k), want = args_copy(&start);
    ref_loop_run(k, want.p, run3.n, run3.key);
    int64_t tasks = tasks_at(k->body), middle = tasks / 3;
    for (int i = 0; i < ARRAY_LEN(levels); i++) {
        Jit *j = jit_of(k, levels[i]);
        CnncKernel *f = (CnncKernel *)jit_kernel(j, 0);
        Args got = args_copy(&start);
        f(got.p, &run3, middle, tasks);
        f(got.p, &run3, 0, middle);
        bool good = near_enough(k, &got, &want, tolerance);
        if (!good) printf("\n-O%d differs:\n%s\n", levels[i], text);
        CU_ASSERT_TRUE(good);
        args_free(&got);
        jit_free(j);
    }
    args_free(&start);
    args_free(&want);
}

/* Each of so many tasks by itself, the last one first, does its own part and no other. */
static void check_each(const char *text, int64_t tasks) {
    Kernel *k = kernel_of(text);
    Args want = args_new(k), got = args_copy(&want);
    Jit *j = jit_of(k, levels[0]);
    CnncKernel *f = (CnncKernel *)jit_kernel(j, 0);
    ref_loop_run(k, want.p, run3.n, run3.key);
    CU_ASSERT_EQUAL(tasks_at(k->body), tasks);
    for (int64_t i = tasks - 1; i >= 0; i--) f(got.p, &run3, i, i + 1);
    CU_ASSERT_TRUE(near_enough(k, &got, &want, 0));
    jit_free(j);
    args_free(&want);
    args_free(&got);
}

/* To the bit, but where fma rounds twice: the interpreter's is that of the language. */
static void check(const char *text) { check_near(text, machine->fma ? 0 : 1e-5f); }

/* ---- machine code ---- */

static int count(const char *text, const char *what) {
    int n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what)) n++;
    return n;
}

/* Lines of text with both words. */
static int count_lines(const char *text, const char *a, const char *b) {
    int n = 0;
    while (*text) {
        size_t length = strcspn(text, "\n");
        const char *line = arena_strndup(arena, text, length);
        n += strstr(line, a) && strstr(line, b);
        text += length + (text[length] != 0);
    }
    return n;
}

/* A 3x3 convolution, 64 channels in blocks of 16, 56x56 pixels: all accumulators stay in registers, a weight vector is
 * loaded once for all pixels of the tile and a pixel is broadcast once for all its blocks. A new LLVM that spills shows
 * here and not as a slow program. */
static void test_no_spills(void) {
    static const struct { int blocks, pixels; } tile[] = {{4, 6}, {2, 14}, {3, 8}, {1, 24}};
    const char *error = NULL;
    const Machine *m = target_machine(arena, "x86-64-v4", &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    for (int i = 0; i < ARRAY_LEN(tile); i++) {
        int b = tile[i].blocks, p = tile[i].pixels;
        const char *text = kernel_assembly(arena, m, 2, kernel_of(arena_printf(arena,
            "kernel conv {\n  arg x f32 215296\n  arg w f32 36864\n  arg y f32 215296 written\n  reg acc f32 %d\n"
            "  for h in 0..56 parallel task { for q in 0..2 serial {\n"
            "    for p in 0..%d unroll point { for c in 0..%d unroll block { for l in 0..16 vector lane {\n"
            "      acc[%d*p + 16*c + l] = 0.0\n    } } }\n"
            "    for k in 0..4 serial reduce { for kh in 0..3 serial reduce { for kw in 0..3 serial reduce {\n"
            "     for i in 0..16 unroll reduce { for p in 0..%d unroll point { for c in 0..%d unroll block {\n"
            "      for l in 0..16 vector lane {\n"
            "       acc[%d*p + 16*c + l] = fma(x[53824*k + 928*h + 928*kh + %d*q + 16*p + 16*kw + i],\n"
            "                                  w[9216*c + 2304*k + 768*kh + 256*kw + 16*i + l], acc[%d*p + 16*c + l])\n"
            "      } } } } } } }\n"
            "    for p in 0..%d unroll point { for c in 0..%d unroll block { for l in 0..16 vector lane {\n"
            "      y[53824*c + 928*h + %d*q + 16*p + l + 944] = acc[%d*p + 16*c + l]\n    } } } } }\n}\n",
            16 * b * p, p, b, 16 * b, p, b, 16 * b, 16 * p, 16 * b, p, b, 16 * p, 16 * b)));
        CU_ASSERT_EQUAL(count(text, "vfmadd"), 16 * b * p);
        CU_ASSERT_EQUAL(count_lines(text, "zmm", "(%rsp)"), 0);
        CU_ASSERT_EQUAL(count(text, "vbroadcastss") + count(text, "{1to16}"), 16 * p);
    }
}

/* ---- expressions ---- */

/* One expression for element i of `n`, with x, z f32, t i32, u u8 of 64 elements, in a loop of the given mode; the
 * result goes to y (f32) or v (i32). */
static void check_expression(const char *expr, bool whole, float tolerance) {
    static const struct { const char *mode; int n; } loop[] = {{"serial", 5}, {"vector lane", 1}, {"vector lane", 3},
        {"vector lane", 7}, {"vector lane", 16}, {"unroll", 2}, {"vector lane", 64}};
    for (int i = 0; i < ARRAY_LEN(loop); i++)
        check_near(arena_printf(arena,
            "kernel e {\n  arg x f32 192\n  arg z f32 192\n  arg t i32 192\n  arg u u8 192\n"
            "  arg y f32 64%s\n  arg v i32 64%s\n"
            "  for r in 0..2 serial { for i in 0..%d %s {\n    if lt(r, 1) { %s[i] = %s }\n  } }\n}\n",
            whole ? "" : " written", whole ? " written" : "", loop[i].n, loop[i].mode, whole ? "v" : "y", expr), tolerance);
}

static void test_float_expressions(void) {
    static const char *const expr[] = {
        "1.5", "x[i]", "x[3]", "x[2*i]", "x[63 - i]", "x[t[i]]", "x[i + t[0]]", "x[div(i, 3)]", "x[mod(i, 5) + 2]",
        "x[min(i, 4)]", "x[max(i, 2)]", "x[select(lt(i, 2), i, 7)]", "add(x[i], z[i])", "add(x[i], z[0])", "sub(z[1], x[i])",
        "mul(x[i], x[i])", "div(x[i], z[i])", "min(x[i], z[i])", "max(x[i], 0.0)", "max(x[0], z[0])",
        "fma(x[i], z[i], x[0])", "fma(x[0], z[i], 1.0)", "fma(x[0], z[0], z[1])", "sqrt(mul(x[i], x[i]))", "sqrt(2.0)",
        "select(lt(x[i], z[i]), x[i], z[i])", "select(le(x[0], z[0]), x[i], z[i])", "select(lt(i, 3), x[i], 0.0)",
        "select(eq(t[i], 3), x[0], z[0])", "select(and(lt(0.0, x[i]), le(z[i], 1.0)), 1.0, x[i])",
        "select(eq(u[i], 3), x[i], 0.0)", "select(eq(x[i], x[i]), x[i], 0.0)", "select(eq(N, 3), x[i], 2.0)",
        "tofloat(i)", "tofloat(t[i])", "tofloat(u[i])", "tofloat(N)", "tofloat(mul(N, t[i]))", "tofloat(div(t[i] - 9, 4))",
        "tofloat(mod(t[i] - 9, 4))", "tofloat(mul(t[i], t[0]))", "tofloat(div(3*i - 20, 7))", "tofloat(mod(3*i - 20, 8))",
        "random(5, i)", "random(9, 4)", "random(2, 4294967290 + i)", "random(1, mul(i, i))", "x[i + 64*select(lt(t[0], 9), 1, 0)]",
    };
    for (int i = 0; i < ARRAY_LEN(expr); i++) check_expression(expr[i], false, 0);
    check_expression("rsqrt(fma(x[i], x[i], 0.001))", false, 3e-7f);
    check_expression("rsqrt(fma(x[1], x[1], z[i]))", false, 3e-7f);
    check_expression("exp(x[i])", false, 3e-7f);
    check_expression("exp(x[1])", false, 3e-7f);
    check_expression("log(mul(x[i], x[i]))", false, 3e-7f);
    check_expression("expm1(x[i])", false, 3e-7f);
    check_expression("sigmoid(x[i])", false, 3e-7f);
    check_expression("sigmoid(x[1])", false, 3e-7f);
    check_expression("tanh(x[i])", false, 3e-7f);
    check_expression("erf(x[i])", false, 3e-7f);
    check_expression("erf(x[1])", false, 3e-7f);
}

static void test_whole_expressions(void) {
    static const char *const expr[] = {
        "i", "7", "N", "t[i]", "u[i]", "u[2*i]", "t[t[i]]", "3*i - 2*t[i] + 4", "min(t[i], 3)", "max(i, 4)", "div(i, 4)",
        "mod(i, 4)", "div(i + 16*t[0], 16)", "mod(i + 16*t[0], 16)", "mul(i, t[0])", "mul(i, i)", "select(lt(t[i], 4), i, t[i])",
        "select(le(x[i], 0.0), t[i], u[i])", "min(t[i], u[i])", "div(t[i] - 5, 3)", "mod(t[i] - 5, 3)", "mod(t[2] - 20, 8)",
        "div(t[2] - 20, 8)", "mul(t[i], u[i])", "select(eq(N, 2), 1, 2)",
    };
    for (int i = 0; i < ARRAY_LEN(expr); i++) check_expression(expr[i], true, 0);
}

/* ---- loops ---- */

/* Direct convolution, 3x3, with a register tile; E lanes, tile of 3 pixels and 2 blocks, a tail of pixels by a window. */
static void test_register_tile(void) {
    static const int lanes[] = {1, 3, 7, 16};
    for (int i = 0; i < ARRAY_LEN(lanes); i++) {
        int e = lanes[i];
        check(arena_printf(arena,
            "kernel conv {\n  arg x f32 %d batched\n  arg w f32 %d\n  arg b f32 %d\n  arg y f32 %d batched written\n"
            "  reg acc f32 %d\n"
            "  for n in 0..N parallel task { for h in 0..5 parallel task { for q in 0..2 serial {\n"
            "    for p in 0..3 unroll point { for c in 0..2 unroll block { for l in 0..%d vector lane {\n"
            "      acc[%d*p + %d*c + l] = b[%d*c + l]\n    } } }\n"
            "    for kh in 0..3 serial reduce { for kw in 0..3 serial reduce { for k in 0..%d unroll reduce {\n"
            "      for p in 0..3 unroll point { for c in 0..2 unroll block { for l in 0..%d vector lane {\n"
            "        acc[%d*p + %d*c + l] = fma(x[%d*n + %d*h + %d*kh + %d*q + %d*p + %d*kw + k],\n"
            "            w[%d*c + %d*kh + %d*kw + %d*k + l], acc[%d*p + %d*c + l])\n      } } }\n    } } }\n"
            "    for p in 0..3 unroll point { for c in 0..2 unroll block { for l in 0..%d vector lane {\n"
            "      y[%d*n + %d*c + %d*h + %d*q + %d*p + l] = max(acc[%d*p + %d*c + l], 0.0)\n    } } }\n  } } }\n}\n",
            56 * e, 18 * e * e, 2 * e, 60 * e, 6 * e, e, 2 * e, e, e, e, e, 2 * e, e, 56 * e, 8 * e, 8 * e, 3 * e, e, e,
            9 * e * e, 3 * e * e, e * e, e, 2 * e, e, e, 60 * e, 30 * e, 6 * e, 3 * e, e, 2 * e, e));
    }
}

/* Vectors that lie across two vectors of a REG buffer. */
static void test_shifted_registers(void) {
    static const int lanes[] = {2, 4, 7, 16};
    for (int i = 0; i < ARRAY_LEN(lanes); i++)
        for (int shift = 0; shift <= 2 * lanes[i]; shift++)
            check(arena_printf(arena,
                "kernel shift {\n  arg x f32 48\n  arg y f32 16 written\n  reg r f32 %d\n"
                "  for k in 0..3 unroll { for i in 0..%d vector lane { r[%d*k + i] = x[%d*k + i] } }\n"
                "  for i in 0..%d vector lane { y[i] = add(r[%d + i], r[i]) }\n}\n",
                3 * lanes[i], lanes[i], lanes[i], lanes[i], lanes[i], shift));
}

/* Their tasks are numbered through; one statement has no loop for threads, two nests count per picture, several stand
 * in parallel loops. */
static void test_nests_side_by_side(void) {
    check("kernel three { arg x f32 8 arg y f32 24 written\n for a in 0..2 parallel { for b in 0..3 parallel {\n"
          " y[3*a + b] = x[a + b] } }\n for c in 6..7 serial { y[c] = 1.0 }\n for d in 7..24 parallel { y[d] = x[0] } }");
    check("kernel two { arg y f32 24 batched written\n for n in 0..N parallel { y[24*n] = 1.0 }\n"
          " for n_1 in 0..N parallel { for b in 1..24 parallel { y[24*n_1 + b] = tofloat(b) } } }");
    check_each("kernel deep { arg x f32 8 arg y f32 46 batched written\n for n in 0..N parallel { for b in 0..5 parallel {\n"
               " for t in 0..3 parallel { for i in 0..2 parallel {\n"
               " y[46*n + 9*b + 2*t + i] = add(y[46*n + 9*b + 2*t + i], x[i]) } }\n"
               " for r in 0..1 parallel { y[46*n + 9*b + 6] = add(y[46*n + 9*b + 6], 1.0) }\n"
               " for s in 0..2 parallel { y[46*n + 9*b + 7 + s] = add(y[46*n + 9*b + 7 + s], 2.0) } }\n"
               " y[46*n + 45] = add(y[46*n + 45], 3.0) } }",
               run3.n * (5 * (3 * 2 + 1 + 2) + 1));
}

static void test_parallel_nests(void) {
    check("kernel all { arg y f32 24 batched written\n for a in 0..2 parallel { for n in 0..N parallel {\n"
          " for b in 1..4 parallel { for c in 0..1 parallel { for i in 0..4 serial {\n"
          " y[24*n + 12*a + 4*b - 4 + c + i] = tofloat(100*a + 10*b + i + mul(n, 7)) } } } } } }");
    check("kernel none { arg y f32 4 written\n for i in 0..4 serial { y[i] = tofloat(i) } }");
}

/* Pooling windows: bounds that are expressions, loops that run zero times, guards. */
static void test_windows(void) {
    check("kernel pool { arg x f32 784 batched\n arg y f32 400 batched written\n arg k i32 400 batched written\n"
          " reg best f32 16\n reg at i32 16\n"
          " for n in 0..N parallel task { for h in 0..5 parallel { for w in 0..5 serial {\n"
          "  for l in 0..16 vector lane { best[l] = -3.0\n at[l] = -1 }\n"
          "  for r in max(0, 2*h - 1)..min(7, 2*h + 2) serial { for c in max(0, 2*w - 1)..min(7, 2*w + 2) serial {\n"
          "   for l in 0..16 vector lane {\n"
          "    at[l] = select(lt(best[l], x[784*n + 112*r + 16*c + l]), 7*r + c, at[l])\n"
          "    best[l] = max(x[784*n + 112*r + 16*c + l], best[l]) } } }\n"
          "  for l in 0..16 vector lane { y[400*n + 80*h + 16*w + l] = best[l]\n k[400*n + 80*h + 16*w + l] = at[l] }\n"
          " } } } }");
    check("kernel guards { arg x f32 40\n arg y f32 40 written\n for a in 0..5 serial { for b in 0..8 unroll {\n"
          " if and(lt(8*a + b, 37), lt(0, b)) { for e in 0..3 serial { y[8*a + b] = add(x[8*a + b], tofloat(e)) } } } } }");
    check("kernel empty { arg t i32 4\n arg y f32 9 written\n for a in 0..9 serial { for b in 5..t[mod(a, 4)] - 3 + a serial {\n"
          " y[a] = add(y[a], tofloat(b)) } } }");
}

static void test_lane_sums(void) {
    static const int lanes[] = {1, 3, 5, 7, 12, 16, 64};
    for (int i = 0; i < ARRAY_LEN(lanes); i++) {
        check_near(arena_printf(arena,
            "kernel dot { arg x f32 320\n arg z f32 320\n arg y f32 5 written\n reg s f32 2\n"
            " for r in 0..5 parallel { s[0] = 0.0\n s[1] = 1.0\n for l in 0..%d vector lane {\n"
            "  s[0] = add(s[0], mul(x[64*r + l], z[64*r + l]))\n  s[1] = add(x[2], s[1]) }\n"
            " y[r] = add(s[0], s[1]) } }",
            lanes[i]), 1e-5f);
        check(arena_printf(arena,
            "kernel most { arg x f32 320\n arg y f32 10 written\n reg s f32 3\n"
            " for r in 0..5 parallel { s[0] = -9.0\n s[1] = 0.0\n s[2] = 4.0\n for l in 0..%d vector lane {\n"
            "  s[0] = max(s[0], x[64*r + l])\n  s[1] = fma(x[64*r + l], 2.0, s[1])\n  s[2] = x[3] }\n"
            " y[2*r] = add(s[0], s[2])\n y[2*r + 1] = s[1] } }", lanes[i]));
    }
}

/* What lanes cannot do at once is done one by one: scatters, lane-dependent guards and bounds. */
static void test_lane_by_lane(void) {
    static const int lanes[] = {3, 7, 16};
    for (int i = 0; i < ARRAY_LEN(lanes); i++) {
        check(arena_printf(arena, "kernel scatter { arg x f32 64\n arg y f32 200 written\n arg u u8 64 written\n arg z f32 200 written\n arg v f32 200 written\n"
            " for r in 0..2 serial { for l in 0..%d vector lane { y[100*r + 5*l] = mul(x[l], 2.0)\n"
            "  v[100*r + 4 + div(l, 2)] = x[l]\n  z[100*r + 6*l] = add(z[100*r + 6*l], 1.0)\n"
            "  u[32*r + l] = l + 250 } } }", lanes[i]));
        check(arena_printf(arena, "kernel guard { arg x f32 64\n arg t i32 64\n arg y f32 64 written\n for l in 0..%d vector lane {\n"
            " if lt(t[l], 4) { y[l] = x[l] }\n if lt(l, 5) { y[l] = add(y[l], 1.0) } } }", lanes[i]));
        check(arena_printf(arena, "kernel bound { arg y f32 64 written\n for l in 0..%d vector lane {\n"
            " for r in 0..l serial { y[l] = add(y[l], tofloat(r)) } } }", lanes[i]));
        check(arena_printf(arena, "kernel inside { arg x f32 256\n arg y f32 64 written\n for l in 2..%d vector lane {\n"
            " y[l] = 0.0\n for r in 0..4 serial { y[l] = add(y[l], x[64*r + l]) }\n"
            " for r in 0..2 unroll { if lt(x[r], 0.0) { y[l] = mul(y[l], 3.0) } } } }", lanes[i]));
    }
}

/* Scratch memory, and registers used as vectors of two widths and as single lanes. */
static void test_scratch(void) {
    check("kernel local { arg x f32 48\n arg y f32 48 written\n local t f32 48\n reg r f32 32\n for a in 0..3 parallel {\n"
          " for i in 0..16 serial { t[i] = mul(x[16*a + i], x[16*a + i]) }\n"
          " for l in 0..16 vector lane { r[l] = t[15 - l] }\n"
          " for l in 0..8 vector lane { r[16 + l] = r[l]\n r[24 + l] = r[8 + l] }\n"
          " r[3] = add(r[5], 1.0)\n r[20] = r[3]\n"
          " for l in 0..16 vector lane { y[16*a + l] = add(r[l], r[16 + l]) } } }");
    check("kernel wide { arg x f32 70\n arg y f32 70 written\n for i in 0..70 vector { y[i] = x[69 - i] } }");
}

/* A sum of more terms than a linear form has room for. */
static void test_many_terms(void) {
    Str s = STR(arena);
    str_add(&s, "kernel many { arg y f32 65536 written\n");
    for (int i = 0; i < 20; i++) str_addf(&s, "for v%d in 0..%d serial { ", i, i < 12 ? 2 : 1);
    str_add(&s, "y[");
    for (int i = 0; i < 20; i++) str_addf(&s, "%s%d*v%d", i ? " + " : "", i < 12 ? 1 << i : 3, i);
    str_add(&s, "] = tofloat(v3 + 2*v11)");
    for (int i = 0; i < 20; i++) str_add(&s, " }");
    str_add(&s, " }");
    check(str_text(&s));
}

/* ---- exp, log, random numbers ---- */

/* Distance of y from the true value in units of the last place of the true value as a float. */
static double ulps(float y, double truth) {
    float rounded = (float)truth;
    if (isnan(rounded)) return isnan(y) ? 0 : INFINITY;
    if (isinf(rounded) || isinf(y)) return y == rounded ? 0 : INFINITY;
    int exponent;
    frexpf(rounded, &exponent);
    return fabs((double)y - truth) / ldexp(1, (rounded == 0 || exponent < -125 ? -125 : exponent) - 24);
}

static void apply(const char *function, const float *x, float *y, int n) {
    Kernel *k = kernel_of(arena_printf(arena, "kernel f { arg x f32 16 batched\n arg y f32 16 batched written\n"
                                              " for n in 0..N parallel { for l in 0..16 vector lane { y[16*n + l] = %s(x[16*n + l]) } } }",
                                       function));
    Jit *j = jit_of(k, 2);
    void *arg[2] = {(void *)(uintptr_t)x, y};
    ((CnncKernel *)jit_kernel(j, 0))(arg, &(CnncRun){.n = n / 16}, 0, n / 16);
    jit_free(j);
}

enum { SAMPLES = 1 << 20 };
static double worst(const char *function, double (*truth)(double), float lo, float hi, bool by_bits) {
    float *x = aligned(SAMPLES * sizeof *x), *y = aligned(SAMPLES * sizeof *y);
    uint32_t first, last;
    memcpy(&first, &lo, 4);
    memcpy(&last, &hi, 4);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint32_t bits = first + (uint32_t)((uint64_t)(last - first) * i / (SAMPLES - 1));
        if (by_bits) memcpy(&x[i], &bits, 4);
        else x[i] = lo + (hi - lo) * (float)i / (SAMPLES - 1);
    }
    apply(function, x, y, SAMPLES);
    double most = 0;
    for (int i = 0; i < SAMPLES; i++) most = fmax(most, ulps(y[i], truth((double)x[i])));
    free(x);
    free(y);
    return most;
}

static void test_exp_and_log(void) {
    double e = worst("exp", exp, -87.3f, 88.7f, false), small = worst("exp", exp, -1e-3f, 1e-3f, false);
    double l = worst("log", log, 0x1p-126f, 0x1.fffffep127f, true), one = worst("log", log, 0.5f, 2.0f, false);
    printf("worst error in ulp: exp %.2f and %.2f near 0, log %.2f and %.2f near 1 ", e, small, l, one);
    CU_ASSERT_TRUE(e <= 2 && small <= 2 && l <= 2 && one <= 2);
    CU_ASSERT_TRUE(worst("exp", exp, -104.0f, -87.3f, false) <= 2);   /* denormal results */
    CU_ASSERT_TRUE(worst("log", log, 0x1p-149f, 0x1p-126f, true) <= 2);
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* From small numbers, by their bits, to those where nothing changes any more, on both sides of 0. */
static void test_curves(void) {
    static const struct {
        const char *name;
        double (*truth)(double);
        float far;
        double limit;
    } curve[] = {{"expm1", expm1, 88.7f, 2}, {"sigmoid", sigmoid, 86.0f, 3}, {"tanh", tanh, 12.0f, 3}, {"erf", erf, 5.0f, 2}};
    for (int i = 0; i < ARRAY_LEN(curve); i++) {
        double up = fmax(worst(curve[i].name, curve[i].truth, 1e-30f, curve[i].far, true),
                         worst(curve[i].name, curve[i].truth, 0.0f, curve[i].far, false));
        double down = fmax(worst(curve[i].name, curve[i].truth, -1e-30f, -curve[i].far, true),
                           worst(curve[i].name, curve[i].truth, -curve[i].far, 0.0f, false));
        printf("%s%s %.2f above and %.2f below 0", i ? ", " : "worst error in ulp: ", curve[i].name, up, down);
        CU_ASSERT_TRUE(up <= curve[i].limit && down <= curve[i].limit);
    }
    printf(" ");
}

static void test_special_values(void) {
    static const float x[16] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 89.0f, 1000.0f, -1000.0f, -104.5f,
                                0x1p-149f, FP_NAN, 88.8f, -0x1p-126f, 3e38f};
    float in[16], e[16], l[16], m[16], t[16], f[16], s[16];
    memcpy(in, x, sizeof x);
    apply("exp", in, e, 16);
    apply("log", in, l, 16);
    apply("expm1", in, m, 16);
    apply("tanh", in, t, 16);
    apply("sigmoid", in, s, 16);
    apply("erf", in, f, 16);
    for (int i = 0; i < 16; i++) {
        double log_of = isnan(x[i]) || x[i] < 0 ? (double)NAN : log((double)x[i]);
        CU_ASSERT_TRUE(ulps(e[i], exp((double)x[i])) <= 2);
        CU_ASSERT_TRUE(ulps(l[i], log_of) <= 2);
        CU_ASSERT_TRUE(ulps(m[i], expm1((double)x[i])) <= 2);
        CU_ASSERT_TRUE(ulps(t[i], tanh((double)x[i])) <= 3);
        CU_ASSERT_TRUE(ulps(f[i], erf((double)x[i])) <= 2);
        CU_ASSERT_TRUE(x[i] < -86 ? s[i] >= 0 && s[i] < 2e-38f : ulps(s[i], sigmoid((double)x[i])) <= 3);
        if (ulps(e[i], exp((double)x[i])) > 2 || ulps(l[i], log_of) > 2)
            printf("x %g: exp %g log %g\n", (double)x[i], (double)e[i], (double)l[i]);
    }
}

static void test_max_of_nan(void) {
    Kernel *k = kernel_of("kernel m { arg a f32 16\n arg b f32 16\n arg y f32 16 written\n for l in 0..16 vector lane {\n"
                          " y[l] = max(a[l], b[l]) } }");
    float a[16] = {NAN, 1, NAN, 2}, b[16] = {3, NAN, NAN, 5}, y[16];
    for (int i = 0; i < ARRAY_LEN(levels); i++) {
        Jit *j = jit_of(k, levels[i]);
        void *arg[3] = {a, b, y};
        ((CnncKernel *)jit_kernel(j, 0))(arg, &run3, 0, 1);
        CU_ASSERT_TRUE(y[0] == 3 && isnan(y[1]) && isnan(y[2]) && y[3] == 5);
        jit_free(j);
    }
}

/* Against the authors' own implementation. */
static void test_philox(void) {
    Kernel *k = kernel_of("kernel r { arg y f32 64 written\n for q in 0..4 parallel { for l in 0..16 vector lane {\n"
                          " y[16*q + l] = random(12, 8589934592*q + 4294967288 + l) } } }");
    Jit *j = jit_of(k, 2);
    CnncRun run = {.n = 1, .key = {0xdeadbeefu, 0x12345678u}};
    float y[64];
    void *arg[1] = {y};
    ((CnncKernel *)jit_kernel(j, 0))(arg, &run, 0, 4);
    for (uint64_t i = 0; i < 64; i++) {
        uint64_t index = 8589934592u * (i / 16) + 4294967288u + i % 16;
        philox4x32_ctr_t c = {{(uint32_t)index, (uint32_t)(index >> 32), 12, 0}};
        philox4x32_key_t key = {{run.key[0], run.key[1]}};
        float want = (float)(philox4x32(c, key).v[0] >> 8) * 0x1p-24f;
        CU_ASSERT_TRUE(memcmp(&want, &y[i], sizeof want) == 0);
    }
    jit_free(j);
}

/* ---- halves ---- */

enum { HALVES = 1 << 16 };

static void run_halves(const char *text, void *from, void *to) {
    Jit *j = jit_of(kernel_of(text), 2);
    void *arg[2] = {from, to};
    ((CnncKernel *)jit_kernel(j, 0))(arg, &run3, 0, HALVES / 16);
    jit_free(j);
}

/* Each of them as a float, and floats of all sizes as halves: those of every half, half way to the next, and random. */
static void test_halves(void) {
    static float wide[HALVES];
    static uint16_t half[HALVES];
    for (int i = 0; i < HALVES; i++) half[i] = (uint16_t)i;
    run_halves("kernel widen { arg h f16 65536 arg y f32 65536 written for i in 0..4096 parallel task {"
               " for j in 0..16 vector lane { y[16*i + j] = h[16*i + j] } } }", half, wide);
    for (int i = 0; i < HALVES; i++) {
        float want = (float)half_value((uint16_t)i);
        CU_ASSERT_TRUE(isnan(want) ? isnan(wide[i]) : !memcmp(&want, &wide[i], sizeof want));
    }
    for (int kind = 0; kind < 3; kind++) {
        static float x[HALVES];
        for (int i = 0; i < HALVES; i++) {
            uint32_t word = next_word() << 8 ^ next_word();
            if (kind == 2) memcpy(&x[i], &word, sizeof word);
            else x[i] = (float)(half_value((uint16_t)i) + kind * half_value((uint16_t)(i + 1))) / (float)(1 + kind);
        }
        run_halves("kernel narrow { arg x f32 65536 arg h f16 65536 written for i in 0..4096 parallel task {"
                   " for j in 0..16 vector lane { h[16*i + j] = x[16*i + j] } } }", x, half);
        for (int i = 0; i < HALVES; i++)
            CU_ASSERT_TRUE(isnan(x[i]) ? isnan(half_value(half[i])) : half[i] == half_nearest((double)x[i]));
    }
}

/* A prefetch may lie anywhere. */
static void test_prefetch(void) {
    check_near("kernel p { arg x f32 64 arg y f32 64 written for i in 0..4 parallel task { prefetch x[16*i + 100000000]"
               " for j in 0..16 vector lane { y[16*i + j] = x[16*i + j] } } }", 0);
}

/* ---- targets ---- */

static void test_targets(void) {
    static const struct { const char *march, *isa; int lanes, registers; bool fma; } known[] = {
        {"x86-64-v2", "v2", 4, 16, false}, {"x86-64-v3", "v3", 8, 16, true}, {"x86-64-v4", "v4", 16, 32, true},
        {"haswell", "haswell", 8, 16, true}, {"sandybridge", "sandybridge", 8, 16, false}};
    for (int i = 0; i < ARRAY_LEN(known); i++) {
        const char *error = NULL;
        const Machine *m = target_machine(arena, known[i].march, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(m);
        CU_ASSERT_STRING_EQUAL(m->isa, known[i].isa);
        CU_ASSERT_EQUAL(m->fma, known[i].fma);
        CU_ASSERT_EQUAL(m->vector_lanes, known[i].lanes);
        CU_ASSERT_EQUAL(m->vector_registers, known[i].registers);
        CU_ASSERT_TRUE(m->cache_bytes[0] >= 16384 && m->cache_bytes[1] > m->cache_bytes[0] && m->cache_bytes[2] > 0);
    }
    const char *error = NULL;
    CU_ASSERT_PTR_NULL(target_machine(arena, "x86-64-v33", &error));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "did you mean x86-64-v3?"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "haswell"));
}

/* Several at once: the most able first, whatever the order they are named in. */
static void test_target_lists(void) {
    static const struct { const char *march, *isa[3], *error; } list[] = {
        {"x86-64-v3", {"v3"}, NULL},
        {"x86-64-v2,x86-64-v3,x86-64-v4", {"v4", "v3", "v2"}, NULL},
        {"haswell,sandybridge,x86-64-v3", {"v3", "haswell", "sandybridge"}, NULL},
        {"x86-64-v3,x86-64-v3", {NULL}, "x86-64-v3 is named twice"},
        {"x86-64-v3,", {NULL}, "unknown processor"},
        {"k8,nehalem,x86-64-v2,sandybridge,haswell,skylake,x86-64-v3,znver1,znver2", {NULL}, "at most 8"}};
    for (int i = 0; i < ARRAY_LEN(list); i++) {
        const char *error = NULL;
        Targets t;
        bool good = target_list(arena, list[i].march, &t, &error);
        CU_ASSERT_EQUAL(good, !list[i].error);
        if (list[i].error) CU_ASSERT_TRUE(error && strstr(error, list[i].error) != NULL);
        for (int k = 0; good && k < t.n; k++) CU_ASSERT_STRING_EQUAL(t.machine[k]->isa, list[i].isa[k]);
    }
}

/* The same kernels for smaller processors, in the code that the older ones run, too. */
static void test_small_processors(void) {
    static const char *const march[] = {"x86-64-v2", "x86-64-v3"};
    const Machine *native = machine;
    for (int i = 0; i < ARRAY_LEN(march); i++) {
        const char *error = NULL;
        machine = target_machine(arena, march[i], &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(machine);
        test_register_tile();
        test_shifted_registers();
        test_windows();
        test_philox();
        test_halves();
        test_max_of_nan();
        test_exp_and_log();
        test_curves();
        test_special_values();
    }
    machine = native;
}

int main(void) {
    static const struct { const char *name; CU_TestFunc test; } tests[] = {
        {"float expressions", test_float_expressions}, {"whole expressions", test_whole_expressions},
        {"register tiles", test_register_tile}, {"shifted registers", test_shifted_registers},
        {"parallel nests", test_parallel_nests}, {"nests side by side", test_nests_side_by_side}, {"windows", test_windows},
        {"lane sums", test_lane_sums}, {"lane by lane", test_lane_by_lane}, {"scratch", test_scratch},
        {"many terms", test_many_terms}, {"exp and log", test_exp_and_log}, {"expm1, sigmoid, tanh, erf", test_curves},
        {"special values", test_special_values},
        {"max of NaN", test_max_of_nan}, {"philox", test_philox}, {"halves", test_halves},
        {"prefetch", test_prefetch}, {"targets", test_targets}, {"lists of targets", test_target_lists},
        {"no spills", test_no_spills},
        {"small processors", test_small_processors}};
    arena = arena_new();
    const char *error = NULL;
    machine = target_machine(arena, "native", &error);
    if (!machine || CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite suite = CU_add_suite("codegen", NULL, NULL);
    for (int i = 0; i < ARRAY_LEN(tests); i++) CU_add_test(suite, tests[i].name, tests[i].test);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(arena);
    return failed ? 1 : 0;
}
