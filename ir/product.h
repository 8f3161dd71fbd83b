/* Products of matrices inside loops: what LOOP_BLAS stands on.
 *
 *     for i in 0..m blas {
 *       for j in 0..n {
 *         for p in 0..k {
 *           c[.. + row*i + j] = fma(a[..], b[..], c[.. + row*i + j])
 *
 * where a moves with i and p, b with p and j, one step of either in one of the two ways. */
#ifndef CNNC_IR_PRODUCT_H
#define CNNC_IR_PRODUCT_H

#include "loop.h"

typedef struct Matrix {
    int32_t buf;
    const Expr *index;     /* of its first element where the loops' variables are 0 */
    int64_t row, column;   /* elements from one row, and from one column, to the next: at least one of them is 1 */
} Matrix;

typedef struct Product {   /* c[m,n] += a[m,k] * b[k,n] */
    Matrix c, a, b;
    int32_t var[3];        /* i, j, p */
    const Expr *extent[3]; /* m, n, k */
} Product;

/* False if the loop is not of the form above: then a library cannot run it. Strides and constant extents fit 32 bits. */
bool product_of(const Kernel *k, const Stmt *loop, Product *p);
/* Is there a loop of mode BLAS in s? */
bool holds_product(const Stmt *s);

#endif
