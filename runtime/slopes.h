/* Are the gradients that training computes those of the loss? Measured on the machine code itself: along the gradient g
 * of a parameter's tensor the loss changes by |g| for each unit of length, so that (L(w + e g / |g|) - L(w - e g /
 * |g|)) / 2e is compared with |g|, for a few lengths e until one fits: long ones suffer from curvature, short ones from
 * rounding.
 *
 * One batch of made-up pictures and labels, dropout and all. Gradients are those in region "gradient", which the
 * program has where the file says test { gradients = all }. A tensor with a gradient too small to measure is moved in a
 * random direction, along which the loss then must not change either. After --seconds, or 60, the tensors that are left
 * are left out; they come from all over the net. */
#ifndef CNNC_RUNTIME_SLOPES_H
#define CNNC_RUNTIME_SLOPES_H

#include <jansson.h>

#include "cli.h"

/* Prints a line or adds the member "gradients" to `into` if that is not NULL. RT_UNKEPT, naming the tensor, if one is
 * wrong by more than 2 %. */
bool slopes_check(const Context *c, const Options *o, json_t *into, RtError *err);

#endif
