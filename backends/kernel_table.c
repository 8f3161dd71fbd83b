#include "kernel_table.h"

#include <string.h>

/* The kernel's text without its first line, which has the name. */
static Name body_text(Arena *a, const Kernel *k) {
    Str s = STR(a);
    loop_print(&s, k);
    return name_of(strchr(str_text(&s), '\n'));
}

static void add_program(KernelTable *t, Arena *a, const Program *p, int32_t *number, Name **text, int32_t *cap) {
    for (int32_t i = 0; i < p->n_kernel; i++) {
        Name body = body_text(a, p->kernel[i]);
        int32_t old = 0;
        while (old < t->n && (*text)[old] != body) old++;
        number[i] = old;
        if (old < t->n) continue;
        int32_t n = t->n;
        PUSH(a, *text, n, *cap, body);
        PUSH(a, t->kernel, t->n, t->cap, p->kernel[i]);
    }
}

KernelTable *kernel_table(const Unit *u) {
    KernelTable *t = NEW(u->arena, KernelTable);
    Name *text = NULL;
    int32_t cap = 0;
    for (int e = 0; e < ENTRY_COUNT; e++) {
        const Program *p = u->program[e];
        if (!p) continue;
        t->number[e] = NEW_ARRAY(u->arena, int32_t, p->n_kernel + 1);
        add_program(t, u->arena, p, t->number[e], &text, &cap);
    }
    return t;
}
