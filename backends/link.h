/* From an object file to a program, by the system's linker driver. */
#ifndef CNNC_BACKENDS_LINK_H
#define CNNC_BACKENDS_LINK_H

#include <stdbool.h>

enum { LINK_OBJECTS_MAX = 64 };

/* What a program is linked from, and with. */
typedef struct Linking {
    const char *const *object;
    int n_object;
    bool blas;               /* OpenBLAS, too: kernels call cnnc_sgemm of runtime/abi.h */
    const char *out;
    const char *runtime_dir; /* where libcnncrt.a is */
    const char *linker;      /* NULL: "cc", found in PATH; no shell is used */
} Linking;

/* 0, or EX_OSERR after a message to stderr. */
int link_program(const Linking *l);

#endif
