/* parallel: which loops are shared out among threads.
 *
 * Needs vectors; makes PARALLEL loops at the top of every kernel and the task counts of steps; may cut a kernel in
 * several, with a step each. After vectorise because nothing may move loops afterwards.
 *
 * The TASK loops at the top of a kernel become parallel, from the outside in, until there are tasks enough for any
 * number of threads. Where tiling left a loop and its tail side by side under TASK loops, these are distributed over
 * the two: otherwise a batch of one could not be shared out. The pieces stay in one kernel, whose tasks are those of all
 * of them, if none reads what another one writes (what none of them reads is not written twice: a tile and its tail, an
 * inside and its halo); else each is a kernel of its own. */
#include "pass.h"

enum { TASKS_ENOUGH = 128 };

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

/* The statements that s falls into when TASK loops are distributed over sequences of TASK loops. */
static Stmt *distribute(Kernel *k, Stmt *s) {
    if (s->kind == ST_SEQ && all_tasks(s)) {
        Stmt *seq = st_seq(k);
        for (int32_t i = 0; i < s->u.seq.n; i++) st_append(k, seq, distribute(k, s->u.seq.item[i]));
        return seq;
    }
    if (!is_task(s)) return s;
    Stmt *inner = distribute(k, s->u.loop.body);
    if (inner->kind != ST_SEQ || !all_tasks(inner)) return s;
    Stmt *seq = st_seq(k);
    for (int32_t i = 0; i < inner->u.seq.n; i++)
        st_append(
            k, seq,
            st_for(k, s->u.loop.var, s->u.loop.lo, s->u.loop.hi, s->u.loop.mode, s->u.loop.role, inner->u.seq.item[i]));
    return seq;
}

/* Marks loops; *tasks counts their iterations, *batched tells whether times N. */
static void mark(Stmt *body, int64_t *tasks, bool *batched) {
    *tasks = 1;
    *batched = false;
    for (Stmt *s = body; is_task(s) && *tasks < TASKS_ENOUGH; s = s->u.loop.body) {
        int64_t lo, hi;
        if (!ex_is_int(s->u.loop.lo, &lo) || lo != 0) return;
        if (ex_is_int(s->u.loop.hi, &hi))
            *tasks *= hi;
        else if (s->u.loop.hi->kind == EX_batch && !*batched)
            *batched = true;
        else
            return;
        s->u.loop.mode = LOOP_PARALLEL;
    }
}

/* ---- pieces of one kernel ------------------------------------------------------------------------------------- */

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

/* All of body's pieces as one, if they can be. */
static bool join(Arena *a, const Kernel *k, const Stmt *body, Piece *whole) {
    if (!independent(a, k, body)) return false;
    bool parallel = false, batched;
    int64_t tasks;
    whole->tasks = 0;
    for (int32_t i = 0; i < body->u.seq.n; i++) {
        mark(body->u.seq.item[i], &tasks, &batched);
        if (i && batched != whole->batched) return false;
        whole->batched = batched;
        whole->tasks += tasks;
        parallel = parallel || (is_task(body->u.seq.item[i]) && body->u.seq.item[i]->u.loop.mode == LOOP_PARALLEL);
    }
    return parallel;
}

static Pieces cut(Arena *a, Kernel *k) {
    Pieces p = {0};
    Stmt *body = has_scratch(k) ? k->body : distribute(k, k->body);
    bool many = body->kind == ST_SEQ && all_tasks(body) && (!has_scratch(k) || independent(a, k, body));
    Piece whole = {.kernel = k};
    if (many && join(a, k, body, &whole))
        many = false;
    else
        mark(body, &whole.tasks, &whole.batched);
    if (!many) k->body = body;
    for (int32_t i = 0; many && i < body->u.seq.n; i++) {
        Piece piece = {.kernel = NEW(a, Kernel)};
        *piece.kernel = *k;
        piece.kernel->body = body->u.seq.item[i];
        if (i) {
            piece.kernel->name = name_format("%s_%d", k->name, i);
            piece.kernel->cycles = 0; /* counted with the first piece */
        }
        mark(piece.kernel->body, &piece.tasks, &piece.batched);
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
