/* What every file of the runtime shares: how a failure is reported and how memory is asked for.
 *
 * A function that can fail takes an RtError as its last argument and returns false, NULL or the code. Only main.c
 * prints and exits; nothing else in the runtime does, so that every failure can be tested. An error is set once: later
 * failures on the way out do not overwrite the first, which is the cause. */
#ifndef CNNC_RUNTIME_RT_H
#define CNNC_RUNTIME_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of the produced programs. The codes of sysexits.h where one fits; death by a signal is always a bug. */
enum {
    RT_OK = 0,
    RT_UNKEPT = 1,      /* everything worked, but what was measured is not what `require` asks for */
    RT_USAGE = 64,      /* command line is wrong */
    RT_DATA = 65,       /* a file's content is wrong */
    RT_NO_INPUT = 66,   /* a file or folder is missing or unreadable */
    RT_INTERNAL = 70,   /* our bug */
    RT_OS = 71,         /* out of memory, or a system call that should not fail did */
    RT_NO_OUTPUT = 73,  /* a file cannot be created */
    RT_IO = 74,         /* reading or writing failed; disk full */
    RT_STOPPED = 75,    /* a signal; a good checkpoint was written, run me again */
    RT_NOT_FINITE = 76, /* training met a NaN or an infinity */
    RT_LIMIT = 78,      /* a size is over a limit */
};

typedef struct RtError {
    char text[512]; /* one line, no newline, no capital at the start; cut, never overrun */
    int code;       /* RT_OK (0) while nothing has failed */
} RtError;

/* Sets err to a formatted message and a code unless it already holds one; a NULL err is allowed. Returns code. */
int rt_fail(RtError *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* a * b, false (and *result untouched) if it does not fit. */
bool rt_mul(size_t a, size_t b, size_t *result);

/* count * size bytes, zeroed; NULL and RT_OS if the product overflows or memory is short. Released with free. A count
 * of 0 gives a valid pointer. */
void *rt_alloc(size_t count, size_t size, RtError *err);

/* The same without zeroing, at an address that is a multiple of 64 (a cache line, a full vector). Released with free.
 */
void *rt_alloc_aligned(size_t count, size_t size, RtError *err);

/* Makes room for at least `need` items in a growable array, doubling its capacity; false and RT_OS if that fails, the
 * array then being as it was. `array` is the address of the array's pointer; new items are not zeroed. */
bool rt_reserve(void *array, size_t *capacity, size_t need, size_t size, RtError *err);

/* A copy of text (released with free), or NULL and RT_OS. */
char *rt_copy_text(const char *text, RtError *err);

/* A new text "folder/name" (released with free), or NULL and RT_OS. */
char *rt_join_path(const char *folder, const char *name, RtError *err);

/* A plain file to read from: its descriptor, or -1 and RT_NO_INPUT. Pipes and devices, which might block or never end,
 * are refused. */
int rt_open_plain(const char *path, RtError *err);
/* The same for fgets, getline and fclose; NULL also with RT_OS. */
FILE *rt_open_text(const char *path, RtError *err);

/* Writes a text that may hold names or contents of files: control bytes, which must not reach a terminal, as \xNN. */
void rt_show(FILE *to, const char *text);

/* Seconds from a clock that never goes back. */
double rt_now(void);

#endif
