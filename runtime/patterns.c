#include "patterns.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool add(PathList *list, const char *path, RtError *err) {
    if (list->n >= PATTERNS_MOST) return !rt_fail(err, RT_LIMIT, "%s: more than %d files", path, PATTERNS_MOST);
    if (!rt_reserve(&list->path, &list->room, list->n + 1, sizeof *list->path, err)) return false;
    list->path[list->n] = rt_copy_text(path, err);
    return list->path[list->n++] != NULL;
}

static bool add_found(PathList *list, const char *pattern, RtError *err) {
    glob_t found = {0};
    if (!strpbrk(pattern, "*?[")) return add(list, pattern, err);
    int code = glob(pattern, GLOB_ERR, NULL, &found);
    bool good = code == 0;
    if (code == GLOB_NOSPACE)
        rt_fail(err, RT_OS, "out of memory");
    else if (code)
        rt_fail(err, RT_NO_INPUT, "%s: %s", pattern,
                code == GLOB_NOMATCH ? "there is no such file" : "a folder cannot be read");
    for (size_t i = 0; good && i < found.gl_pathc; i++) good = add(list, found.gl_pathv[i], err);
    globfree(&found);
    return good;
}

/* A range in a pattern. */
typedef struct Range {
    const char *begin, *end; /* of it with its braces; NULL: there is none */
    unsigned long first, last;
    int digits;
} Range;

static Range find_range(const char *pattern) {
    enum { DIGITS = 9 };
    for (const char *p = pattern; (p = strchr(p, '{')); p++) {
        size_t a = strspn(p + 1, "0123456789");
        if (a == 0 || a > DIGITS || strncmp(p + 1 + a, "..", 2) != 0) continue;
        const char *other = p + 1 + a + 2;
        size_t b = strspn(other, "0123456789");
        if (b == 0 || b > DIGITS || other[b] != '}') continue;
        return (Range){p, other + b + 1, strtoul(p + 1, NULL, 10), strtoul(other, NULL, 10), (int)a};
    }
    return (Range){0};
}

/* Each number of the first range in its place; those behind it come by themselves. */
static bool add_ranges(PathList *list, const char *pattern, RtError *err) {
    Range r = find_range(pattern);
    if (!r.begin) return add_found(list, pattern, err);
    if (r.last < r.first) return !rt_fail(err, RT_DATA, "%s: {%lu..%lu} has no number", pattern, r.first, r.last);
    bool good = true;
    for (unsigned long i = r.first; good && i <= r.last; i++) {
        char *path = NULL;
        int n = asprintf(&path, "%.*s%0*lu%s", (int)(r.begin - pattern), pattern, r.digits, i, r.end);
        good = n >= 0 ? add_ranges(list, path, err) : !rt_fail(err, RT_OS, "out of memory");
        if (n >= 0) free(path);
    }
    return good;
}

bool patterns_expand(PathList *list, const char *pattern, RtError *err) {
    struct stat st;
    return stat(pattern, &st) == 0 ? add(list, pattern, err) : add_ranges(list, pattern, err);
}

void patterns_free(PathList *list) {
    for (size_t i = 0; i < list->n; i++) free(list->path[i]);
    free(list->path);
    *list = (PathList){0};
}
