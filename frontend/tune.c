/* See tune.h. Each choice is compiled as a net of one convolution with a bias and an activation, by the same passes and
 * the same code generator as any other, and called from here.
 *
 * In a whole net the weights of a layer have left the caches since the last call, unless all of the net's fit in the
 * second one: they are flushed before each call. (Calls that rotated over copies of 64 MiB in all found them in the
 * third-level cache and took half the time that they took in GoogLeNet.) Activations come from the step before and may
 * be in the cache: that step runs before each call, untimed. One thread is timed, by its processor time, so that other
 * programs disturb little; what uneven tasks cost with all processors is reckoned, as is what a step costs them to
 * meet. */
#include "tune.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../backends/emit.h"
#include "../ir/winograd.h"
#include "../passes/algorithm_model.h"
#include "../passes/pass.h"
#include "../passes/slice.h"
#include "../runtime/abi.h"
#include "tune_cache.h"

enum { TRIED = 4, TRIED_OF_TILE = 2, RUNS_LEAST = 4, RUNS_MOST = 64, LINE = 64 };
static const int64_t large_page = 2 << 20;
static const double choice_seconds = 0.06, meeting_us = 1, margin = 0.98;

/* One distinct convolution. */
typedef struct Subject {
    ConvProblem problem;
    Name shape;
    double weight; /* cycles of all of them, by the model */
} Subject;

typedef struct Tuner {
    const Unit *u;
    Subject *subject;
    int32_t n, cap;
    double end; /* of the time there is */
    bool cold;  /* weights come from memory */
    int threads;
} Tuner;

static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- subjects ------------------------------------------------------------------------------------------------- */

/* The inference graph of a net, which is that of u or of one of its sizes, as the algorithm pass finds it. */
static const Graph *graph_before_choice(const Unit *u, const Unit *of) {
    Unit *copy = NEW(u->arena, Unit);
    *copy = *of;
    copy->opt = u->opt;
    copy->machine = u->machine;
    copy->diags = diag_new(u->arena);
    copy->net = graph_clone(u->arena, of->net);
    copy->train = (TrainConfig){0}; /* its terms point into the net, which changes */
    PassOptions o = {.dump = stderr};
    int n = 0;
    while (n < n_passes && strcmp(pass_table[n].name, "algorithm") != 0) n++;
    return pipeline_run_table(copy, &o, pass_table, n) ? copy->graph[ENTRY_INFER] : NULL;
}

static int costlier(const void *a, const void *b) {
    const Subject *x = a, *y = b;
    return (x->weight < y->weight) - (x->weight > y->weight);
}

static void find_subjects(Tuner *t, const Graph *g) {
    Slices s = slice_of_graph(t->u, g);
    for (int32_t i = 1; i < g->n_node; i++) {
        if (graph_node(g, (Ref)i)->op != OP_conv) continue;
        ConvChoice choice[CONV_CHOICES];
        ConvProblem p = conv_problem(t->u, g, (Ref)i, slice_pictures(t->u, s.slice, s.n, i));
        if (p.plain || conv_choices(&p, t->u->opt->winograd, choice) < 2) continue;
        Name shape = conv_shape(&p);
        int32_t at = 0;
        while (at < t->n && t->subject[at].shape != shape) at++;
        if (at == t->n) PUSH(t->u->arena, t->subject, t->n, t->cap, ((Subject){.problem = p, .shape = shape}));
        t->subject[at].weight += choice[0].cycles;
    }
    if (t->n) qsort(t->subject, (size_t)t->n, sizeof t->subject[0], costlier);
}

/* The best few of the model, not too many of a kind, and the direct sum; how many. */
static int select_choices(const Tuner *t, const Subject *s, ConvChoice *tried) {
    ConvChoice all[CONV_CHOICES];
    int n_all = conv_choices(&s->problem, t->u->opt->winograd, all), n = 0, of_tile[WINOGRAD_MAX + 1] = {0};
    for (int i = 0; i < n_all; i++) {
        bool wanted = n < TRIED && of_tile[all[i].tile] < TRIED_OF_TILE;
        if (!wanted && all[i].tile) continue;
        of_tile[all[i].tile]++;
        tried[n++] = all[i];
    }
    return n;
}

