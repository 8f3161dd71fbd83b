/* Runs on numbers from a safetensors file in place of pictures, for exact comparison with other systems.
 *
 * train --replay FILE: step K = 0, 1, ... trains on tensors "images.K" (F32 [n, channels, height, width]) and
 * "labels.K" (I32 or I64 [n]), until there is no such tensor, `stop` or --steps, and prints "step K loss X", K from 1.
 * With --out the weights are written at the end. An epoch is as many steps as the file has batches. predict --replay
 * FILE --scores OUT: the scores of tensor "images", written as tensor "scores" (F32 [n, classes]). */
#ifndef CNNC_RUNTIME_REPLAY_H
#define CNNC_RUNTIME_REPLAY_H

#include "cli.h"

int replay_train(const Context *c, const Options *o, RtError *err);
int replay_predict(const Context *c, const Options *o, RtError *err);

#endif
