/* LLVM as a machine-code factory: set up once, passes, and from a module to bytes. Only backends use it. */
#ifndef CNNC_BACKENDS_LLVM_TARGET_H
#define CNNC_BACKENDS_LLVM_TARGET_H

#include <llvm-c/TargetMachine.h>

#include "llvm.h"

/* Registers the target, the options of the code generator and the handler that turns LLVM's fatal errors into ICEs.
 * May be called any number of times, from one thread. */
void llvm_start(void);

/* A target machine for position-independent code of `cpu` with `features`. */
LLVMTargetMachineRef llvm_machine_new(const char *cpu, const char *features, int opt_level);

/* Name of the kernel with that number in code for m: "v3_k12". */
const char *llvm_kernel_name(Arena *a, const Machine *m, int index);

/* Every step-th of n kernels, from `first` on, as functions of a new module: verified, optimised as opt_level says and
 * verified again. Threads may do this at once, each with an arena and a target machine of its own. */
Module *llvm_compile(Arena *a, const Machine *m, LLVMTargetMachineRef tm, int opt_level, Kernel *const *kernel, int n,
                     int first, int step);

/* The module as an object file or as assembly. */
LLVMMemoryBufferRef llvm_code(Module *m, LLVMTargetMachineRef tm, LLVMCodeGenFileType type);

#endif
