#include "cpu.h"

#include <string.h>

#if defined(__x86_64__)
/* The features that the code generator makes use of, by LLVM's name and by the compiler's. */
#define FEATURES(X)                                                                                                    \
    X("avx", "avx")                                                                                                    \
    X("avx2", "avx2")                                                                                                  \
    X("fma", "fma")                                                                                                    \
    X("bmi", "bmi") X("bmi2", "bmi2") X("sse4.2", "sse4.2") X("avx512f", "avx512f") X("avx512bw", "avx512bw")          \
        X("avx512dq", "avx512dq") X("avx512vl", "avx512vl") X("avx512cd", "avx512cd")

static bool has(const char *name, size_t length) {
#define ROW(llvm, gcc)                                                                                                 \
    if (length == sizeof llvm - 1 && memcmp(name, llvm, length) == 0) return __builtin_cpu_supports(gcc);
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

/* "target": {"features": "+avx2,+fma,-avx512f,..."} */
bool cpu_check(const Model *m, RtError *err) {
    const char *p = json_string_value(json_object_get(m->target, "features"));
    while (p && *p) {
        size_t length = strcspn(p, ",");
        if (*p == '+' && !has(p + 1, length - 1)) {
            rt_fail(err, RT_OS,
                    "this processor has no %.*s, which the program was compiled for; compile again with -march",
                    (int)(length - 1), p + 1);
            return false;
        }
        p += length + (p[length] == ',');
    }
    return true;
}
