/* Which files a path means: data in many files are written as "shards/train-{000..146}.tar" or "shards/train-*.tar". */
#ifndef CNNC_RUNTIME_PATTERNS_H
#define CNNC_RUNTIME_PATTERNS_H

#include "rt.h"

enum { PATTERNS_MOST = 1 << 20 }; /* files */

typedef struct PathList {
    char **path;
    size_t n, room;
} PathList;

/* Adds what the pattern means to a list that was zeroed at first: the file of exactly that name, if there is one; else,
 * for each {A..B} every number from A to B with as many digits as A has at least, in order; and of *, ? and [...] what
 * glob(7) finds, by the order of the bytes. Files of numbers need not be there, which whoever opens them says;
 * RT_NO_INPUT if a *, ? or [ finds nothing, RT_DATA for B below A, RT_LIMIT for more than PATTERNS_MOST. */
bool patterns_expand(PathList *list, const char *pattern, RtError *err);
void patterns_free(PathList *list);

#endif
