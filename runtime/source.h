/* Where pictures come from: settings.data, or the folder of --data in its place. */
#ifndef CNNC_RUNTIME_SOURCE_H
#define CNNC_RUNTIME_SOURCE_H

#include "loader.h"
#include "model.h"
#include "settings.h"

typedef enum SourceUse { SOURCE_TRAIN, SOURCE_VALIDATE, SOURCE_TEST } SourceUse;

/* Where the file names masks, `folder` is where its paths begin.
 *
 * Opens the data of that use: with `folder` (may be NULL) its subfolder "train", "val" or "test", else what
 * settings.data says. For SOURCE_VALIDATE val comes before test, for SOURCE_TEST test before val, and then `folder`
 * itself. NULL with err->code RT_OK if there is none at all; NULL and an error if it cannot be read or, for SOURCE_TRAIN,
 * its classes are not as many as the net's: of the others source_match_labels says more. */
Dataset *source_open(const Model *m, SourceUse use, const char *folder, RtError *err);

/* The loader's settings for it, without shuffle; `scores` is what the labels are compared with. RT_DATA if it has a
 * number for each pixel but the data no masks, or the other way round. Pictures that are left out are named on stderr. */
bool source_config(const Model *m, const ModelOutput *scores, const Dataset *data, const Pipeline *pipeline, int batch,
                   int threads, LoaderConfig *config, RtError *err);

/* The class names of a data set as a JSON array, to be released; empty with masks, which have none. */
json_t *source_labels(const Dataset *data);
/* Makes the data's classes those of `labels` (NULL or empty: nothing is known), by their names: there may be fewer in the
 * data, and in another order. RT_DATA, naming the class, if one is not among them; where nothing is known, if they are
 * not as many as the net's. */
bool source_match_labels(const Model *m, Dataset *data, const json_t *labels, RtError *err);
/* How many classes have no pictures. */
int32_t source_absent(const Dataset *data);
/* A line that names them; nothing if there are none. */
void source_show_absent(const Dataset *data);

#endif
