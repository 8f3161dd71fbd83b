/* parallel: which loops are shared out among threads.
 *
 * Needs vectors; makes PARALLEL loops at the top of every kernel and the task counts of steps; may cut a kernel in
 * several, with a step each. After vectorise because nothing may move loops afterwards.
 *
 * The TASK loops at the top of a kernel become parallel, from the outside in, until there are tasks enough for any
 * number of threads. Where such loops stand side by side, a loop over tiles and the rest, all of them are tasks, in
 * their order, if none reads what another one writes (what none of them reads is not written twice: a tile and its
 * tail, an inside and its halo): a thread has the tiles that share a panel of weights one after the other, and of a map
 * of 7x7 in 5 panels 2 threads get 18 and 17 of 35 rows, not 21 and 14. Else the loops around are distributed over the
 * pieces, and each is a kernel of its own. */
#include "pass.h"

/* Tiles beside their rest are tasks of their own only where there are fewer without that: 64 panels of weights are
 * shared out well enough, and by one thread they are computed in 1 to 2 % less time as a whole. */
enum { TASKS_ENOUGH = 128, PANELS_ENOUGH = 64 };

typedef struct Piece {
    Kernel *kernel;
    int64_t tasks;
    bool batched; /* ...times N */
} Piece;

typedef struct Pieces {
    Piece *piece;
    int32_t n, cap;
} Pieces;

static bool is_task(const Stmt *s) { return s->kind == ST_FOR && s->u.loop.role == ROLE_TASK; }

static bool all_tasks(const Stmt *seq) {
    for (int32_t i = 0; i < seq->u.seq.n; i++) {
        const Stmt *s = seq->u.seq.item[i];
        if (!is_task(s) && !(s->kind == ST_SEQ && all_tasks(s))) return false;
    }
    return seq->u.seq.n > 1;
}

/* What a task leaves in scratch memory is for itself only: such a kernel stays whole. */
static bool has_scratch(const Kernel *k) {
    for (int32_t i = 0; i < k->n_buf; i++)
        if (k->buf[i].cls == BUF_LOCAL) return true;
    return false;
}

/* Neither is the rest of tiles cut off from them. */
static bool has_rest(const Stmt *seq) {
    int64_t hi;
    for (int32_t i = 0; i < seq->u.seq.n; i++) {
        const Stmt *s = seq->u.seq.item[i];
        if (is_task(s) && ex_is_int(s->u.loop.hi, &hi) && hi == 1 && !is_task(s->u.loop.body)) return true;
    }
    return false;
}

/* The statements that s falls into when TASK loops are distributed over sequences of TASK loops. */
static Stmt *distribute(Kernel *k, Stmt *s) {
    if (s->kind == ST_SEQ && all_tasks(s)) {
        Stmt *seq = st_seq(k);
        for (int32_t i = 0; i < s->u.seq.n; i++) st_append(k, seq, distribute(k, s->u.seq.item[i]));
        return seq;
    }
    if (!is_task(s)) return s;
    Stmt *inner = distribute(k, s->u.loop.body);
    if (inner->kind != ST_SEQ || !all_tasks(inner) || has_rest(inner)) return s;
    Stmt *seq = st_seq(k);
    for (int32_t i = 0; i < inner->u.seq.n; i++)
        st_append(
            k, seq,
            st_for(k, s->u.loop.var, s->u.loop.lo, s->u.loop.hi, s->u.loop.mode, s->u.loop.role, inner->u.seq.item[i]));
    return seq;
}

/* ---- pieces beside each other --------------------------------------------------------------------------------- */

/* May all pieces run at the same time? */
static bool independent(Arena *a, const Kernel *k, const Stmt *seq) {
    uint8_t *all = NEW_ARRAY(a, uint8_t, k->n_buf);
    for (int32_t i = 0; i < seq->u.seq.n; i++) {
        uint8_t *use = NEW_ARRAY(a, uint8_t, k->n_buf);
        stmt_uses(seq->u.seq.item[i], use);
        for (int32_t b = 0; b < k->n_buf; b++) {
            bool reads = (use[b] | all[b]) & BUF_LOADED, writes = (use[b] | all[b]) & BUF_STORED;
            if (k->buf[b].cls != BUF_REG && use[b] && all[b] && reads && writes) return false;
            all[b] |= use[b];
        }
    }
    return true;
}

/* May they wherever TASK loops stand beside each other? */
static bool all_independent(Arena *a, const Kernel *k, const Stmt *s) {
    if (is_task(s)) return all_independent(a, k, s->u.loop.body);
    bool many = s->kind == ST_SEQ && all_tasks(s), ok = !many || independent(a, k, s);
    for (int32_t i = 0; ok && many && i < s->u.seq.n; i++) ok = all_independent(a, k, s->u.seq.item[i]);
    return ok;
}

