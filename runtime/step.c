#include "step.h"

#include <math.h>
#include <string.h>

#include "colour.h"

enum { SIDE_LIMIT = 65535, TRIES = 10, MOST_SIGMA = 100, POLICY_MOST = 14 };

struct StepKind {
    const char *name;
    bool (*parse)(Step *s, const json_t *call, RtError *err);
    bool (*apply)(const Step *s, Frame *f, Rng *r, RtError *err);
    bool colour; /* the pixels stay where they are */
};

/* ---- settings ---- */

static bool parse_number(const json_t *call, const char *key, double low, double high, double *result, RtError *err) {
    const json_t *value = json_object_get(call, key);
    *result = json_number_value(value);
    if (!json_is_number(value) || !(*result >= low && *result <= high))
        return !rt_fail(err, RT_DATA, "%s: `%s` must be a number from %g to %g",
                        json_string_value(json_object_get(call, "call")), key, low, high);
    return true;
}

static bool parse_range(const json_t *call, const char *key, double low, double high, double result[2], RtError *err) {
    const json_t *value = json_object_get(call, key);
    result[0] = json_number_value(json_array_get(value, 0));
    result[1] = json_number_value(json_array_get(value, 1));
    if (json_array_size(value) != 2 || !(result[0] >= low && result[0] <= result[1] && result[1] <= high))
        return !rt_fail(err, RT_DATA, "%s: `%s` must be two rising numbers from %g to %g",
                        json_string_value(json_object_get(call, "call")), key, low, high);
    return true;
}

bool step_parse_size(const json_t *size, const char *what, int32_t *width, int32_t *height, RtError *err) {
    json_int_t h = json_integer_value(json_array_get(size, 0)), w = json_integer_value(json_array_get(size, 1));
    if (json_array_size(size) != 2 || h < 1 || h > SIDE_LIMIT || w < 1 || w > SIDE_LIMIT)
        return !rt_fail(err, RT_DATA, "%s: `size` must be [height, width], each from 1 to %d", what, SIDE_LIMIT);
    *height = (int32_t)h;
    *width = (int32_t)w;
    return true;
}

static bool parse_crop(Step *s, const json_t *call, RtError *err) {
    return step_parse_size(json_object_get(call, "size"), s->kind->name, &s->width, &s->height, err);
}

static bool parse_random_crop(Step *s, const json_t *call, RtError *err) {
    double pad;
    if (!parse_number(call, "pad", 0, SIDE_LIMIT, &pad, err)) return false;
    s->pad = (int32_t)pad;
    return parse_crop(s, call, err);
}

static bool parse_resize(Step *s, const json_t *call, RtError *err) {
    const json_t *size = json_object_get(call, "size");
    double shorter;
    if (json_is_array(size)) return step_parse_size(size, s->kind->name, &s->width, &s->height, err);
    if (!parse_number(call, "size", 1, SIDE_LIMIT, &shorter, err)) return false;
    s->shorter = s->longest_shorter = (int32_t)shorter;
    return true;
}

static bool parse_scale(Step *s, const json_t *call, RtError *err) {
    double range[2];
    if (!parse_range(call, "shorter", 1, SIDE_LIMIT, range, err)) return false;
    s->shorter = (int32_t)range[0];
    s->longest_shorter = (int32_t)range[1];
    return true;
}

/* A box, of a part of the picture's area. */
static bool parse_box(Step *s, const json_t *call, RtError *err) {
    return parse_range(call, "area", 1e-6, 1, s->area, err) && parse_range(call, "ratio", 1e-6, 1e6, s->ratio, err);
}

static bool parse_resized_crop(Step *s, const json_t *call, RtError *err) {
    return parse_box(s, call, err) && parse_crop(s, call, err);
}

static bool parse_chance(Step *s, const json_t *call, RtError *err) {
    return parse_number(call, "p", 0, 1, &s->probability, err);
}

static bool parse_erase(Step *s, const json_t *call, RtError *err) {
    return parse_chance(s, call, err) && parse_box(s, call, err);
}

static bool parse_fill(Step *s, const json_t *call, RtError *err) {
    const char *fill = json_string_value(json_object_get(call, "fill"));
    s->fill_mean = fill && !strcmp(fill, "mean");
    return s->fill_mean || (fill && !strcmp(fill, "black")) ||
           !rt_fail(err, RT_DATA, "%s: `fill` must be black or mean", s->kind->name);
}

