/* See diag_format.h. */
#include "diag_format.h"

#include <stdio.h>
#include <string.h>

#include "codes.h"

/* ---- -W ---- */

static WarningAction chosen_action(const DiagOptions *o, const char *code) {
    const CodeRow *row = code_find(code);
    return row ? ((const WarningAction *)o->chosen)[row - code_table] : WARN_SHOW;
}

static bool unknown_warning(Arena *a, const char *name) {
    const char **known = NEW_ARRAY(a, const char *, n_codes);
    int n = 0;
    for (int i = 0; i < n_codes; i++)
        if (code_table[i].name) known[n++] = code_table[i].name;
    const char *near = did_you_mean(name, known, n);
    fprintf(stderr, "cnnc: error: there is no warning %.60s%s%s%s (cnnc --explain list prints all)\n", name,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return false;
}

static bool skip_word(const char **p, const char *word) {
    size_t n = strlen(word);
    if (strncmp(*p, word, n) != 0) return false;
    *p += n;
    return true;
}

bool diag_choose_warning(Arena *a, DiagOptions *o, const char *value) {
    if (!o->warning) *o = (DiagOptions){chosen_action, NEW_ARRAY(a, WarningAction, n_codes), o->print, o->colour};
    WarningAction *action = (WarningAction *)(uintptr_t)o->chosen;
    bool no = skip_word(&value, "no-"), found = false;
    bool error = !strcmp(value, "error") || skip_word(&value, "error=");
    bool every = !strcmp(value, "error"), all = every || !strcmp(value, "all");
    WarningAction want = error ? no ? WARN_SHOW : WARN_ERROR : no ? WARN_HIDE : WARN_SHOW;
    for (int i = 0; i < n_codes; i++) {
        if (!code_table[i].name || (!all && strcmp(value, code_table[i].name) != 0)) continue;
        found = true;
        if (every && action[i] == WARN_HIDE) continue;   /* -Wno-NAME holds on either side of -Werror */
        if (!all || error || action[i] != WARN_ERROR || no) action[i] = want;
    }
    return found || all || unknown_warning(a, value);
}

/* ---- what both formats say ---- */

typedef struct Writer {
    const Diags *d;
    const int32_t *order;
    int32_t n, more;
    Str s;
} Writer;

static Writer writer(const Diags *d) {
    Writer w = {.d = d, .s = STR(d->arena)};
    w.order = diag_order(d, &w.n, &w.more);
    return w;
}

static const Message *message(const Writer *w, int32_t i) { return &w->d->message[w->order[i]]; }

/* The index after the message i and what belongs to it alone: its labels or edits. */
static int32_t after_parts(const Writer *w, int32_t i) {
    for (i++; i < w->n && message(w, i)->severity >= SEV_LABEL;) i++;
    return i;
}

static int32_t after_group(const Writer *w, int32_t i) {
    int32_t group = message(w, i)->group;
    while (i < w->n && message(w, i)->group == group) i++;
    return i;
}

static bool is_placed(const Writer *w, const Message *m) {
    return m->span.line > 0 && (int32_t)m->span.file < w->d->n_file;
}

static const char *path_of(const Writer *w, const Message *m) { return w->d->file[m->span.file].path; }

static void text_member(Str *s, const char *key, const char *text) {
    str_addf(s, "\"%s\": ", key);
    str_add_json(s, text);
}

static const char *const severity_name[] = {"error", "warning", "note", "help"};

/* ---- JSON ---- */

static void json_place(Writer *w, const Message *m) {
    str_add(&w->s, "{");
    if (is_placed(w, m)) {
        text_member(&w->s, "file", path_of(w, m));
        str_addf(&w->s, ", \"line\": %u, \"column\": %u, \"length\": %u, ", m->span.line, m->span.col, m->span.len);
    }
}

static void json_labels(Writer *w, int32_t i, int32_t end) {
    bool first = true;
    str_add(&w->s, ", \"labels\": [");
    for (i++; i < end; i++) {
        if (message(w, i)->severity != SEV_LABEL) continue;
        if (!first) str_add(&w->s, ", ");
        first = false;
        json_place(w, message(w, i));
        text_member(&w->s, "text", message(w, i)->text);
        str_add(&w->s, "}");
    }
    str_add(&w->s, "]");
}

static void json_edits(Writer *w, int32_t i, int32_t end) {
    str_add(&w->s, "{");
    text_member(&w->s, "text", message(w, i)->text);
    str_add(&w->s, ", \"edits\": [");
    for (int32_t k = i + 1; k < end; k++) {
        if (k > i + 1) str_add(&w->s, ", ");
        json_place(w, message(w, k));
        text_member(&w->s, "replacement", message(w, k)->text);
        str_add(&w->s, "}");
    }
    str_add(&w->s, "]}");
}

static void json_notes(Writer *w, int32_t start, int32_t end) {
    bool first = true;
    str_add(&w->s, ", \"notes\": [");
    for (int32_t i = after_parts(w, start); i < end; i = after_parts(w, i)) {
        if (message(w, i)->severity != SEV_NOTE) continue;
        if (!first) str_add(&w->s, ", ");
        first = false;
        json_place(w, message(w, i));
        text_member(&w->s, "text", message(w, i)->text);
        json_labels(w, i, after_parts(w, i));
        str_add(&w->s, "}");
    }
    str_add(&w->s, "], \"fixes\": [");
    first = true;
    for (int32_t i = after_parts(w, start); i < end; i = after_parts(w, i)) {
        if (message(w, i)->severity != SEV_HELP) continue;
        if (!first) str_add(&w->s, ", ");
        first = false;
        json_edits(w, i, after_parts(w, i));
    }
    str_add(&w->s, "]");
}

void diag_print_json(const Diags *d) {
    Writer w = writer(d);
    str_add(&w.s, "{\"format\": 1, \"tool\": \"cnnc\", ");
    text_member(&w.s, "version", CNNC_VERSION);
    str_addf(&w.s, ", \"errors\": %d, \"warnings\": %d, \"not_shown\": %d, \"messages\": [", d->n_error, d->n_warning,
             w.more);
    for (int32_t i = 0; i < w.n;) {
        const Message *m = message(&w, i);
        int32_t end = after_group(&w, i);
        str_add(&w.s, i ? ",\n  " : "\n  ");
        json_place(&w, m);
        text_member(&w.s, "severity", severity_name[m->severity]);
        if (m->code) {
            str_add(&w.s, ", ");
            text_member(&w.s, "code", m->code);
        }
        str_add(&w.s, ", ");
        text_member(&w.s, "text", m->text);
        json_labels(&w, i, after_parts(&w, i));
        json_notes(&w, i, end);
        str_add(&w.s, "}");
        i = end;
    }
    str_add(&w.s, "]}\n");
    fputs(str_text(&w.s), stderr);
}

/* ---- SARIF ---- */

/* A path as a URI reference (RFC 3986). */
static void sarif_uri(Str *s, const char *path) {
    str_add(s, "\"artifactLocation\": {\"uri\": \"");
    if (path[0] == '/') str_add(s, "file://");
    for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~/", *p);
        if (plain)
            str_addn(s, (const char *)p, 1);
        else
            str_addf(s, "%%%02X", *p);
    }
    str_add(s, "\"}");
}

