/* See elf.h. */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool read_at(int fd, void *out, size_t n, uint64_t at) {
    return at <= INT64_MAX && pread(fd, out, n, (off_t)at) == (ssize_t)n;
}

static int64_t code_bytes(int fd) {
    Elf64_Ehdr head;
    Elf64_Shdr section;
    int64_t sum = 0;
    errno = ENOEXEC;
    if (!read_at(fd, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) ||
        head.e_ident[EI_CLASS] != ELFCLASS64)
        return -1;
    for (uint64_t i = 0; i < head.e_shnum; i++) {
        if (!read_at(fd, &section, sizeof section, head.e_shoff + i * sizeof section)) return -1;
        bool loaded = section.sh_flags & SHF_ALLOC && !(section.sh_flags & SHF_WRITE) && section.sh_type != SHT_NOBITS;
        if (loaded && section.sh_size < INT64_MAX / UINT16_MAX) sum += (int64_t)section.sh_size;
    }
    return sum;
}

int64_t elf_code_bytes(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int64_t bytes = code_bytes(fd);
    int why = errno;
    close(fd);
    errno = why;
    return bytes;
}