static bool parse_rotate(Step *s, const json_t *call, RtError *err) {
    return parse_fill(s, call, err) && parse_range(call, "degrees", -360, 360, s->degrees, err);
}

static bool parse_trivial(Step *s, const json_t *call, RtError *err) {
    s->times = 1;
    s->magnitude = -1;
    s->policy = POLICY_TRIVIAL;
    return parse_fill(s, call, err);
}

static bool parse_rand(Step *s, const json_t *call, RtError *err) {
    double n, m;
    if (!parse_number(call, "n", 1, POLICY_MOST, &n, err) || !parse_number(call, "m", 0, POLICY_STEPS - 1, &m, err))
        return false;
    s->times = (int32_t)n;
    s->magnitude = (int32_t)m;
    s->policy = POLICY_RAND;
    return parse_fill(s, call, err);
}

static bool parse_blur(Step *s, const json_t *call, RtError *err) {
    return parse_chance(s, call, err) && parse_range(call, "sigma", 1e-6, MOST_SIGMA, s->sigma, err);
}

static bool parse_pca(Step *s, const json_t *call, RtError *err) {
    return parse_number(call, "sigma", 0, MOST_SIGMA, &s->sigma[0], err);
}

static bool parse_jitter(Step *s, const json_t *call, RtError *err) {
    static const char *const keys[3] = {"brightness", "contrast", "saturation"};
    const double strongest = 100;
    for (int i = 0; i < 3; i++)
        if (!parse_number(call, keys[i], 0, strongest, &s->jitter[i], err)) return false;
    return true;
}

/* ---- geometry ---- */

static bool resize(const Step *s, Frame *f, int64_t width, int64_t height, RtError *err) {
    if (width > IMAGE_PIXEL_LIMIT || height > IMAGE_PIXEL_LIMIT)
        return !rt_fail(err, RT_LIMIT, "a resize to %lld x %lld pixels", (long long)width, (long long)height);
    return frame_resize(f, width < 1 ? 1 : (int32_t)width, height < 1 ? 1 : (int32_t)height, s->filter, s->antialias,
                        err);
}

static bool resize_shorter(const Step *s, Frame *f, int64_t shorter, RtError *err) {
    int64_t w = frame_width(f), h = frame_height(f);
    return w < h ? resize(s, f, shorter, shorter * h / w, err) : resize(s, f, shorter * w / h, shorter, err);
}

/* Scales a picture up, if it must be, until it covers the window of the step. */
static bool cover(const Step *s, Frame *f, RtError *err) {
    double w = frame_width(f), h = frame_height(f), scale = fmax(s->width / w, s->height / h);
    if (scale <= 1) return true;
    int64_t width = llround(w * scale), height = llround(h * scale);
    return resize(s, f, width > s->width ? width : s->width, height > s->height ? height : s->height, err);
}

static bool apply_resize(const Step *s, Frame *f, Rng *r, RtError *err) {
    (void)r;
    return s->width ? resize(s, f, s->width, s->height, err) : resize_shorter(s, f, s->shorter, err);
}

static bool apply_scale(const Step *s, Frame *f, Rng *r, RtError *err) {
    return resize_shorter(s, f, s->shorter + (int64_t)rng_below(r, (uint32_t)(s->longest_shorter - s->shorter) + 1),
                          err);
}

static bool apply_crop(const Step *s, Frame *f, Rng *r, RtError *err) {
    (void)r;
    if (!cover(s, f, err)) return false;
    int32_t x = (int32_t)lrint((frame_width(f) - s->width) * (1 + s->across) / 2.0),
            y = (int32_t)lrint((frame_height(f) - s->height) * (1 + s->down) / 2.0);
    if (!frame_crop(f, x, y, s->width, s->height, err)) return false;
    frame_flip(f, s->mirrored, false);
    return true;
}

/* A window at a uniform place within the frame, which covers it. */
static bool crop_anywhere(Frame *f, int32_t width, int32_t height, Rng *r, RtError *err) {
    int32_t y = (int32_t)rng_below(r, (uint32_t)(frame_height(f) - height) + 1);
    int32_t x = (int32_t)rng_below(r, (uint32_t)(frame_width(f) - width) + 1);
    return frame_crop(f, x, y, width, height, err);
}

static bool apply_random_crop(const Step *s, Frame *f, Rng *r, RtError *err) {
    int32_t pad = s->pad, w = frame_width(f), h = frame_height(f);
    bool covers = w + 2 * (int64_t)pad >= s->width && h + 2 * (int64_t)pad >= s->height;
    if (!covers && !cover(s, f, err)) return false;
    if (pad > 0 && !frame_crop(f, -pad, -pad, frame_width(f) + 2 * pad, frame_height(f) + 2 * pad, err)) return false;
    return crop_anywhere(f, s->width, s->height, r, err);
}

