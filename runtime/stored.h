/* Sources whose pictures are not files of their own: they are made on the fly (synthetic.h). */
#ifndef CNNC_RUNTIME_STORED_H
#define CNNC_RUNTIME_STORED_H

#include <jansson.h>

#include "image.h"

typedef struct Stored {
    char *name; /* what messages call it */
    size_t count;
    int32_t classes;
    char **class_name;     /* [classes], or NULL: 0, 1, ... */
    int32_t width, height; /* of all pictures; 0, 0: of any size */
    uint64_t seed;
} Stored;

/* Is settings.data's call one of these sources? */
bool stored_knows(const char *call);
/* Opens such a source. NULL and RT_DATA or RT_OS. */
Stored *stored_open(const json_t *source, RtError *err);
void stored_free(Stored *s);

/* The class of picture i, 0 <= i < count. */
int32_t stored_label(const Stored *s, size_t i);
/* Fills all pixels of `out`, which has the size of the pictures, or any where that is open. From any thread. */
void stored_paint(const Stored *s, size_t i, Image *out);

#endif
