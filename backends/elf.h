/* What the compiler wants to know of a finished program file. */
#ifndef CNNC_BACKENDS_ELF_H
#define CNNC_BACKENDS_ELF_H

#include <stdint.h>

/* Bytes of the file's code and constants: the sections that are loaded and that nothing may write. -1, with errno, if
 * the file cannot be read or is no ELF file of 64 bits. */
int64_t elf_code_bytes(const char *path);

#endif
