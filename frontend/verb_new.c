/* cnnc new NAME: a commented file to start from. The texts are in new.def; what is written is their canonical form. */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../ir/files.h"
#include "driver.h"
#include "fmt.h"

typedef struct Kind {
    const char *name, *help, *text;
} Kind;

static const Kind kinds[] = {
#define KIND(id, help, text) {#id, help, text},
#include "new.def"
#undef KIND
};

static const Kind *find_kind(const char *name) {
    for (int i = 0; i < ARRAY_LEN(kinds); i++)
        if (!name || !strcmp(name, kinds[i].name)) return &kinds[i];
    fprintf(stderr, "cnnc: error: --kind=%.120s: there is no such kind; there are:\n", name);
    for (int i = 0; i < ARRAY_LEN(kinds); i++) fprintf(stderr, "  %-12s %s\n", kinds[i].name, kinds[i].help);
    return NULL;
}

/* The file's name without folder and suffix. NULL, after a message, if it will not do as the name of a net. */
static const char *stem_of(Arena *a, const char *word) {
    const char *slash = strrchr(word, '/'), *base = slash ? slash + 1 : word, *end = base + strlen(base);
    if (end - base > 4 && !strcmp(end - 4, ".net")) end -= 4;
    size_t n = (size_t)(end - base), good = 0;
    while (good < n && (isalnum((unsigned char)base[good]) || strchr("_-", base[good]))) good++;
    if (n > 0 && n <= 60 && good == n && isalpha((unsigned char)*base)) return arena_strndup(a, base, n);
    fprintf(stderr,
            "cnnc: error: `%.120s` will not do as a name: a letter, then letters, digits, _ and -, at most 60\n", base);
    return NULL;
}

static const char *fill_in(Arena *a, const char *text, const char *stem) {
    Str s = STR(a);
    char *net = arena_strdup(a, stem);
    for (char *c = net; (c = strchr(c, '-')); *c = '_')
        ;
    for (size_t n; n = strcspn(text, "$&"), text[n]; text += n + 1) {
        str_addn(&s, text, n);
        str_add(&s, text[n] == '$' ? stem : net);
    }
    str_add(&s, text);
    return str_text(&s);
}

/* The canonical form, NULL after messages: the name may be a word of the language. */
static const char *canonical(Arena *a, const CommandLine *c, const char *path, const char *text) {
    Diags *d = driver_diags(a, c);
    Str s = STR(a);
    bool good = fmt_file(a, d, diag_add_file(d, path, text, strlen(text)), &s);
    diag_print(d);
    return good ? str_text(&s) : NULL;
}

/* Only where nothing is. */
static int write_new(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return driver_complain(EX_CANTCREAT, "cannot create", path);
    bool good = files_write_all(fd, text, strlen(text));
    good = !close(fd) && good;
    if (good) return EX_OK;
    int code = driver_complain(EX_IOERR, "cannot write", path);
    unlink(path);
    return code;
}

int verb_new(const CommandLine *c) {
    const char *word = c->word[0].text;
    const Kind *kind = find_kind(c->kind);
    const char *stem = kind ? stem_of(c->arena, word) : NULL;
    if (!stem) return EX_USAGE;
    size_t n = strlen(word);
    const char *path = n > 4 && !strcmp(word + n - 4, ".net") ? word : arena_printf(c->arena, "%s.net", word);
    const char *text = canonical(c->arena, c, path, fill_in(c->arena, kind->text, stem));
    if (!text) return EX_USAGE;
    int code = write_new(path, text);
    if (code == EX_OK) printf("wrote %s; next: cnnc %s -o %s\n", path, path, stem);
    return code;
}
