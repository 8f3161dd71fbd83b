/* Products of matrices by OpenBLAS, for programs compiled with -fblas. The linker takes this file only for them, since
 * nothing but their kernels names cnnc_sgemm.
 *
 * OpenBLAS is called from each of our threads and must not start threads of its own. CBLAS is declared here as every
 * implementation has it, so that building cnnc needs none. */
#include <stdbool.h>

#include "abi.h"

enum { ROW_MAJOR = 101, AS_IT_IS = 111, TRANSPOSED = 112 };

void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);
void cblas_sgemv(int order, int transpose, int m, int n, float alpha, const float *a, int lda, const float *x,
                 int step_x, float beta, float *y, int step_y);
void openblas_set_num_threads(int n);

__attribute__((constructor)) static void use_one_thread(void) { openblas_set_num_threads(1); }

/* Elements from one stored row to the next; where there is but one row the strides do not say. */
static int leading(int64_t stride, int64_t columns) { return (int)(stride > columns ? stride : columns); }

/* Of one row a product of matrix and vector is faster: 9.5 ms where sgemm takes 20.9 for 4096 x 9216. */
void cnnc_sgemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column, const float *b,
                int64_t b_row, int64_t b_column, float *c, int64_t c_row) {
    bool a_lies = a_column != 1, b_lies = b_column != 1;
    int lda = a_lies ? leading(a_column, m) : leading(a_row, k),
        ldb = b_lies ? leading(b_column, k) : leading(b_row, n);
    if (m == 1)
        cblas_sgemv(ROW_MAJOR, b_lies ? AS_IT_IS : TRANSPOSED, (int)(b_lies ? n : k), (int)(b_lies ? k : n), 1, b, ldb,
                    a, (int)a_column, 1, c, 1);
    else
        cblas_sgemm(ROW_MAJOR, a_lies ? TRANSPOSED : AS_IT_IS, b_lies ? TRANSPOSED : AS_IT_IS, (int)m, (int)n, (int)k,
                    1, a, lda, b, ldb, 1, c, leading(c_row, n));
}
