#include "winograd.h"

#include "base.h"

enum { POINTS_MAX = WINOGRAD_MAX - 1 };

/* Coefficients of the product of (x - p) over the n points but `without` (n: over all). Returns the degree. */
static int32_t polynomial(const double *p, int32_t n, int32_t without, double c[WINOGRAD_MAX]) {
    int32_t degree = 0;
    c[0] = 1;
    for (int32_t i = 0; i < n; i++) {
        if (i == without) continue;
        c[degree + 1] = 0;
        for (int32_t k = ++degree; k > 0; k--) c[k] = c[k - 1] - p[i] * c[k];
        c[0] *= -p[i];
    }
    return degree;
}

/* Powers of the points: row i, column j is p_j^i, or its transpose; at infinity only the highest power counts. */
static void powers(Matrix *m, bool points_in_rows, const double *p, int32_t n, int32_t count) {
    *m = (Matrix){.rows = points_in_rows ? n + 1 : count, .cols = points_in_rows ? count : n + 1};
    for (int32_t j = 0; j <= n; j++) {
        double x = 1;
        for (int32_t i = 0; i < count; i++) {
            double v = j < n ? x : i == count - 1;
            if (points_in_rows)
                m->at[j][i] = v;
            else
                m->at[i][j] = v;
            x *= j < n ? p[j] : 1;
        }
    }
}

bool winograd_matrices(int32_t m, int32_t r, WinogradMatrices *w) {
    /* By the number of inputs. Points near 1 in size keep the powers and with them the rounding errors small: with
     * +-1/sqrt(2), +-sqrt(2) in place of the textbook's +-1, +-2 the
     * error of a sum over 256 channels is 1.3e-6 in the mean and 1.8e-6 at most, not 2.8e-6 and 7.2e-6. */
    static const double half = 0.70710678118654752440, two = 1.41421356237309504880;
    const double point[][POINTS_MAX] = {[4] = {0, 1, -1}, [5] = {0, 1, -1, 2}, [6] = {0, half, -half, two, -two}};
    int32_t a = m + r - 1, n = a - 1;
    if (m < 2 || r < 2 || a < 4 || a >= ARRAY_LEN(point)) return false;
    const double *p = point[a];
    double c[WINOGRAD_MAX];
    powers(&w->at, false, p, n, m);
    powers(&w->g, true, p, n, r);
    w->bt = (Matrix){.rows = a, .cols = a};
    for (int32_t j = 0; j < a; j++) {
        int32_t degree = polynomial(p, n, j, c);
        double scale = 1;
        for (int32_t q = 0; q < n && j < n; q++) scale *= q == j ? 1 : p[j] - p[q];
        for (int32_t k = 0; k < r; k++) w->g.at[j][k] /= scale;
        for (int32_t k = 0; k <= degree; k++) w->bt.at[j][k] = c[k];
    }
    return true;
}
