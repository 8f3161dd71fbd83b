/* Golden values: what a net answered when its author was content, so that the same program on another machine, or
 * another build of it, can be compared with that.
 *
 * A safetensors file: "images", F32 [n, channels, height, width], what the net sees; for each output a tensor of its
 * name, F32 [n, and its shape], what it answered; and where the pictures were files, "picture.K", U8 [bytes], the file
 * of image K, so that reading, cutting and resizing it is compared, too. Metadata: "net", "cnnc", and "weights",
 * weights_digest of the parameters. Pictures and metadata may be absent, and outputs but one: other programs can write
 * such a file. */
#ifndef CNNC_RUNTIME_GOLDEN_H
#define CNNC_RUNTIME_GOLDEN_H

#include <jansson.h>

#include "cli.h"

enum { GOLDEN_MOST = 1024, GOLDEN_USUAL = 4 }; /* pictures of a file; made-up ones where none are named */

/* Writes `path` atomically, from the pictures that are o's operands or, without any, from GOLDEN_USUAL that are made
 * up. Weights as params_load finds them. */
bool golden_write(const Context *c, const Options *o, const char *path, RtError *err);

/* Compares, and prints a line for each thing compared or adds the member "golden" to `into` if that is not NULL.
 * RT_UNKEPT, naming the worst place, if an output differs by more than tolerance times the largest value that the file
 * has of that output, or a picture is not read to the same numbers; RT_DATA if the file is not one of this net. */
bool golden_check(const Context *c, const Options *o, const char *path, double tolerance, json_t *into, RtError *err);

#endif
