/* Which kernels a program file contains and under which numbers. One numbering for both entry points and all sizes of
 * pictures, used by the object code (cnnc_kernel[]) and by the JSON's steps alike: kernels that differ in nothing but
 * their name are one. */
#ifndef CNNC_BACKENDS_KERNEL_TABLE_H
#define CNNC_BACKENDS_KERNEL_TABLE_H

#include "../ir/unit.h"

typedef struct KernelTable {
    Kernel **kernel;
    int32_t n, cap;
    int32_t *(*number)[ENTRY_COUNT];   /* of the unit, then of each of its `sized`: by Step.kernel; NULL where there is no
                                        * such program */
} KernelTable;

KernelTable *kernel_table(const Unit *u);

#endif
