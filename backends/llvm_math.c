/* exp, log, expm1, sigmoid, tanh, erf, reciprocal roots and Philox as straight-line code on floats or vectors of
 * floats.
 *
 * exp and log follow the single-precision routines of Cephes (S. L. Moshier, netlib.org/cephes, expf.c and logf.c:
 * range reduction and coefficients), with the branches replaced by selects. Worst errors against double precision over
 * all floats of the normal range are checked by tests/unit/test_codegen.c: at most 2 units in the last place, of tanh
 * 3. */
#include "llvm.h"

/* A division and a root that need not be rounded correctly: LLVM makes of them the processor's estimate and a step of
 * Newton's method, if there is an estimate. */
LLVMValueRef math_rsqrt(const Gen *g, LLVMValueRef x) {
    static const LLVMFastMathFlags nearly = LLVMFastMathAllowReciprocal | LLVMFastMathApproxFunc;
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef root = llvm_intrinsic(g, "llvm.sqrt", &type, 1, &x, 1);
    LLVMSetFastMathFlags(root, nearly);
    LLVMValueRef r = LLVMBuildFDiv(g->b, llvm_real(type, 1.0), root, "");
    LLVMSetFastMathFlags(r, nearly);
    return r;
}

/* c[0] x^(n-1) + ... + c[n-1], by Horner's rule. */
static LLVMValueRef polynomial(const Gen *g, LLVMValueRef x, const double *c, int n) {
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef y = llvm_real(type, c[0]);
    for (int i = 1; i < n; i++) y = llvm_fma(g, y, x, llvm_real(type, c[i]));
    return y;
}

static LLVMTypeRef as_i32(const Gen *g, LLVMTypeRef type) { return llvm_like(type, g->m->i32); }

/* 2^n for integers -126 <= n <= 127 (i32): the exponent field. */
static LLVMValueRef power_of_two(const Gen *g, LLVMValueRef n, LLVMTypeRef type) {
    LLVMTypeRef whole = LLVMTypeOf(n);
    LLVMValueRef biased = LLVMBuildAdd(g->b, n, llvm_whole(whole, 127), "");
    return LLVMBuildBitCast(g->b, LLVMBuildShl(g->b, biased, llvm_whole(whole, 23), ""), type, "");
}

static LLVMValueRef select_if(const Gen *g, LLVMRealPredicate p, LLVMValueRef x, double limit, LLVMValueRef yes,
                              LLVMValueRef no) {
    return LLVMBuildSelect(g->b, LLVMBuildFCmp(g->b, p, x, llvm_real(LLVMTypeOf(x), limit), ""), yes, no, "");
}

/* What exp, expm1 and sigmoid are made of: x = n log 2 + r with |r| <= log(2)/2, in two steps so that r is exact; less
 * = e^r - 1. x is brought into [low, high] first. Adding 1.5 * 2^23 rounds to a whole number, whose last bits are then
 * n's; if x is NaN, n is anything and less is NaN. */
typedef struct ExpParts {
    LLVMValueRef n, less;
} ExpParts;

static ExpParts exp_parts(const Gen *g, LLVMValueRef x, double low, double high) {
    static const double c[] = {1.9875691500E-4, 1.3981999507E-3, 8.3334519073E-3,
                               4.1665795894E-2, 1.6666665459E-1, 5.0000001201E-1};
    LLVMTypeRef type = LLVMTypeOf(x), whole = as_i32(g, type);
    LLVMValueRef t = select_if(g, LLVMRealOGT, x, high, llvm_real(type, high), x), magic = llvm_real(type, 0x1.8p23);
    t = select_if(g, LLVMRealOLT, t, low, llvm_real(type, low), t);
    LLVMValueRef shifted = llvm_fma(g, t, llvm_real(type, 1.44269504088896341), magic);
    LLVMValueRef n = LLVMBuildFSub(g->b, shifted, magic, "");
    LLVMValueRef r = llvm_fma(g, n, llvm_real(type, -0.693359375), t);
    r = llvm_fma(g, n, llvm_real(type, 2.12194440e-4), r);
    LLVMValueRef less = llvm_fma(g, polynomial(g, r, c, ARRAY_LEN(c)), LLVMBuildFMul(g->b, r, r, ""), r);
    LLVMValueRef bits = LLVMBuildBitCast(g->b, shifted, whole, "");
    return (ExpParts){LLVMBuildSub(g->b, bits, llvm_whole(whole, 0x4b400000), ""), less};
}

