/* See fit.h. */
#include "fit.h"

#include "../backends/target.h"
#include "../ir/number.h"
#include "../passes/figures.h"
#include "../passes/pass.h"
#include "../runtime/abi.h"
#include "driver.h"

/* ---- what training takes ---- */

static int64_t block(int64_t bytes) { return cnnc_block_bytes(bytes); }

static int64_t scratch_of(const Program *p) { return cnnc_scratch_bytes(program_scratch(p)) * FIT_THREADS; }

static int64_t picture_bytes(const Unit *u) {
    const Type *t = &graph_node(u->net, u->image)->type;
    return (int64_t)sizeof(float) * t->dim[1] * t->dim[2] * t->dim[3];
}

/* Most of a region that any program of the unit at any size has. */
static int64_t most_of(const Unit *u, Entry entry, Region region) {
    int64_t most = u->program[entry] ? u->program[entry]->region_bytes[region] : 0;
    for (int32_t i = 0; i < u->n_sized; i++) most = max_i64(most, most_of(u->sized[i], entry, region));
    return most;
}

static int64_t most_scratch(const Unit *u, Entry entry) {
    int64_t most = u->program[entry] ? scratch_of(u->program[entry]) : 0;
    for (int32_t i = 0; i < u->n_sized; i++) most = max_i64(most, most_scratch(u->sized[i], entry));
    return most;
}

static int64_t largest_picture(const Unit *u) {
    int64_t most = picture_bytes(u);
    for (int32_t i = 0; i < u->n_sized; i++) most = max_i64(most, picture_bytes(u->sized[i]));
    return most;
}

/* Labels of a picture: of it, or of each pixel that the net has scores for. */
static int64_t labels_for(const Graph *g, Ref scores) {
    const Type *t = &graph_node(g, scores)->type;
    return t->rank == 4 ? (int64_t)t->dim[2] * t->dim[3] : 1;
}

static int64_t most_labels(const Unit *u) {
    const Program *p = u->program[ENTRY_TRAIN];
    int64_t most = p ? labels_for(p->graph, graph_find_output(p->graph, "logits")) : 1;
    for (int32_t i = 0; i < u->n_sized; i++) most = max_i64(most, most_labels(u->sized[i]));
    return most;
}

static int64_t prefetch(const Unit *u) { return u->unnamed_data ? u->prefetch : max_i64(u->prefetch, CNNC_PREFETCH); }

/* Evaluation has parameters of its own. */
static int64_t evaluation_at(const Unit *u, int64_t batch) {
    const Program *p = u->program[ENTRY_INFER];
    Memory m = figures_memory(u, p);
    const CnncInference needs = {.param = m.param, .released = m.released, .fixed = m.fixed, .once = m.once,
                                 .picture = m.picture, .scratch = m.scratch};
    int64_t pictures = min_i64(batch ? batch : cnnc_eval_pictures(m.picture), u->opt->max_batch);
    return cnnc_instance_bytes(&needs, pictures, FIT_THREADS) +
           cnnc_loader_bytes(m.image, labels_for(p->graph, graph_scores(p->graph)), pictures, prefetch(u));
}

/* By the hungriest section eval, since the program is told only later which one holds, if any. */
static int64_t evaluation_bytes(const Unit *u) {
    int64_t most = u->unnamed_eval ? 0 : evaluation_at(u, 0);
    for (int32_t i = 0; i < u->n_evaluation; i++) {
        const Evaluation *e = &u->evaluation[i];
        const Unit *at = u;
        for (int32_t k = 0; k < u->n_sized; k++) {
            const Type *t = &graph_node(u->sized[k]->net, u->sized[k]->image)->type;
            if (t->dim[2] == e->h && t->dim[3] == e->w) at = u->sized[k];
        }
        most = max_i64(most, evaluation_at(at, e->batch));
    }
    return most;
}

