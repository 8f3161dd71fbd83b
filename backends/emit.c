/* Units to files. Everything is written beside its place under a passing name and renamed at the end. */
#include "emit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "../ir/files.h"
#include "../ir/product.h"
#include "link.h"
#include "llvm_target.h"
#include "target.h"

static const char *const emit_kind_name[EMIT_COUNT] = {
    [EMIT_LLVM_IR] = "llvm-ir", [EMIT_ASM] = "asm", [EMIT_OBJECT] = "obj", [EMIT_EXE] = "exe"};

/* ---- modules: kernels and the symbols of runtime/abi.h ---- */

/* A program is compiled as PARTS objects for each processor by as many threads as there are cores; the number of parts
 * does not depend on the machine, so that the same file gives the same program everywhere. Everything else is one. */
enum { PARTS = 8 };

typedef struct Emission {
    Unit *const *unit; /* one for each processor, the most able first */
    int n_unit, parts;
    EmitKind kind;
    const KernelTable *kernels[TARGETS_MAX];
    const char *plan[TARGETS_MAX], *training[TARGETS_MAX], *model;
    LLVMMemoryBufferRef bytes[TARGETS_MAX * PARTS];
    int n_bytes;
    atomic_int next; /* of bytes to make */
} Emission;

static LLVMValueRef add_data(Module *m, const char *name, LLVMValueRef value, LLVMLinkage linkage) {
    LLVMValueRef global = LLVMAddGlobal(m->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, linkage);
    return global;
}

static LLVMValueRef text(Module *m, const char *s) { return LLVMConstStringInContext2(m->ctx, s, strlen(s), 0); }

/* The kernel's function, here or in another object of the program. */
static LLVMValueRef function_of(Module *m, const char *name) {
    LLVMValueRef fn = LLVMGetNamedFunction(m->module, name);
    if (!fn) fn = LLVMAddFunction(m->module, name, LLVMFunctionType(LLVMVoidTypeInContext(m->ctx), NULL, 0, 0));
    LLVMSetVisibility(fn, LLVMHiddenVisibility);
    return fn;
}

/* A struct CnncVariant. */
static LLVMValueRef variant(Module *m, Arena *a, const Emission *e, int i) {
    const Machine *machine = e->unit[i]->machine;
    const KernelTable *t = e->kernels[i];
    LLVMValueRef *fn = NEW_ARRAY(a, LLVMValueRef, t->n + 1);
    for (int32_t k = 0; k < t->n; k++) fn[k] = function_of(m, llvm_kernel_name(a, machine, k));
    LLVMValueRef field[] = {
        add_data(m, "isa", text(m, machine->isa), LLVMPrivateLinkage),
        add_data(m, "features", text(m, machine->features), LLVMPrivateLinkage),
        add_data(m, "plan", text(m, e->plan[i]), LLVMPrivateLinkage),
        add_data(m, "training", text(m, e->training[i]), LLVMPrivateLinkage),
        add_data(m, "kernels", LLVMConstArray2(m->ptr, fn, (uint64_t)t->n), LLVMPrivateLinkage),
        LLVMConstInt(m->i64, (unsigned long long)t->n, 0),
    };
    return LLVMConstStructInContext(m->ctx, field, ARRAY_LEN(field), 0);
}

static void add_exports(Module *m, Arena *a, const Emission *e) {
    LLVMValueRef row[TARGETS_MAX];
    for (int i = 0; i < e->n_unit; i++) row[i] = variant(m, a, e, i);
    add_data(m, "cnnc_variant", LLVMConstArray2(LLVMTypeOf(row[0]), row, (uint64_t)e->n_unit), LLVMExternalLinkage);
    add_data(m, "cnnc_n_variant", LLVMConstInt(m->i32, (unsigned long long)e->n_unit, 0), LLVMExternalLinkage);
    add_data(m, "cnnc_model", text(m, e->model), LLVMExternalLinkage);
}

static LLVMMemoryBufferRef text_of(Module *m) {
    char *ir = LLVMPrintModuleToString(m->module);
    LLVMMemoryBufferRef b = LLVMCreateMemoryBufferWithMemoryRangeCopy(ir, strlen(ir), "ir");
    LLVMDisposeMessage(ir);
    return b;
}

/* Part i of all: every parts-th kernel for one processor; the first part has the tables, too. */
static LLVMMemoryBufferRef generate(const Emission *e, int i) {
    Arena *a = arena_new();
    const Unit *u = e->unit[i / e->parts];
    const KernelTable *t = e->kernels[i / e->parts];
    int level = u->opt->opt_level, first = i % e->parts;
    LLVMTargetMachineRef tm = llvm_machine_new(u->machine->cpu, u->machine->features, level);
    Module *m = llvm_compile(a, u->machine, tm, level, t->kernel, t->n, first, e->parts);
    for (int k = first; k < t->n; k += e->parts) function_of(m, llvm_kernel_name(a, u->machine, k));
    if (i == 0) add_exports(m, a, e);
    LLVMMemoryBufferRef bytes = e->kind == EMIT_LLVM_IR
                                    ? text_of(m)
                                    : llvm_code(m, tm, e->kind == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile);
    llvm_module_free(m);
    LLVMDisposeTargetMachine(tm);
    arena_free(a);
    return bytes;
}

