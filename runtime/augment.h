/* From a picture file to the f32 tensor of one picture: the settings `input` and `augment` of abi.h, parsed once.
 *
 * For evaluation the steps are input's resize and crop. For training they are augment's, which replace those; where no
 * step of augment fixes the size, input's resize and crop come first. Each (picture, step) draws from a Philox stream
 * of its own: threads cannot matter, and a step that draws more changes no other step's numbers.
 *
 * What each step means (w, h: the picture's size):
 *   random_resized_crop  ten tries: area = w*h * U(area), ratio = exp(U(log ratio)), cw = round(sqrt(area * ratio)),
 *                        ch = round(sqrt(area / ratio)); if both fit, a uniform offset. Else the central crop nearest
 *                        in ratio. Then resized to size. As torchvision does it.
 *   random_crop          `pad` black pixels on each side, then a window at a uniform offset. Too small: scaled up.
 *   crop                 the central window, offset round((w - cw) / 2), halves to even. Too small: scaled up.
 *   resize               size [h, w]: exactly; a number: the shorter side, the other is floor(size * long / short).
 *   random_scale         as resize to a shorter side drawn uniformly from the integers lo .. hi.
 *   hflip, vflip         with probability p.
 *   colour_jitter        brightness, contrast, saturation in a random order, each by a factor U(max(0, 1-b), 1+b)
 *                        towards or away from black, the mean grey, the pixel's grey.
 *   grey                 with probability p, all channels become the grey value.
 *   colour_pca           to each pixel, the sum over ImageNet's three principal components of colour of a * l * v,
 *   where
 *                        l and v are its value and direction and a is normal with deviation sigma, rounded to whole
 *                        levels of 8 bits. Krizhevsky et al., "ImageNet Classification with Deep CNNs", 2012, 4.1.
 *   rotate               by U(degrees) counter-clockwise about the middle, bilinear (rotate.h). Same size; what is
 *                        uncovered is black or input's mean, and of no class.
 *   blur                 with probability p, by a Gaussian of U(sigma) pixels (weights_blur in resize.h).
 *   random_erase         with probability p, a box drawn as random_resized_crop's, at a uniform offset, becomes the
 *                        colour next to input's mean, so 0 in the tensor within half of a level; no box that fits:
 *                        nothing.
 *                        Zhong et al., "Random Erasing Data Augmentation", 2017.
 * "Scaled up": before the crop, to the smallest size of the same shape that covers the window. The grey value of
 * r, g, b everywhere: (19595 r + 38470 g + 7471 b + 32768) >> 16, as Pillow.
 *
 * Masks take all steps but those that leave pixels in their place: colour_jitter, grey, colour_pca,
 * blur, random_erase.
 *
 * With input's depth = 16 pixels are floats from 0 to 65535 all the way (image.h), a file's 8 bits times 257. Every
 * step means the same, but nothing is rounded to whole levels; scaled decoding of JPEG files stays what it is.
 *
 * The tensor: [channels][height][width], channel order as settings.input.colour, (x/255 - mean) / std with mean and std
 * in the order of the channels, one correctly rounded float for each of the 256 values of x;
 * of wide pixels (x/65535 - mean) / std. A picture whose size after
 * the last step is not the net's is an error. */
#ifndef CNNC_RUNTIME_AUGMENT_H
#define CNNC_RUNTIME_AUGMENT_H

#include <jansson.h>

#include "frame.h"
#include "rng.h"

typedef struct Pipeline Pipeline;

/* input: settings.input. augment: one of settings.augment, or NULL for evaluation. RT_DATA if a step is unknown or a
 * parameter is missing or out of range. */
Pipeline *pipeline_new(const json_t *input, const json_t *augment, RtError *err);
/* For evaluation, with the window of input's crop at another place: k of PIPELINE_CROPS is, from 0, left and right at
 * the top, left and right at the bottom, the middle, then the same with left and right of the picture exchanged.
 * RT_DATA if input has no crop. */
enum { PIPELINE_CROPS = 10 };
Pipeline *pipeline_new_crop(const json_t *input, int k, RtError *err);
/* Of both settings with another size: input's becomes it, and augment's step that has "sizes" makes it. */
Pipeline *pipeline_new_sized(const json_t *input, const json_t *augment, int32_t height, int32_t width, RtError *err);
/* The "sizes" of augment's step that has some, [[h, w], ...]; NULL if none has. */
const json_t *pipeline_sizes(const json_t *augment);
void pipeline_free(Pipeline *p);

int32_t pipeline_height(const Pipeline *p);
int32_t pipeline_width(const Pipeline *p);
size_t pipeline_floats(const Pipeline *p); /* of one tensor: channels * height * width */

/* Whose random numbers: the picture's number in the data set, not its place in a batch; or another that it alone has. */
typedef struct Draw {
    uint64_t seed;
    uint32_t epoch, sample;
} Draw;

/* Reads path and writes pipeline_floats numbers to tensor. Safe from several threads with a frame each. */
bool pipeline_tensor(const Pipeline *p, Frame *frame, const char *path, const Draw *draw, float *tensor, RtError *err);

/* The same for a picture in an archive. */
bool pipeline_part(const Pipeline *p, Frame *frame, const ImagePart *part, const Draw *draw, float *tensor, RtError *err);

/* The same for the bytes of a file that `name` stands for in messages. */
bool pipeline_memory(const Pipeline *p, Frame *frame, const uint8_t *data, size_t size, const char *name, const Draw *draw,
                     float *tensor, RtError *err);

/* The same for a picture that is in the frame already, right after frame_open_blank. Errors do not name it. */
bool pipeline_blank(const Pipeline *p, Frame *frame, const Draw *draw, float *tensor, RtError *err);

/* The labels of a picture's pixels, from a mask of the picture's size, as it is turned. Its pixels are moved as the
 * picture's are. */
typedef struct LabelForm {
    int32_t width, height; /* of the map that is labelled: the middle of what the net sees. 0, 0: no masks */
    int32_t classes;       /* numbers in the mask are 0 .. classes - 1 */
    int32_t ignore;        /* or this, which is no class: label -1, as what lies outside of the picture */
} LabelForm;

/* pipeline_tensor, and labels[height * width]. A mask of another size than the picture, or with another number:
 * RT_DATA. */
bool pipeline_pair(const Pipeline *p, Frame *frame, Frame *mask_frame, const char *path, const char *mask,
                   const Draw *draw, const LabelForm *form, float *tensor, int32_t *labels, RtError *err);

/* The same up to the pixels that the net would see, before colour order, mean and std; they belong to the frame. */
bool pipeline_pixels(const Pipeline *p, Frame *frame, const char *path, const Draw *draw, Image **pixels, RtError *err);

#endif