/* Parameters and state of the optimiser. */
static int64_t kept_bytes(const Unit *u) {
    int64_t param = most_of(u, ENTRY_TRAIN, REGION_PARAM), state = most_of(u, ENTRY_TRAIN, REGION_STATE);
    return block(param) + block(round_up(state, 64) + (u->train.averages ? param : 0));
}

static int64_t loading_bytes(const Unit *u) {
    return cnnc_loader_bytes(largest_picture(u), most_labels(u), u->train.batch, prefetch(u));
}

static int64_t activation_bytes(const Unit *u, int64_t at_once) {
    return block(most_of(u, ENTRY_TRAIN, REGION_BATCH) * at_once);
}

int64_t fit_bytes(const Unit *u, int64_t at_once) {
    int64_t gradient = most_of(u, ENTRY_TRAIN, REGION_GRADIENT);
    return FIT_OWN + kept_bytes(u) + block(most_of(u, ENTRY_TRAIN, REGION_FIXED)) + (gradient ? block(gradient) : 0) +
           activation_bytes(u, at_once) + block(most_scratch(u, ENTRY_TRAIN)) + loading_bytes(u) + evaluation_bytes(u);
}

/* ---- the choice ---- */

typedef struct Fit {
    Unit *u;
    Unit *uncut[TARGETS_MAX]; /* planned for whole batches, on each processor */
    Unit *parts[TARGETS_MAX]; /* for less, which needs gradients that are kept */
    int n;
    int64_t multiple; /* of pictures, that bn takes together */
    Span whole;       /* of what takes all pictures of a batch together... */
    const char *what; /* ..., or NULL */
    bool norm;        /* that is bn, not the loss */
} Fit;

/* The unit as it would be compiled, for each processor. */
static bool plan(const Fit *f, const Machine *const *machine, Unit **planned) {
    static const PassOptions quiet;
    for (int i = 0; i < f->n; i++) {
        planned[i] = driver_unit_for(f->u, machine[i]);
        if (!driver_passes(planned[i], &quiet)) return false;
    }
    return true;
}

static Unit *const *planned_for(const Fit *f, int64_t at_once) {
    return at_once == f->u->train.batch ? f->uncut : f->parts;
}

static int64_t bytes_of(const Fit *f, int64_t at_once) {
    int64_t most = 0;
    for (int i = 0; i < f->n; i++) most = max_i64(most, fit_bytes(planned_for(f, at_once)[i], at_once));
    return most;
}

static bool fits(const Fit *f, int64_t at_once) { return bytes_of(f, at_once) <= f->u->train.max_memory; }

/* The largest divisor of the batch that is a multiple of what norms take together and fits; 0: none is. */
static int64_t largest(const Fit *f) {
    for (int64_t n = f->u->train.batch; n > 0; n--)
        if (f->u->train.batch % n == 0 && n % f->multiple == 0 && fits(f, n)) return n;
    return 0;
}

/* What is of the whole batch: statistics of bn, and means of losses that do not count all pictures alike. */
static void find_whole(Fit *f) {
    const Graph *g = f->u->net;
    f->multiple = 1;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (n->op != OP_bn || n->frozen) continue;
        int64_t ghost = n->attr.norm.ghost;
        if (ghost) f->multiple = min_i64(f->multiple / common_divisor(f->multiple, ghost) * ghost, (int64_t)1 << 32);
        if (ghost || f->what) continue;
        f->what = "`bn` takes the statistics of a whole batch, and those of a part are others";
        f->whole = n->span;
        f->norm = true;
    }
    for (int32_t i = 0; i < f->u->train.n_loss && !f->what; i++) {
        const LossTerm *t = &f->u->train.loss[i];
        if (!t->class_weights && graph_node(g, t->logits)->type.rank == 2) continue;
        f->what = "the loss is a mean over the labels of a whole batch, and that of a part is another";
        f->whole = t->span;
    }
}

static const char *bytes_text(const Fit *f, int64_t bytes) { return number_bytes(f->u->arena, bytes); }

