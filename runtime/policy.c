#include "policy.h"

#include <math.h>

#include "colour.h"

typedef bool Operation(double magnitude, const double fill[3], Frame *f, RtError *err);

static bool identity(double magnitude, const double fill[3], Frame *f, RtError *err) {
    (void)magnitude, (void)fill, (void)f, (void)err;
    return true;
}

/* ---- moves ---- */

/* As places are in fixed point, so that rounding is the same at the corner, and not at the middle. */
static double in_steps(double x) { return rint(x * MOVE_ONE) / MOVE_ONE; }

/* About the upper left corner, as torchvision shears: x + magnitude * y. */
static bool shear_x(double magnitude, const double fill[3], Frame *f, RtError *err) {
    magnitude = in_steps(magnitude);
    Move m = {.matrix = {1, magnitude, 0, 1}, .shift = {magnitude * frame_height(f) / 2, 0}, .nearest = true};
    return frame_move(f, &m, fill, err);
}

static bool shear_y(double magnitude, const double fill[3], Frame *f, RtError *err) {
    magnitude = in_steps(magnitude);
    Move m = {.matrix = {1, 0, magnitude, 1}, .shift = {0, magnitude * frame_width(f) / 2}, .nearest = true};
    return frame_move(f, &m, fill, err);
}

/* By whole pixels. */
static bool translate_x(double magnitude, const double fill[3], Frame *f, RtError *err) {
    Move m = {.matrix = {1, 0, 0, 1}, .shift = {-trunc(magnitude), 0}, .nearest = true};
    return frame_move(f, &m, fill, err);
}

static bool translate_y(double magnitude, const double fill[3], Frame *f, RtError *err) {
    Move m = {.matrix = {1, 0, 0, 1}, .shift = {0, -trunc(magnitude)}, .nearest = true};
    return frame_move(f, &m, fill, err);
}

static bool rotate(double magnitude, const double fill[3], Frame *f, RtError *err) {
    Move m = {.nearest = true};
    move_rotate(&m, magnitude);
    return frame_move(f, &m, fill, err);
}

/* ---- colours ---- */

static int32_t factor_of(double magnitude) { return (int32_t)lrint((1 + magnitude) * FACTOR_ONE); }

#define COLOUR(name, ...)                                                                          \
    static bool name(double magnitude, const double fill[3], Frame *f, RtError *err) {             \
        Image *pixels;                                                                             \
        (void)magnitude, (void)fill;                                                               \
        if (!frame_settle(f, &pixels, err)) return false;                                          \
        __VA_ARGS__;                                                                               \
        return true;                                                                               \
    }
COLOUR(brightness, image_brightness(pixels, factor_of(magnitude)))
COLOUR(colour, image_saturation(pixels, factor_of(magnitude)))
COLOUR(contrast, image_contrast(pixels, factor_of(magnitude)))
COLOUR(posterize, image_posterize(pixels, (int32_t)magnitude))
COLOUR(solarize, image_solarize(pixels, magnitude))
COLOUR(autocontrast, image_autocontrast(pixels))
COLOUR(equalize, image_equalize(pixels))
#undef COLOUR

static bool sharpness(double magnitude, const double fill[3], Frame *f, RtError *err) {
    (void)fill;
    return frame_sharpen(f, factor_of(magnitude), err);
}

/* ---- the table ---- */

/* What a magnitude is measured in. */
typedef enum Unit { UNIT_ONE, UNIT_WIDTH, UNIT_HEIGHT, UNIT_BITS } Unit;

/* ONE ROW PER OPERATION. from: magnitude number 0; to: the last one of each policy, evenly spaced; bits are whole.
 * Those of rand_augment are parts of the picture's sides where those of trivial_augment are pixels. */
static const struct {
    const char *name;
    Operation *run;
    bool sign, colour;
    double from, to[POLICY_KINDS];
    Unit unit[POLICY_KINDS];
} operations[] = {
    {"Identity", identity, false, false, 0, {0, 0}, {UNIT_ONE, UNIT_ONE}},
    {"ShearX", shear_x, true, false, 0, {0.99, 0.3}, {UNIT_ONE, UNIT_ONE}},
    {"ShearY", shear_y, true, false, 0, {0.99, 0.3}, {UNIT_ONE, UNIT_ONE}},
    {"TranslateX", translate_x, true, false, 0, {32, 150.0 / 331}, {UNIT_ONE, UNIT_WIDTH}},
    {"TranslateY", translate_y, true, false, 0, {32, 150.0 / 331}, {UNIT_ONE, UNIT_HEIGHT}},
    {"Rotate", rotate, true, false, 0, {135, 30}, {UNIT_ONE, UNIT_ONE}},
    {"Brightness", brightness, true, true, 0, {0.99, 0.9}, {UNIT_ONE, UNIT_ONE}},
    {"Color", colour, true, true, 0, {0.99, 0.9}, {UNIT_ONE, UNIT_ONE}},
    {"Contrast", contrast, true, true, 0, {0.99, 0.9}, {UNIT_ONE, UNIT_ONE}},
    {"Sharpness", sharpness, true, true, 0, {0.99, 0.9}, {UNIT_ONE, UNIT_ONE}},
    {"Posterize", posterize, false, true, 8, {2, 4}, {UNIT_BITS, UNIT_BITS}},
    {"Solarize", solarize, false, true, 255, {0, 0}, {UNIT_ONE, UNIT_ONE}},
    {"AutoContrast", autocontrast, false, true, 0, {0, 0}, {UNIT_ONE, UNIT_ONE}},
    {"Equalize", equalize, false, true, 0, {0, 0}, {UNIT_ONE, UNIT_ONE}},
};

enum { N_OPERATIONS = sizeof operations / sizeof operations[0] };

const char *policy_name(int k) { return k < N_OPERATIONS ? operations[k].name : NULL; }

bool policy_run(int k, double magnitude, const double fill[3], Frame *f, RtError *err) {
    return (frame_is_mask(f) && operations[k].colour) || operations[k].run(magnitude, fill, f, err);
}

double policy_magnitude(PolicyKind kind, int k, int32_t step, const Frame *f, bool *has_sign) {
    const double size[] = {
        [UNIT_ONE] = 1, [UNIT_WIDTH] = frame_width(f), [UNIT_HEIGHT] = frame_height(f), [UNIT_BITS] = 1};
    double from = operations[k].from, moved = (operations[k].to[kind] - from) * step / (POLICY_STEPS - 1);
    *has_sign = operations[k].sign;
    if (operations[k].unit[kind] == UNIT_BITS) moved = rint(moved);
    return (from + moved) * size[operations[k].unit[kind]];
}

bool policy_apply(PolicyKind kind, int32_t step, const double fill[3], Frame *f, Rng *r, RtError *err) {
    bool sign;
    int k = (int)rng_below(r, N_OPERATIONS);
    int32_t drawn = (int32_t)rng_below(r, POLICY_STEPS);
    double magnitude = policy_magnitude(kind, k, step < 0 ? drawn : step, f, &sign);
    if (rng_below(r, 2) && sign) magnitude = -magnitude;
    return policy_run(k, magnitude, fill, f, err);
}
