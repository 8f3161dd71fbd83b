#include "half.h"

#include <math.h>

enum { SIGN = 0x8000, INFINITE = 0x7c00, QUIET_NAN = 0x7e00, FRACTION_BITS = 10, LEAST_EXPONENT = -14 };

double half_value(uint16_t half) {
    int exponent = (half & INFINITE) >> FRACTION_BITS, fraction = half & ((1 << FRACTION_BITS) - 1);
    double x = exponent == 0 ? ldexp(fraction, LEAST_EXPONENT - FRACTION_BITS)
                             : ldexp(fraction + (1 << FRACTION_BITS), exponent - 1 + LEAST_EXPONENT - FRACTION_BITS);
    if (exponent == INFINITE >> FRACTION_BITS) x = fraction ? (double)NAN : (double)INFINITY;
    return half & SIGN ? -x : x;
}

/* |x| as a whole number of units of the last place at its exponent; the default rounding mode of rint is what is
 * wanted, and a carry runs on into the exponent of the bits as it should. */
uint16_t half_nearest(double x) {
    int exponent, sign = signbit(x) ? SIGN : 0;
    if (isnan(x)) return QUIET_NAN;
    if (isinf(x)) return (uint16_t)(sign | INFINITE);
    frexp(x, &exponent);
    exponent = x == 0 || exponent - 1 < LEAST_EXPONENT ? LEAST_EXPONENT : exponent - 1;
    if (exponent > 15) return (uint16_t)(sign | INFINITE);
    int units = (int)rint(ldexp(fabs(x), FRACTION_BITS - exponent));
    int bits = units + ((exponent - LEAST_EXPONENT) << FRACTION_BITS);
    return (uint16_t)(sign | (bits > INFINITE ? INFINITE : bits));
}
