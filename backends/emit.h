/* From programs to files: LLVM IR, assembly, object, executable. */
#ifndef CNNC_BACKENDS_EMIT_H
#define CNNC_BACKENDS_EMIT_H

#include "../ir/unit.h"
#include "kernel_table.h"

typedef enum EmitKind { EMIT_LLVM_IR, EMIT_ASM, EMIT_OBJECT, EMIT_EXE, EMIT_COUNT } EmitKind;

/* The JSON texts of runtime/abi.h for this unit, from its arena: what is so on every processor, and what is so on its
 * own, training apart. `kernels` numbers the kernels of the plan's steps. */
const char *emit_model_json(const Unit *u);
const char *emit_plan_json(const Unit *u, const KernelTable *kernels);
const char *emit_training_json(const Unit *u, const KernelTable *kernels);

/* Asked about a finished program at `path` before it takes its place; false: it is not wanted. */
typedef bool EmitAccept(void *context, const char *path);

/* Compiles the programs of n units (all passes done), one file for several processors, the most able first; more than
 * one for EMIT_EXE only. Writes `path` ("-": stdout, not for EMIT_OBJECT and EMIT_EXE) by way of a temporary file
 * beside it that is renamed at the end; nothing is left behind on failure, nor by a signal that can wait for that. What
 * is there and no plain file is written to where it stands, but for EMIT_EXE, which refuses. EMIT_EXE links with
 * runtime_dir/libcnncrt.a by spawning `linker` (NULL: "cc" found in PATH) without a shell. `accept` may be NULL.
 * Returns 0 or the exit code of sysexits.h, after printing "cnnc: error: ..." to stderr; EX_DATAERR, without a message,
 * if `accept` refused. */
typedef struct EmitJob {
    Unit *const *unit;
    int n;
    EmitKind kind;
    const char *path, *runtime_dir, *linker;
    EmitAccept *accept;
    void *context;           /* of accept */
} EmitJob;
int emit_file(const EmitJob *job);

/* Just-in-time use of the same code generator, for tests: the kernels of a program as callable addresses. */
typedef struct Jit Jit;
Jit *jit_new(const Machine *m, int opt_level, Kernel *const *kernel, int n_kernel, const char **error);
void *jit_kernel(Jit *j, int index);   /* a CnncKernel */
void jit_free(Jit *j);
/* The kernel's assembly, from `a`. */
const char *kernel_assembly(Arena *a, const Machine *m, int opt_level, Kernel *k);

#endif
