/* A hash table from interned names to pointers, in an arena. Zero-initialise it; nothing is ever removed. */
#ifndef CNNC_FRONTEND_TABLE_H
#define CNNC_FRONTEND_TABLE_H

#include "../ir/base.h"

typedef struct Table {
    Name *key;
    void **value;
    int32_t n, cap;      /* cap: 0 or a power of two */
} Table;

void *table_get(const Table *t, Name key);   /* NULL if there is none */
void table_set(Arena *a, Table *t, Name key, void *value);

#endif
