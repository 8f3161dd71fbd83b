#include "kernel_table.h"

#include <string.h>

/* The kernel's text without its first line, which has the name. */
static Name body_text(Arena *a, const Kernel *k) {
    Str s = STR(a);
    loop_print(&s, k);
    return name_of(strchr(str_text(&s), '\n'));
}

typedef struct Texts { /* of the table's kernels */
    Name *text;
    int32_t cap;
} Texts;

static void add_program(KernelTable *t, Arena *a, const Program *p, int32_t *number, Texts *known) {
    for (int32_t i = 0; i < p->n_kernel; i++) {
        Name body = body_text(a, p->kernel[i]);
        int32_t old = 0;
        while (old < t->n && known->text[old] != body) old++;
        number[i] = old;
        if (old < t->n) continue;
        int32_t n = t->n;
        PUSH(a, known->text, n, known->cap, body);
        PUSH(a, t->kernel, t->n, t->cap, p->kernel[i]);
    }
}

static void add_unit(KernelTable *t, const Unit *u, int32_t *number[ENTRY_COUNT], Texts *known) {
    for (int e = 0; e < ENTRY_COUNT; e++) {
        const Program *p = u->program[e];
        if (!p) continue;
        number[e] = NEW_ARRAY(u->arena, int32_t, p->n_kernel + 1);
        add_program(t, u->arena, p, number[e], known);
    }
}

KernelTable *kernel_table(const Unit *u) {
    KernelTable *t = NEW(u->arena, KernelTable);
    Texts known = {0};
    t->number = arena_alloc(u->arena, (size_t)(u->n_sized + 1) * sizeof *t->number);
    add_unit(t, u, t->number[0], &known);
    for (int32_t i = 0; i < u->n_sized; i++) add_unit(t, u->sized[i], t->number[i + 1], &known);
    return t;
}
