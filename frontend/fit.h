/* train { max_memory }: how many pictures of a batch training takes at a time. */
#ifndef CNNC_FRONTEND_FIT_H
#define CNNC_FRONTEND_FIT_H

#include "../ir/unit.h"

/* Sets u->train.at_once, of its sizes too, to the largest divisor of the batch with which training keeps to max_memory
 * on each of the processors, and `gathers` if that is not the batch: the units that the code is made of are copies of
 * u. False after E0462, there is none, or E0463, which says that norms forbid it; or after an error of a pass. */
bool fit_training(Unit *u, const Machine *const *machine, int n);
/* Bytes of training by a planned unit: as memory_train of the runtime has it, for FIT_THREADS threads and a program of
 * FIT_OWN bytes, the largest of those measured and room for stacks and pictures being decoded. */
enum { FIT_THREADS = 16, FIT_OWN = 8 << 20 };
int64_t fit_bytes(const Unit *u, int64_t at_once);

#endif
