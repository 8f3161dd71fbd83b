/* Units to files. Everything is written beside its place under a passing name and renamed at the end. */
#include "emit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "kernel_table.h"
#include "link.h"
#include "llvm_target.h"

const char *const emit_kind_name[EMIT_COUNT] = {
    [EMIT_LLVM_IR] = "llvm-ir", [EMIT_ASM] = "asm", [EMIT_OBJECT] = "obj", [EMIT_EXE] = "exe"};

/* ---- the module: kernels and the three symbols of runtime/abi.h ---- */

static void add_constant(Module *m, const char *name, LLVMValueRef value) {
    LLVMValueRef global = LLVMAddGlobal(m->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
}

static void add_exports(Module *m, Arena *a, const KernelTable *t, const char *json) {
    LLVMValueRef *fn = NEW_ARRAY(a, LLVMValueRef, t->n + 1);
    for (int32_t i = 0; i < t->n; i++) {
        fn[i] = LLVMGetNamedFunction(m->module, arena_printf(a, "k%d", i));
        LLVMSetLinkage(fn[i], LLVMInternalLinkage);
    }
    add_constant(m, "cnnc_kernel", LLVMConstArray2(m->ptr, fn, (uint64_t)t->n));
    add_constant(m, "cnnc_n_kernel", LLVMConstInt(m->i32, (unsigned long long)t->n, 0));
    add_constant(m, "cnnc_model", LLVMConstStringInContext2(m->ctx, json, strlen(json), 0));
}

static LLVMMemoryBufferRef text_of(Module *m) {
    char *text = LLVMPrintModuleToString(m->module);
    LLVMMemoryBufferRef b = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "ir");
    LLVMDisposeMessage(text);
    return b;
}

static LLVMMemoryBufferRef generate(Unit *u, EmitKind kind) {
    const KernelTable *t = kernel_table(u);
    LLVMTargetMachineRef tm = llvm_machine_new(u->machine->cpu, u->machine->features, u->opt->opt_level);
    Module *m = llvm_compile(u->arena, u->machine, tm, u->opt->opt_level, t->kernel, t->n);
    add_exports(m, u->arena, t, emit_model_json(u));
    LLVMMemoryBufferRef out = kind == EMIT_LLVM_IR ? text_of(m)
                                                   : llvm_code(m, tm, kind == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile);
    llvm_module_free(m);
    LLVMDisposeTargetMachine(tm);
    return out;
}

/* ---- files ---- */

static int complain(int code, const char *path) {
    fprintf(stderr, "cnnc: error: cannot write %s: %s\n", path, strerror(errno));
    return code;
}

static bool write_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* A new file beside `path`, open; its name in *name. -1 with errno. */
static int open_beside(Arena *a, const char *path, char **name) {
    *name = arena_printf(a, "%s.XXXXXX", path);
    return mkostemp(*name, O_CLOEXEC);
}

/* mkostemp's files are private; these get what the user's mask leaves of `mode`. */
static bool publish(const char *temporary, const char *path, mode_t mode) {
    mode_t mask = umask(0);
    umask(mask);
    return !chmod(temporary, mode & ~mask) && !rename(temporary, path);
}

/* Writes the bytes to a new file beside `path`. 0 or an exit code after a message; then nothing is left. */
static int write_beside(Arena *a, const char *path, LLVMMemoryBufferRef bytes, char **name) {
    int fd = open_beside(a, path, name);
    if (fd < 0) return complain(EX_CANTCREAT, path);
    bool good = write_all(fd, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes));
    good = !close(fd) && good;
    if (good) return 0;
    int code = complain(EX_IOERR, path);
    unlink(*name);
    return code;
}

static int emit_code(Arena *a, const char *path, LLVMMemoryBufferRef bytes) {
    char *name;
    int code = write_beside(a, path, bytes, &name);
    if (code) return code;
    if (publish(name, path, 0666)) return 0;
    code = complain(EX_CANTCREAT, path);
    unlink(name);
    return code;
}

static int emit_program(Arena *a, const char *path, LLVMMemoryBufferRef bytes, const char *runtime_dir, const char *linker) {
    char *object, *program;
    int code = write_beside(a, path, bytes, &object);
    if (code) return code;
    int fd = open_beside(a, path, &program);
    if (fd < 0) code = complain(EX_CANTCREAT, path);
    else {
        close(fd);
        code = link_program(object, program, runtime_dir, linker);
        if (!code && !publish(program, path, 0777)) code = complain(EX_CANTCREAT, path);
        if (code) unlink(program);
    }
    unlink(object);
    return code;
}

static int emit_text(LLVMMemoryBufferRef bytes) {
    if (write_all(STDOUT_FILENO, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes))) return 0;
    return complain(EX_IOERR, "standard output");
}

int emit_file(Unit *u, EmitKind kind, const char *path, const char *runtime_dir, const char *linker) {
    bool to_stdout = !strcmp(path, "-");
    if (to_stdout && (kind == EMIT_OBJECT || kind == EMIT_EXE)) {
        fprintf(stderr, "cnnc: error: %s is not text; name a file with -o\n", emit_kind_name[kind]);
        return EX_USAGE;
    }
    llvm_start();
    LLVMMemoryBufferRef bytes = generate(u, kind);
    int code = to_stdout          ? emit_text(bytes)
               : kind == EMIT_EXE ? emit_program(u->arena, path, bytes, runtime_dir, linker)
                                  : emit_code(u->arena, path, bytes);
    LLVMDisposeMemoryBuffer(bytes);
    return code;
}
