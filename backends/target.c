/* Processors as numbers. What a processor can do is asked of LLVM itself, by compiling one function for it and looking
 * at the registers: LLVM-C has no other way to tell, and a table of our own would be wrong one day. */
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
    static const char *help; /* LLVM prints it once a process */
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

/* Assembly of void f(ptr p): p[0] += p[0]; p[1] = fma(p[1], p[1], p[1]) on 16 floats each: the first shows the vectors
 * even where the second is a function. */
static const char *probe(Arena *a, Machine *m) {
    Kernel *k = kernel_new(a, name_of("probe"));
    int32_t x = kernel_add_buf(k, name_of("x"), BUF_ARG, DT_F32, 32, false), v = kernel_add_var(k, "i");
    Stmt *body = st_seq(k);
    for (int i = 0; i < 2; i++) {
        const Expr *at = ex2(k, EX_add, ex_var(k, v), ex_int(k, 16 * i)), *load = ex_load(k, x, at);
        st_append(k, body, st_store(k, x, at, i ? ex3(k, EX_fma, load, load, load) : ex2(k, EX_add, load, load)));
    }
    st_append(k, k->body, st_for(k, v, ex_int(k, 0), ex_int(k, 16), LOOP_VECTOR, ROLE_LANE, body));
    return kernel_assembly(a, m, 2, k);
}

/* Instructions by the registers they use; a processor without any of these names has those of NEON. */
static const struct Vectors {
    const char *reg, *feature;
    int32_t lanes, registers;
    int64_t cache_bytes[3]; /* of small processors of the kind */
} vectors[] = {
    {"%zmm", "+avx512f", 16, 32, {32 << 10, 1 << 20, 1 << 20}},
    {"%ymm", "+avx", 8, 16, {32 << 10, 512 << 10, 1 << 20}},
    {"%xmm", "+sse2", 4, 16, {32 << 10, 256 << 10, 1 << 20}},
    {"", "", 4, 32, {32 << 10, 512 << 10, 1 << 20}},
};

/* The levels of the x86-64 ABI: what LLVM takes for granted and a program must therefore find. Of other named
 * processors it only looks for the vectors. */
static const struct Level {
    const char *cpu, *isa, *features;
} levels[] = {
#define V2 "+popcnt,+sse3,+ssse3,+sse4.1,+sse4.2"
#define V3 V2 ",+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe"
#define V4 V3 ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
    {"x86-64-v2", "v2", V2},
    {"x86-64-v3", "v3", V3},
    {"x86-64-v4", "v4", V4},
};

#ifdef __x86_64__
const char *const target_default = "x86-64-v2,x86-64-v3,x86-64-v4";
static const bool is_x86 = true;
#else
const char *const target_default = "native";
static const bool is_x86 = false;
#endif

static const struct Vectors *set_vectors(Arena *a, Machine *m) {
    m->fma = true; /* so that the probe has one */
    const char *text = probe(a, m);
    int i = 0;
    while (!strstr(text, vectors[i].reg)) i++;
    m->vector_lanes = vectors[i].lanes;
    m->vector_registers = vectors[i].registers;
    m->fma = !is_x86 || strstr(text, "vfmadd");
    m->fma_units = m->load_units = 2; /* of all big cores of the last ten years, of some of which more */
    m->fma_latency = 4;
    m->line_cycles[0] = 1.4;
    m->line_cycles[1] = 8;
    m->line_cycles[2] = 14.7;
    return &vectors[i];
}

/* Named processors say in `features` what a program must find before it runs, as the native one does; LLVM knows it all
 * from the name already. The old ones among LLVM's names are taken for 64-bit code, too. */
static void set_named(Arena *a, Machine *m, const struct Vectors *v) {
    m->isa = m->cpu;
    if (!is_x86) return;
    const char *features = m->fma ? arena_printf(a, "%s,+fma", v->feature) : v->feature;
    for (int i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcmp(levels[i].cpu, m->cpu) != 0) continue;
        m->isa = levels[i].isa;
        features = levels[i].features;
    }
    m->features = arena_printf(a, "%s,+64bit,+sse2", features);
}

/* This machine's caches, where the system tells. */
static void set_native_caches(Machine *m) {
    static const int key[3] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    for (int i = 0; i < 3; i++) {
        long bytes = sysconf(key[i]);
        long cores = i == 2 ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
        if (bytes > 0) m->cache_bytes[i] = bytes / (cores > 0 ? cores : 1);
    }
}

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
    m->isa = "native";
    const struct Vectors *v = set_vectors(a, m);
    memcpy(m->cache_bytes, v->cache_bytes, sizeof m->cache_bytes);
    if (native)
        set_native_caches(m);
    else
        set_named(a, m, v);
    return m;
}

/* ---- several ---- */

static int rank(const Machine *m) { return 2 * m->vector_lanes + m->fma; }

/* Among equals the one that was named last is first. */
static void insert(Targets *t, const Machine *m) {
    int at = t->n++;
    for (; at > 0 && rank(t->machine[at - 1]) <= rank(m); at--) t->machine[at] = t->machine[at - 1];
    t->machine[at] = m;
}

bool target_list(Arena *a, const char *march, Targets *out, const char **error) {
    *out = (Targets){.n = 0};
    *error = NULL;
    for (const char *p = march; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        const char *name = arena_strndup(a, p, strcspn(p, ","));
        const Machine *m = target_machine(a, name, error);
        if (!m) return false;
        for (int i = 0; i < out->n; i++)
            if (!strcmp(out->machine[i]->isa, m->isa)) *error = arena_printf(a, "%.60s is named twice", name);
        if (out->n == TARGETS_MAX) *error = arena_printf(a, "a program has at most %d", TARGETS_MAX);
        if (*error) return false;
        insert(out, m);
    }
    return true;
}
