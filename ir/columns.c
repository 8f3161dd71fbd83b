/* See columns.h. */
#include "columns.h"

#include "diag.h"

#include <string.h>

void columns_add(Columns *c, ...) {
    int n = (int)strlen(c->align);
    const char **cell = NEW_ARRAY(c->arena, const char *, n);
    va_list ap;
    va_start(ap, c);
    for (int i = 0; i < n; i++) cell[i] = va_arg(ap, const char *);
    va_end(ap);
    PUSH(c->arena, c->row, c->n_row, c->cap_row, cell);
}

void columns_line(Columns *c) { PUSH(c->arena, c->row, c->n_row, c->cap_row, NULL); }

/* How many characters the text shows: names are UTF-8. */
static int shown(const char *text) {
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* Of each column; returns that of the whole table. */
static int find_widths(const Columns *c, int *width) {
    int n = (int)strlen(c->align), all = 0;
    for (int k = 0; k < n; k++) {
        width[k] = 0;
        for (int32_t i = 0; i < c->n_row; i++)
            if (c->row[i]) width[k] = (int)max_i64(width[k], shown(c->row[i][k]));
        all += width[k] + (k > 0 ? 2 : 0);
    }
    return all;
}

static void print_row(Str *s, const Columns *c, const char **cell, const int *width) {
    int blanks = 0; /* they are only printed if something follows */
    for (int k = 0; c->align[k]; k++) {
        int n = shown(cell[k]), more = width[k] - n;
        bool right = c->align[k] == 'r';
        blanks += (k > 0 ? 2 : 0) + (right ? more : 0);
        if (n) {
            str_addf(s, "%*s%s", blanks, "", cell[k]);
            blanks = 0;
        }
        blanks += right ? 0 : more;
    }
    str_add(s, "\n");
}

void columns_print(Str *s, const Columns *c) {
    int width[COLUMNS_MOST], all;
    ICE_UNLESS(strlen(c->align) <= COLUMNS_MOST, "a table has too many columns");
    all = find_widths(c, width);
    for (int32_t i = 0; i < c->n_row; i++) {
        if (c->row[i])
            print_row(s, c, c->row[i], width);
        else {
            for (int k = 0; k < all; k++) str_add(s, "-");
            str_add(s, "\n");
        }
    }
}
