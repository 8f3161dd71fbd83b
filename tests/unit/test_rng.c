/* Philox: known answers, the formula of abi.h, and that streams are what they say: separate, even, without bias. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/rng.h"

static void test_known_answers(void) {
    static const struct {
        uint32_t key[2], counter[4], out[4];
    } known[] = {
        {{0, 0}, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u}, {~0u, ~0u, ~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0xa4093822, 0x299f31d0},
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        rng_philox(known[i].key, known[i].counter, out);
        for (int k = 0; k < 4; k++) CU_ASSERT_EQUAL(out[k], known[i].out[k]);
    }
}

static void test_uniform_is_the_formula(void) {
    const uint32_t key[2] = {7, 11};
    const uint64_t index = 0x123456789abcdefull;
    uint32_t counter[4] = {0x89abcdef, 0x01234567, 5, 0}, out[4];
    rng_philox(key, counter, out);
    CU_ASSERT_EQUAL(rng_uniform(key, index, 5), (float)(out[0] >> 8) / 16777216.0f);
    CU_ASSERT_NOT_EQUAL(rng_uniform(key, index, 5), rng_uniform(key, index, 6));
}

static void test_streams_are_separate(void) {
    Rng base = rng_stream(RNG_AUGMENT, 1, 2, 3, 4);
    Rng other[] = {
        rng_stream(RNG_SHUFFLE, 1, 2, 3, 4), rng_stream(RNG_AUGMENT, 9, 2, 3, 4),
        rng_stream(RNG_AUGMENT, 1, 9, 3, 4), rng_stream(RNG_AUGMENT, 1, 2, 9, 4),
        rng_stream(RNG_AUGMENT, 1, 2, 3, 9), rng_stream(RNG_AUGMENT, 1ull << 32 | 4, 2, 3, 4),
    };
    Rng again = rng_stream(RNG_AUGMENT, 1, 2, 3, 4), first = base;
    for (int i = 0; i < 9; i++) CU_ASSERT_EQUAL(rng_u32(&base), rng_u32(&again));
    uint32_t own = rng_u32(&first);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) CU_ASSERT_NOT_EQUAL(rng_u32(&other[i]), own);
}

static void test_below_is_even(void) {
    enum { N = 7, DRAWS = 70000 };
    int count[N] = {0};
    Rng r = rng_stream(RNG_SHUFFLE, 1, 0, 0, 0);
    for (int i = 0; i < DRAWS; i++) count[rng_below(&r, N)]++;
    for (int i = 0; i < N; i++) CU_ASSERT(abs(count[i] - DRAWS / N) < 5 * (int)sqrt(DRAWS / N));
    CU_ASSERT_EQUAL(rng_below(&r, 1), 0);
}

static void test_range_and_normal(void) {
    enum { DRAWS = 100000 };
    double sum = 0, squares = 0, low = 1e9, high = -1e9;
    Rng r = rng_stream(RNG_INIT, 1, 0, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        double x = rng_range(&r, 2, 5), z = rng_normal(&r);
        low = fmin(low, x);
        high = fmax(high, x);
        sum += z;
        squares += z * z;
    }
    CU_ASSERT(low >= 2 && low < 2.001 && high < 5 && high > 4.999);
    CU_ASSERT_DOUBLE_EQUAL(sum / DRAWS, 0, 0.02);
    CU_ASSERT_DOUBLE_EQUAL(squares / DRAWS, 1, 0.03);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rng", NULL, NULL);
    CU_add_test(suite, "known answers", test_known_answers);
    CU_add_test(suite, "uniform numbers are abi.h's formula", test_uniform_is_the_formula);
    CU_add_test(suite, "streams are separate", test_streams_are_separate);
    CU_add_test(suite, "below n is even", test_below_is_even);
    CU_add_test(suite, "ranges and normal numbers", test_range_and_normal);
    CU_basic_run_tests();
    int failed = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
