/* Open addressing with linear probing, at most half full. See table.h. */
#include "table.h"

/* Interned names are pointers aligned to at least 8 bytes; the multiplication spreads their low entropy (Knuth 6.4). */
static int32_t slot_of(const Table *t, Name key) {
    uint64_t h = ((uint64_t)(uintptr_t)key >> 3) * 0x9E3779B97F4A7C15u;
    int32_t i = (int32_t)((h >> 33) & (uint64_t)(t->cap - 1));
    while (t->key[i] && t->key[i] != key) i = (i + 1) & (t->cap - 1);
    return i;
}

void *table_get(const Table *t, Name key) {
    if (t->cap == 0) return NULL;
    int32_t i = slot_of(t, key);
    return t->key[i] ? t->value[i] : NULL;
}

static void grow(Arena *a, Table *t) {
    Table bigger = {.cap = t->cap ? 2 * t->cap : 16};
    bigger.key = NEW_ARRAY(a, Name, bigger.cap);
    bigger.value = NEW_ARRAY(a, void *, bigger.cap);
    for (int32_t i = 0; i < t->cap; i++)
        if (t->key[i]) table_set(a, &bigger, t->key[i], t->value[i]);
    *t = bigger;
}

void table_set(Arena *a, Table *t, Name key, void *value) {
    if (2 * (t->n + 1) > t->cap) grow(a, t);
    int32_t i = slot_of(t, key);
    t->n += !t->key[i];
    t->key[i] = key;
    t->value[i] = value;
}
