#include "synsets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LIMIT = 65536, LABELS_MOST = 1000000 };

/* A class by its folder's name. */
typedef struct Entry {
    const char *folder;
    size_t class;
} Entry;

typedef struct Synsets {
    const char *path;
    Entry *entry; /* [n], by the bytes of their names */
    size_t n;
    char **name; /* [n], by class */
} Synsets;

/* Does something with a line that is not empty, without blanks at its ends; number: its own, from 1. */
typedef bool ReadLine(void *context, char *line, size_t number, RtError *err);

static int by_folder(const void *a, const void *b) { return strcmp(((const Entry *)a)->folder, ((const Entry *)b)->folder); }

static bool sort_folders(Synsets *s, char *const *folder, RtError *err) {
    s->entry = rt_alloc(s->n, sizeof *s->entry, err);
    s->name = rt_alloc(s->n, sizeof *s->name, err);
    if (!s->entry || !s->name) return false;
    for (size_t i = 0; i < s->n; i++) s->entry[i] = (Entry){folder[i], i};
    qsort(s->entry, s->n, sizeof *s->entry, by_folder);
    return true;
}

/* `line` without blanks at its ends, and not empty: what stands behind its first word, which then ends; NULL: nothing. */
static char *split(char *line) {
    char *end = line + strcspn(line, " \t");
    if (!*end) return NULL;
    *end = 0;
    return end + 1 + strspn(end + 1, " \t");
}

static bool read_synset(void *context, char *line, size_t number, RtError *err) {
    Synsets *s = context;
    char *name = split(line);
    if (!name)
        return !rt_fail(err, RT_DATA, "%s:%zu: a line is the name of a folder, a blank and what its class is called", s->path, number);
    const Entry *e = bsearch(&(Entry){.folder = line}, s->entry, s->n, sizeof *s->entry, by_folder);
    if (!e) return true;
    if (s->name[e->class]) return !rt_fail(err, RT_DATA, "%s:%zu: `%s` has a name already", s->path, number, line);
    return (s->name[e->class] = rt_copy_text(name, err));
}

static bool read_lines(const char *path, ReadLine *read, void *context, RtError *err) {
    FILE *f = rt_open_text(path, err);
    if (!f) return false;
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;
    bool good = true;
    while (good && (n = getline(&line, &room, f)) >= 0) {
        number++;
        if ((size_t)n != strlen(line) || n > LINE_LIMIT)
            good = !rt_fail(err, RT_DATA, "%s:%zu: not a line of text", path, number);
        while (n > 0 && strchr(" \t\r\n", line[n - 1])) line[--n] = 0;
        char *text = line + strspn(line, " \t");
        if (good && *text) good = read(context, text, number, err);
    }
    if (good && ferror(f)) good = !rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    free(line);
    fclose(f);
    return good;
}

static bool all_named(const Synsets *s, RtError *err) {
    for (size_t i = 0; i < s->n; i++)
        if (!s->name[s->entry[i].class])
            return !rt_fail(err, RT_DATA, "%s: no line for the class `%s` of the data", s->path, s->entry[i].folder);
    return true;
}

char **synsets_read(const char *path, char *const *folder, size_t n, RtError *err) {
    Synsets s = {.path = path, .n = n};
    bool good = sort_folders(&s, folder, err) && read_lines(path, read_synset, &s, err) && all_named(&s, err);
    free(s.entry);
    if (good) return s.name;
    for (size_t i = 0; s.name && i < n; i++) free(s.name[i]);
    free(s.name);
    return NULL;
}

/* ---- names in the order of the classes ---- */

typedef struct Labels {
    const char *path;
    char **name; /* [n], by line */
    size_t n, capacity;
} Labels;

static bool read_label(void *context, char *line, size_t number, RtError *err) {
    Labels *l = context;
    if (number != l->n + 1) return !rt_fail(err, RT_DATA, "%s:%zu: an empty line: each has the name of a class", l->path, l->n + 1);
    if (l->n == LABELS_MOST) return !rt_fail(err, RT_LIMIT, "%s:%zu: more than %d classes", l->path, number, LABELS_MOST);
    if (!rt_reserve(&l->name, &l->capacity, l->n + 1, sizeof *l->name, err) || !(l->name[l->n] = rt_copy_text(line, err)))
        return false;
    l->n++;
    return true;
}

/* By the bytes of their names, of equal ones the earlier line first. */
static int by_label(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    int order = strcmp(x->folder, y->folder);
    return order ? order : (x->class > y->class) - (x->class < y->class);
}

static bool no_label_twice(const Labels *l, RtError *err) {
    Entry *sorted = rt_alloc(l->n, sizeof *sorted, err);
    if (!sorted) return false;
    for (size_t i = 0; i < l->n; i++) sorted[i] = (Entry){l->name[i], i};
    qsort(sorted, l->n, sizeof *sorted, by_label);
    bool good = true;
    for (size_t i = 1; good && i < l->n; i++)
        if (!strcmp(sorted[i].folder, sorted[i - 1].folder))
            good = !rt_fail(err, RT_DATA, "%s:%zu: `%s` is a class already, that of line %zu", l->path, sorted[i].class + 1,
                            sorted[i].folder, sorted[i - 1].class + 1);
    free(sorted);
    return good;
}

char **labels_read(const char *path, size_t *n, RtError *err) {
    Labels l = {.path = path};
    bool good = read_lines(path, read_label, &l, err) &&
                (l.n > 0 || !rt_fail(err, RT_DATA, "%s: no names of classes, one a line", path)) && no_label_twice(&l, err);
    *n = l.n;
    if (good) return l.name;
    for (size_t i = 0; i < l.n; i++) free(l.name[i]);
    free(l.name);
    return NULL;
}