static void *work(void *emission) {
    Emission *e = emission;
    for (int i; (i = atomic_fetch_add(&e->next, 1)) < e->n_bytes;) e->bytes[i] = generate(e, i);
    return NULL;
}

static void generate_all(Emission *e) {
    pthread_t thread[TARGETS_MAX * PARTS];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = 0;
    e->n_bytes = e->n_unit * e->parts;
    while (n + 1 < e->n_bytes && n + 1 < cores && !pthread_create(&thread[n], NULL, work, e)) n++;
    work(e);
    while (n > 0) pthread_join(thread[--n], NULL);
}

/* ---- files ---- */

static int complain(int code, const char *path) {
    fprintf(stderr, "cnnc: error: cannot write %s: %s\n", path, strerror(errno));
    return code;
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
    bool good = files_write_all(fd, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes));
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

/* To a new file beside `path`, which then takes its place. */
static int link_beside(Arena *a, const EmitJob *job, Linking *l) {
    const char *path = job->path;
    char *program;
    int fd = open_beside(a, path, &program);
    if (fd < 0) return complain(EX_CANTCREAT, path);
    close(fd);
    l->out = program;
    int code = link_program(l);
    if (!code && job->accept && !job->accept(job->context, program)) code = EX_DATAERR;
    if (!code && !publish(program, path, 0777)) code = complain(EX_CANTCREAT, path);
    if (code) unlink(program);
    return code;
}

static bool uses_blas(const Emission *e) {
    for (int i = 0; i < e->n_unit; i++)
        for (int32_t k = 0; k < e->kernels[i]->n; k++)
            if (holds_product(e->kernels[i]->kernel[k]->body)) return true;
    return false;
}

static int emit_program(const Emission *e, const EmitJob *job) {
    Arena *a = e->unit[0]->arena;
    const char *object[TARGETS_MAX * PARTS];
    int code = 0, written = 0;
    while (written < e->n_bytes && !code) {
        char *name;
        code = write_beside(a, job->path, e->bytes[written], &name);
        if (!code) object[written++] = name;
    }
    Linking l = {.object = object, .n_object = written, .blas = uses_blas(e), .runtime_dir = job->runtime_dir,
                 .linker = job->linker};
    if (!code) code = link_beside(a, job, &l);
    for (int i = 0; i < written; i++) unlink(object[i]);
    return code;
}

static int emit_text(LLVMMemoryBufferRef bytes) {
    if (files_write_all(STDOUT_FILENO, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes))) return 0;
    return complain(EX_IOERR, "standard output");
}

/* To what is no plain file; a linker would put a program in its place. */
static int emit_special(const EmitJob *job, LLVMMemoryBufferRef bytes) {
    if (job->kind == EMIT_EXE) {
        fprintf(stderr, "cnnc: error: cannot write %s: it exists and is not a plain file\n", job->path);
        return EX_CANTCREAT;
    }
    int code = files_write_special(job->path, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes));
    return code ? complain(code, job->path) : 0;
}

static int emit_to_path(const Emission *e, const EmitJob *job) {
    sigset_t before;
    files_hold(&before);
    int code = job->kind == EMIT_EXE ? emit_program(e, job) : emit_code(e->unit[0]->arena, job->path, e->bytes[0]);
    files_release(&before);
    return code;
}

int emit_file(const EmitJob *job) {
    Unit *const *unit = job->unit;
    const int n = job->n;
    const EmitKind kind = job->kind;
    bool to_stdout = !strcmp(job->path, "-");
    if (to_stdout && (kind == EMIT_OBJECT || kind == EMIT_EXE)) {
        fprintf(stderr, "cnnc: error: %s is not text; name a file with -o\n", emit_kind_name[kind]);
        return EX_USAGE;
    }
    ICE_UNLESS(n >= 1 && n <= (kind == EMIT_EXE ? TARGETS_MAX : 1), "%d processors in %s", n, emit_kind_name[kind]);
    llvm_start();
    Emission *e = NEW(unit[0]->arena, Emission);
    *e = (Emission){.unit = unit, .n_unit = n, .parts = kind == EMIT_EXE ? PARTS : 1, .kind = kind};
    e->model = emit_model_json(unit[0]);
    for (int i = 0; i < n; i++) {
        e->kernels[i] = kernel_table(unit[i]);
        e->plan[i] = emit_plan_json(unit[i], e->kernels[i]);
        e->training[i] = emit_training_json(unit[i], e->kernels[i]);
    }
    generate_all(e);
    int code = to_stdout                    ? emit_text(e->bytes[0])
               : files_is_special(job->path) ? emit_special(job, e->bytes[0])
                                             : emit_to_path(e, job);
    for (int i = 0; i < e->n_bytes; i++) LLVMDisposeMemoryBuffer(e->bytes[i]);
    return code;
}