/* ---- one choice as a net -------------------------------------------------------------------------------------- */

static Ref add_param(Graph *g, const char *name, int rank, const int32_t *dim) {
    Attr attr = {.param = {.role = PARAM_WEIGHT, .b = 1, .lr_scale = 1, .type = type_make(DT_F32, rank, dim)}};
    return graph_add(g, OP_param, 0, NULL, &attr, name_of(name), (Span){0}, NULL);
}

static Ref add(Graph *g, Op op, int n_in, const Ref *in, const Attr *attr, const char *layer) {
    return graph_add(g, op, n_in, in, attr, name_of(layer), (Span){0}, NULL);
}

static const char *const timed_layer = "conv";

/* Made for as many pictures as the convolution has at a time in the net, and called with so many. */
static Unit *one_conv(Arena *a, const Unit *u, const Subject *s, const ConvChoice *c) {
    const ConvProblem *p = &s->problem;
    TunedConvs *forced = NEW(a, TunedConvs);
    PUSH(a, forced->conv, forced->n, forced->cap, ((TunedConv){s->shape, c->tile, c->band, 0}));
    Options *o = NEW(a, Options);
    *o = *u->opt;
    o->tuned = forced;
    o->batch = p->pictures;
    o->undivided = true;
    Unit *one = NEW(a, Unit);
    *one = (Unit){.arena = a, .diags = diag_new(a), .opt = o, .machine = u->machine, .name = name_of("tune")};
    Graph *g = one->net = graph_new(a, one->name);
    Attr image = {.input = {INPUT_IMAGE, type_make(DT_F32, 4, p->x->dim)}}, conv = {.conv = *p->conv};
    int32_t outputs = p->y->dim[1];
    const int32_t dim[] = {outputs, p->x->dim[1] / p->conv->groups, p->conv->kernel[0], p->conv->kernel[1]};
    one->image = add(g, OP_input, 0, NULL, &image, "image");
    Ref x = add(g, OP_relu, 1, &one->image, NULL, "before");
    Ref w = add_param(g, "weight", 4, dim), b = add_param(g, "bias", 1, &outputs);
    Ref y = add(g, OP_conv, 2, (const Ref[]){x, w}, &conv, timed_layer);
    y = add(g, OP_add, 2, (const Ref[]){y, b}, NULL, timed_layer);
    y = add(g, OP_relu, 1, &y, NULL, timed_layer);
    graph_output(g, name_of("scores"), y, ONLY_BOTH);
    return one;
}

/* ---- timing --------------------------------------------------------------------------------------------------- */

/* Memory for one program. */
typedef struct Stage {
    const Program *p;
    Jit *jit;
    char *base[REGION_COUNT], *scratch;
    int64_t n;
    int threads;
    bool cold;
} Stage;

/* On large pages where there are any, as in a program; filled with small numbers. */
static char *memory(int64_t bytes) {
    size_t size = (size_t)round_up(bytes + 64, large_page);
    char *p = aligned_alloc((size_t)large_page, size);
    if (!p) return NULL;
    madvise(p, size, MADV_HUGEPAGE);
    memset(p, 0x3c, size);
    return p;
}

static void call_step(const Stage *s, const Step *step) {
    void *arg[64];
    for (int32_t i = 0; i < step->n_arg; i++) {
        const Storage *at = &s->p->storage[step->arg[i]];
        arg[i] = s->base[at->region] + at->offset * (at->region == REGION_BATCH ? s->n : 1);
    }
    CnncRun run = {.n = s->n, .scratch = s->scratch};
    ((CnncKernel *)(uintptr_t)jit_kernel(s->jit, step->kernel))(arg, &run, 0,
                                                                step->tasks * (step->tasks_batched ? s->n : 1));
}

