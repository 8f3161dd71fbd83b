/* The steps that take a picture from the file to the net's input: a table by name, each row a parser of the step's
 * settings and what it does to a frame. What each step means is said in augment.h. */
#ifndef CNNC_RUNTIME_STEP_H
#define CNNC_RUNTIME_STEP_H

#include <jansson.h>

#include "policy.h"

typedef struct StepKind StepKind;

/* The parameters of one step; which of them count is the kind's business. */
typedef struct Step {
    const StepKind *kind;
    int32_t width, height;            /* of a crop or an exact resize; 0: none */
    int32_t shorter, longest_shorter; /* shorter side, or the range it is drawn from */
    int32_t pad;
    int32_t across, down; /* where a crop lies in what there is: -1 left, top; 0 middle; 1 right, bottom */
    bool mirrored;        /* left and right exchanged after a crop */
    double area[2], ratio[2];
    double probability;
    double jitter[3]; /* brightness, contrast, saturation */
    double degrees[2];
    bool fill_mean; /* what a rotation uncovers has the colour `mean`; else black */
    PolicyKind policy; /* of so many changes, at this magnitude; below 0: one that is drawn */
    int32_t times, magnitude;
    double sigma[2];  /* or the range that it is drawn from */
    double mean[3];   /* red, green, blue of what is 0 in the tensor, from 0 to 1 */
    Filter filter;
    bool antialias;
} Step;

/* A step from {"call": name, ...}, with every parameter that it has (abi.h). mean: of Step. */
bool step_parse(Step *step, const json_t *call, const double mean[3], RtError *err);

/* True if the picture has the same size after the step whatever it was before. */
bool step_fixes_size(const Step *step);

/* The step as it takes crop number k < STEP_PLACES: 0 .. 3 the corners, 4 the middle, then these mirrored. */
enum { STEP_PLACES = 10 };
void step_place(Step *step, int k);

/* True if it changes colours only, so that masks do not take it. */
bool step_is_colour(const Step *step);

bool step_apply(const Step *step, Frame *frame, Rng *rng, RtError *err);

/* [h, w] of settings, each 1 .. 65535; `what` is for the message. */
bool step_parse_size(const json_t *size, const char *what, int32_t *width, int32_t *height, RtError *err);

#endif