/* Code points in the first `bytes` bytes of the line. */
static uint32_t points(const Diags *d, Span at, uint32_t bytes) {
    size_t n = 0;
    const char *line = at.len ? diag_line(d, at, &n) : NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < bytes; i++) count += !line || i >= n || ((unsigned char)line[i] & 0xC0) != 0x80;
    return count;
}

static void sarif_region(Writer *w, const char *key, Span at) {
    str_addf(&w->s, "\"%s\": {\"startLine\": %u, \"startColumn\": %u, \"endColumn\": %u}", key, at.line,
             points(w->d, at, at.col - 1) + 1, points(w->d, at, at.col - 1 + at.len) + 1);
}

static void sarif_place(Writer *w, const Message *m) {
    str_add(&w->s, "\"physicalLocation\": {");
    sarif_uri(&w->s, path_of(w, m));
    str_add(&w->s, ", ");
    sarif_region(w, "region", m->span);
    str_add(&w->s, "}");
}

static void sarif_message(Str *s, const char *key, const char *text) {
    str_addf(s, "\"%s\": {", key);
    text_member(s, "text", text);
    str_add(s, "}");
}

/* Labels and notes with a place. */
static void sarif_related(Writer *w, int32_t i, int32_t end) {
    int id = 0;
    str_add(&w->s, ", \"relatedLocations\": [");
    for (i++; i < end; i++) {
        const Message *m = message(w, i);
        if (!is_placed(w, m) || (m->severity != SEV_LABEL && m->severity != SEV_NOTE)) continue;
        str_addf(&w->s, "%s{\"id\": %d, ", id ? ", " : "", id);
        id++;
        sarif_place(w, m);
        str_add(&w->s, ", ");
        sarif_message(&w->s, "message", *m->text ? m->text : "this");
        str_add(&w->s, "}");
    }
    str_add(&w->s, "]");
}