/* Out of all caches. */
static void flush(const char *p, int64_t bytes) {
#ifdef __x86_64__
    for (int64_t i = 0; i < bytes; i += LINE) __builtin_ia32_clflush(p + i);
    __builtin_ia32_mfence();
#else
    (void)p;
    (void)bytes;
#endif
}

/* Microseconds of a step for all threads, if its tasks do not come out even. */
static double with_threads(const Stage *s, const Step *step, double us) {
    double tasks = (double)(step->tasks * (step->tasks_batched ? s->n : 1));
    return us * (double)div_up((int64_t)tasks, s->threads) * s->threads / tasks + meeting_us * s->threads;
}

static double one_run(const Stage *s) {
    const int64_t *bytes = s->p->region_bytes;
    double sum = 0;
    if (s->cold) flush(s->base[REGION_PARAM], bytes[REGION_PARAM]);
    if (s->cold) flush(s->base[REGION_FIXED], bytes[REGION_FIXED]);
    for (int32_t i = s->p->n_once; i < s->p->n_step; i++) {
        const Step *step = &s->p->step[i];
        double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
        call_step(s, step);
        if (step->layer != name_of(timed_layer)) continue;
        sum += with_threads(s, step, 1e6 * (seconds_of(CLOCK_THREAD_CPUTIME_ID) - start));
    }
    return sum;
}

/* The fastest of several. */
static double best_run(const Stage *s, double end) {
    double best = 1e30;
    for (int run = 0; run < RUNS_MOST && (run < RUNS_LEAST || seconds_of(CLOCK_MONOTONIC) < end); run++) {
        double us = one_run(s);
        if (us < best) best = us;
    }
    return best;
}

static bool open_stage(Stage *s) {
    const int64_t *bytes = s->p->region_bytes;
    int64_t image = 0, scratch = 0;
    for (int32_t i = 0; i < s->p->n_storage; i++)
        if (s->p->storage[i].region == REGION_IMAGE) image = s->p->storage[i].bytes;
    for (int32_t i = 0; i < s->p->n_kernel; i++)
        scratch = max_i64(scratch, kernel_scratch(s->p->kernel[i], s->p->kernel[i]->n_buf));
    s->base[REGION_PARAM] = memory(bytes[REGION_PARAM]);
    s->base[REGION_FIXED] = memory(bytes[REGION_FIXED]);
    s->base[REGION_BATCH] = memory(bytes[REGION_BATCH] * s->n);
    s->base[REGION_IMAGE] = memory(image * s->n);
    s->scratch = memory(scratch);
    return s->base[REGION_PARAM] && s->base[REGION_FIXED] && s->base[REGION_BATCH] && s->base[REGION_IMAGE] &&
           s->scratch;
}

static void close_stage(Stage *s) {
    for (int r = 0; r < REGION_COUNT; r++) free(s->base[r]);
    free(s->scratch);
    jit_free(s->jit);
}

static double time_program(Stage s, double end) {
    double us = 1e30;
    if (open_stage(&s)) {
        for (int32_t i = 0; i < s.p->n_once; i++) call_step(&s, &s.p->step[i]);
        us = best_run(&s, end);
    }
    close_stage(&s);
    return us;
}

static bool is_computed_so(const Graph *g, const ConvChoice *c) {
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *n = graph_node(g, (Ref)i);
        if (n->op == OP_conv) return c->tile == 0;
        if (n->op == OP_winograd_product) return n->attr.winograd.tile == c->tile && n->attr.winograd.band == c->band;
    }
    return false;
}

