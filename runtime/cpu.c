#include "cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
/* The features that the code generator makes use of: LLVM and the C compiler have the same names for them. */
#define FEATURES(X)                                                                                                    \
    X("sse3")                                                                                                          \
    X("ssse3")                                                                                                         \
    X("sse4.1") X("sse4.2") X("popcnt") X("avx") X("avx2") X("fma") X("f16c") X("bmi") X("bmi2") X("lzcnt") X("movbe") \
        X("avx512f") X("avx512bw") X("avx512cd") X("avx512dq") X("avx512vl") X("avx512vbmi") X("fma4") X("xop")

static bool has(const char *name, size_t length) {
#define ROW(feature)                                                                                                   \
    if (length == sizeof feature - 1 && memcmp(name, feature, length) == 0) return __builtin_cpu_supports(feature);
    FEATURES(ROW)
#undef ROW
    return true;
}
#else
static bool has(const char *name, size_t length) {
    (void)name, (void)length;
    return true;
}
#endif

const char *cpu_lacks(const char *features, size_t *length) {
    for (const char *p = features; *p; p += *p == ',') {
        const char *name = p + 1;
        size_t n = strcspn(p, ",");
        if (*p == '+' && !has(name, n - 1)) {
            *length = n - 1;
            return name;
        }
        p += n;
    }
    return NULL;
}

static const CnncVariant *find(const CnncVariant *variant, int n, const char *isa, RtError *err) {
    static const char level[] = "x86-64-";
    const char *name = strncmp(isa, level, sizeof level - 1) == 0 ? isa + sizeof level - 1 : isa;
    char known[160] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(variant[i].isa, name) == 0) return &variant[i];
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", variant[i].isa);
    }
    rt_fail(err, RT_USAGE, "CNNC_ISA: the program has no code for \"%.40s\"; it has %s", isa, known);
    return NULL;
}

const CnncVariant *cpu_choose(const CnncVariant *variant, int n, const char *isa, RtError *err) {
    const char *lacks = NULL;
    size_t length = 0;
    if (isa && *isa) {
        variant = find(variant, n, isa, err);
        n = 1;
    }
    for (int i = 0; variant && i < n; i++) {
        lacks = cpu_lacks(variant[i].features, &length);
        if (!lacks) return &variant[i];
    }
    if (lacks)
        rt_fail(err, RT_OS, "this processor has no %.*s, which the code for %s needs; compile again with -march",
                (int)length, lacks, variant[n - 1].isa);
    return NULL;
}