/* Draws a box of the picture's area and shape; false if it does not fit. */
static bool draw_box(const Step *s, double w, double h, Rng *r, int32_t *box_w, int32_t *box_h) {
    double area = w * h * rng_range(r, s->area[0], s->area[1]);
    double ratio = exp(rng_range(r, log(s->ratio[0]), log(s->ratio[1])));
    double bw = rint(sqrt(area * ratio)), bh = rint(sqrt(area / ratio));
    if (!(bw >= 1 && bw <= w && bh >= 1 && bh <= h)) return false;
    *box_w = (int32_t)bw;
    *box_h = (int32_t)bh;
    return true;
}

/* The largest central box whose shape is allowed. */
static bool crop_central(const Step *s, Frame *f, RtError *err) {
    int32_t w = frame_width(f), h = frame_height(f), bw = w, bh = h;
    double shape = (double)w / h;
    if (shape < s->ratio[0])
        bh = (int32_t)fmin(h, fmax(1, rint(w / s->ratio[0])));
    else if (shape > s->ratio[1])
        bw = (int32_t)fmin(w, fmax(1, rint(h * s->ratio[1])));
    return frame_crop(f, (w - bw) / 2, (h - bh) / 2, bw, bh, err);
}

static bool apply_resized_crop(const Step *s, Frame *f, Rng *r, RtError *err) {
    int32_t bw, bh, tries = 0;
    while (tries < TRIES && !draw_box(s, frame_width(f), frame_height(f), r, &bw, &bh)) tries++;
    bool cropped = tries < TRIES ? crop_anywhere(f, bw, bh, r, err) : crop_central(s, f, err);
    return cropped && resize(s, f, s->width, s->height, err);
}

static bool chance(const Step *s, Rng *r) { return rng_range(r, 0, 1) < s->probability; }

static bool apply_hflip(const Step *s, Frame *f, Rng *r, RtError *err) {
    (void)err;
    frame_flip(f, chance(s, r), false);
    return true;
}

static bool apply_vflip(const Step *s, Frame *f, Rng *r, RtError *err) {
    (void)err;
    frame_flip(f, false, chance(s, r));
    return true;
}

static const double black[3];

static bool apply_rotate(const Step *s, Frame *f, Rng *r, RtError *err) {
    return frame_rotate(f, rng_range(r, s->degrees[0], s->degrees[1]), s->fill_mean ? s->mean : black, err);
}

/* Changes of several kinds; those of colours pass masks over. */
static bool apply_policy(const Step *s, Frame *f, Rng *r, RtError *err) {
    for (int32_t i = 0; i < s->times; i++)
        if (!policy_apply(s->policy, s->magnitude, s->fill_mean ? s->mean : black, f, r, err)) return false;
    return true;
}

/* ---- colour ---- */

static bool apply_grey(const Step *s, Frame *f, Rng *r, RtError *err) {
    Image *pixels;
    if (!chance(s, r)) return true;
    if (!frame_settle(f, &pixels, err)) return false;
    image_saturation(pixels, 0);
    return true;
}

