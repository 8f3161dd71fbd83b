/* plan: every tensor gets an address.
 *
 * Needs the final steps; makes offsets and region sizes. Last, because everything before may add tensors or steps.
 *
 * Time is counted in groups of steps. A tensor lives from the first group that touches it to the last; what the steps
 * that run once leave to the others, and outputs, live for ever. Offsets: greedy by size (Pisarchyk & Lee 2020): the
 * largest tensor first, each at the lowest place where it overlaps nobody who lives at the same time; then local search
 * over the order. REGION_BATCH is planned for one picture and scaled by N when the program runs, so any batch fits the
 * same plan. A result of an element-wise node takes the place of an operand that nobody needs any more, of the same
 * type. Parameters lie in the order of the graph; all programs of a unit agree on them by name. */
#include <stdlib.h>
#include <string.h>

#include "pass.h"

typedef struct Planner {
    Unit *u;
    Program *p;
    int32_t *time_of; /* step -> group time */
} Planner;

static Storage *storage_of(const Planner *pl, Ref r) {
    int32_t s = pl->p->storage_of[r];
    return s < 0 ? NULL : &pl->p->storage[s];
}

static bool planned(const Storage *s) { return s->region == REGION_FIXED || s->region == REGION_BATCH; }

/* ---- lifetimes ------------------------------------------------------------------------------------------------ */

/* Slices fill what they leave for later steps, and read what they find, one after the other: that lives through all of
 * them, beside what they hold for themselves. */
static void keep_for_slices(Planner *pl) {
    Program *p = pl->p;
    for (int32_t i = 0, begin = p->n_once; i < p->n_slice; begin = p->slice[i++].end) {
        int32_t first = pl->time_of[begin], last = pl->time_of[p->slice[i].end - 1];
        for (int32_t k = 0; p->slice[i].pictures && k < p->n_storage; k++) {
            Storage *s = &p->storage[k];
            bool born = s->born >= first && s->born <= last, dies = s->dies >= first && s->dies <= last;
            if (s->region != REGION_BATCH) continue;
            s->sliced = s->sliced || (born && dies);
            if (born && !dies) s->born = first;
            if (dies && !born) s->dies = last;
        }
    }
}

/* What steps that run at the same time touch lives from the first of them to the last. */
static void keep_for_along(Planner *pl) {
    Program *p = pl->p;
    for (int32_t i = 0, end; i < p->n_step; i = end) {
        for (end = i + 1; end < p->n_step && p->step[end].along;) end++;
        int32_t first = pl->time_of[i], last = pl->time_of[end - 1];
        for (int32_t j = i; first < last && j < end; j++)
            for (int32_t k = 0; k < p->step[j].n_arg; k++) {
                Storage *s = &p->storage[p->step[j].arg[k]];
                if (!planned(s)) continue;
                s->born = (int32_t)min_i64(s->born, first);
                s->dies = (int32_t)max_i64(s->dies, last);
            }
    }
}

static void find_lifetimes(Planner *pl) {
    Program *p = pl->p;
    int32_t once_end = 0;
    pl->time_of = program_times(pl->u->arena, p);
    for (int32_t i = 0; i < p->n_storage; i++) {
        p->storage[i].born = INT32_MAX;
        p->storage[i].dies = -1;
    }
    for (int32_t i = 0; i < p->n_step; i++) {
        int32_t time = pl->time_of[i];
        if (i < p->n_once) once_end = time + 1;
        for (int32_t k = 0; k < p->step[i].n_arg; k++) {
            Storage *s = &p->storage[p->step[i].arg[k]];
            if (s->born == INT32_MAX) s->born = time;
            s->dies = time;
        }
    }
    for (int32_t i = 0; i < p->n_storage; i++)
        if (p->storage[i].born < once_end && p->storage[i].dies >= once_end) p->storage[i].dies = INT32_MAX;
    for (int32_t i = 0; i < p->graph->n_output; i++) {
        Storage *s = storage_of(pl, p->graph->output[i].ref);
        if (s) s->dies = INT32_MAX;
    }
    keep_for_along(pl);
    keep_for_slices(pl);
}

/* ---- in place ------------------------------------------------------------------------------------------------- */

/* Whether the group of `root` reads storage `operand` in no other way than element by element, and not its parts, nor
 * before a window of a chain: bands of rows overlap there. */
