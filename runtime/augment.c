#include "augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "colour.h"
#include "mix.h"
#include "step.h"

enum { MAX_STEPS = 32, MAX_CHANNELS = 3, LEVELS = 256 };

/* Colour orders: which of r, g, b each channel of the tensor is; GREY is made of all three. */
enum { GREY = -1 };
static const struct Colour {
    const char *name;
    int32_t channels;
    int source[MAX_CHANNELS];
} colours[] = {
    {"rgb", 3, {0, 1, 2}},
    {"bgr", 3, {2, 1, 0}},
    {"grey", 1, {GREY}},
};

struct Pipeline {
    int32_t width, height;
    const struct Colour *colour;
    bool wide;                         /* pixels have 16 bits */
    double mean[MAX_CHANNELS], std[MAX_CHANNELS];
    float level[MAX_CHANNELS][LEVELS]; /* what the tensor holds for each value of a pixel of 8 bits */
    bool turns;                        /* as the file's EXIF says */
    bool training;                     /* then files may be decoded at a fraction of their size */
    int n_steps;
    Step step[MAX_STEPS];
};

/* ---- settings ---- */

/* Entry c of mean or std; a single number or a list that is too short stands for all channels. */
static double per_channel(const json_t *list, size_t c, double otherwise) {
    if (!list) return otherwise;
    size_t n = json_array_size(list);
    const json_t *value = n == 0 ? list : json_array_get(list, c < n ? c : n - 1);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static bool parse_levels(Pipeline *p, const json_t *input, RtError *err) {
    const json_t *means = json_object_get(input, "mean"), *stds = json_object_get(input, "std");
    for (int32_t c = 0; c < p->colour->channels; c++) {
        double mean = per_channel(means, (size_t)c, 0), std = per_channel(stds, (size_t)c, 1);
        if (!(std > 0)) return !rt_fail(err, RT_DATA, "input: `std` must be over 0");
        for (int x = 0; x < LEVELS; x++) p->level[c][x] = (float)((x / 255.0 - mean) / std);
        p->mean[c] = mean;
        p->std[c] = std;
    }
    return true;
}

static bool parse_input(Pipeline *p, const json_t *input, RtError *err) {
    const json_t *colour = json_object_get(input, "colour");
    const char *name = colour ? json_string_value(colour) : "rgb";
    for (size_t i = 0; name && i < sizeof colours / sizeof colours[0]; i++)
        if (!strcmp(colours[i].name, name)) p->colour = &colours[i];
    if (!p->colour) return !rt_fail(err, RT_DATA, "input: `colour` must be rgb, bgr or grey");
    const char *orientation = json_string_value(json_object_get(input, "orientation"));
    p->turns = orientation && !strcmp(orientation, "exif");
    p->wide = json_integer_value(json_object_get(input, "depth")) == 16;
    return step_parse_size(json_object_get(input, "size"), "input", &p->width, &p->height, err) &&
           parse_levels(p, input, err);
}

/* The colour that becomes 0 in the tensor. */
static void mean_colour(const Pipeline *p, double rgb[MAX_CHANNELS]) {
    for (int32_t c = 0; c < MAX_CHANNELS; c++) {
        int32_t channel = c < p->colour->channels ? c : 0;
        int source = p->colour->source[channel] == GREY ? c : p->colour->source[channel];
        rgb[source] = p->mean[channel];
    }
}

/* Adds a step if there is one: call may be NULL. */
static bool add_step(Pipeline *p, const json_t *call, RtError *err) {
    if (!call) return true;
    if (p->n_steps == MAX_STEPS) return !rt_fail(err, RT_LIMIT, "more than %d steps for one picture", MAX_STEPS);
    double mean[MAX_CHANNELS];
    mean_colour(p, mean);
    return step_parse(&p->step[p->n_steps++], call, mean, err);
}

static bool add_input_steps(Pipeline *p, const json_t *input, RtError *err) {
    return add_step(p, json_object_get(input, "resize"), err) && add_step(p, json_object_get(input, "crop"), err);
}

static bool add_augment_steps(Pipeline *p, const json_t *augment, RtError *err) {
    for (size_t i = 0; i < json_array_size(augment); i++)
        if (!mix_is_step(json_array_get(augment, i)) && !add_step(p, json_array_get(augment, i), err)) return false;
    return true;
}

/* Augment's steps, behind input's own if none of augment's fixes the size. */
static bool add_steps(Pipeline *p, const json_t *augment, const json_t *input, RtError *err) {
    bool fixed = false;
    if (!add_augment_steps(p, augment, err)) return false;
    for (int i = 0; i < p->n_steps; i++) fixed |= step_fixes_size(&p->step[i]);
    if (fixed) return true;
    p->n_steps = 0;
    return add_input_steps(p, input, err) && add_augment_steps(p, augment, err);
}

Pipeline *pipeline_new(const json_t *input, const json_t *augment, RtError *err) {
    Pipeline *p = rt_alloc(1, sizeof *p, err);
    if (!p) return NULL;
    p->training = augment != NULL;
    if (parse_input(p, input, err) && add_steps(p, augment, input, err)) return p;
    free(p);
    return NULL;
}

/* Input's crop is its last step. */
Pipeline *pipeline_new_crop(const json_t *input, int k, RtError *err) {
    _Static_assert((int)PIPELINE_CROPS == (int)STEP_PLACES, "a crop for each place");
    Pipeline *p = pipeline_new(input, NULL, err);
    if (p && json_object_get(input, "crop")) {
        step_place(&p->step[p->n_steps - 1], k);
        return p;
    }
    if (p) rt_fail(err, RT_DATA, "input: without `crop` a picture has no crops at other places");
    pipeline_free(p);
    return NULL;
}

static const char sizes_key[] = "sizes";

const json_t *pipeline_sizes(const json_t *augment) {
    for (size_t i = 0; i < json_array_size(augment); i++)
        if (json_object_get(json_array_get(augment, i), sizes_key)) return json_object_get(json_array_get(augment, i), sizes_key);
    return NULL;
}

Pipeline *pipeline_new_sized(const json_t *input, const json_t *augment, int32_t height, int32_t width, RtError *err) {
    json_t *own_input = json_deep_copy(input), *own_augment = json_deep_copy(augment);
    json_t *size = json_pack("[i, i]", height, width), *step;
    size_t i;
    json_object_set(own_input, "size", size);
    json_array_foreach(own_augment, i, step) {
        if (json_object_get(step, sizes_key)) json_object_set(step, "size", size);
    }
    Pipeline *p = pipeline_new(own_input, own_augment, err);
    json_decref(size);
    json_decref(own_input);
    json_decref(own_augment);
    return p;
}

void pipeline_free(Pipeline *p) { free(p); }

int32_t pipeline_height(const Pipeline *p) { return p->height; }

int32_t pipeline_width(const Pipeline *p) { return p->width; }

size_t pipeline_floats(const Pipeline *p) { return (size_t)p->colour->channels * (size_t)p->height * (size_t)p->width; }

/* ---- one picture ---- */

/* A frame and its mask have the same size, so they draw the same numbers for the same moves. */
static bool run_steps(const Pipeline *p, Frame *frame, bool mask, const Draw *draw, Image **pixels, RtError *err) {
    for (int i = 0; i < p->n_steps; i++) {
        Rng rng = rng_stream(RNG_AUGMENT, draw->seed, draw->epoch, draw->sample, (uint32_t)i);
        if (mask && step_is_colour(&p->step[i])) continue;
        if (!step_apply(&p->step[i], frame, &rng, err)) return false;
    }
    int32_t width = frame_width(frame), height = frame_height(frame);
    if (width != p->width || height != p->height)
        return !rt_fail(err, RT_DATA,
                        "the picture is %d x %d pixels here and the net takes %d x %d: a resize or crop is missing",
                        width, height, p->width, p->height);
    return frame_settle(frame, pixels, err);
}

static bool turned(const Pipeline *p, Frame *frame, bool opened, RtError *err) {
    if (opened && p->turns) frame_orient(frame);
    return opened && (!p->wide || frame_widen(frame, err));
}

static bool open_picture(const Pipeline *p, Frame *frame, const char *path, RtError *err) {
    return turned(p, frame, frame_open(frame, path, p->training, err), err);
}

static bool name_file(const char *path, const RtError *own, RtError *err) {
    bool named = !strncmp(own->text, path, strlen(path)); /* the decoders name the file, the steps do not know it */
    return !rt_fail(err, own->code, "%s%s%s", named ? "" : path, named ? "" : ": ", own->text);
}

bool pipeline_pixels(const Pipeline *p, Frame *frame, const char *path, const Draw *draw, Image **pixels,
                     RtError *err) {
    RtError own = {.code = RT_OK};
    if (open_picture(p, frame, path, &own) && run_steps(p, frame, false, draw, pixels, &own)) return true;
    return name_file(path, &own, err);
}

static void pack_plane(float *plane, const uint8_t *pixel, size_t n, int source, const float *level) {
    if (source == GREY)
        for (size_t i = 0; i < n; i++) plane[i] = level[grey_of(pixel + i * IMAGE_PIXEL_BYTES)];
    else
        for (size_t i = 0; i < n; i++) plane[i] = level[pixel[i * IMAGE_PIXEL_BYTES + (size_t)source]];
}

static void pack_wide(const Pipeline *p, int32_t channel, const float *pixel, size_t n, float *plane) {
    int source = p->colour->source[channel];
    for (size_t i = 0; i < n; i++, pixel += IMAGE_PIXEL_BYTES) {
        double x = (double)(source == GREY ? wide_grey_of(pixel) : pixel[source]);
        plane[i] = (float)((x / IMAGE_WIDE_MOST - p->mean[channel]) / p->std[channel]);
    }
}

static void pack_tensor(const Pipeline *p, const Image *pixels, float *tensor) {
    size_t n = (size_t)p->width * (size_t)p->height;
    for (int32_t c = 0; c < p->colour->channels && pixels->wide; c++)
        pack_wide(p, c, image_wide(pixels), n, tensor + (size_t)c * n);
    for (int32_t c = 0; c < p->colour->channels && !pixels->wide; c++)
        pack_plane(tensor + (size_t)c * n, pixels->pixel, n, p->colour->source[c], p->level[c]);
}

bool pipeline_tensor(const Pipeline *p, Frame *frame, const char *path, const Draw *draw, float *tensor, RtError *err) {
    Image *pixels;
    if (!pipeline_pixels(p, frame, path, draw, &pixels, err)) return false;
    pack_tensor(p, pixels, tensor);
    return true;
}

bool pipeline_blank(const Pipeline *p, Frame *frame, const Draw *draw, float *tensor, RtError *err) {
    Image *pixels;
    if (p->wide && !frame_widen(frame, err)) return false;
    if (!run_steps(p, frame, false, draw, &pixels, err)) return false;
    pack_tensor(p, pixels, tensor);
    return true;
}

bool pipeline_part(const Pipeline *p, Frame *frame, const ImagePart *part, const Draw *draw, float *tensor, RtError *err) {
    RtError own = {.code = RT_OK};
    bool opened = turned(p, frame, frame_open_part(frame, part, p->training, &own), &own);
    return (opened && pipeline_blank(p, frame, draw, tensor, &own)) || name_file(part->name, &own, err);
}

bool pipeline_memory(const Pipeline *p, Frame *frame, const uint8_t *data, size_t size, const char *name, const Draw *draw,
                     float *tensor, RtError *err) {
    RtError own = {.code = RT_OK};
    bool opened = turned(p, frame, frame_open_memory(frame, data, size, name, p->training, &own), &own);
    return (opened && pipeline_blank(p, frame, draw, tensor, &own)) || name_file(name, &own, err);
}

/* ---- masks ---- */

/* The middle of the mask. */
static bool pack_labels(const Image *mask, const LabelForm *form, int32_t *labels, RtError *err) {
    int32_t left = (mask->width - form->width) / 2, top = (mask->height - form->height) / 2;
    for (int32_t y = 0; y < form->height; y++) {
        const uint8_t *pixel = mask->pixel + ((size_t)(top + y) * (size_t)mask->width + (size_t)left) * IMAGE_PIXEL_BYTES;
        for (int32_t x = 0; x < form->width; x++, pixel += IMAGE_PIXEL_BYTES) {
            bool none = pixel[1] || pixel[0] == form->ignore;
            if (!none && pixel[0] >= form->classes)
                return !rt_fail(err, RT_DATA, "a pixel of the mask is %d; the net has classes 0 to %d, and %d is none",
                                pixel[0], form->classes - 1, form->ignore);
            *labels++ = none ? -1 : pixel[0];
        }
    }
    return true;
}

static bool same_size(const Frame *frame, const Frame *mask, const char *path, RtError *err) {
    int32_t w = frame_width(frame), h = frame_height(frame), mw = frame_width(mask), mh = frame_height(mask);
    return (w == mw && h == mh) ||
           !rt_fail(err, RT_DATA, "the mask has %d x %d pixels and the picture %s has %d x %d", mw, mh, path, w, h);
}

static bool mask_labels(const Pipeline *p, Frame *frame, const Frame *picture, const char *path, const char *mask,
                        const Draw *draw, const LabelForm *form, int32_t *labels, RtError *err) {
    Image *pixels;
    RtError own = {.code = RT_OK};
    bool good = frame_open_mask(frame, mask, &own) && same_size(picture, frame, path, &own) &&
                run_steps(p, frame, true, draw, &pixels, &own) && pack_labels(pixels, form, labels, &own);
    return good || name_file(mask, &own, err);
}

/* The mask comes first: the picture's frame still has the file's size then. */
bool pipeline_pair(const Pipeline *p, Frame *frame, Frame *mask_frame, const char *path, const char *mask,
                   const Draw *draw, const LabelForm *form, float *tensor, int32_t *labels, RtError *err) {
    Image *pixels;
    RtError own = {.code = RT_OK};
    if (!open_picture(p, frame, path, &own)) return name_file(path, &own, err);
    if (!mask_labels(p, mask_frame, frame, path, mask, draw, form, labels, err)) return false;
    if (!run_steps(p, frame, false, draw, &pixels, &own)) return name_file(path, &own, err);
    pack_tensor(p, pixels, tensor);
    return true;
}
