/* What a message proposes solves it: every first proposal of an error in tests/errors/{shape,user} is applied to
 * the text, and the error is not there any more. Run from the root of the sources. */
#include <CUnit/Basic.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../frontend/frontend.h"

static char path[64];
static int n_fixes;

static const char *read_file(Arena *a, const char *name) {
    static char buffer[1 << 16];
    FILE *f = fopen(name, "r");
    size_t n = f ? fread(buffer, 1, sizeof buffer, f) : 0;
    if (!f || n == sizeof buffer || fclose(f)) exit(70);
    return arena_strndup(a, buffer, n);
}

static Diags *check(Arena *a, const char *text) {
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) exit(70);
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = diag_new(a)};
    frontend_build(u, path, NULL);
    return u->diags;
}

static const char *place(const char *text, Span at) {
    for (uint32_t line = 1; line < at.line; line++) text = strchr(text, '\n') + 1;
    return text + at.col - 1;
}

/* The text with edits first..last, of which each begins after the one before ends. */
static const char *edited(Arena *a, const char *text, const Message *first, const Message *last) {
    Str s = STR(a);
    const char *from = text;
    for (const Message *m = first; m <= last; m++) {
        const char *at = place(text, m->span);
        str_addn(&s, from, (size_t)(at - from));
        str_add(&s, m->text);
        from = at + m->span.len;
    }
    str_add(&s, from);
    return str_text(&s);
}

/* The error is not there: at its place, whose line may have moved, none says the same, nor has other shapes. */
static bool is_gone(const Diags *d, const Message *error, uint32_t added) {
    for (int i = 0; i < d->n_message; i++) {
        const Message *m = &d->message[i];
        bool here = m->span.line == error->span.line || m->span.line == error->span.line + added;
        bool same = !strcmp(m->text, error->text) || !strncmp(error->code, "E03", 3);
        if (m->severity == SEV_ERROR && here && m->code == error->code && m->span.col == error->span.col && same)
            return false;
    }
    return true;
}

static int count_syntax(const Diags *d) {
    int n = 0;
    for (int i = 0; i < d->n_message; i++) n += d->message[i].code && !strncmp(d->message[i].code, "E00", 3);
    return n;
}

static void try_fix(Arena *a, const char *name, const char *text, const Diags *d, const Message *error) {
    const Message *m = error + 1, *end = d->message + d->n_message;
    while (m < end && m->severity > SEV_WARNING && m->severity != SEV_EDIT) m++;
    if (m == end || m->severity != SEV_EDIT) return;
    const Message *last = m;
    while (last + 1 < end && last[1].severity == SEV_EDIT) last++;
    const Diags *after = check(a, edited(a, text, m, last));
    uint32_t added = 0;
    for (const Message *e = m; e <= last; e++) added += strchr(e->text, '\n') != NULL;
    bool good = is_gone(after, error, added) && count_syntax(after) <= count_syntax(d);
    if (!good) fprintf(stderr, "%s:%u: %s: `%s` does not help\n", name, error->span.line, error->text, m->text);
    CU_ASSERT(good);
    n_fixes++;
}

static void try_folder(const char *folder) {
    DIR *dir = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name);
        if (n < 4 || strcmp(entry->d_name + n - 4, ".net") != 0) continue;
        Arena *a = arena_new();
        const char *text = read_file(a, arena_printf(a, "%s/%s", folder, entry->d_name));
        const Diags *d = check(a, text);
        for (int i = 0; i < d->n_message; i++)
            if (d->message[i].severity == SEV_ERROR) try_fix(a, entry->d_name, text, d, &d->message[i]);
        arena_free(a);
    }
    closedir(dir);
}

static void proposals_help(void) {
    try_folder("tests/errors/shape");
    CU_ASSERT(n_fixes >= 19);
    try_folder("tests/errors/user");
    CU_ASSERT(n_fixes >= 100);
}

int main(void) {
    snprintf(path, sizeof path, "/tmp/test_fixes.XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0 || close(fd) || CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_add_test(CU_add_suite("fixes", NULL, NULL), "what a message proposes solves it", proposals_help);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    unlink(path);
    return failures != 0;
}
