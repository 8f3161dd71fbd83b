/* Pictures of a batch mixed with each other: the steps mixup and cutmix of settings.augment, which come after all that
 * is done to single pictures.
 *
 * Picture i is mixed with its neighbour i - 1, the first with the last (a batch is shuffled, so that is anyone), as
 * torchvision.transforms.v2 does it. Mixup (Zhang, Cisse, Dauphin, Lopez-Paz 2018): share * own + (1 - share) *
 * neighbour, with a share from Beta(alpha, alpha). Cutmix (Yun et al. 2019): a box of the neighbour's in the same
 * place; its centre is uniform, its sides are those of the picture times sqrt(1 - draw) with a draw from Beta(alpha,
 * alpha), it is cut off at the edges, and the share is what it leaves of the picture. The loss is share * loss of the
 * own label + (1 - share) * loss of the neighbour's.
 *
 * What a batch gets is a function of (seed, epoch, number of the batch), so threads and interruptions change nothing. */
#ifndef CNNC_RUNTIME_MIX_H
#define CNNC_RUNTIME_MIX_H

#include <jansson.h>

#include "pool.h"

typedef enum MixKind { MIX_MIXUP, MIX_CUTMIX, MIX_KINDS } MixKind;

/* All zero: nothing is mixed. */
typedef struct Mixer {
    double alpha[MIX_KINDS], p[MIX_KINDS]; /* p: the part of the batches; together at most 1 */
} Mixer;

/* What a batch has of each picture. */
typedef struct MixPlane {
    int32_t channels, height, width;
} MixPlane;

/* What a batch was mixed to: part [x0, x1) x [y0, y1) of each picture is share * own + (1 - share) * neighbour there,
 * and `label` is how much of the own label counts. label 1: as it was. */
typedef struct Mixed {
    int32_t x0, y0, x1, y1;
    float share, label;
} Mixed;

/* Is a step of settings.augment one of these? */
bool mix_is_step(const json_t *step);
/* From settings.augment, NULL too. Of those that have no p, each has the same part of what is left. RT_DATA. */
bool mix_parse(Mixer *m, const json_t *augment, RtError *err);
/* What batch `number` of an epoch becomes. */
Mixed mix_draw(const Mixer *m, const MixPlane *plane, uint64_t seed, uint32_t epoch, uint32_t number);
/* Makes it so. images: f32 [n][channels][height][width]. */
void mix_images(const MixPlane *plane, const Mixed *mixed, Pool *pool, int n, float *images);

#endif
