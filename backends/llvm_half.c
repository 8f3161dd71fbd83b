/* Halves in memory, floats in registers. One instruction each way on every processor with vectors but those of SSE
 * alone, which shift bits instead: exactly the same numbers, so that a program's results do not depend on it. (The
 * first AVX processors have wide vectors and no conversion; there LLVM calls libgcc, which is right but slow.) */
#include "llvm.h"

/* SSE: four lanes and half the registers that NEON, the other target with four, has. */
static bool in_hardware(const Module *m) { return m->machine->vector_lanes > 4 || m->machine->vector_registers > 16; }

typedef struct Bits {   /* of one conversion: the two integer types as wide as the value, and the float's */
    const Gen *g;
    LLVMTypeRef i32, i16, f32;
} Bits;

static Bits bits_of(const Gen *g, LLVMTypeRef like) {
    return (Bits){g, llvm_like(like, g->m->i32), llvm_like(like, LLVMInt16TypeInContext(g->m->ctx)),
                  llvm_like(like, g->m->f32)};
}

static LLVMValueRef constant(const Bits *b, int64_t x) { return llvm_whole(b->i32, x); }

static LLVMValueRef and_bits(const Bits *b, LLVMValueRef x, int64_t mask) {
    return LLVMBuildAnd(b->g->b, x, constant(b, mask), "");
}

static LLVMValueRef as_float(const Bits *b, LLVMValueRef x) { return LLVMBuildBitCast(b->g->b, x, b->f32, ""); }

static LLVMValueRef as_bits(const Bits *b, LLVMValueRef x) { return LLVMBuildBitCast(b->g->b, x, b->i32, ""); }

static LLVMValueRef select_from(const Bits *b, LLVMValueRef x, int64_t least, LLVMValueRef yes, LLVMValueRef no) {
    return LLVMBuildSelect(b->g->b, LLVMBuildICmp(b->g->b, LLVMIntUGE, x, constant(b, least), ""), yes, no, "");
}

/* The half's bits at their places in a float are its value times 2^-112; multiplying by 2^112 is exact and turns
 * denormals into numbers. Infinity and NaN keep all ones in the exponent instead. */
static LLVMValueRef widen_bits(const Gen *g, LLVMValueRef half) {
    Bits b = bits_of(g, LLVMTypeOf(half));
    LLVMValueRef h = LLVMBuildZExt(g->b, LLVMBuildBitCast(g->b, half, b.i16, ""), b.i32, "");
    LLVMValueRef size = LLVMBuildShl(g->b, and_bits(&b, h, 0x7fff), constant(&b, 13), "");
    LLVMValueRef sign = LLVMBuildShl(g->b, and_bits(&b, h, 0x8000), constant(&b, 16), "");
    LLVMValueRef finite = as_bits(&b, LLVMBuildFMul(g->b, as_float(&b, size), llvm_real(b.f32, 0x1p112), ""));
    LLVMValueRef special = LLVMBuildOr(g->b, size, constant(&b, 0x7f800000), "");
    return as_float(&b, LLVMBuildOr(g->b, select_from(&b, size, 0x0f800000, special, finite), sign, ""));
}

/* Ties to even: normal halves by adding just less than half a unit, or just half if the last bit is odd, and cutting
 * off; denormal ones by adding 0.5 as a float, whose last place is theirs. */
static LLVMValueRef narrow_bits(const Gen *g, LLVMValueRef x) {
    Bits b = bits_of(g, LLVMTypeOf(x));
    LLVMValueRef whole = as_bits(&b, x), size = and_bits(&b, whole, 0x7fffffff);
    LLVMValueRef sign = LLVMBuildLShr(g->b, and_bits(&b, whole, 0x80000000), constant(&b, 16), "");
    LLVMValueRef odd = and_bits(&b, LLVMBuildLShr(g->b, size, constant(&b, 13), ""), 1);
    LLVMValueRef up = LLVMBuildAdd(g->b, LLVMBuildAdd(g->b, size, constant(&b, 0xfff - (112 << 23)), ""), odd, "");
    LLVMValueRef normal = LLVMBuildLShr(g->b, up, constant(&b, 13), "");
    LLVMValueRef moved = as_bits(&b, LLVMBuildFAdd(g->b, as_float(&b, size), llvm_real(b.f32, 0.5), ""));
    LLVMValueRef tiny = LLVMBuildSub(g->b, moved, constant(&b, 126 << 23), "");
    LLVMValueRef special = select_from(&b, size, 0x7f800001, constant(&b, 0x7e00), constant(&b, 0x7c00));
    LLVMValueRef half = select_from(&b, size, 0x47800000, special, select_from(&b, size, 113 << 23, normal, tiny));
    LLVMValueRef all = LLVMBuildTrunc(g->b, LLVMBuildOr(g->b, half, sign, ""), b.i16, "");
    return LLVMBuildBitCast(g->b, all, llvm_like(LLVMTypeOf(x), g->m->f16), "");
}

LLVMValueRef half_widen(const Gen *g, LLVMValueRef half) {
    if (!in_hardware(g->m)) return widen_bits(g, half);
    return LLVMBuildFPExt(g->b, half, llvm_like(LLVMTypeOf(half), g->m->f32), "");
}

LLVMValueRef half_narrow(const Gen *g, LLVMValueRef x) {
    if (!in_hardware(g->m)) return narrow_bits(g, x);
    return LLVMBuildFPTrunc(g->b, x, llvm_like(LLVMTypeOf(x), g->m->f16), "");
}
