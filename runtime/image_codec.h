/* What a picture format owes image.c: one row of functions. A codec's state is made once per reader and used for file
 * after file; whatever a file does to it, the next `open` starts afresh. */
#ifndef CNNC_RUNTIME_IMAGE_CODEC_H
#define CNNC_RUNTIME_IMAGE_CODEC_H

#include "image.h"

typedef struct Source {
    const uint8_t *data;
    size_t size;
    const char *name; /* for messages */
    bool numbers;     /* pixels are numbers, not colours: see image_open_numbers */
} Source;

typedef struct Codec {
    const char *magic; /* first bytes of the format */
    size_t magic_size;
    int max_shift; /* can decode at 1/2^shift up to here */
    void *(*create)(RtError *err);
    void (*destroy)(void *state);
    /* Reads the header. The source stays valid until decode has returned. */
    bool (*open)(void *state, const Source *source, int32_t *width, int32_t *height, RtError *err);
    /* Has the opened file more than 8 bits? NULL: never. Only then `out` below may be wide. */
    bool (*is_wide)(void *state);
    /* The region lies within the scaled picture and out has its size already. */
    bool (*decode)(void *state, int shift, Region region, Image *out, RtError *err);
} Codec;

extern const Codec image_jpeg, image_png;

#endif