static bool read_in_step(const Program *p, Ref root, int32_t operand) {
    const Graph *g = p->graph;
    int32_t group = graph_node(g, root)->group;
    bool found = false;
    for (int32_t i = (int32_t)root; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (i != (int32_t)root && (!group || n->group != group)) continue;
        if (found && !op_info[n->op].elementwise) return false;
        for (int32_t k = 0; k < n->n_in; k++) {
            const Type *t = &graph_node(g, n->in[k])->type;
            found = found || p->storage_of[n->in[k]] == operand;
            if (p->storage_of[n->in[k]] == operand && !(op_info[n->op].elementwise && type_same_shape(&n->type, t) &&
                                                        type_equal(t, &p->storage[operand].type)))
                return false;
        }
    }
    return true;
}

static bool writes_later(const Program *p, const Step *s, const Storage *result) {
    for (int32_t i = 0; i < s->n_arg; i++)
        if (p->kernel[s->kernel]->buf[i].written && p->storage[s->arg[i]].ref > result->ref) return true;
    return false;
}

/* Whether the step's group stores no other result after this one. An operand may be read again by what is stored later,
 * because members that are not stored are computed where they are used. What lies inside a join is stored when it is
 * made, which is before the join's own number: it counts as later. */
static bool stored_last(const Planner *pl, int32_t step, const Storage *result) {
    int32_t time = pl->time_of[step], first = step, end = step;
    while (first > 0 && pl->time_of[first - 1] == time) first--;
    while (end < pl->p->n_step && pl->time_of[end] == time) end++;
    for (int32_t i = first; i < end; i++)
        if (writes_later(pl->p, &pl->p->step[i], result)) return false;
    return true;
}

/* A join may come together over many steps, so it takes nobody's place. */
static bool joined(const Planner *pl, const Storage *s) {
    return s->ref && graph_node(pl->p->graph, s->ref)->op == OP_concat;
}

/* Inference may fold a parameter in place in the steps that run once, since it owns a copy of the parameters. */
static bool may_replace(const Planner *pl, int32_t step, int32_t result, int32_t operand) {
    const Storage *r = &pl->p->storage[result], *o = &pl->p->storage[operand];
    bool folds = pl->p->owns && o->region == REGION_PARAM && r->region == REGION_FIXED && step < pl->p->n_once;
    bool older = o->region == r->region && planned(o) && o->born < r->born;
    return (folds || older) && type_equal(&r->type, &o->type) && o->dies == r->born &&
           pl->p->storage[program_owner(pl->p, operand)].dies == r->born &&
           read_in_step(pl->p, pl->p->step[step].root, operand);
}

static void reuse_in_place(Planner *pl) {
    Program *p = pl->p;
    for (int32_t i = 0; i < p->n_step; i++) {
        const Step *step = &p->step[i];
        for (int32_t k = 0; k < step->n_arg; k++) {
            Storage *r = &p->storage[step->arg[k]];
            if (!planned(r) || joined(pl, r) || r->born != pl->time_of[i] || !stored_last(pl, i, r)) continue;
            for (int32_t j = 0; j < step->n_arg && r->alias < 0; j++) {
                if (!may_replace(pl, i, step->arg[k], step->arg[j])) continue;
                r->alias = program_owner(p, step->arg[j]);
                r->region = p->storage[r->alias].region;
                p->storage[r->alias].dies = r->dies;
            }
        }
    }
}

/* ---- offsets -------------------------------------------------------------------------------------------------- */

static bool overlap_in_time(const Storage *a, const Storage *b) { return a->born <= b->dies && b->born <= a->dies; }

static int larger_first(const void *x, const void *y, void *program) {
    const Program *p = program;
    const Storage *a = &p->storage[*(const int32_t *)x], *b = &p->storage[*(const int32_t *)y];
    if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
    return *(const int32_t *)x < *(const int32_t *)y ? -1 : 1;
}

/* The lowest offset at which s meets none of the n placed storages that live at the same time. */
static int64_t lowest_place(const Program *p, const int32_t *placed, int32_t n, const Storage *s) {
    int64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t i = 0; i < n; i++) {
            const Storage *o = &p->storage[placed[i]];
            if (overlap_in_time(o, s) && at < o->offset + o->bytes && o->offset < at + s->bytes) {
                at = o->offset + o->bytes;
                moved = true;
            }
        }
    }
    return at;
}

/* Places the storages in this order; *top is the number, in it, of one that ends last. */
static int64_t place_all(Program *p, const int32_t *order, int32_t n, int32_t *top) {
    int64_t end = 0;
    for (int32_t i = 0; i < n; i++) {
        Storage *s = &p->storage[order[i]];
        s->offset = lowest_place(p, order, i, s);
        if (s->offset + s->bytes > end) *top = i;
        end = max_i64(end, s->offset + s->bytes);
    }
    return end;
}

static void move_forward(int32_t *order, int32_t from, int32_t to) {
    int32_t moved = order[from];
    memmove(order + to + 1, order + to, (size_t)(from - to) * sizeof *order);
    order[to] = moved;
}

