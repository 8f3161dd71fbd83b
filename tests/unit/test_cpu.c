/* Which of a program's instruction sets is taken: what processors lack, the order, CNNC_ISA. */
#include <CUnit/Basic.h>
#include <string.h>

#include "runtime/cpu.h"

/* xop was on one line of processors only, which ended in 2015: a test on one of those tests less. */
static const CnncVariant variant[] = {{.isa = "far", .features = "+sse2,+xop,-sse3"},
                                      {.isa = "v3", .features = "+64bit,-avx512f,"},
                                      {.isa = "v2", .features = ""}};

static bool has_xop(void) {
    size_t length;
    return !cpu_lacks("+xop", &length);
}

static void test_lacks(void) {
    size_t length = 0;
    CU_ASSERT_PTR_NULL(cpu_lacks("", &length));
    CU_ASSERT_PTR_NULL(cpu_lacks("-avx512f,-fma", &length));
    CU_ASSERT_PTR_NULL(cpu_lacks("+this-is-not-known,+nor-this", &length));
#if defined(__x86_64__)
    for (int i = 0; i < 2; i++) {
        const char *lacks = cpu_lacks(i ? "+64bit,+avx512vbmi,+sse3" : "+avx512vbmi", &length);
        CU_ASSERT_EQUAL(lacks == NULL, __builtin_cpu_supports("avx512vbmi") != 0);
        if (lacks) CU_ASSERT(length == 10 && !strncmp(lacks, "avx512vbmi", length));
    }
#endif
}

static void test_choice(void) {
    RtError err = {.code = RT_OK};
    const CnncVariant *best = has_xop() ? &variant[0] : &variant[1];
    CU_ASSERT_PTR_EQUAL(cpu_choose(variant, 3, NULL, &err), best);
    CU_ASSERT_PTR_EQUAL(cpu_choose(variant, 3, "", &err), best);
    CU_ASSERT_PTR_EQUAL(cpu_choose(variant, 3, "v3", &err), &variant[1]);
    CU_ASSERT_PTR_EQUAL(cpu_choose(variant, 3, "x86-64-v2", &err), &variant[2]);
    CU_ASSERT_EQUAL(err.code, RT_OK);
}

static void test_refusals(void) {
    static const char *const wrong[] = {"v4", "V3", "v33", "x86-64-", "avx2", "\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        RtError err = {.code = RT_OK};
        CU_ASSERT_PTR_NULL(cpu_choose(variant, 3, wrong[i], &err));
        CU_ASSERT_EQUAL(err.code, RT_USAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "it has far, v3, v2"));
    }
    RtError err = {.code = RT_OK};
    if (has_xop()) return;
    CU_ASSERT_PTR_NULL(cpu_choose(variant, 1, NULL, &err));
    CU_ASSERT_EQUAL(err.code, RT_OS);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no xop, which the code for far needs"));
    err = (RtError){.code = RT_OK};
    CU_ASSERT_PTR_NULL(cpu_choose(variant, 3, "far", &err));
    CU_ASSERT_EQUAL(err.code, RT_OS);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("cpu", NULL, NULL);
    CU_add_test(suite, "what is lacking", test_lacks);
    CU_add_test(suite, "choice", test_choice);
    CU_add_test(suite, "refusals", test_refusals);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