/* What parts of a batch take, until one fits, whatever it may mean. */
static void add_table(const Fit *f) {
    Str s = STR(f->u->arena);
    int64_t fit = 0;
    enum { MOST = 12 };
    for (int64_t n = f->u->train.batch, rows = 0; n > 0 && !fit && rows < MOST; n--) {
        if (f->u->train.batch % n) continue;
        rows++;
        str_addf(&s, "%s%lld: %s", s.n ? ", " : "", (long long)n, bytes_text(f, bytes_of(f, n)));
        if (fits(f, n)) fit = n;
    }
    diag_note(f->u->diags, (Span){0}, "in parts of so many pictures: %s", str_text(&s));
    if (!fit) return;
    const TrainConfig *t = &f->u->train;
    diag_help(f->u->diags, (Span){0}, "batch = %lld and accumulate = %lld: steps of as many pictures, %s of %lld",
              (long long)fit, (long long)(t->batch / fit * t->accumulate), f->norm ? "statistics" : "means", (long long)fit);
    if (!f->norm) return;
    diag_help(f->u->diags, (Span){0},
              "bn(ghost=%lld): statistics of %lld pictures, too, and batches may be taken in parts", (long long)fit,
              (long long)fit);
}

static bool report_whole(const Fit *f) {
    const TrainConfig *t = &f->u->train;
    diag_error(f->u->diags, t->memory_at, "E0463", "training needs %s for a batch of %d; `max_memory` is %s",
               bytes_text(f, bytes_of(f, t->batch)), t->batch, bytes_text(f, t->max_memory));
    diag_note(f->u->diags, f->whole, "%s", f->what);
    add_table(f);
    return false;
}

static bool report_least(const Fit *f) {
    const TrainConfig *t = &f->u->train;
    int64_t least = t->batch % f->multiple || bytes_of(f, t->batch) < bytes_of(f, f->multiple) ? t->batch : f->multiple;
    const Unit *u = f->u, *p = planned_for(f, least)[0];
    int64_t all = bytes_of(f, least), pictures = activation_bytes(p, least);
    diag_error(u->diags, t->memory_at, "E0462",
               "training needs at least %s, %lld picture%s at a time; `max_memory` is %s", bytes_text(f, all),
               (long long)least, least == 1 ? "" : "s", bytes_text(f, t->max_memory));
    diag_note(u->diags, (Span){0},
              "%s for parameters and the optimizer, %s for these pictures, %s for gradients and what else all share",
              bytes_text(f, kept_bytes(p)), bytes_text(f, pictures),
              bytes_text(f, fit_bytes(p, least) - kept_bytes(p) - pictures - loading_bytes(p) - evaluation_bytes(p)));
    diag_note(u->diags, t->batch_at,
              "%s for batches of %d that are loaded (`prefetch` of data), %s for evaluation (`batch` of eval)",
              bytes_text(f, loading_bytes(p)), t->batch, bytes_text(f, evaluation_bytes(p)));
    if (t->batch % f->multiple)
        diag_help(u->diags, (Span){0}, "a batch that %lld divides can be taken in parts", (long long)f->multiple);
    return false;
}

static void take(Unit *u, int64_t at_once) {
    u->train.at_once = at_once < u->train.batch ? (int32_t)at_once : 0;
    u->train.gathers = u->train.gathers || u->train.at_once;
    for (int32_t i = 0; i < u->n_sized; i++) take(u->sized[i], at_once);
}

bool fit_training(Unit *u, const Machine *const *machine, int n) {
    Fit f = {.u = u, .n = n};
    if (!u->train.present || !u->train.max_memory) return true;
    if (!plan(&f, machine, f.uncut)) return false;
    if (fits(&f, u->train.batch)) return true;
    find_whole(&f);
    if (!u->train.gathers) take(u, 1);
    if (!plan(&f, machine, f.parts)) return false;
    if (f.what) return report_whole(&f);
    int64_t at_once = largest(&f);
    if (!at_once) return report_least(&f);
    take(u, at_once);
    return true;
}