/* y * 2^n in two halves, so that results overflow to infinity and underflow through the denormals on their own. */
static LLVMValueRef times_power(const Gen *g, LLVMValueRef y, LLVMValueRef n) {
    LLVMTypeRef type = LLVMTypeOf(y);
    LLVMValueRef half = LLVMBuildAShr(g->b, n, llvm_whole(LLVMTypeOf(n), 1), "");
    y = LLVMBuildFMul(g->b, y, power_of_two(g, half, type), "");
    return LLVMBuildFMul(g->b, y, power_of_two(g, LLVMBuildSub(g->b, n, half, ""), type), "");
}

/* Beyond these nothing changes: e^x is 0 or infinite. */
static const double exp_low = -104, exp_high = 89;

/* e^x = 2^n e^r */
LLVMValueRef math_exp(const Gen *g, LLVMValueRef x) {
    ExpParts p = exp_parts(g, x, exp_low, exp_high);
    return times_power(g, LLVMBuildFAdd(g->b, p.less, llvm_real(LLVMTypeOf(x), 1.0), ""), p.n);
}

/* 1 / (1 + e^-x), where e^-x is a normal number: below -87 the result stays at that of -87, 1.6e-38. */
LLVMValueRef math_sigmoid(const Gen *g, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    ExpParts p = exp_parts(g, LLVMBuildFNeg(g->b, x, ""), -87, 87);
    LLVMValueRef power = power_of_two(g, p.n, type), one = llvm_real(type, 1.0);
    LLVMValueRef below = LLVMBuildFAdd(g->b, llvm_fma(g, p.less, power, power), one, "");
    return LLVMBuildFDiv(g->b, one, below, "");
}

/* e^x - 1 = 2^n (e^r - 1 + (1 - 2^-n)), where 1 - 2^-n is exact as long as it matters: for n = 0 nothing is added. */
LLVMValueRef math_expm1(const Gen *g, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    ExpParts p = exp_parts(g, x, exp_low, exp_high);
    LLVMTypeRef whole = LLVMTypeOf(p.n);
    LLVMValueRef low = llvm_whole(whole, -126), high = llvm_whole(whole, 126);
    LLVMValueRef back = LLVMBuildSub(g->b, llvm_whole(whole, 0), p.n, "");
    back = LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, back, low, ""), low, back, "");
    back = LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, LLVMIntSGT, back, high, ""), high, back, "");
    LLVMValueRef gap = LLVMBuildFSub(g->b, llvm_real(type, 1.0), power_of_two(g, back, type), "");
    LLVMValueRef y = times_power(g, LLVMBuildFAdd(g->b, p.less, gap, ""), p.n);
    return select_if(g, LLVMRealOLT, x, -18.0, llvm_real(type, -1.0), y); /* there 2^-n swallows the rest */
}

static LLVMValueRef with_sign_of(const Gen *g, LLVMValueRef size, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return llvm_intrinsic(g, "llvm.copysign", &type, 1, (LLVMValueRef[]){size, x}, 2);
}

static LLVMValueRef size_of(const Gen *g, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return llvm_intrinsic(g, "llvm.fabs", &type, 1, &x, 1);
}

/* tanh |x| = -m / (2 + m), m = e^(-2|x|) - 1 */
LLVMValueRef math_tanh(const Gen *g, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef m = math_expm1(g, LLVMBuildFMul(g->b, llvm_real(type, -2.0), size_of(g, x), ""));
    LLVMValueRef below = LLVMBuildFAdd(g->b, m, llvm_real(type, 2.0), "");
    return with_sign_of(g, LLVMBuildFDiv(g->b, m, below, ""), x);
}

