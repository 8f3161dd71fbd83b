/* See blas.h. */
#include "blas.h"

/* What a training step spends on a layer, forward and both gradients together, ms on one core, here : by OpenBLAS
 * 0.3.21 (two cores of a Xeon with AVX-512 that other work shared, by the processor's clock; bench --train --layers
 * --threads 1):
 *     pictures      16              32              64              256
 *     9216x4096     113 : 116       189 : 147       350 : 191       1456 : 571
 *     4096x4096      51 : 41         85 : 54        151 : 75         628 : 202
 *     4096x1000     9.7 : 10.4     17.5 : 13.5     31.3 : 18.8       136 : 54
 *      512x2048     2.3 : 1.9       4.3 : 2.8       8.5 : 4.7         36 : 15
 *      512x512      0.4 : 0.3       0.9 : 0.6       1.7 : 0.9        7.0 : 3.8
 *       64x64      .005 : .006     .009 : .010     .016 : .018      .066 : .074
 * Most of that is fc_dgrad, where ours has no register tiles. In inference ours is never slower, see lower_fc.c. */
enum { PICTURES_LEAST = 16 };

bool blas_keeps(const Unit *u) {
    return u->opt->blas == BLAS_ALWAYS || (u->opt->blas == BLAS_AUTO && u->train.batch >= PICTURES_LEAST);
}

bool blas_takes(const Unit *u, Entry entry, const Type *w) {
    return w->dtype == DT_F32 && (entry == ENTRY_TRAIN || u->opt->blas == BLAS_ALWAYS) && blas_keeps(u);
}
