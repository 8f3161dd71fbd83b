/* The command `train`: epochs of pictures through the train program, evaluation, saving, resuming. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evaluate.h"
#include "memory.h"
#include "mix.h"
#include "params.h"
#include "progress.h"
#include "replay.h"
#include "rundir.h"
#include "signals.h"
#include "trainer.h"

/* Something that is done again and again: every so many steps, or every so many seconds. */
typedef struct Timer {
    int64_t steps;        /* 0: not by steps */
    double seconds, last; /* seconds 0: not by time */
} Timer;

typedef struct Session {
    const Context *context;
    const Options *options;
    Trainer t;
    Dataset *data, *held_out; /* held_out may be NULL: no evaluation */
    Pipeline *pipeline[TRAIN_SIZES];
    LoaderSize size[TRAIN_SIZES];
    LoaderConfig config;
    Mixer mixer;
    int32_t *partners; /* [batch] */
    float *shares;
    Evaluator *evaluator;
    json_t *labels;
    RunDir dir;
    Timer evaluate, checkpoint;
    int64_t saved; /* the step of the checkpoint; -1: there is none of this training */
    Progress progress;
    int64_t steps_per_epoch;
    double deadline; /* by rt_now; infinite unless `stop` is a time */
    bool finished;
    double epoch_start;
    int64_t pictures; /* since busy was 0 */
    double busy;      /* seconds of this epoch in loading and steps, evaluation left out */
} Session;

/* ---- setting up ---- */

static Timer timer_new(Quantity q, int64_t steps_per_epoch, RtError *err) {
    Timer t = {.last = rt_now()};
    if (q.unit == UNIT_SECONDS)
        t.seconds = q.value;
    else if (q.unit != UNIT_NONE)
        t.steps = quantity_steps(q, steps_per_epoch, "train", err);
    if (q.unit != UNIT_NONE && t.seconds <= 0 && t.steps < 1) t.steps = 1;
    return t;
}

static bool timer_due(Timer *t, int64_t step) {
    if (t->steps) return step % t->steps == 0;
    double now = rt_now();
    if (t->seconds <= 0 || now - t->last < t->seconds) return false;
    t->last = now;
    return true;
}

/* How pictures of each size are made. */
static bool open_sizes(Session *s, RtError *err) {
    const Model *m = s->t.model;
    const json_t *input = model_input_settings(m), *augment = model_section(m, "augment");
    for (int k = s->t.sizes.n - 1; k >= 0; k--) { /* so that the first size is in use in the end */
        const ModelProgram *p = s->t.sizes.program[k];
        s->pipeline[k] = pipeline_sizes(augment) ? pipeline_new_sized(input, augment, p->height, p->width, err)
                                                 : pipeline_new(input, augment, err);
        trainer_use(&s->t, k);
        if (!s->pipeline[k] || !source_config(m, s->t.logits, s->data, s->pipeline[k], s->t.batch, pool_size(s->t.pool),
                                              &s->config, err))
            return false;
        s->size[k] = (LoaderSize){s->pipeline[k], s->config.form};
    }
    s->config.sizes = s->size;
    s->config.n_sizes = s->t.sizes.n;
    return true;
}

static bool open_data(Session *s, RtError *err) {
    const Model *m = s->t.model;
    s->data = source_open(m, SOURCE_TRAIN, s->options->data, err);
    if (!s->data) {
        rt_fail(err, RT_USAGE, "no pictures to train on: %s names none; use --data DIR", m->file);
        return false;
    }
    s->labels = source_labels(s->data);
    s->held_out = source_open(m, SOURCE_VALIDATE, s->options->data, err);
    if (err->code || (s->held_out && !source_match_labels(m, s->held_out, s->labels, err))) return false;
    if (!open_sizes(s, err) || !mix_parse(&s->mixer, model_section(m, "augment"), err)) return false;
    s->partners = rt_alloc((size_t)s->t.batch, sizeof *s->partners, err);
    s->shares = rt_alloc((size_t)s->t.batch, sizeof *s->shares, err);
    if (!s->partners || !s->shares) return false;
    s->config.shuffle = true;
    s->config.drop_last = s->t.settings.drop_last;
    s->config.together = s->t.settings.accumulate;
    s->config.seed = s->t.at.seed;
    return true;
}