/* Below 0.93 |x| + |x| P(x^2), above it 1 - exp(-(|x| + Q(|x|))), which is 1 from 4 on. P and Q are polynomials fitted
 * to the least largest error of erf (Lawson's iteration on 600 and 800 Chebyshev nodes). */
LLVMValueRef math_erf(const Gen *g, LLVMValueRef x) {
    static const double p[] = {-5.953738745e-4, 4.985939884e-3,  -2.6761719237e-2,
                               1.12816825165e-1, -3.76124810961e-1, 1.28379147690e-1};
    static const double q[] = {-1.93809596326661e-4, 3.0224647238122626e-3, -2.2144711183652722e-2,
                               1.0376220724965887e-1, 6.37373856648164e-1, 1.2756270469362846e-1,
                               2.2279062515301063e-4};
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef size = size_of(g, x), square = LLVMBuildFMul(g->b, x, x, "");
    LLVMValueRef near = llvm_fma(g, polynomial(g, square, p, ARRAY_LEN(p)), size, size);
    LLVMValueRef cut = select_if(g, LLVMRealOGT, size, 4.0, llvm_real(type, 4.0), size);
    LLVMValueRef power = LLVMBuildFAdd(g->b, polynomial(g, cut, q, ARRAY_LEN(q)), cut, "");
    LLVMValueRef rest = math_exp(g, LLVMBuildFNeg(g->b, power, ""));
    LLVMValueRef far = LLVMBuildFSub(g->b, llvm_real(type, 1.0), rest, "");
    return with_sign_of(g, select_if(g, LLVMRealOGT, size, 0.93, far, near), x);
}

/* Splits a positive x (denormals scaled up first) into m * 2^e with sqrt(1/2) <= m < sqrt(2); e as a float. */
static LLVMValueRef split_exponent(const Gen *g, LLVMValueRef x, LLVMValueRef *e) {
    LLVMTypeRef type = LLVMTypeOf(x), whole = as_i32(g, type);
    LLVMValueRef tiny = LLVMBuildFCmp(g->b, LLVMRealOLT, x, llvm_real(type, 0x1p-126), "");
    LLVMValueRef up = LLVMBuildFMul(g->b, x, llvm_real(type, 0x1p23), "");
    LLVMValueRef bits = LLVMBuildBitCast(g->b, LLVMBuildSelect(g->b, tiny, up, x, ""), whole, "");
    /* Adding 1 - sqrt(1/2) in the exponent's scale moves the cut from 1 to sqrt(1/2) (0x3f3504f3). */
    LLVMValueRef moved = LLVMBuildSub(g->b, bits, llvm_whole(whole, 0x3f3504f3), "");
    LLVMValueRef power = LLVMBuildAShr(g->b, moved, llvm_whole(whole, 23), "");
    LLVMValueRef m = LLVMBuildSub(g->b, bits, LLVMBuildShl(g->b, power, llvm_whole(whole, 23), ""), "");
    LLVMValueRef bias = LLVMBuildSelect(g->b, tiny, llvm_real(type, -23.0), llvm_real(type, 0.0), "");
    *e = LLVMBuildFAdd(g->b, LLVMBuildSIToFP(g->b, power, type, ""), bias, "");
    return LLVMBuildBitCast(g->b, m, type, "");
}

