/* What the tuner measured in earlier runs: a text file of the user's, one line a convolution,
 *
 *     KEY SHAPE TILE BAND MICROSECONDS
 *
 * KEY says for which processor, compiler and settings it holds. Lines of other keys are kept. A file that is not a
 * plain one of this user's, or that others may write, counts as empty, and so does a line that is not exactly of this
 * form: what it says is only a choice among those that the algorithm pass allows anyway. */
#ifndef CNNC_FRONTEND_TUNE_CACHE_H
#define CNNC_FRONTEND_TUNE_CACHE_H

#include "../ir/unit.h"

typedef struct TuneCache TuneCache;

/* $XDG_CACHE_HOME/cnnc/tune, or ~/.cache/cnnc/tune; from the arena. Never NULL: what cannot be read is empty. */
TuneCache *tune_cache_read(Arena *a, Name key);
/* The path, NULL if there is no home for it. */
const char *tune_cache_path(const TuneCache *c);
/* NULL if the shape has not been measured under this key. */
const TunedConv *tune_cache_find(const TuneCache *c, Name shape);
void tune_cache_add(TuneCache *c, const TunedConv *conv);
/* Replaces the file. False, with errno set, if that cannot be done. */
bool tune_cache_write(const TuneCache *c);

#endif
