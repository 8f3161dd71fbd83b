/* Which pictures there are and what class each is: settings.data's sources.
 *
 * {"call": "folder", "path": p}: a folder per class under p. Classes are the folders in p by the order of the bytes of
 * their names, class 0 first; plain files in p are passed over. Samples are all regular files in a class's folder at
 * any depth, by the order of the bytes of their paths within it; whether each is a picture is for the decoder to say.
 * {"call": "masks", "path": p, "masks": q, "ignore": i}: all regular files under p, in the same order, without classes:
 * the classes are in the pixels. The mask of p/any/NAME.jpg is q/any/NAME.png, of the same number of pixels; their
 * value i is no class. A picture without a mask: an error that names both paths.
 *
 * Names that begin with a dot are ignored. Symbolic links are followed, but never to a folder that is already being
 * walked. A class without files, no class at all, a folder that is missing: an error that names the path.
 *
 * {"call": "list", "path": p}: a text with a line for each picture, in this order: its path, from the folder of the
 * list on or a whole one, and after a blank or tab the name of its class, which has neither. Classes are the different
 * names by the order of their bytes; where all are whole numbers, 0 to the largest. Empty lines are passed over.
 *
 * {"call": "tar", "path": [p, ...]}: pictures in archives, as shards.h says; what stands for the path of one is
 * "ARCHIVE:MEMBER".
 *
 * Pictures without files of their own are stored.h's: {"call": "synthetic", "count": n, "classes": c, "seed": s},
 * {"call": "cifar10"|"cifar100", "path": p}, {"call": "idx", "images": p, "labels": q}. They have pixels, not paths;
 * what stands for the path, in messages and tables, is the source and the picture's number in it. */
#ifndef CNNC_RUNTIME_DATASET_H
#define CNNC_RUNTIME_DATASET_H

#include <jansson.h>

#include "image.h"

typedef struct Dataset Dataset;

/* source: one of settings.data's "train", "val", "test". base: the folder that a relative path starts from, or NULL.
 * training: what for, where a source has pictures to train with and others to test with. */
Dataset *dataset_new(const json_t *source, const char *base, bool training, RtError *err);
Dataset *dataset_folder(const char *path, RtError *err);
Dataset *dataset_list(const char *path, RtError *err);
void dataset_free(Dataset *d);

/* Pictures in archives. */
Dataset *dataset_shards(const json_t *paths, const char *base, RtError *err);
bool dataset_in_archives(const Dataset *d);
/* Where a sample is in them; part->name is dataset_path's, to be released. */
bool dataset_part(const Dataset *d, size_t sample, ImagePart *part, RtError *err);
/* How much there was in a source that is neither file nor folder and was left: links in archives. */
size_t dataset_passed_over(const Dataset *d);

/* Keeps this share of the pictures of each class (of all, with masks), rounded up, evenly spaced in their order.
 * 0 < share <= 1. */
bool dataset_subset(Dataset *d, double share, RtError *err);

/* From now on classes are called what a text says of them (synsets.h). labels: settings.data's. Once for a data set,
 * not with masks. {"call": "synsets", "path": p}: the classes stay, and have these names.
 * {"call": "file", "path": p}: line k names class k - 1. Of a source that gives numbers for the classes they get these
 * names; the numbers of a list may be fewer. Of one that gives names these are the names, so the text says in which
 * order: a class without a line is RT_DATA; a line without pictures is a class that has none here. */
bool dataset_name_classes(Dataset *d, const json_t *labels, RtError *err);

size_t dataset_count(const Dataset *d);
int32_t dataset_classes(const Dataset *d); /* 0 with masks */
const char *dataset_class_name(const Dataset *d, int32_t label);
int32_t dataset_label(const Dataset *d, size_t sample);
/* Do masks say the classes? *ignore (may be NULL): the number in them that is none. */
bool dataset_has_masks(const Dataset *d, int32_t *ignore);
/* The path of a sample's mask, as dataset_path. */
char *dataset_mask_path(const Dataset *d, size_t sample, RtError *err);

/* Has it pixels in place of files? Then dataset_paint fills a picture of this size; *width and *height stay as they are
 * where it may have any. */
bool dataset_is_stored(const Dataset *d);
void dataset_stored_size(const Dataset *d, int32_t *width, int32_t *height);
void dataset_paint(const Dataset *d, size_t sample, Image *out);

/* The path of a sample in a new text, released with free; NULL and RT_OS. */
char *dataset_path(const Dataset *d, size_t sample, RtError *err);

/* From now on the classes are names[0 .. n-1], n > 0, whatever their order was; those that the data lack have no pictures.
 * RT_DATA if one of the data's is not among them, or, where there are fewer, two of them have its name. */
bool dataset_match_classes(Dataset *d, const char *const *names, size_t n, RtError *err);
/* Are there pictures of it? */
bool dataset_has_class(const Dataset *d, int32_t label);

/* order[0 .. count-1] = the samples in the order of this epoch: Fisher-Yates with Philox, a function of (seed, epoch,
 * count). */
void dataset_shuffle(size_t count, uint64_t seed, uint32_t epoch, uint32_t *order);
/* The same number of pictures, but as many of each class that has some (or one more); none comes again before all of
 * its class have come. RT_DATA with masks. */
bool dataset_balance(const Dataset *d, uint64_t seed, uint32_t epoch, uint32_t *order, RtError *err);

#endif
