/* Storage form: against the formula of abi.h written down literally, and there and back, whole and in slices. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/pack.h"

static const Form forms[] = {
    {{1, 1, 1, 1}, 1, 1},   {{5, 3, 2, 2}, 1, 1},   {{5, 3, 2, 2}, 4, 1},   {{5, 3, 2, 2}, 1, 2},
    {{17, 9, 3, 1}, 16, 8}, {{16, 16, 1, 1}, 8, 8}, {{33, 7, 1, 1}, 16, 1}, {{7, 1, 1, 1}, 16, 1},
    {{3, 50, 1, 1}, 4, 16}, {{40, 3, 5, 4}, 8, 4},
};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

/* Where an element is stored, from the comment in abi.h: dim0/b0, dim1/b1, dim2, dim3, dim1%b1, dim0%b0. */
static int64_t place(const Form *f, int64_t i, int64_t j, int64_t y, int64_t x) {
    int64_t blocks1 = (f->dim[1] + f->b1 - 1) / f->b1;
    int64_t at = (i / f->b0) * blocks1 + j / f->b1;
    at = (at * f->dim[2] + y) * f->dim[3] + x;
    return (at * f->b1 + j % f->b1) * f->b0 + i % f->b0;
}

/* stored by the formula, logical[e] = e + 1; the caller frees. */
static float *expected(const Form *f) {
    float *stored = calloc((size_t)form_stored(f), sizeof *stored), value = 0;
    for (int64_t i = 0; i < f->dim[0]; i++)
        for (int64_t j = 0; j < f->dim[1]; j++)
            for (int64_t y = 0; y < f->dim[2]; y++)
                for (int64_t x = 0; x < f->dim[3]; x++) stored[place(f, i, j, y, x)] = value += 1;
    return stored;
}

static float *counting(int64_t n) {
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(i + 1);
    return x;
}

static void test_formula(void) {
    for (int i = 0; i < N_FORMS; i++) {
        const Form *f = &forms[i];
        size_t logical = (size_t)form_elements(f) * sizeof(float), bytes = (size_t)form_stored(f) * sizeof(float);
        float *want = expected(f), *from = counting(form_elements(f)), *to = malloc(bytes), *back = malloc(logical);
        memset(to, 0xff, bytes); /* the pad must be written */
        pack(f, from, to);
        CU_ASSERT_EQUAL(memcmp(to, want, bytes), 0);
        unpack(f, to, back);
        CU_ASSERT_EQUAL(memcmp(back, from, logical), 0);
        free(want);
        free(from);
        free(to);
        free(back);
    }
}

static void check_slices(const Form *f, int64_t most) {
    size_t bytes = (size_t)form_stored(f) * sizeof(float);
    float *want = expected(f), *from = counting(form_elements(f)), *to = malloc(bytes);
    int64_t elements = 0, stored = 0;
    for (int64_t i = 0; i < form_slices(f, most); i++) {
        Slice s = form_slice(f, most, i);
        CU_ASSERT_EQUAL(s.logical, elements);
        CU_ASSERT_EQUAL(s.stored, stored);
        CU_ASSERT(form_elements(&s.form) <= form_slice_elements(f, most));
        pack(&s.form, from + s.logical, to + s.stored);
        elements += form_elements(&s.form);
        stored += form_stored(&s.form);
    }
    CU_ASSERT_EQUAL(elements, form_elements(f));
    CU_ASSERT_EQUAL(stored, form_stored(f));
    CU_ASSERT_EQUAL(memcmp(to, want, bytes), 0);
    free(want);
    free(from);
    free(to);
}

static void test_slices(void) {
    for (int i = 0; i < N_FORMS; i++)
        for (int64_t most = 1; most <= 4096; most *= 4) check_slices(&forms[i], most);
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pack", NULL, NULL);
    CU_add_test(suite, "formula", test_formula);
    CU_add_test(suite, "slices", test_slices);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
