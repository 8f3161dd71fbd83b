/* The algorithm model: what a convolution costs as a direct sum and by each of Winograd's methods, from plain numbers.
 * Pure functions; `algorithm` takes the best choice, the tuner measures the best few. */
#ifndef CNNC_PASSES_ALGORITHM_MODEL_H
#define CNNC_PASSES_ALGORITHM_MODEL_H

#include "../ir/unit.h"

typedef struct ConvProblem {
    const ConvAttr *conv;
    const Type *x, *y;       /* operand and result */
    bool plain;              /* x is the picture itself, which is read as it is: only directly */
    bool transposed;         /* a transposed convolution */
    bool fresh;              /* weights are new in every call, which transforms them */
    int32_t pictures;        /* in a call */
    const Machine *machine;
} ConvProblem;

enum { CONV_CHOICES = 64 };

/* tile 0: a direct sum; else F(tile, kernel), in bands of so many rows of tiles or, band 0, phase by phase. */
typedef struct ConvChoice {
    int32_t tile, band;
    double cycles;           /* of one core, for one call */
} ConvChoice;

/* Of a convolution or a transposed one, with weights that stay. */
ConvProblem conv_problem(const Unit *u, const Graph *g, Ref conv, int32_t pictures);

/* All that can compute it under that rule, the fastest first, at most CONV_CHOICES; how many. At least one. */
int conv_choices(const ConvProblem *p, WinogradUse use, ConvChoice *out);
/* The cycles of one of them; 1e30 where it should not be taken. */
double conv_cycles(const ConvProblem *p, int32_t tile, int32_t band);

/* The shape as one word, "64x56x56,64,3x3,s1x1,d1x1,p1.1.1.1,g1,n1", with ",transposed" and ",fresh" where it is so:
 * equal words, equal problems on one machine. */
Name conv_shape(const ConvProblem *p);

#endif
