/* Processors as numbers. What a processor can do is asked of LLVM itself, by compiling one function for it and looking at
 * the registers: LLVM-C has no other way to tell, and a table of our own would be wrong one day. */
#include "target.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emit.h"
#include "llvm_target.h"

/* What LLVM writes to stderr while a target machine is made for `cpu`: for "help" the names of all processors, which it
 * tells only there. */
static const char *llvm_says(Arena *a, const char *cpu) {
    int out = memfd_create("cnnc-llvm", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
    if (out < 0 || saved < 0) ice("no file descriptor left");
    dup2(out, STDERR_FILENO);
    LLVMDisposeTargetMachine(llvm_machine_new(cpu, "", 0));
    dup2(saved, STDERR_FILENO);
    close(saved);
    off_t n = lseek(out, 0, SEEK_END);
    char *text = arena_alloc(a, (size_t)n + 1);
    if (pread(out, text, (size_t)n, 0) != n) ice("LLVM's list of processors cannot be read");
    close(out);
    return text;
}

/* LLVM's names for processors of this architecture: lines "  name - Select the name processor." */
static const char **cpu_names(Arena *a, int *n) {
    static const char *help;   /* LLVM prints it once a process */
    const char **name = NULL;
    int32_t count = 0, cap = 0;
    if (!help) help = name_of(llvm_says(a, "help"));
    const char *end = strstr(help, "Available features"), *line = strchr(help, '\n');
    for (; line && (!end || line < end); line = strchr(line + 1, '\n')) {
        size_t skip = strspn(line, "\n "), length = strcspn(line + skip, " \n");
        if (skip < 3 || strncmp(line + skip + length + strspn(line + skip + length, " "), "- Select", 8)) continue;
        PUSH(a, name, count, cap, arena_strndup(a, line + skip, length));
    }
    *n = count;
    return name;
}

static const char *unknown(Arena *a, const char *march, const char *const *name, int n) {
    Str s = STR(a);
    const char *near = did_you_mean(march, name, n);
    str_add(&s, "unknown processor");
    if (near) str_addf(&s, ", did you mean %s?", near);
    str_add(&s, "; known are native");
    for (int i = 0; i < n; i++)
        if (i == 0 || strcmp(name[i], name[i - 1]) != 0) str_addf(&s, ", %s", name[i]);
    return str_text(&s);
}

/* Assembly of void f(ptr p): *p = fma(*p, *p, *p) on 16 floats. */
static const char *probe(Arena *a, Machine *m) {
    Kernel *k = kernel_new(a, name_of("probe"));
    int32_t x = kernel_add_buf(k, name_of("x"), BUF_ARG, DT_F32, 16, false), v = kernel_add_var(k, "i");
    const Expr *at = ex_var(k, v), *load = ex_load(k, x, at);
    Stmt *body = st_store(k, x, at, ex3(k, EX_fma, load, load, load));
    st_append(k, k->body, st_for(k, v, ex_int(k, 0), ex_int(k, 16), LOOP_VECTOR, ROLE_LANE, body));
    return kernel_assembly(a, m, 2, k);
}

/* Named processors say in `features` what a program must find before it runs, as the native one does; LLVM knows it all
 * from the name already. The old ones among LLVM's names are taken for 64-bit code, too. */
static void set_vectors(Arena *a, Machine *m, bool native) {
    static const struct { const char *reg, *feature; int32_t lanes, registers; } kind[] = {
        {"%zmm", "+avx512f,", 16, 32}, {"%ymm", "+avx,", 8, 16}, {"%xmm", "", 4, 16}};
    const char *text = probe(a, m);
    m->vector_lanes = 4;
    m->vector_registers = 32;   /* of NEON */
    for (int i = 0; i < ARRAY_LEN(kind); i++) {
        if (!strstr(text, kind[i].reg)) continue;
        m->vector_lanes = kind[i].lanes;
        m->vector_registers = kind[i].registers;
        if (!native) m->features = arena_printf(a, "%s%s%s", kind[i].feature, strstr(text, "vfmadd") ? "+fma," : "", m->features);
        return;
    }
}

/* This machine's caches; where the system does not tell, and for other machines, what small ones of the kind have. */
static void set_caches(Machine *m, bool native) {
    static const int64_t small[3] = {32 << 10, 512 << 10, 1 << 20};
    static const int key[3] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    for (int i = 0; i < 3; i++) {
        long bytes = native ? sysconf(key[i]) : 0;
        long cores = native && i == 2 ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
        m->cache_bytes[i] = bytes > 0 ? bytes / (cores > 0 ? cores : 1) : small[i];
    }
}

#ifdef __x86_64__
static const bool is_x86 = true;
#else
static const bool is_x86 = false;
#endif

static const char *take(Arena *a, char *message) {
    const char *copy = arena_strdup(a, message);
    LLVMDisposeMessage(message);
    return copy;
}

const Machine *target_machine(Arena *a, const char *march, const char **error) {
    llvm_start();
    Machine *m = NEW(a, Machine);
    bool native = !strcmp(march, "native");
    int n, i = 0;
    const char **name = native ? NULL : cpu_names(a, &n);
    if (!native)
        while (i < n && strcmp(name[i], march)) i++;
    if (!native && i == n) {
        *error = unknown(a, march, name, n);
        return NULL;
    }
    m->cpu = native ? take(a, LLVMGetHostCPUName()) : arena_strdup(a, march);
    m->features = native ? take(a, LLVMGetHostCPUFeatures()) : is_x86 ? "+64bit,+sse2" : "";
    set_vectors(a, m, native);
    set_caches(m, native);
    return m;
}
