/* Pictures that nobody took: made on the fly, to try a net without data and to time it. Their class can be learned.
 *
 * Each class has two gratings of its own, waves of some direction, length and colour; a picture shows them shifted by
 * up to a sixth of a wave, with a contrast and brightness of its own and noise over all. The gratings depend on the
 * class alone, so what is learned with one seed holds for pictures of another. All is done in whole numbers and with
 * Philox (rng.h): the same bytes on every machine, in any order, from any thread. */
#ifndef CNNC_RUNTIME_SYNTHETIC_H
#define CNNC_RUNTIME_SYNTHETIC_H

#include "image.h"

/* Fills all pixels of `out`, which has its size: picture number `sample` of `seed`, of class `label`. */
void synthetic_paint(uint64_t seed, uint32_t sample, int32_t label, Image *out);

#endif
