/* The matrix product of a layer by OpenBLAS, without the copying that turns a convolution into one. For each line
 * "M N K" on standard input prints the seconds of C[M,N] = A[M,K] * B[K,N] in float32, with N = 1 as matrix times
 * vector. */
#include <cblas.h>
#include <stdio.h>

#include "cold.h"

typedef struct Product {
    int m, n, k;
    float *a, *b, *c;
} Product;

static void multiply(void *arg) {
    Product *p = (Product *)arg;
    if (p->n == 1)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, p->m, p->k, 1, p->a, p->k, p->b, 1, 0, p->c, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->n, 0, p->c,
                    p->n);
}

static float *floats(size_t rows, size_t columns) {
    float *x = malloc(rows * columns * sizeof *x);
    for (size_t i = 0; x && i < rows * columns; i++) x[i] = (float)(i % 13) - 6;
    return x;
}

int main(void) {
    Product p;
    while (scanf("%d %d %d", &p.m, &p.n, &p.k) == 3) {
        size_t m = (size_t)p.m, n = (size_t)p.n, k = (size_t)p.k;
        p.a = floats(m, k), p.b = floats(k, n), p.c = floats(m, n);
        if (!p.a || !p.b || !p.c) return 71;
        printf("%.9f\n", cold_best(multiply, &p, p.b, k * n * sizeof *p.b));
        fflush(stdout);
        free(p.a), free(p.b), free(p.c);
    }
    return 0;
}
