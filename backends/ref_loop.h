/* The naive interpreter of loops: the oracle of the loop passes and of the code generator. Serial, in float; `exp` and
 * `log` are libm's. Stricter than generated code where that helps to find mistakes: every access is checked, on both
 * sides of a select too, and LOCAL and REG buffers hold NaNs (integers: all bits set) when a task begins. */
#ifndef CNNC_BACKENDS_REF_LOOP_H
#define CNNC_BACKENDS_REF_LOOP_H

#include "../ir/loop.h"

/* Runs the whole kernel (all parallel iterations) for n pictures. arg[i]: memory of argument i in its storage form.
 * Every access is checked against the buffer's size; an error is an ICE naming kernel and buffer. */
void ref_loop_run(const Kernel *k, void *const *arg, int64_t n, const uint32_t key[2]);

#endif