static void sarif_fix(Writer *w, int32_t i, int32_t end) {
    const char *text = message(w, i)->text;
    str_add(&w->s, "{");
    sarif_message(&w->s, "description", *text ? text : "as proposed");
    str_add(&w->s, ", \"artifactChanges\": [{");
    sarif_uri(&w->s, path_of(w, message(w, i + 1)));
    str_add(&w->s, ", \"replacements\": [");
    for (int32_t k = i + 1; k < end; k++) {
        if (k > i + 1) str_add(&w->s, ", ");
        str_add(&w->s, "{");
        sarif_region(w, "deletedRegion", message(w, k)->span);
        str_add(&w->s, ", ");
        sarif_message(&w->s, "insertedContent", message(w, k)->text);
        str_add(&w->s, "}");
    }
    str_add(&w->s, "]}]}");
}

static void sarif_fixes(Writer *w, int32_t i, int32_t end) {
    bool first = true;
    str_add(&w->s, ", \"fixes\": [");
    for (i = after_parts(w, i); i < end; i = after_parts(w, i)) {
        if (message(w, i)->severity != SEV_HELP || after_parts(w, i) == i + 1) continue;
        if (!first) str_add(&w->s, ", ");
        first = false;
        sarif_fix(w, i, after_parts(w, i));
    }
    str_add(&w->s, "]");
}

/* The message with what its notes and proposals say that have no place. */
static void sarif_text(Writer *w, int32_t i, int32_t end) {
    Str text = STR(w->d->arena);
    str_add(&text, message(w, i)->text);
    for (i++; i < end; i++) {
        const Message *m = message(w, i);
        if (m->severity < SEV_NOTE || m->severity > SEV_HELP || is_placed(w, m) || !*m->text) continue;
        str_addf(&text, "\n%s: %s", severity_name[m->severity], m->text);
    }
    sarif_message(&w->s, "message", str_text(&text));
}

static void sarif_result(Writer *w, int32_t i, int32_t end) {
    const Message *m = message(w, i);
    const CodeRow *row = m->code ? code_find(m->code) : NULL;
    str_add(&w->s, "{");
    if (row) str_addf(&w->s, "\"ruleId\": \"%s\", \"ruleIndex\": %d, ", row->code, (int)(row - code_table));
    str_addf(&w->s, "\"level\": \"%s\", ", m->severity <= SEV_NOTE ? severity_name[m->severity] : "note");
    sarif_text(w, i, end);
    if (is_placed(w, m)) {
        str_add(&w->s, ", \"locations\": [{");
        sarif_place(w, m);
        str_add(&w->s, "}]");
    }
    sarif_related(w, i, end);
    sarif_fixes(w, i, end);
    str_add(&w->s, "}");
}

static void sarif_rules(Str *s) {
    for (int i = 0; i < n_codes; i++) {
        const CodeRow *c = &code_table[i];
        str_addf(s, "%s{\"id\": \"%s\", ", i ? ",\n  " : "\n  ", c->code);
        sarif_message(s, "shortDescription", c->title);
        str_add(s, ", ");
        sarif_message(s, "fullDescription", c->text);
        str_addf(s, ", \"defaultConfiguration\": {\"level\": \"%s\"}}", c->name ? "warning" : "error");
    }
}

void diag_print_sarif(const Diags *d) {
    Writer w = writer(d);
    str_add(&w.s,
            "{\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\", \"version\": \"2.1.0\", \"runs\": [{"
            "\"tool\": {\"driver\": {\"name\": \"cnnc\", ");
    text_member(&w.s, "version", CNNC_VERSION);
    str_add(&w.s, ", \"rules\": [");
    sarif_rules(&w.s);
    str_add(&w.s, "]}}, \"columnKind\": \"unicodeCodePoints\", \"results\": [");
    for (int32_t i = 0; i < w.n;) {
        int32_t end = after_group(&w, i);
        str_add(&w.s, i ? ",\n  " : "\n  ");
        sarif_result(&w, i, end);
        i = end;
    }
    str_add(&w.s, "]}]}\n");
    fputs(str_text(&w.s), stderr);
}
