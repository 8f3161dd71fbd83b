/* See codes.h. */
#include "codes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "../ir/diag.h"

const CodeRow code_table[] = {
#define CODE(id, title, text, form, wrong, right) {#id, NULL, title, text, form, wrong, right},
#define WARN(id, name, title, text, form, wrong, right) {#id, name, title, text, form, wrong, right},
#define PAGE(id, title, text) {#id, NULL, title, text, NO_EXAMPLE, NULL, NULL},
#include "codes_text.def"
#include "codes_names.def"
#include "codes_net.def"
#include "codes_files.def"
#undef CODE
#undef WARN
#undef PAGE
};
const int n_codes = ARRAY_LEN(code_table);

const CodeRow *code_find(const char *code) {
    for (int i = 0; i < n_codes; i++)
        if (!strcasecmp(code_table[i].code, code)) return &code_table[i];
    return NULL;
}

/* Every line of the text, indented. */
static void add_lines(Str *out, const char *text, const char *indent) {
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        if (n > 0) str_add(out, indent);
        str_addn(out, p, n);
        str_add(out, "\n");
        p += n + (p[n] == '\n');
    }
}

/* Prose, broken at blanks. */
static void add_wrapped(Str *out, const char *text) {
    enum { WIDTH = 80 };
    size_t column = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (column > 0 && column + 1 + n > WIDTH) {
            str_add(out, "\n");
            column = 0;
        }
        if (column > 0) str_add(out, " ");
        str_addn(out, p, n);
        column += n + (column > 0);
        p += n + strspn(p + n, " ");
    }
    str_add(out, "\n");
}

static void add_file(Str *out, ExampleForm form, const char *text) {
    if (form == WHOLE) {
        add_lines(out, text, "");
        return;
    }
    str_add(out, "cnnc 1\n\ninput image { size = 32x32 }\n\nnet example(image) {\n");
    add_lines(out, form == BODY ? text : "logits = image -> flatten -> fc(10)\noutput scores = softmax(logits)",
              "    ");
    str_add(out, "}\n");
    if (form != TOP) return;
    str_add(out, "\n");
    add_lines(out, text, "");
}

static void add_page(Str *out, const CodeRow *c) {
    str_addf(out, "%s: %s\n\n", c->code, c->title);
    add_wrapped(out, c->text);
    if (c->name) str_addf(out, "\nOff by -Wno-%s, an error by -Werror=%s.\n", c->name, c->name);
    if (c->form == NO_EXAMPLE) return;
    str_add(out, "\nWrong:\n\n");
    add_lines(out, c->wrong, "    ");
    str_add(out, "\nRight:\n\n");
    add_lines(out, c->right, "    ");
}

static void add_list(Str *out) {
    for (int i = 0; i < n_codes; i++) {
        const CodeRow *c = &code_table[i];
        str_addf(out, c->name ? "%s  %s (-W%s)\n" : "%s  %s\n", c->code, c->title, c->name);
    }
}

static int unknown(Arena *a, const char *topic) {
    const char **known = NEW_ARRAY(a, const char *, n_codes + 1);
    for (int i = 0; i < n_codes; i++) known[i] = code_table[i].code;
    known[n_codes] = "list";
    const char *near = did_you_mean(topic, known, n_codes + 1);
    fprintf(stderr, "cnnc: error: there is no code %.40s%s%s%s (cnnc --explain list prints all)\n", topic,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return EX_USAGE;
}

int explain(Arena *a, const char *topic, Str *out) {
    size_t n = strcspn(topic, ":");
    const CodeRow *c = code_find(arena_strndup(a, topic, n));
    for (int i = 0; i < n_codes && !c; i++)
        if (code_table[i].name && !strcmp(code_table[i].name, topic)) c = &code_table[i];
    bool wrong = !strcmp(topic + n, ":wrong"), right = !strcmp(topic + n, ":right");
    if (!strcmp(topic, "list"))
        add_list(out);
    else if (!c || (topic[n] && ((!wrong && !right) || c->form == NO_EXAMPLE)))
        return unknown(a, topic);
    else if (topic[n])
        add_file(out, c->form, wrong ? c->wrong : c->right);
    else
        add_page(out, c);
    return EX_OK;
}
