/* Units to files. Everything is written beside its place under a passing name and renamed at the end. */
#include "emit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

/* ---- modules: kernels and the three symbols of runtime/abi.h ---- */

static void add_constant(Module *m, const char *name, LLVMValueRef value) {
    LLVMValueRef global = LLVMAddGlobal(m->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
}

/* The kernel's function, here or in another object of the program. */
static LLVMValueRef function_of(Module *m, const char *name) {
    LLVMValueRef fn = LLVMGetNamedFunction(m->module, name);
    if (!fn) fn = LLVMAddFunction(m->module, name, LLVMFunctionType(LLVMVoidTypeInContext(m->ctx), NULL, 0, 0));
    LLVMSetVisibility(fn, LLVMHiddenVisibility);
    return fn;
}

static void add_exports(Module *m, Arena *a, const KernelTable *t, const char *json) {
    LLVMValueRef *fn = NEW_ARRAY(a, LLVMValueRef, t->n + 1);
    for (int32_t i = 0; i < t->n; i++) fn[i] = function_of(m, arena_printf(a, "k%d", i));
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

/* A program is compiled as PARTS objects by as many threads; their number does not depend on the machine, so that the
 * same file gives the same program everywhere. Everything else is one piece. */
enum { PARTS = 4 };

typedef struct Job {
    const Unit *u;
    const KernelTable *kernels;
    const char *json;
    EmitKind kind;
    int first, step;
    LLVMMemoryBufferRef bytes;
} Job;

static void *generate(void *job) {
    Job *j = job;
    Arena *a = arena_new();
    const Machine *machine = j->u->machine;
    int level = j->u->opt->opt_level;
    LLVMTargetMachineRef tm = llvm_machine_new(machine->cpu, machine->features, level);
    Module *m = llvm_compile(a, machine, tm, level, j->kernels->kernel, j->kernels->n, j->first, j->step);
    for (int i = j->first; i < j->kernels->n; i += j->step) function_of(m, arena_printf(a, "k%d", i));
    if (j->first == 0) add_exports(m, a, j->kernels, j->json);
    j->bytes = j->kind == EMIT_LLVM_IR ? text_of(m)
                                       : llvm_code(m, tm, j->kind == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile);
    llvm_module_free(m);
    LLVMDisposeTargetMachine(tm);
    arena_free(a);
    return NULL;
}

static int generate_all(const Unit *u, EmitKind kind, LLVMMemoryBufferRef *bytes) {
    const KernelTable *t = kernel_table(u);
    const char *json = emit_model_json(u);
    int n = kind == EMIT_EXE ? PARTS : 1;
    Job job[PARTS];
    pthread_t thread[PARTS];
    bool started[PARTS] = {false};
    for (int i = 0; i < n; i++) job[i] = (Job){u, t, json, kind, i, n, NULL};
    for (int i = 1; i < n; i++) started[i] = !pthread_create(&thread[i], NULL, generate, &job[i]);
    for (int i = 0; i < n; i++)
        if (!started[i]) generate(&job[i]);
    for (int i = 0; i < n; i++) {
        if (started[i]) pthread_join(thread[i], NULL);
        bytes[i] = job[i].bytes;
    }
    return n;
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

static int link_beside(Arena *a, const char *path, const char *const *object, int n, const char *runtime_dir,
                       const char *linker) {
    char *program;
    int fd = open_beside(a, path, &program);
    if (fd < 0) return complain(EX_CANTCREAT, path);
    close(fd);
    int code = link_program(object, n, program, runtime_dir, linker);
    if (!code && !publish(program, path, 0777)) code = complain(EX_CANTCREAT, path);
    if (code) unlink(program);
    return code;
}

static int emit_program(Arena *a, const char *path, const LLVMMemoryBufferRef *bytes, int n, const char *runtime_dir,
                        const char *linker) {
    const char *object[PARTS];
    int code = 0, written = 0;
    while (written < n && !code) {
        char *name;
        code = write_beside(a, path, bytes[written], &name);
        if (!code) object[written++] = name;
    }
    if (!code) code = link_beside(a, path, object, n, runtime_dir, linker);
    for (int i = 0; i < written; i++) unlink(object[i]);
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
    LLVMMemoryBufferRef bytes[PARTS];
    int n = generate_all(u, kind, bytes);
    int code = to_stdout          ? emit_text(bytes[0])
               : kind == EMIT_EXE ? emit_program(u->arena, path, bytes, n, runtime_dir, linker)
                                  : emit_code(u->arena, path, bytes[0]);
    for (int i = 0; i < n; i++) LLVMDisposeMemoryBuffer(bytes[i]);
    return code;
}