/* Works out how long an epoch is, and with it everything that is given in epochs. */
static bool plan_time(Session *s, RtError *err) {
    int64_t count = (int64_t)dataset_count(s->data), batch = trainer_pictures(&s->t);
    s->steps_per_epoch = s->config.drop_last ? count / batch : (count + batch - 1) / batch;
    if (s->steps_per_epoch == 0) {
        rt_fail(err, RT_DATA, "%lld pictures are fewer than one batch of %lld; use a smaller --batch", (long long)count,
                (long long)batch);
        return false;
    }
    if (!trainer_schedule(&s->t, s->options, s->steps_per_epoch, err)) return false;
    s->evaluate = timer_new(s->t.settings.evaluate, s->steps_per_epoch, err);
    s->checkpoint = timer_new(s->t.settings.checkpoint, s->steps_per_epoch, err);
    s->deadline =
        s->t.total < 0 && s->t.settings.stop.unit == UNIT_SECONDS ? rt_now() + s->t.settings.stop.value : INFINITY;
    s->t.at.samples = count;
    return !err->code;
}

static bool start_values(Session *s, RtError *err) {
    Trainer *t = &s->t;
    if (s->options->resume && rundir_has_checkpoint(&s->dir)) {
        if (!checkpoint_read(t->model, t->params, t->state, &t->at, s->dir.checkpoint, err)) return false;
        s->saved = t->at.step;
        schedule_resume(t->schedule, &t->at.plateau);
        printf("resuming %s at step %lld\n", s->dir.checkpoint, (long long)t->at.step);
        return true;
    }
    if (s->options->resume)
        printf("no checkpoint %s: starting from the beginning\n", s->dir.checkpoint);
    else if (rundir_has_checkpoint(&s->dir))
        printf("starting from the beginning: %s will be replaced; --resume goes on from it\n", s->dir.checkpoint);
    return trainer_initialise(t, s->options, err);
}

/* The compiler chose how many pictures go at a time, for a program of usual size and FIT_THREADS threads
 * (frontend/fit.h). */
static bool check_memory(const Session *s, RtError *err) {
    const Trainer *t = &s->t;
    int64_t bytes = memory_train(t->model, t->batch, pool_size(t->pool), err);
    char needs[24], most[24];
    if (err->code || !t->settings.max_memory || bytes <= t->settings.max_memory) return !err->code;
    memory_text(bytes, needs);
    memory_text(t->settings.max_memory, most);
    return !rt_fail(err, RT_LIMIT, "training needs %s with %d threads, and max_memory is %s; use fewer --threads", needs,
                    pool_size(t->pool), most);
}

static void announce(const Session *s) {
    const Model *m = s->t.model;
    char memory[24];
    RtError ignored = {.code = RT_OK};
    memory_text(memory_train(m, s->t.batch, pool_size(s->t.pool), &ignored), memory);
    printf("training %s: %zu pictures, %d classes, batch ", m->name, dataset_count(s->data), m->classes);
    if (s->t.settings.accumulate > 1) printf("%d x ", s->t.settings.accumulate);
    printf("%d, ", s->t.batch);
    if (s->t.at_once < s->t.batch) printf("%lld at a time, ", (long long)s->t.at_once);
    printf("%lld step%s an epoch, %d thread%s, %s\n", (long long)s->steps_per_epoch, s->steps_per_epoch == 1 ? "" : "s",
           pool_size(s->t.pool), pool_size(s->t.pool) == 1 ? "" : "s", memory);
    for (int k = 0; s->t.sizes.n > 1 && k < s->t.sizes.n; k++)
        printf("%s %d x %d%s", k ? "," : "each batch of pictures of", s->t.sizes.program[k]->width, s->t.sizes.program[k]->height,
               k == s->t.sizes.n - 1 ? " pixels, at random\n" : "");
    if (s->held_out) source_show_absent(s->held_out);
    else printf("no pictures to evaluate on\n");
    fflush(stdout);
}

static bool session_open(Session *s, RtError *err) {
    if (!trainer_open(&s->t, s->context, s->options, true, err) || !open_data(s, err) || !plan_time(s, err)) return false;
    if (!check_memory(s, err)) return false;
    if (!rundir_open(&s->dir, s->context, s->options->out, s->t.settings.keep, err)) return false;
    if (s->held_out) {
        s->evaluator = evaluator_new(s->t.model, s->context->kernel, s->t.pool, s->held_out, false, err);
        if (!s->evaluator) return false;
    }
    if (!s->held_out && schedule_has_plateau(s->t.schedule))
        return !rt_fail(err, RT_DATA, "lr: plateau goes by evaluations, and there are no pictures to evaluate on");
    announce(s);
    progress_start(&s->progress);
    return start_values(s, err);
}

static void session_close(Session *s) {
    progress_clear(&s->progress);
    evaluator_free(s->evaluator);
    for (int k = 0; k < TRAIN_SIZES; k++) pipeline_free(s->pipeline[k]);
    dataset_free(s->data);
    dataset_free(s->held_out);
    free(s->partners);
    free(s->shares);
    json_decref(s->labels);
    rundir_close(&s->dir);
    trainer_close(&s->t);
}

