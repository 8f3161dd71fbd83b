/* Plain numbers about the processor that code is made for: all that passes may know of a target. */
#ifndef CNNC_IR_MACHINE_H
#define CNNC_IR_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Machine {
    const char *isa;          /* what CNNC_ISA= calls it: "native", "v3" for x86-64-v3, else LLVM's name */
    const char *cpu;          /* LLVM's name: "native" resolved, "x86-64-v3" */
    const char *features;     /* LLVM's feature string, "" if the cpu says it all */
    int32_t vector_lanes;     /* floats in a vector: 16, 8 or 4 */
    int32_t vector_registers; /* 32 or 16 */
    bool fma;                 /* multiplies and adds in one instruction, with one rounding */
    int64_t cache_bytes[3];   /* L1 data, L2, L3 share of one core */
} Machine;

#endif