/* log x = e log 2 + log m; log(1 + r) = r - r^2/2 + r^3 P(r). */
LLVMValueRef math_log(const Gen *g, LLVMValueRef x) {
    static const double c[] = {7.0376836292E-2,  -1.1514610310E-1, 1.1676998740E-1, -1.2420140846E-1, 1.4249322787E-1,
                               -1.6668057665E-1, 2.0000714765E-1,  -2.4999993993E-1, 3.3333331174E-1};
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef e, m = split_exponent(g, x, &e);
    LLVMValueRef r = LLVMBuildFSub(g->b, m, llvm_real(type, 1.0), "");
    LLVMValueRef r2 = LLVMBuildFMul(g->b, r, r, "");
    LLVMValueRef y = LLVMBuildFMul(g->b, LLVMBuildFMul(g->b, polynomial(g, r, c, ARRAY_LEN(c)), r2, ""), r, "");
    y = llvm_fma(g, e, llvm_real(type, -2.12194440e-4), y);
    y = llvm_fma(g, r2, llvm_real(type, -0.5), y);
    y = llvm_fma(g, e, llvm_real(type, 0.693359375), LLVMBuildFAdd(g->b, r, y, ""));
    LLVMValueRef inf = llvm_real(type, __builtin_inf()), nan = llvm_real(type, __builtin_nan(""));
    y = select_if(g, LLVMRealOEQ, x, __builtin_inf(), inf, y);
    y = select_if(g, LLVMRealOEQ, x, 0.0, llvm_real(type, -__builtin_inf()), y);
    y = select_if(g, LLVMRealOLT, x, 0.0, nan, y);
    return LLVMBuildSelect(g->b, LLVMBuildFCmp(g->b, LLVMRealUNO, x, x, ""), x, y, "");
}

/* The 64-bit product of a word by a constant, as its two words; words are kept in i64s with a zero upper half, so that
 * the product is one vpmuludq. */
static void multiply_words(const Gen *g, LLVMValueRef word, uint32_t by, LLVMValueRef *high, LLVMValueRef *low) {
    LLVMTypeRef type = LLVMTypeOf(word);
    LLVMValueRef product = LLVMBuildMul(g->b, word, llvm_whole(type, by), "");
    *high = LLVMBuildLShr(g->b, product, llvm_whole(type, 32), "");
    *low = LLVMBuildAnd(g->b, product, llvm_whole(type, UINT32_MAX), "");
}

/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, SC 2011) with counter {index low, index high,
 * site, 0} and the key of the run, as runtime/abi.h says. */
LLVMValueRef math_random(const Gen *g, LLVMValueRef index, int64_t site) {
    LLVMTypeRef type = LLVMTypeOf(index);
    LLVMValueRef c[4] = {LLVMBuildAnd(g->b, index, llvm_whole(type, UINT32_MAX), ""),
                         LLVMBuildLShr(g->b, index, llvm_whole(type, 32), ""),
                         llvm_whole(type, site & UINT32_MAX), llvm_whole(type, 0)};
    LLVMValueRef key[2] = {g->key[0], g->key[1]};
    for (int round = 0; round < 10; round++) {
        LLVMValueRef high[2], low[2], k[2];
        for (int i = 0; i < 2; i++) {
            multiply_words(g, c[2 * i], i ? 0xCD9E8D57u : 0xD2511F53u, &high[i], &low[i]);
            k[i] = LLVMBuildZExt(g->b, key[i], g->m->i64, "");
            if (type != g->m->i64) k[i] = llvm_splat(g, k[i], (int32_t)LLVMGetVectorSize(type));
            key[i] = LLVMBuildAdd(g->b, key[i], llvm_whole(g->m->i32, i ? 0xBB67AE85u : 0x9E3779B9u), "");
        }
        c[0] = LLVMBuildXor(g->b, LLVMBuildXor(g->b, high[1], c[1], ""), k[0], "");
        c[1] = low[1];
        c[2] = LLVMBuildXor(g->b, LLVMBuildXor(g->b, high[0], c[3], ""), k[1], "");
        c[3] = low[0];
    }
    LLVMValueRef top = LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, c[0], llvm_whole(type, 8), ""), as_i32(g, type), "");
    LLVMTypeRef real = llvm_like(type, g->m->f32);
    return LLVMBuildFMul(g->b, LLVMBuildSIToFP(g->b, top, real, ""), llvm_real(real, 0x1p-24), "");
}
