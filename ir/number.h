/* Numbers for people. The texts are from the arena. */
#ifndef CNNC_IR_NUMBER_H
#define CNNC_IR_NUMBER_H

#include "base.h"

/* 25557032 as "25,557,032"; as "25.6 M", from a million on; bytes as "97.5 MiB". */
const char *number_thousands(Arena *a, int64_t n);
const char *number_scaled(Arena *a, int64_t n);
const char *number_bytes(Arena *a, int64_t bytes);

#endif