/* ---- evaluating and saving ---- */

/* The same step once more, as where a signal comes right behind it, takes no other's place. */
static bool save_checkpoint(Session *s, RtError *err) {
    if (s->saved != s->t.at.step && !rundir_rotate(&s->dir, err)) return false;
    s->saved = s->t.at.step;
    return checkpoint_write(s->t.model, s->t.params, s->t.state, &s->t.at, s->labels, s->dir.checkpoint, err);
}

static bool save_weights(Session *s, const char *path, double score, RtError *err) {
    json_t *extra = checkpoint_metadata(s->labels, &s->t.at, measure_name(s->t.at.measure), score);
    bool ok = weights_write(s->t.model, trainer_result(&s->t), NULL, path, extra, err);
    json_decref(extra);
    return ok;
}

static void show_evaluating(void *context, int64_t done, int64_t all) { progress_evaluate(context, done, all); }

static void print_evaluation(const Session *s, const Evaluation *e) {
    const Metrics *m = &e->metrics;
    double score = evaluation_score(e);
    printf("  step %lld: evaluation loss %.4f  ", (long long)s->t.at.step, metrics_loss(m));
    if (e->overlap)
        printf("pixels %.2f %%  mean IoU %.2f %%", metrics_percent(m, m->top1), score);
    else
        printf("top1 %.2f %%  top5 %.2f %%", score, metrics_percent(m, m->top5));
    bool better = measure_better(s->t.at.measure, evaluation_measure(e, s->t.at.measure), s->t.at.best);
    printf("  (%lld pictures, %.1f s)%s\n", (long long)m->pictures, e->seconds, better ? "  best so far" : "");
    fflush(stdout);
}

/* An evaluation only because the run ends does not count: where a training was interrupted must not show. */
static void judge(Session *s, double score, double loss) {
    bool extra = s->evaluate.steps && s->t.at.step % s->evaluate.steps != 0;
    if (!extra && schedule_judge(s->t.schedule, &s->t.at.plateau, s->t.at.step, score, loss))
        printf("  no better: the learning rate is %g from now on\n", trainer_lr(&s->t));
}

/* Sets *score, or leaves it and sets at.evaluate if a signal came in between. */
static bool evaluate(Session *s, double *score, RtError *err) {
    Evaluation e;
    memcpy(evaluator_params(s->evaluator), trainer_result(&s->t), (size_t)evaluator_param_bytes(s->evaluator));
    if (!evaluator_run(s->evaluator, &signals_stop, show_evaluating, &s->progress, &e, err)) return false;
    s->t.at.evaluate = e.stopped;
    if (e.stopped) return true;
    progress_clear(&s->progress);
    *score = evaluation_measure(&e, s->t.at.measure);
    print_evaluation(s, &e);
    judge(s, evaluation_score(&e), metrics_loss(&e.metrics));
    return true;
}

static bool evaluate_and_save(Session *s, RtError *err) {
    double score = -1;
    s->t.at.evaluate = false;
    if (s->evaluator && !evaluate(s, &score, err)) return false;
    if (s->t.at.evaluate) return true;
    bool better = score >= 0 && measure_better(s->t.at.measure, score, s->t.at.best);
    if (better) s->t.at.best = score;
    if (!save_weights(s, s->dir.weights, score, err)) return false;
    if (better && !save_weights(s, s->dir.best, score, err)) return false;
    bool own_timer = s->checkpoint.steps || s->checkpoint.seconds > 0;
    return (own_timer && !s->finished) || save_checkpoint(s, err);
}

/* ---- the loop ---- */

/* `done`: batches of the epoch so far. */
static ProgressTrain figures(const Session *s, const Loader *loader, int64_t done) {
    const Trainer *t = &s->t;
    double rate = s->busy > 0 ? (double)s->pictures / s->busy : 0;
    ProgressTrain p = {.epoch = s->config.epoch + 1,
                       .done = done,
                       .all = (int64_t)loader_batches(loader),
                       .running = &t->at.running,
                       .lr = schedule_lr(t->schedule, t->at.step - 1),
                       .norm = t->norm,
                       .rate = rate,
                       .left = -1};
    p.waiting = s->busy > 0 ? loader_waited(loader) / s->busy : 0;
    if (t->total > 0) p.epochs = (t->total + s->steps_per_epoch - 1) / s->steps_per_epoch;
    if (t->last > 0 && rate > 0) p.left = (double)(t->last - t->at.step) * (double)trainer_pictures(t) / rate;
    return p;
}

/* What comes after a step, in this order: end of the epoch, end of the training, evaluation, checkpoint. A signal
 * leaves an evaluation that is due to the run that goes on from here. */
