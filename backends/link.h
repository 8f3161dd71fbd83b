/* From an object file to a program, by the system's linker driver. */
#ifndef CNNC_BACKENDS_LINK_H
#define CNNC_BACKENDS_LINK_H

enum { LINK_OBJECTS_MAX = 64 };

/* Links the n objects with the runtime in runtime_dir into `out`. linker NULL: "cc", found in PATH; no shell is used. 0,
 * or EX_OSERR after a message to stderr. */
int link_program(const char *const *object, int n, const char *out, const char *runtime_dir, const char *linker);

#endif
