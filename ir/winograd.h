/* Winograd's minimal filtering: the matrices of F(m x m, r x r).
 *
 *     y = A^T [ (G w G^T) .* (B^T x B) ] A        x: a x a inputs, w: r x r taps, y: m x m outputs, a = m + r - 1
 *
 * a^2 products give m^2 outputs of r^2 taps each. The matrices follow from a - 1 points p and infinity (Cook-Toom, as
 * in Lavin & Gray 2015): A^T has the powers p^i, G the powers p^k divided by the product of (p - q) over the other
 * points, B^T the coefficients of the product of (x - q) over the other points. */
#ifndef CNNC_IR_WINOGRAD_H
#define CNNC_IR_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

enum { WINOGRAD_MAX = 8 };   /* rows and columns of a matrix at most */

typedef struct Matrix {
    int32_t rows, cols;
    double at[WINOGRAD_MAX][WINOGRAD_MAX];
} Matrix;

/* at: A^T [m][a]; g: G [a][r]; bt: B^T [a][a]. */
typedef struct WinogradMatrices {
    Matrix at, g, bt;
} WinogradMatrices;

/* False if there are no points for m outputs of r taps: 4 <= m + r - 1 <= 6, m >= 2, r >= 2. */
bool winograd_matrices(int32_t m, int32_t r, WinogradMatrices *w);

#endif
