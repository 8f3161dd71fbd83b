/* eval.save_predictions: a table of the evaluated pictures, as comma-separated values (RFC 4180): the path of each, its
 * class, the class with the largest score (the first of equals), and that one's probability. */
#ifndef CNNC_RUNTIME_PREDICTIONS_H
#define CNNC_RUNTIME_PREDICTIONS_H

#include "dataset.h"
#include "outfile.h"

typedef struct Predictions {
    OutFile file;
    const Dataset *data;
    int classes;
    bool probabilities; /* the scores are */
    double *probability;
    char *text;         /* rows that are not written yet */
    size_t size, capacity;
    RtError err;        /* of rows: the first failure */
} Predictions;

/* `data` must outlive it. The file appears with predictions_close. */
bool predictions_open(Predictions *p, const char *path, const Dataset *data, bool probabilities, RtError *err);
/* A row; `p` is a Predictions. */
void predictions_add(void *p, uint32_t sample, const float *scores);
/* Puts the file in place, unless `keep` is false or a row failed; then nothing is left. Ends p, also a zeroed one. */
bool predictions_close(Predictions *p, bool keep, RtError *err);

#endif