/* Microseconds of a call by that choice; 1e30 if it cannot be measured. */
static double time_choice(const Tuner *t, const Subject *s, const ConvChoice *c) {
    Arena *a = arena_new();
    Unit *one = one_conv(a, t->u, s, c);
    PassOptions o = {.dump = stderr};
    const char *error;
    double us = 1e30;
    if (pipeline_run(one, &o)) {
        const Program *p = one->program[ENTRY_INFER];
        ICE_UNLESS(is_computed_so(one->graph[ENTRY_INFER], c), "the tuner times another algorithm for %s", s->shape);
        Jit *jit = jit_new(one->machine, one->opt->opt_level, p->kernel, p->n_kernel, &error);
        double end = seconds_of(CLOCK_MONOTONIC) + choice_seconds;
        if (jit)
            us = time_program(
                (Stage){.p = p, .jit = jit, .n = s->problem.pictures, .threads = t->threads, .cold = t->cold}, end);
    }
    arena_free(a);
    return us;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

static void say(const Tuner *t, const Subject *s, const ConvChoice *c, double us) {
    if (!t->u->opt->verbose) return;
    char how[40] = "direct";
    if (c->tile) snprintf(how, sizeof how, "F(%d,%d) band %d", c->tile, s->problem.conv->kernel[0], c->band);
    fprintf(stderr, "tune: %-40s %-16s %10.1f us\n", s->shape, how, us);
}

/* False if there was no time to try all. The model's own choice stays unless another is clearly faster. */
static bool measure(const Tuner *t, const Subject *s, TunedConv *best) {
    ConvChoice tried[TRIED + 1];
    int n = select_choices(t, s, tried);
    for (int i = 0; i < n; i++) {
        if (seconds_of(CLOCK_MONOTONIC) >= t->end) return false;
        double us = time_choice(t, s, &tried[i]);
        say(t, s, &tried[i], us);
        if (i == 0 || us < best->microseconds * margin) *best = (TunedConv){s->shape, tried[i].tile, tried[i].band, us};
    }
    return best->microseconds < 1e9;
}

/* From an earlier run, if it is a choice there is. */
static const TunedConv *find_known(const Tuner *t, const TuneCache *cache, const Subject *s) {
    const TunedConv *known = tune_cache_find(cache, s->shape);
    ConvChoice choice[CONV_CHOICES];
    int n = conv_choices(&s->problem, t->u->opt->winograd, choice);
    for (int i = 0; known && i < n; i++)
        if (choice[i].tile == known->tile && choice[i].band == known->band) return known;
    return NULL;
}

/* What a measurement holds for. */
static Name cache_key(const Tuner *t) {
    const Machine *m = t->u->machine;
    return name_format("%.40s:%s:v%d:O%d:t%d%s", m->cpu, CNNC_VERSION, m->vector_lanes, t->u->opt->opt_level,
                       t->threads, t->cold ? ":cold" : "");
}

static int processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

const TunedConvs *tune(const Unit *u, double seconds) {
    Tuner t = {.u = u, .end = seconds_of(CLOCK_MONOTONIC) + seconds, .threads = processors()};
    TunedConvs *tuned = NEW(u->arena, TunedConvs);
    int64_t parameters, macs;
    graph_costs(u->net, u->arena, &parameters, &macs);
    t.cold = parameters * (int64_t)sizeof(float) > u->machine->cache_bytes[1];
    TuneCache *cache = tune_cache_read(u->arena, cache_key(&t));
    for (int32_t i = -1; i < u->n_sized; i++) {
        const Graph *g = graph_before_choice(u, i < 0 ? u : u->sized[i]);
        if (g) find_subjects(&t, g); /* NULL: nobody infers at that size */
    }
    int n_known = 0, n_measured = 0;
    for (int32_t i = 0; i < t.n; i++) {
        TunedConv conv;
        const TunedConv *known = find_known(&t, cache, &t.subject[i]);
        if (!known && !measure(&t, &t.subject[i], &conv)) continue;
        if (!known) tune_cache_add(cache, &conv);
        n_known += known != NULL;
        n_measured += !known;
        PUSH(u->arena, tuned->conv, tuned->n, tuned->cap, known ? *known : conv);
    }
    bool kept = !n_measured || tune_cache_write(cache);
    if (u->opt->verbose)
        fprintf(stderr, "tune: %d shapes: %d measured, %d known from %s, %d left to the model%s\n", t.n, n_measured,
                n_known, tune_cache_path(cache) ? tune_cache_path(cache) : "nowhere", t.n - n_known - n_measured,
                kept ? "" : "; they could not be written there");
    return tuned;
}
