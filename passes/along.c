/* along: which steps run at the same time.
 *
 * Needs the final steps and their slices; sets Step.along and nothing else. Before plan, since what such steps touch
 * lives through all of them. Inference only: steps of a training take long, and memory counts more.
 *
 * Branches of a net lie one after the other in the order of its steps. Where a step needs nothing of the one before it
 * they share one barrier, and a thread that is done with its tasks of one takes those of the other: a convolution by 7
 * bands of rows keeps two threads busy for the time of 8, unless there is something else to do. */
#include "pass.h"

/* Tensors that lie in a join are written by several steps, each its own channels. */
static bool is_join(const Program *p, int32_t storage) {
    Ref r = p->storage[storage].ref;
    return r && graph_node(p->graph, r)->op == OP_concat;
}

static uint8_t *uses_of(Arena *a, const Program *p, const Step *s) {
    const Kernel *k = p->kernel[s->kernel];
    uint8_t *use = NEW_ARRAY(a, uint8_t, k->n_buf + 1);
    stmt_uses(k->body, use);
    return use;
}

/* Must b wait for a? */
static bool must_wait(Arena *arena, const Program *p, const Step *a, const Step *b) {
    const uint8_t *of_a = uses_of(arena, p, a), *of_b = uses_of(arena, p, b);
    if (a->root == b->root) return true;
    for (int32_t i = 0; i < a->n_arg; i++)
        for (int32_t j = 0; j < b->n_arg; j++) {
            if (a->arg[i] != b->arg[j]) continue;
            int both = of_a[i] | of_b[j];
            if ((both & BUF_STORED) && ((both & BUF_LOADED) || !is_join(p, a->arg[i]))) return true;
        }
    return false;
}

void pass_along(Unit *u, Entry entry) {
    Program *p = u->program[entry];
    int32_t first = p->n_once, slice = 0;
    for (int32_t i = first; entry == ENTRY_INFER && i < p->n_step; i++) {
        bool begins = i == p->n_once || (slice < p->n_slice && i == p->slice[slice].end);
        slice += begins && i > p->n_once;
        p->step[i].along = !begins && i - first < STEPS_ALONG;
        for (int32_t j = first; j < i && p->step[i].along; j++)
            p->step[i].along = !must_wait(u->arena, p, &p->step[j], &p->step[i]);
        if (!p->step[i].along) first = i;
    }
}
