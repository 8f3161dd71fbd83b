/* Passes and code generation.
 *
 * Kernels arrive in their final shape, so LLVM is asked for little: registers for REG buffers (sroa), one load for what
 * neighbouring unrolled iterations share (early-cse), merged blocks. Its loop passes, vectorisers and unroller are
 * never run. Of the code generator, loop strength reduction and the scheduler before register allocation are switched
 * off: the order of the text is the order in which a register tile does not spill. */
#include "llvm_target.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>

/* A fixpoint is not what instcombine owes us: by its name alone it would stop the compiler where one round is not
 * enough. */
static const char passes[] = "function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg,adce)";

static void fatal(const char *reason) { ice("LLVM: %s", reason); }

void llvm_start(void) {
    static bool started;
    static const char *const option[] = {"cnnc", "-disable-lsr", "-enable-misched=false"};
    if (started) return;
    started = true;
    LLVMInstallFatalErrorHandler(fatal);
    LLVMParseCommandLineOptions(ARRAY_LEN(option), option, NULL);
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser();
}

LLVMTargetMachineRef llvm_machine_new(const char *cpu, const char *features, int opt_level) {
    static const LLVMCodeGenOptLevel level[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess, LLVMCodeGenLevelDefault,
                                                LLVMCodeGenLevelDefault};
    char *triple = LLVMGetDefaultTargetTriple(), *error = NULL;
    LLVMTargetRef target;
    if (LLVMGetTargetFromTriple(triple, &target, &error)) ice("LLVM has no target %s: %s", triple, error);
    LLVMTargetMachineRef tm = LLVMCreateTargetMachine(target, triple, cpu, features, level[opt_level], LLVMRelocPIC,
                                                      LLVMCodeModelDefault);
    LLVMDisposeMessage(triple);
    return tm;
}

static void verify(const Module *m, const char *when) {
    char *error = NULL;
    if (LLVMVerifyModule(m->module, LLVMReturnStatusAction, &error)) ice("broken LLVM IR %s: %s", when, error);
    LLVMDisposeMessage(error);
}

static void optimise(Module *m, LLVMTargetMachineRef tm) {
    LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(m->module, passes, tm, o);
    if (error) ice("LLVM passes: %s", LLVMGetErrorMessage(error));
    LLVMDisposePassBuilderOptions(o);
    llvm_place_barriers(m);
    verify(m, "after the passes");
}

const char *llvm_kernel_name(Arena *a, const Machine *m, int index) { return arena_printf(a, "%s_k%d", m->isa, index); }

Module *llvm_compile(Arena *a, const Machine *machine, LLVMTargetMachineRef tm, int opt_level, Kernel *const *kernel,
                     int n, int first, int step) {
    Module *m = llvm_module_new(a, "cnnc", machine);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
    LLVMSetModuleDataLayout(m->module, layout);
    LLVMDisposeTargetData(layout);
    char *triple = LLVMGetTargetMachineTriple(tm);
    LLVMSetTarget(m->module, triple);
    LLVMDisposeMessage(triple);
    for (int i = first; i < n; i += step) llvm_kernel(m, kernel[i], llvm_kernel_name(a, machine, i));
    verify(m, "before the passes");
    if (opt_level > 0) optimise(m, tm);
    return m;
}

LLVMMemoryBufferRef llvm_code(Module *m, LLVMTargetMachineRef tm, LLVMCodeGenFileType type) {
    LLVMMemoryBufferRef out = NULL;
    char *error = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(tm, m->module, type, &error, &out)) ice("LLVM cannot emit code: %s", error);
    return out;
}
