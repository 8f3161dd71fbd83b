/* Writing a class for each pixel as a PNG file with a palette: the numbers in it are the classes, so that the file may
 * serve as a mask; the colours, those of PASCAL VOC, are for people. */
#ifndef CNNC_RUNTIME_CLASSMAP_H
#define CNNC_RUNTIME_CLASSMAP_H

#include "rt.h"

enum { CLASSMAP_CLASSES = 256 }; /* at most */

/* map[height * width], each 0 .. classes - 1. RT_LIMIT, RT_NO_OUTPUT, RT_OS; then `path` is as it was. */
bool classmap_write(const char *path, int32_t width, int32_t height, int classes, const int32_t *map, RtError *err);

/* The file of a picture's map: `out` itself if it ends in .png, else the picture's name in the folder `out` with the
 * ending .png. To be released. */
char *classmap_path(const char *out, const char *picture, RtError *err);
/* Does `out` name a file, not a folder? */
bool classmap_is_file(const char *out);

#endif
