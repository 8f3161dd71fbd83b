#include "synsets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LIMIT = 65536 };

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

static bool read_line(Synsets *s, char *line, size_t number, RtError *err) {
    char *name = split(line);
    if (!name)
        return !rt_fail(err, RT_DATA, "%s:%zu: a line is the name of a folder, a blank and what its class is called", s->path, number);
    const Entry *e = bsearch(&(Entry){.folder = line}, s->entry, s->n, sizeof *s->entry, by_folder);
    if (!e) return true;
    if (s->name[e->class]) return !rt_fail(err, RT_DATA, "%s:%zu: `%s` has a name already", s->path, number, line);
    return (s->name[e->class] = rt_copy_text(name, err));
}

static bool read_lines(Synsets *s, FILE *f, RtError *err) {
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;
    bool good = true;
    while (good && (n = getline(&line, &room, f)) >= 0) {
        number++;
        if ((size_t)n != strlen(line) || n > LINE_LIMIT)
            good = !rt_fail(err, RT_DATA, "%s:%zu: not a line of text", s->path, number);
        while (n > 0 && strchr(" \t\r\n", line[n - 1])) line[--n] = 0;
        char *text = line + strspn(line, " \t");
        if (good && *text) good = read_line(s, text, number, err);
    }
    if (good && ferror(f)) good = !rt_fail(err, RT_NO_INPUT, "%s: %m", s->path);
    free(line);
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
    FILE *f = rt_open_text(path, err);
    if (!f) return NULL;
    bool good = sort_folders(&s, folder, err) && read_lines(&s, f, err) && all_named(&s, err);
    fclose(f);
    free(s.entry);
    if (good) return s.name;
    for (size_t i = 0; s.name && i < n; i++) free(s.name[i]);
    free(s.name);
    return NULL;
}