static bool apply_jitter(const Step *s, Frame *f, Rng *r, RtError *err) {
    static void (*const change[3])(Image * image, int32_t factor) = {image_brightness, image_contrast,
                                                                     image_saturation};
    Image *pixels;
    int order[3] = {0, 1, 2};
    if (!frame_settle(f, &pixels, err)) return false;
    for (int i = 2; i > 0; i--) {
        int k = (int)rng_below(r, (uint32_t)i + 1), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
    for (int i = 0; i < 3; i++) {
        double amount = s->jitter[order[i]], factor = rng_range(r, fmax(0, 1 - amount), 1 + amount);
        if (amount > 0) change[order[i]](pixels, (int32_t)lrint(factor * FACTOR_ONE));
    }
    return true;
}

/* The principal components of the colours of ImageNet's training pictures, with red, green and blue from 0 to 1:
 * values and directions as published in fb.resnet.torch, datasets/imagenet.lua. */
static const struct {
    double value, direction[3];
} components[3] = {{0.2175, {-0.5675, -0.5808, -0.5836}},
                   {0.0188, {0.7192, -0.0045, -0.6948}},
                   {0.0045, {0.4009, -0.8140, 0.4203}}};

static bool apply_pca(const Step *s, Frame *f, Rng *r, RtError *err) {
    Image *pixels;
    double shift[3] = {0};
    if (!frame_settle(f, &pixels, err)) return false;
    for (int i = 0; i < 3; i++) {
        double alpha = s->sigma[0] * rng_normal(r) * components[i].value;
        for (int c = 0; c < 3; c++) shift[c] += alpha * components[i].direction[c];
    }
    image_shift(pixels, shift);
    return true;
}

static bool apply_blur(const Step *s, Frame *f, Rng *r, RtError *err) {
    return !chance(s, r) || frame_blur(f, rng_range(r, s->sigma[0], s->sigma[1]), err);
}

static bool apply_erase(const Step *s, Frame *f, Rng *r, RtError *err) {
    Image *pixels;
    int32_t w = frame_width(f), h = frame_height(f), bw, bh, tries = 0;
    if (!chance(s, r)) return true;
    while (tries < TRIES && !draw_box(s, w, h, r, &bw, &bh)) tries++;
    if (tries == TRIES) return true;
    if (!frame_settle(f, &pixels, err)) return false;
    int32_t y = (int32_t)rng_below(r, (uint32_t)(h - bh) + 1), x = (int32_t)rng_below(r, (uint32_t)(w - bw) + 1);
    image_fill(pixels, (Region){x, y, x + bw, y + bh}, s->mean);
    return true;
}

/* ---- the table ---- */

static const StepKind kinds[] = {
    {"random_resized_crop", parse_resized_crop, apply_resized_crop, false},
    {"random_crop", parse_random_crop, apply_random_crop, false},
    {"random_scale", parse_scale, apply_scale, false},
    {"crop", parse_crop, apply_crop, false},
    {"centre", parse_crop, apply_crop, false}, /* settings.input.crop */
    {"resize", parse_resize, apply_resize, false},
    {"shorter", parse_resize, apply_resize, false}, /* settings.input.resize, and the next */
    {"exact", parse_resize, apply_resize, false},
    {"hflip", parse_chance, apply_hflip, false},
    {"vflip", parse_chance, apply_vflip, false},
    {"grey", parse_chance, apply_grey, true},
    {"colour_jitter", parse_jitter, apply_jitter, true},
    {"blur", parse_blur, apply_blur, true},
    {"colour_pca", parse_pca, apply_pca, true},
    {"rotate", parse_rotate, apply_rotate, false},
    {"trivial_augment", parse_trivial, apply_policy, false},
    {"rand_augment", parse_rand, apply_policy, false},
    {"random_erase", parse_erase, apply_erase, true},
};

/* Steps that cannot name them resize as most things do. */
static bool parse_filter(Step *s, const json_t *call, RtError *err) {
    const json_t *filter = json_object_get(call, "filter"), *antialias = json_object_get(call, "antialias");
    s->filter = filter ? filter_by_name(json_is_string(filter) ? json_string_value(filter) : "") : FILTER_BILINEAR;
    s->antialias = antialias ? json_is_true(antialias) : true;
    if (s->filter == FILTER_COUNT)
        return !rt_fail(err, RT_DATA, "%s: `filter` must be bilinear, bicubic or nearest", s->kind->name);
    return true;
}

bool step_parse(Step *s, const json_t *call, const double mean[3], RtError *err) {
    const char *name = json_string_value(json_object_get(call, "call"));
    *s = (Step){.mean = {mean[0], mean[1], mean[2]}};
    for (size_t i = 0; name && i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].name, name)) s->kind = &kinds[i];
    if (!s->kind) return !rt_fail(err, RT_DATA, "`%s` is not a step that pictures can take", name ? name : "(no name)");
    return parse_filter(s, call, err) && s->kind->parse(s, call, err);
}

void step_place(Step *s, int k) {
    static const int32_t places[STEP_PLACES / 2][2] = {{-1, -1}, {1, -1}, {-1, 1}, {1, 1}, {0, 0}};
    s->across = places[k % (STEP_PLACES / 2)][0];
    s->down = places[k % (STEP_PLACES / 2)][1];
    s->mirrored = k >= STEP_PLACES / 2;
}

bool step_fixes_size(const Step *s) { return s->width > 0; }

bool step_is_colour(const Step *s) { return s->kind->colour; }

bool step_apply(const Step *s, Frame *f, Rng *r, RtError *err) { return s->kind->apply(s, f, r, err); }