static uint32_t draw(uint32_t *state, int32_t below) {
    *state = *state * 1664525u + 1013904223u; /* Numerical Recipes; the same plan in every compilation */
    return (*state >> 8) % (uint32_t)below;
}

/* Local search: the storage that ends last, or any other one, is placed earlier, anywhere; what is no worse is kept.
 * The last one alone is not enough: what is in its way may be what has to move. */
static int64_t improve(Program *p, int32_t *order, int32_t n, int64_t end, int32_t top, int64_t bound, Arena *a) {
    enum { WORK = 20000000, NEAR = 500 }; /* a plan that is 1 / NEAR above the bound is good enough */
    int32_t *try = NEW_ARRAY(a, int32_t, n + 1), new_top = 0;
    uint32_t random = 1;
    for (int64_t i = 0; i * n * n < WORK && n > 1 && end > bound + bound / NEAR; i++) {
        int32_t from = top > 0 && draw(&random, 2) ? top : 1 + (int32_t)draw(&random, n - 1);
        memcpy(try, order, (size_t)n * sizeof *order);
        move_forward(try, from, (int32_t)draw(&random, from));
        int64_t new_end = place_all(p, try, n, &new_top);
        if (new_end > end) continue;
        memcpy(order, try, (size_t)n * sizeof *order);
        end = new_end;
        top = new_top;
    }
    return place_all(p, order, n, &top);
}

static int64_t place_region(Planner *pl, Region region, int64_t bound) {
    Program *p = pl->p;
    int32_t *order = NEW_ARRAY(pl->u->arena, int32_t, p->n_storage + 1), n = 0, top = 0;
    for (int32_t i = 0; i < p->n_storage; i++)
        if (p->storage[i].region == region && p->storage[i].alias < 0 && p->storage[i].dies >= 0) order[n++] = i;
    qsort_r(order, (size_t)n, sizeof *order, larger_first, p);
    int64_t end = place_all(p, order, n, &top);
    return improve(p, order, n, end, top, bound, pl->u->arena);
}

/* Parameters of the other program first, at their places; new ones behind, of which a net at another size has none. So
 * what only training has lies behind all that inference reads, whose region ends before it. */
static void place_named(Planner *pl, Region region, const Program *other) {
    Program *p = pl->p;
    int64_t end = other ? other->region_bytes[region] : 0;
    for (int32_t i = 0; i < p->n_storage; i++) {
        Storage *s = &p->storage[i];
        if (s->region != region || s->alias >= 0) continue;
        const Storage *same = NULL;
        for (int32_t j = 0; other && j < other->n_storage; j++)
            if (other->storage[j].region == region && other->storage[j].alias < 0 && other->storage[j].name == s->name)
                same = &other->storage[j];
        ICE_UNLESS(!same || type_equal(&same->type, &s->type), "parameter %s lies differently in two programs",
                   s->name);
        ICE_UNLESS(same || !pl->u->base, "parameter %s is not there at the input's size", s->name);
        s->offset = same ? same->offset : end;
        if (!same) end += s->bytes;
    }
    p->region_bytes[region] = end;
}

static int64_t most_live(const Planner *pl, Region region) {
    int64_t most = 0;
    for (int32_t t = 0; pl->p->n_step && t <= pl->time_of[pl->p->n_step - 1]; t++) {
        int64_t live = 0;
        for (int32_t i = 0; i < pl->p->n_storage; i++) {
            const Storage *s = &pl->p->storage[i];
            if (s->region == region && s->alias < 0 && s->born <= t && t <= s->dies) live += s->bytes;
        }
        most = max_i64(most, live);
    }
    return most;
}

void pass_plan(Unit *u, Entry entry) {
    Program *p = u->program[entry];
    const Program *other = u->base ? u->base->program[entry] : entry == ENTRY_TRAIN ? u->program[ENTRY_INFER] : NULL;
    Planner pl = {.u = u, .p = p};
    find_lifetimes(&pl);
    reuse_in_place(&pl);
    place_named(&pl, REGION_PARAM, other);
    place_named(&pl, REGION_STATE, other);
    place_named(&pl, REGION_GRADIENT, other);
    p->lower_bound_bytes = most_live(&pl, REGION_BATCH);
    p->region_bytes[REGION_FIXED] = place_region(&pl, REGION_FIXED, most_live(&pl, REGION_FIXED));
    p->region_bytes[REGION_BATCH] = place_region(&pl, REGION_BATCH, p->lower_bound_bytes);
    for (int32_t i = 0; i < p->n_storage; i++)
        if (p->storage[i].alias >= 0) p->storage[i].offset = p->storage[program_owner(p, i)].offset;
}
