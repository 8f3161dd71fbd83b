/* vectorise: LANE loops become vectors.
 *
 * Needs tiles (sums have their lanes innermost by then); changes modes only. A lane loop that still holds a loop is
 * left alone: it is correct as it is, and only scalar fallback kernels have such. */
#include "pass.h"

static bool holds_loop(const Stmt *s) {
    if (s->kind == ST_FOR) return true;
    if (s->kind == ST_GUARD) return holds_loop(s->u.guard.body);
    for (int32_t i = 0; s->kind == ST_SEQ && i < s->u.seq.n; i++)
        if (holds_loop(s->u.seq.item[i])) return true;
    return false;
}

static void vectorise(Stmt *s) {
    switch (s->kind) {
    case ST_FOR:
        if (s->u.loop.role == ROLE_LANE && !holds_loop(s->u.loop.body)) s->u.loop.mode = LOOP_VECTOR;
        vectorise(s->u.loop.body);
        break;
    case ST_GUARD: vectorise(s->u.guard.body); break;
    case ST_SEQ:
        for (int32_t i = 0; i < s->u.seq.n; i++) vectorise(s->u.seq.item[i]);
        break;
    case ST_STORE:
    case ST_PREFETCH: break;
    }
}

void pass_vectorise(Unit *u, Entry entry) {
    for (int32_t i = 0; i < u->program[entry]->n_kernel; i++) vectorise(u->program[entry]->kernel[i]->body);
}
