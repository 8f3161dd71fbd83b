/* Pictures in tar archives, which stay packed: {"call": "tar", "path": [patterns]} of settings.data. All headers are
 * read once, when it is opened; after that a picture is read from its place.
 *
 * Pictures are the members whose names end in .jpg, .jpeg or .png, in either case; a name with a part that begins with
 * a dot is passed over, as dataset.h's folder() does it. An archive in an archive (NAME.tar) stands for a folder NAME:
 * so the tar file of ImageNet's training pictures is read as it comes.
 *
 * Is there no member KEY.cls, then the class is the folder of the picture, as for folder(): the first one of its name,
 * after those that all pictures of all archives have in common. The order is that of the bytes of classes, then of the
 * paths in them, then of the archives.
 *
 * Otherwise they are shards of WebDataset: KEY is a member's path up to the first dot of its last part, and every
 * KEY.jpg (.jpeg, .png) goes with the KEY.cls of its archive, a text whose blanks at both ends do not count. Classes as
 * list()'s: numbers are themselves. The order is that of the archives and of the members in them; what else there is of
 * a key (KEY.json, KEY.seg.png) is passed over.
 *
 * RT_DATA, with the member: a picture without a class, a class without a picture, two of one name in an archive, and
 * whatever is wrong with an archive (tar.h). */
#ifndef CNNC_RUNTIME_SHARDS_H
#define CNNC_RUNTIME_SHARDS_H

#include <jansson.h>

#include "image.h"

typedef struct Shards Shards;

/* paths: a list of patterns (patterns.h); relative ones start from `base` (may be NULL). NULL and RT_DATA, RT_NO_INPUT,
 * RT_LIMIT or RT_OS. */
Shards *shards_open(const json_t *paths, const char *base, RtError *err);
void shards_free(Shards *s);

size_t shards_count(const Shards *s);
const char *shards_name(const Shards *s); /* of the first archive, for messages about all */
/* Members that are neither files nor folders: links, devices. */
size_t shards_passed_over(const Shards *s);
/* The class of picture i, in a new text; NULL and RT_OS. */
char *shards_class(const Shards *s, size_t i, RtError *err);
/* Are classes numbers where all look like one? */
bool shards_numbered(const Shards *s);
/* "ARCHIVE:MEMBER" of picture i, in a new text; NULL and RT_OS. */
char *shards_path(const Shards *s, size_t i, RtError *err);
/* Where picture i is; the caller adds the name. Texts belong to s. */
ImagePart shards_part(const Shards *s, size_t i);

#endif