static bool after_step(Session *s, const Loader *loader, int64_t done, RtError *err) {
    TrainState *at = &s->t.at;
    ProgressTrain p = figures(s, loader, done);
    at->batch = done;
    s->finished = (s->t.last >= 0 && at->step >= s->t.last) || rt_now() >= s->deadline;
    if (p.done < p.all && !s->finished) progress_train(&s->progress, &p);
    else progress_epoch(&s->progress, &p, rt_now() - s->epoch_start);
    if (p.done >= p.all) {
        at->epoch++;
        at->batch = 0;
        at->running = (Metrics){0};
    }
    if (timer_due(&s->evaluate, at->step) || s->finished) {
        at->evaluate = true;
        if (!signals_stop && !evaluate_and_save(s, err)) return false;
    }
    return !timer_due(&s->checkpoint, at->step) || save_checkpoint(s, err);
}

/* Mixes the pictures of a batch with their neighbours, if that is drawn for it. */
static void mix(Session *s, const Batch *b) {
    const ModelProgram *p = s->t.sizes.program[b->size];
    const MixPlane plane = {s->t.model->channels, p->height, p->width};
    Mixed mixed = mix_draw(&s->mixer, &plane, s->config.seed, s->config.epoch, (uint32_t)b->number);
    if (mixed.label >= 1) return;
    mix_images(&plane, &mixed, s->t.pool, b->n, b->images);
    for (int32_t i = 0; i < b->n; i++) {
        s->partners[i] = b->labels[i ? i - 1 : b->n - 1];
        s->shares[i] = mixed.label;
    }
    trainer_mix(&s->t, b->n, s->partners, s->shares);
}

/* A signal waits for the end of a step: running statistics have changed with its first batch. */
static void run_epoch(Session *s, RtError *err) {
    s->config.epoch = (uint32_t)s->t.at.epoch;
    s->config.first_batch = (size_t)s->t.at.batch;
    s->epoch_start = rt_now();
    s->pictures = 0;
    s->busy = 0;
    Loader *loader = loader_new(&s->config, err);
    if (!loader) return;
    while (!s->finished && (!signals_stop || s->t.batches) && s->t.at.epoch == s->config.epoch) {
        double start = rt_now();
        const Batch *b = loader_next(loader, err);
        if (!b) break;
        trainer_use(&s->t, b->size);
        mix(s, b);
        trainer_add(&s->t, b->n, b->images, b->labels);
        s->pictures += b->n;
        bool due = trainer_due(&s->t) || b->number + 1 == loader_batches(loader);
        if (due && !trainer_step(&s->t, err)) break;
        s->busy += rt_now() - start;
        if (due && !after_step(s, loader, (int64_t)b->number + 1, err)) break;
    }
    bool rest = !err->code && s->t.batches; /* no picture of the last batches was readable */
    if (rest && trainer_step(&s->t, err)) after_step(s, loader, (int64_t)loader_batches(loader), err);
    bool ended = !err->code && !s->finished && !signals_stop && s->t.at.epoch == s->config.epoch;
    if (ended && s->pictures == 0 && s->config.first_batch == 0)
        rt_fail(err, RT_DATA, "an epoch without a single readable picture");
    if (ended) { /* the last batches of the epoch were left out */
        s->t.at.epoch++;
        s->t.at.batch = 0;
        s->t.at.running = (Metrics){0};
    }
    loader_free(loader);
}

static int run(Session *s, RtError *err) {
    TrainState *at = &s->t.at;
    s->finished = s->t.last >= 0 && at->step >= s->t.last;
    if (s->finished && !at->evaluate)
        printf("nothing to do: step %lld of %lld is done\n", (long long)at->step, (long long)s->t.last);
    if (at->evaluate && !evaluate_and_save(s, err)) return err->code;
    while (!s->finished && !signals_stop && !err->code) run_epoch(s, err);
    if (err->code) return err->code;
    if (!signals_stop || (s->finished && !at->evaluate)) return RT_OK;
    if (!save_checkpoint(s, err)) return err->code;
    progress_clear(&s->progress);
    return rt_fail(err, RT_STOPPED, "stopped by a signal at step %lld; saved %s; --resume goes on from there",
                   (long long)at->step, s->dir.checkpoint);
}

int train_command(const Context *c, const Options *o, RtError *err) {
    Session s = {.context = c, .options = o, .saved = -1};
    if (o->replay) return replay_train(c, o, err);
    signals_catch();
    int code = session_open(&s, err) ? run(&s, err) : err->code;
    if (code == RT_OK) printf("weights: %s\n", s.dir.weights);
    session_close(&s);
    return code;
}
