/* Kernels as callable addresses, by way of the same object code that goes into programs. */
#include <llvm-c/LLJIT.h>
#include <stdlib.h>

#include "emit.h"
#include "llvm_target.h"

struct Jit {
    Arena *arena;
    LLVMOrcLLJITRef lljit;
    void **address;
    int n;
};

static LLVMMemoryBufferRef compiled(Arena *a, const Machine *m, int opt_level, Kernel *const *kernel, int n,
                                    LLVMCodeGenFileType type) {
    LLVMTargetMachineRef tm = llvm_machine_new(m->cpu, m->features, opt_level);
    Module *module = llvm_compile(a, m, tm, opt_level, kernel, n, 0, 1);
    LLVMMemoryBufferRef code = llvm_code(module, tm, type);
    llvm_module_free(module);
    LLVMDisposeTargetMachine(tm);
    return code;
}

/* Functions that code calls, like memset, are those of this process. */
static LLVMErrorRef add_process_symbols(LLVMOrcLLJITRef j) {
    LLVMOrcDefinitionGeneratorRef generator;
    char prefix = LLVMOrcLLJITGetGlobalPrefix(j);
    LLVMErrorRef error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&generator, prefix, NULL, NULL);
    if (!error) LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(j), generator);
    return error;
}

static LLVMErrorRef fill(Jit *j, const Machine *m, LLVMMemoryBufferRef object) {
    LLVMErrorRef error = add_process_symbols(j->lljit);
    if (!error) error = LLVMOrcLLJITAddObjectFile(j->lljit, LLVMOrcLLJITGetMainJITDylib(j->lljit), object);
    for (int i = 0; i < j->n && !error; i++) {
        LLVMOrcExecutorAddress at = 0;
        error = LLVMOrcLLJITLookup(j->lljit, &at, llvm_kernel_name(j->arena, m, i));
        j->address[i] = (void *)(uintptr_t)at;
    }
    return error;
}

Jit *jit_new(const Machine *m, int opt_level, Kernel *const *kernel, int n_kernel, const char **error) {
    llvm_start();
    Arena *a = arena_new();
    Jit *j = NEW(a, Jit);
    j->arena = a;
    j->n = n_kernel;
    j->address = NEW_ARRAY(a, void *, n_kernel + 1);
    LLVMErrorRef failed = LLVMOrcCreateLLJIT(&j->lljit, NULL);
    if (!failed) failed = fill(j, m, compiled(a, m, opt_level, kernel, n_kernel, LLVMObjectFile));
    if (!failed) return j;
    char *text = LLVMGetErrorMessage(failed);
    *error = name_of(text);
    LLVMDisposeErrorMessage(text);
    jit_free(j);
    return NULL;
}

void *jit_kernel(Jit *j, int index) { return j->address[index]; }

void jit_free(Jit *j) {
    if (j->lljit) LLVMConsumeError(LLVMOrcDisposeLLJIT(j->lljit));
    arena_free(j->arena);
}

const char *kernel_assembly(Arena *a, const Machine *m, int opt_level, Kernel *k) {
    llvm_start();
    LLVMMemoryBufferRef code = compiled(a, m, opt_level, &k, 1, LLVMAssemblyFile);
    const char *text = arena_strndup(a, LLVMGetBufferStart(code), LLVMGetBufferSize(code));
    LLVMDisposeMemoryBuffer(code);
    return text;
}
