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
    int32_t fma_units;        /* vector FMAs that begin in a cycle */
    int32_t load_units;       /* vector loads, likewise */
    int32_t fma_latency;      /* cycles until an FMA's result can be added to */
    double line_cycles[3];    /* cycles in which one core gets LINE_BYTES of a stream: from L2, from L3, from memory */
} Machine;

enum { LINE_BYTES = 64 };

/* Of a vector multiply-add, where all units have work. */
static inline double machine_fma_cycles(const Machine *m) { return (m->fma ? 1.0 : 2.0) / m->fma_units; }
/* Of a byte of a stream: from L2 (0), L3 (1), memory (2). */
static inline double machine_byte_cycles(const Machine *m, int from) { return m->line_cycles[from] / (double)LINE_BYTES; }

#endif
