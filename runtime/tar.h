/* What is in a tar archive and where, so that members can be read in any order and nothing is ever unpacked.
 *
 * Our own reader and not libarchive: a program links everything it needs, and libarchive brings nine libraries along
 * and reads from the front to the back; it does not say where the bytes of a member lie. What is needed of the format
 * is small: headers of 512 bytes (V7, ustar, GNU), long names (GNU's L, pax), sizes of more than 8 GiB (GNU's base 256,
 * pax). IEEE Std 1003.1, pax; "Basic Tar Format" of the manual of GNU tar.
 *
 * Every archive is hostile. A name is a key and never a path; links, devices and pipes are passed over and counted;
 * sizes are compared with the file before anything is allocated. RT_DATA with the file and the byte: a header whose sum
 * is wrong, a number that is none or below 0, a member that goes on behind the end, a sparse member, a name with a zero
 * byte, an archive without the two blocks of zeros at its end, or with more than zeros behind them, a packed one.
 * RT_LIMIT: a name of more than 4096 bytes, a pax header of more than 1 MiB. */
#ifndef CNNC_RUNTIME_TAR_H
#define CNNC_RUNTIME_TAR_H

#include "rt.h"

/* A part of an open file that is an archive. */
typedef struct TarPart {
    int fd;
    const char *name;    /* for messages */
    uint64_t begin, end; /* bytes of the file; end <= its size */
} TarPart;

/* What is done with each regular member, in the order of the archive: its name, as it stands there and until the call
 * returns, and where its bytes lie in the file. False and an error end the walk. */
typedef bool TarVisit(void *context, const char *name, uint64_t at, uint64_t size, RtError *err);

/* Visits the regular members; *passed_over grows by those that are neither regular nor folders. */
bool tar_walk(const TarPart *part, TarVisit *visit, void *context, size_t *passed_over, RtError *err);

/* n bytes from byte `at` of an open file; RT_DATA if it ends before. */
bool tar_bytes(int fd, const char *name, uint64_t at, void *to, size_t n, RtError *err);

#endif
