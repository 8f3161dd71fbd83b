/* One of several changes to a picture, drawn: what trivial_augment and rand_augment do. Operations, their order, ranges
 * and numbers of steps are those of torchvision 0.14, transforms/autoaugment.py: TrivialAugmentWide (Mueller and Hutter
 * 2021) and RandAugment (Cubuk et al. 2020), on pictures of 8 bits, with the nearest pixel. A mask takes the same
 * moves; its classes stay. */
#ifndef CNNC_RUNTIME_POLICY_H
#define CNNC_RUNTIME_POLICY_H

#include "frame.h"
#include "rng.h"

typedef enum PolicyKind { POLICY_TRIVIAL, POLICY_RAND, POLICY_KINDS } PolicyKind;

enum { POLICY_STEPS = 31 }; /* of a magnitude, from nothing to the most */

/* An operation drawn, at magnitude number `step` or, below 0, at one that is drawn; then its sign. fill: red, green,
 * blue, from 0 to 1, of what a move uncovers. */
bool policy_apply(PolicyKind kind, int32_t step, const double fill[3], Frame *f, Rng *r, RtError *err);

/* The name of operation k as torchvision has it, NULL behind the last. */
const char *policy_name(int k);
/* Operation k at a magnitude as policy_magnitude gives it, or the negative of one with a sign. */
bool policy_run(int k, double magnitude, const double fill[3], Frame *f, RtError *err);
double policy_magnitude(PolicyKind kind, int k, int32_t step, const Frame *f, bool *has_sign);

#endif
