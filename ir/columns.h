/* A table of texts for people, in columns as wide as they need to be, ASCII. */
#ifndef CNNC_IR_COLUMNS_H
#define CNNC_IR_COLUMNS_H

#include "base.h"

enum { COLUMNS_MOST = 12 };

typedef struct Columns {
    Arena *arena;
    const char *align;      /* a letter a column: l, or r for what is flush right */
    const char ***row;      /* of as many cells as `align` has letters; NULL: a line across */
    int32_t n_row, cap_row;
} Columns;

/* Adds a row: as many texts as `align` has letters. They are not copied. */
void columns_add(Columns *c, ...);
void columns_line(Columns *c);
/* Two blanks between columns, none at the end of a line. */
void columns_print(Str *s, const Columns *c);

#endif
