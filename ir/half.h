/* IEEE half precision (binary16) as bits. */
#ifndef CNNC_IR_HALF_H
#define CNNC_IR_HALF_H

#include <stdint.h>

#define HALF_MAX 65504.0   /* the largest finite half */

double half_value(uint16_t half);
/* The nearest half, ties to even; infinity beyond HALF_MAX and its rounding; any NaN gives one NaN. */
uint16_t half_nearest(double x);

#endif