/* Marks loops of s, `around` of which there are already; gives the number of its tasks, and sets *batched where that is
 * times N. Pictures are shared out first or not at all. */
static int64_t mark(Arena *a, const Kernel *k, Stmt *s, int64_t around, bool *batched) {
    int64_t tasks = 1, pieces = 0, lo, hi;
    for (; is_task(s) && around * tasks < TASKS_ENOUGH; s = s->u.loop.body) {
        if (!ex_is_int(s->u.loop.lo, &lo) || lo != 0) return tasks;
        if (ex_is_int(s->u.loop.hi, &hi))
            tasks *= hi;
        else if (s->u.loop.hi->kind == EX_batch && !*batched)
            *batched = true;
        else
            return tasks;
        s->u.loop.mode = LOOP_PARALLEL;
    }
    bool many = s->kind == ST_SEQ && all_tasks(s) && around * tasks < PANELS_ENOUGH && independent(a, k, s);
    for (int32_t i = 0; many && i < s->u.seq.n; i++) {
        bool inside = true;
        pieces += mark(a, k, s->u.seq.item[i], around * tasks, &inside);
    }
    return stmt_has_tasks(s) ? tasks * pieces : tasks;
}

/* All of body's pieces as one, if they can be. */
static bool join(Arena *a, const Kernel *k, const Stmt *body, Piece *whole) {
    if (!independent(a, k, body)) return false;
    whole->tasks = 0;
    for (int32_t i = 0; i < body->u.seq.n; i++) {
        bool batched = false;
        whole->tasks += mark(a, k, body->u.seq.item[i], 1, &batched);
        if (i && batched != whole->batched) return false;
        whole->batched = batched;
    }
    return stmt_has_tasks(body);
}

static Pieces cut(Arena *a, Kernel *k) {
    Pieces p = {0};
    Stmt *body = has_scratch(k) || all_independent(a, k, k->body) ? k->body : distribute(k, k->body);
    bool many = body->kind == ST_SEQ && all_tasks(body) && (!has_scratch(k) || independent(a, k, body));
    Piece whole = {.kernel = k};
    if (many && join(a, k, body, &whole))
        many = false;
    else
        whole.tasks = mark(a, k, body, 1, &whole.batched);
    if (!many) k->body = body;
    for (int32_t i = 0; many && i < body->u.seq.n; i++) {
        Piece piece = {.kernel = NEW(a, Kernel)};
        *piece.kernel = *k;
        piece.kernel->body = body->u.seq.item[i];
        if (i) {
            piece.kernel->name = name_format("%s_%d", k->name, i);
            piece.kernel->cycles = 0; /* counted with the first piece */
        }
        piece.tasks = mark(a, k, piece.kernel->body, 1, &piece.batched);
        PUSH(a, p.piece, p.n, p.cap, piece);
    }
    if (!many) PUSH(a, p.piece, p.n, p.cap, whole);
    return p;
}

void pass_parallel(Unit *u, Entry entry) {
    Program *p = u->program[entry];
    Pieces *pieces = NEW_ARRAY(u->arena, Pieces, p->n_kernel);
    int32_t *first = NEW_ARRAY(u->arena, int32_t, p->n_kernel);
    Kernel **kernel = NULL;
    Step *step = NULL;
    int32_t n_kernel = 0, cap_kernel = 0, n_step = 0, cap_step = 0, n_once = 0;
    for (int32_t i = 0; i < p->n_kernel; i++) {
        pieces[i] = cut(u->arena, p->kernel[i]);
        first[i] = n_kernel;
        for (int32_t j = 0; j < pieces[i].n; j++)
            PUSH(u->arena, kernel, n_kernel, cap_kernel, pieces[i].piece[j].kernel);
    }
    for (int32_t i = 0; i < p->n_step; i++) {
        const Pieces *of = &pieces[p->step[i].kernel];
        for (int32_t j = 0; j < of->n; j++) {
            Step s = p->step[i];
            s.kernel = first[s.kernel] + j;
            s.tasks = of->piece[j].tasks;
            s.tasks_batched = of->piece[j].batched;
            if (j) s.macs = 0; /* counted with the first piece */
            PUSH(u->arena, step, n_step, cap_step, s);
        }
        if (i + 1 == p->n_once) n_once = n_step;
    }
    p->kernel = kernel;
    p->n_kernel = n_kernel;
    p->cap_kernel = cap_kernel;
    p->step = step;
    p->n_step = n_step;
    p->cap_step = cap_step;
    p->n_once = n_once;
}
