/* Sources whose pictures are not files of their own: many in a file (stored_files.h), or made on the fly (synthetic.h). */
#ifndef CNNC_RUNTIME_STORED_H
#define CNNC_RUNTIME_STORED_H

#include <jansson.h>

#include "image.h"

enum { STORED_MOST = 1 << 24 }; /* pictures of a source */

typedef struct Stored {
    char *name; /* what messages call it */
    size_t count;
    int32_t classes;
    char **class_name;             /* [classes], or NULL: 0, 1, ... */
    int32_t width, height, planes; /* of all pictures, 1 or 3 planes; 0: of any size, made from the seed */
    uint64_t seed;
    uint8_t *label, *pixel; /* [count], [count][planes][height][width]; NULL: made from the seed */
    size_t label_room, pixel_room;
} Stored;

/* Is settings.data's call one of these sources? */
bool stored_knows(const char *call);
/* Opens such a source; relative paths start from `base` (may be NULL). Which part of it where it has two: that to train
 * with, or that to test with. NULL and RT_DATA, RT_NO_INPUT, RT_LIMIT or RT_OS. */
Stored *stored_open(const json_t *source, const char *base, bool training, RtError *err);
void stored_free(Stored *s);

/* The class of picture i, 0 <= i < count. */
int32_t stored_label(const Stored *s, size_t i);
/* Fills all pixels of `out`, which has the size of the pictures, or any where that is open. From any thread. */
void stored_paint(const Stored *s, size_t i, Image *out);

#endif
