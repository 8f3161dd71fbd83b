/* The safetensors container: 8 bytes little-endian header length, a JSON header, the tensors' bytes.
 *
 * The reader trusts nothing. Refused, naming the file and what is wrong: a header longer than the file or than 100 MB;
 * anything that is not strict JSON with unique keys; unknown keys or types; shapes whose product or size overflows or
 * is not end - begin; tensors that overlap, leave a hole, or do not end where the file ends. All of that is checked
 * before any memory is taken for data. Data is read with pread, never mapped, so a file that shrinks meanwhile is an
 * error, not a signal.
 *
 * Files of our own carry "xxh3", a checksum of the data, in their metadata; it is checked wherever it is present.
 * The writer pads the header with spaces so that data starts on 64 bytes. */
#ifndef CNNC_RUNTIME_SAFETENSORS_H
#define CNNC_RUNTIME_SAFETENSORS_H

#include <jansson.h>

#include "outfile.h"
#include "rt.h"

enum { SAFE_MAX_RANK = 8, SAFE_MAX_HEADER = 100000000, SAFE_MAX_TENSORS = 1000000 };

typedef struct SafeTensor {
    const char *name, *dtype; /* "F32", "I64", ... */
    int rank;
    int64_t shape[SAFE_MAX_RANK];
    uint64_t begin, bytes; /* begin: from the start of the data */
    int64_t elements;
} SafeTensor;

typedef struct SafeFile {
    int fd;
    char *path;
    uint64_t data;          /* where the data starts in the file */
    json_t *header;         /* owns all texts */
    const json_t *metadata; /* texts by name; NULL if there are none */
    size_t n;
    SafeTensor *tensor; /* ordered by name */
} SafeFile;

/* NULL on error: RT_NO_INPUT (missing, unreadable), RT_DATA (not a valid file), RT_IO. */
SafeFile *safe_open(const char *path, RtError *err);
void safe_close(SafeFile *f);
const SafeTensor *safe_find(const SafeFile *f, const char *name); /* NULL if there is none */
const char *safe_metadata(const SafeFile *f, const char *key);    /* NULL if there is none */
/* Reads `bytes` bytes of the tensor from its byte `from` on, which must lie within it. */
bool safe_read(const SafeFile *f, const SafeTensor *t, uint64_t from, void *to, size_t bytes, RtError *err);
/* Reads all data once and compares it with the metadata's checksum; true if there is none. */
bool safe_check(const SafeFile *f, RtError *err);

typedef struct SafeWriter SafeWriter;

/* Starts a file with n tensors: name, dtype, rank and shape of tensor[] are used. metadata: texts by name, may be NULL.
 */
SafeWriter *safe_create(const char *path, const SafeTensor *tensor, size_t n, json_t *metadata, RtError *err);
/* The tensors' bytes, in their order, in pieces of any size. */
bool safe_write(SafeWriter *w, const void *data, size_t bytes, RtError *err);
/* Puts the file in place if exactly the announced bytes were written, else fails. Ends w either way. */
bool safe_commit(SafeWriter *w, RtError *err);
void safe_abort(SafeWriter *w); /* leaves nothing behind; NULL is allowed */

#endif
