/* How much memory the commands take, worked out from the same numbers that they allocate by: regions as exec.c takes
 * them, and batches of pictures as loader.c holds them. Of inference it is the figure that the compiler foresees, too
 * (cnnc_infer_bytes); of training it is on top of what the process has already, and what it takes later (thread stacks,
 * one picture being decoded a thread) is a MiB or two and not counted. */
#ifndef CNNC_RUNTIME_MEMORY_H
#define CNNC_RUNTIME_MEMORY_H

#include "model.h"

/* Inference on n pictures at a time. */
int64_t memory_infer(const Model *m, int64_t n);
/* Training with that batch, evaluation during training included, on so many threads, 0: as many as usual; 0 with err
 * set if the settings are malformed. */
int64_t memory_train(const Model *m, int64_t batch, int threads, RtError *err);

/* "1.2 GiB", "17.0 MiB" into text[24]. */
void memory_text(int64_t bytes, char text[24]);

#endif
