/* Small helpers over LLVM-C that every part of the code generator uses. */
#include "llvm.h"

#include <string.h>

Module *llvm_module_new(Arena *a, const char *name, const Machine *machine) {
    Module *m = NEW(a, Module);
    m->arena = a;
    m->machine = machine;
    m->ctx = LLVMContextCreate();
    m->module = LLVMModuleCreateWithNameInContext(name, m->ctx);
    m->b = LLVMCreateBuilderInContext(m->ctx);
    m->ptr = LLVMPointerTypeInContext(m->ctx, 0);
    m->i1 = LLVMInt1TypeInContext(m->ctx);
    m->i8 = LLVMInt8TypeInContext(m->ctx);
    m->i32 = LLVMInt32TypeInContext(m->ctx);
    m->i64 = LLVMInt64TypeInContext(m->ctx);
    m->f16 = LLVMHalfTypeInContext(m->ctx);
    m->f32 = LLVMFloatTypeInContext(m->ctx);
    m->md_scope = LLVMGetMDKindIDInContext(m->ctx, "alias.scope", 11);
    m->md_noalias = LLVMGetMDKindIDInContext(m->ctx, "noalias", 7);
    return m;
}

void llvm_module_free(Module *m) {
    LLVMDisposeBuilder(m->b);
    LLVMDisposeModule(m->module);
    LLVMContextDispose(m->ctx);
}

LLVMValueRef llvm_i64(const Gen *g, int64_t i) { return LLVMConstInt(g->m->i64, (unsigned long long)i, 1); }

LLVMTypeRef llvm_dtype(const Module *m, DType t) {
    const LLVMTypeRef type[DT_COUNT] = {[DT_F32] = m->f32, [DT_I32] = m->i32, [DT_U8] = m->i8, [DT_F16] = m->f16};
    return type[t];
}

LLVMValueRef llvm_splat(const Gen *g, LLVMValueRef scalar, int32_t lanes) {
    LLVMTypeRef vector = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)lanes);
    LLVMTypeRef mask = LLVMVectorType(g->m->i32, (unsigned)lanes);
    LLVMValueRef first = LLVMBuildInsertElement(g->b, LLVMGetPoison(vector), scalar, llvm_i64(g, 0), "");
    return LLVMBuildShuffleVector(g->b, first, LLVMGetPoison(vector), LLVMConstNull(mask), "");
}

LLVMValueRef llvm_as_vector(const Gen *g, Val v) { return v.vector ? v.v : llvm_splat(g, v.v, g->lanes); }

LLVMValueRef llvm_lane(const Gen *g, Val v, int32_t lane) {
    return v.vector ? LLVMBuildExtractElement(g->b, v.v, llvm_i64(g, lane), "") : v.v;
}

LLVMValueRef llvm_intrinsic(const Gen *g, const char *name, LLVMTypeRef *type, int n_type, LLVMValueRef *arg, int n) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    ICE_UNLESS(id != 0, "LLVM has no intrinsic %s", name);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(g->m->module, id, type, (size_t)n_type);
    LLVMTypeRef fn_type = LLVMIntrinsicGetType(g->m->ctx, id, type, (size_t)n_type);
    return LLVMBuildCall2(g->b, fn_type, fn, arg, (unsigned)n, "");
}

LLVMValueRef llvm_fma(const Gen *g, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
    LLVMValueRef arg[3] = {a, b, c};
    LLVMTypeRef type = LLVMTypeOf(a);
    if (g->m->machine->fma) return llvm_intrinsic(g, "llvm.fma", &type, 1, arg, 3);
    return LLVMBuildFAdd(g->b, LLVMBuildFMul(g->b, a, b, ""), c, "");
}

/* E copies of a constant, or the constant itself for a scalar type. */
static LLVMValueRef constant_like(LLVMTypeRef type, LLVMValueRef x) {
    if (LLVMGetTypeKind(type) != LLVMVectorTypeKind) return x;
    LLVMValueRef lane[LANES_MAX];
    unsigned n = LLVMGetVectorSize(type);
    for (unsigned i = 0; i < n; i++) lane[i] = x;
    return LLVMConstVector(lane, n);
}

static LLVMTypeRef scalar_of(LLVMTypeRef type) {
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type) : type;
}

LLVMValueRef llvm_real(LLVMTypeRef type, double x) { return constant_like(type, LLVMConstReal(scalar_of(type), x)); }

LLVMValueRef llvm_whole(LLVMTypeRef type, int64_t x) {
    return constant_like(type, LLVMConstInt(scalar_of(type), (unsigned long long)x, 1));
}

LLVMTypeRef llvm_like(LLVMTypeRef like, LLVMTypeRef scalar) {
    if (LLVMGetTypeKind(like) != LLVMVectorTypeKind) return scalar;
    return LLVMVectorType(scalar, LLVMGetVectorSize(like));
}

static void fence(LLVMBuilderRef b) { LLVMBuildFence(b, LLVMAtomicOrderingSequentiallyConsistent, 1, ""); }

void llvm_barrier(const Gen *g, bool strong) {
    if (strong) fence(g->b);
    else llvm_intrinsic(g, "llvm.sideeffect", NULL, 0, NULL, 0);
}

static bool is_mark(LLVMValueRef i) {
    static const char mark[] = "llvm.sideeffect";
    size_t n;
    return LLVMIsACallInst(i) && LLVMIsAFunction(LLVMGetCalledValue(i)) &&
           !strcmp(LLVMGetValueName2(LLVMGetCalledValue(i), &n), mark);
}

void llvm_place_barriers(Module *m) {
    for (LLVMValueRef f = LLVMGetFirstFunction(m->module); f; f = LLVMGetNextFunction(f))
        for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b))
            for (LLVMValueRef i = LLVMGetFirstInstruction(b), next; i; i = next) {
                next = LLVMGetNextInstruction(i);
                if (!is_mark(i)) continue;
                LLVMPositionBuilderBefore(m->b, i);
                fence(m->b);
                LLVMInstructionEraseFromParent(i);
            }
}
