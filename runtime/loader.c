#include "loader.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "pool.h"

_Static_assert(sizeof(RtError) == CNNC_ERROR_BYTES, "as the compiler foresees it");

/* A batch being made or waiting. Until `done` reaches `size` it belongs to the threads, slot by slot; then to the
 * consumer, until that asks for the next one. */
typedef struct Place {
    Batch batch;
    size_t number;      /* which batch of the epoch is here */
    int32_t size, done; /* pictures that it is to have, and that were tried */
    RtError *why;       /* [batch]: why a picture could not be read; code RT_OK: it could */
} Place;

struct Loader {
    LoaderConfig config;
    uint32_t *order; /* [samples], or NULL: as they are */
    LoaderSize only;         /* where config.sizes has none */
    const LoaderSize *sizes; /* config.sizes, or that */
    size_t samples, batches;
    size_t floats, labels_each; /* of a picture, at most */
    size_t views; /* of each sample in the batches */
    Place *place; /* [places]: batch b is made at b % places */
    size_t places;
    float *images; /* of all places, and the next two */
    int32_t *labels;
    uint32_t *numbers;

    pthread_mutex_t lock; /* for all below but the consumer's own */
    pthread_cond_t room, ready;
    size_t next_batch; /* the next picture to be made */
    int32_t next_slot;
    size_t front; /* the batch that the consumer has, or wants next */
    bool stop;

    pthread_t *thread;
    int32_t threads; /* that were started */

    bool holding; /* the consumer's own */
    size_t skipped, bad; /* how many samples, and the last of them */
    RtError failure;
    double began, waited;
};

/* ---- sizes ---- */

static const LoaderSize *size_of(const Loader *l, const Place *p) { return &l->sizes[p->batch.size]; }

static size_t floats_of(const Loader *l, const Place *p) { return pipeline_floats(size_of(l, p)->pipeline); }

static size_t labels_for(const Loader *l, const LoaderSize *size) {
    return dataset_has_masks(l->config.data, NULL) ? (size_t)size->form.width * (size_t)size->form.height : 1;
}

/* Of a batch of the epoch, whoever makes it. */
static int32_t draw_size(const LoaderConfig *c, size_t batch) {
    Rng rng = rng_stream(RNG_SIZE, c->seed, c->epoch, (uint32_t)batch, 0);
    return c->n_sizes > 1 ? (int32_t)rng_below(&rng, (uint32_t)c->n_sizes) : 0;
}

static void take_sizes(Loader *l) {
    const LoaderConfig *c = &l->config;
    l->only = (LoaderSize){c->pipeline, c->form};
    l->sizes = c->n_sizes ? c->sizes : &l->only;
    for (int32_t i = 0; i < c->n_sizes || i == 0; i++) {
        size_t floats = pipeline_floats(l->sizes[i].pipeline), labels = labels_for(l, &l->sizes[i]);
        l->floats = floats > l->floats ? floats : l->floats;
        l->labels_each = labels > l->labels_each ? labels : l->labels_each;
    }
}

/* ---- the threads ---- */

/* Takes the next picture in order, waiting while all places are in use; false when there is nothing more to do. With
 * the lock held. */
static bool take(Loader *l, Place **place, int32_t *slot) {
    while (!l->stop && l->next_batch < l->batches && l->next_batch >= l->front + l->places)
        pthread_cond_wait(&l->room, &l->lock);
    if (l->stop || l->next_batch >= l->batches) return false;
    size_t b = l->next_batch, first = b * (size_t)l->config.batch, left = l->samples * l->views - first;
    Place *p = *place = &l->place[b % l->places];
    *slot = l->next_slot++;
    if (*slot == 0) {
        p->number = b;
        p->done = 0;
        p->batch.size = draw_size(&l->config, b);
        p->size = left < (size_t)l->config.batch ? (int32_t)left : l->config.batch;
    }
    if (l->next_slot == p->size) {
        l->next_slot = 0;
        l->next_batch++;
    }
    return true;
}

/* A thread's own: one frame for pictures, one for masks (NULL where there are none). */
typedef struct Frames {
    Frame *picture, *mask;
    RtError none; /* why it has no frame */
} Frames;

/* A picture that has no file of its own; where its size is open, it is that which the net sees. */
static void make_stored(const Loader *l, const Pipeline *pipeline, Frame *frame, size_t sample, const Draw *draw,
                        float *tensor, RtError *why) {
    const LoaderConfig *c = &l->config;
    RtError own = {.code = RT_OK};
    int32_t width = pipeline_width(pipeline), height = pipeline_height(pipeline);
    dataset_stored_size(c->data, &width, &height);
    Image *pixels = frame_open_blank(frame, width, height, &own);
    if (pixels) dataset_paint(c->data, sample, pixels);
    if (pixels && pipeline_blank(pipeline, frame, draw, tensor, &own)) return;
    char *path = dataset_path(c->data, sample, why);
    rt_fail(why, own.code, "%s: %s", path ? path : "?", own.text);
    free(path);
}

/* Whose random numbers: the picture's, or, where one may come again, those of its place in the epoch. */
static Draw draw_of(const LoaderConfig *c, size_t at, size_t sample) {
    return (Draw){c->seed, c->epoch, (uint32_t)(c->shuffle && c->balanced ? at : sample)};
}

static void make_part(const Loader *l, const Pipeline *pipeline, Frame *frame, size_t sample, const Draw *draw, float *tensor,
                      RtError *why) {
    ImagePart part;
    if (!dataset_part(l->config.data, sample, &part, why)) return;
    pipeline_part(pipeline, frame, &part, draw, tensor, why);
    free((char *)part.name);
}

static void make_pair(const Loader *l, const Frames *f, Place *p, int32_t slot, size_t sample, size_t view,
                      RtError *why) {
    const LoaderConfig *c = &l->config;
    const LoaderSize *size = size_of(l, p);
    const Pipeline *pipeline = c->n_crops ? c->crops[view] : size->pipeline;
    Draw draw = draw_of(c, p->number * (size_t)c->batch + (size_t)slot, sample);
    float *tensor = p->batch.images + (size_t)slot * floats_of(l, p);
    int32_t *labels = p->batch.labels + (size_t)slot * labels_for(l, size);
    if (dataset_is_stored(c->data)) {
        make_stored(l, pipeline, f->picture, sample, &draw, tensor, why);
        return;
    }
    if (dataset_in_archives(c->data)) {
        make_part(l, pipeline, f->picture, sample, &draw, tensor, why);
        return;
    }
    char *path = dataset_path(c->data, sample, why), *mask = f->mask ? dataset_mask_path(c->data, sample, why) : NULL;
    if (path && mask)
        pipeline_pair(pipeline, f->picture, f->mask, path, mask, &draw, &size->form, tensor, labels, why);
    else if (path && !f->mask)
        pipeline_tensor(pipeline, f->picture, path, &draw, tensor, why);
    free(path);
    free(mask);
}

/* Makes one picture of a place, or says why not. A thread without memory for a frame answers with that error. */
static void make(const Loader *l, const Frames *f, Place *p, int32_t slot) {
    RtError *why = &p->why[slot];
    size_t at = p->number * (size_t)l->config.batch + (size_t)slot, view = at % l->views, place = at / l->views;
    size_t sample = l->order ? l->order[place] : place;
    if (!f->mask) p->batch.labels[slot] = dataset_label(l->config.data, sample);
    p->batch.samples[slot] = (uint32_t)sample;
    *why = f->none;
    if (!why->code) make_pair(l, f, p, slot, sample, view, why);
}

static void *work(void *loader) {
    Loader *l = loader;
    Place *p;
    int32_t slot;
    Frames frames = {.none = {.code = RT_OK}};
    frames.picture = frame_new(&frames.none);
    if (dataset_has_masks(l->config.data, NULL)) frames.mask = frame_new(&frames.none);
    pthread_mutex_lock(&l->lock);
    while (take(l, &p, &slot)) {
        pthread_mutex_unlock(&l->lock);
        make(l, &frames, p, slot);
        pthread_mutex_lock(&l->lock);
        if (++p->done == p->size) pthread_cond_signal(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    frame_free(frames.picture);
    frame_free(frames.mask);
    return NULL;
}

/* ---- making and releasing ---- */

bool loader_set_on_error(LoaderConfig *config, const json_t *on_error, RtError *err) {
    const char *call = on_error ? json_string_value(json_object_get(on_error, "call")) : "fail";
    const json_t *at_most = json_object_get(on_error, "at_most");
    config->skip = call && !strcmp(call, "skip");
    config->at_most = at_most ? json_number_value(at_most) : 0;
    if (!config->skip && (!call || strcmp(call, "fail")))
        return !rt_fail(err, RT_DATA, "data: `on_error` must be fail or skip(at_most=...)");
    if (config->skip && !(config->at_most >= 0 && config->at_most <= 1))
        return !rt_fail(err, RT_DATA, "data: `at_most` must be from 0%% to 100%%");
    return true;
}

static int32_t usable_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

static bool check_config(const LoaderConfig *c, RtError *err) {
    size_t n = dataset_count(c->data), step = c->together > 1 ? (size_t)c->batch * (size_t)c->together : (size_t)c->batch;
    if (c->batch < 1 || c->prefetch < 1 || c->threads < 0 || c->threads > POOL_MAX_THREADS)
        return !rt_fail(err, RT_DATA, "data: batch %d, prefetch %d, workers %d: out of range", c->batch, c->prefetch,
                        c->threads);
    if (c->drop_last && n < step)
        return !rt_fail(err, RT_DATA,
                        "data: %zu pictures are fewer than one batch of %zu, and incomplete batches are dropped", n, step);
    return true;
}

static bool make_order(Loader *l, RtError *err) {
    if (!l->config.shuffle) return true;
    l->order = rt_alloc(l->samples, sizeof *l->order, err);
    if (!l->order) return false;
    if (l->config.balanced) return dataset_balance(l->config.data, l->config.seed, l->config.epoch, l->order, err);
    dataset_shuffle(l->samples, l->config.seed, l->config.epoch, l->order);
    return true;
}

static bool make_places(Loader *l, RtError *err) {
    /* A batch's pictures and labels start on 64 bytes (abi.h): 16 numbers. */
    size_t batch = ((size_t)l->config.batch + 15) / 16 * 16, todo = l->batches - l->next_batch, all, floats, labels;
    l->places = (size_t)l->config.prefetch + 1;
    l->places = l->places > todo && todo > 0 ? todo : l->places;
    if (!rt_mul(l->places, batch, &all) || !rt_mul(all, l->floats, &floats) ||
        !rt_mul(all, l->labels_each, &labels))
        return !rt_fail(err, RT_LIMIT, "data: batch %d x prefetch %d is too much", l->config.batch, l->config.prefetch);
    l->place = rt_alloc(l->places, sizeof *l->place, err);
    l->images = rt_alloc_aligned(floats, sizeof *l->images, err);
    l->labels = rt_alloc_aligned(labels, sizeof *l->labels, err);
    l->numbers = rt_alloc(all, sizeof *l->numbers, err);
    if (!l->place || !l->images || !l->labels || !l->numbers) return false;
    for (size_t i = 0; i < l->places; i++) {
        Place *p = &l->place[i];
        p->number = SIZE_MAX;
        p->batch = (Batch){.images = l->images + i * batch * l->floats,
                           .labels = l->labels + i * batch * l->labels_each,
                           .samples = l->numbers + i * batch};
        if (!(p->why = rt_alloc(batch, sizeof *p->why, err))) return false;
    }
    return true;
}

/* Signals are for the main thread: it alone knows how to stop. */
static bool start_threads(Loader *l, RtError *err) {
    int32_t want = l->config.threads ? l->config.threads : usable_processors();
    sigset_t all, before;
    int problem = 0;
    l->thread = rt_alloc((size_t)want, sizeof *l->thread, err);
    if (!l->thread) return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (l->threads < want && !(problem = pthread_create(&l->thread[l->threads], NULL, work, l))) l->threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !problem || !rt_fail(err, RT_OS, "data: thread %d of %d cannot be started", l->threads + 1, want);
}

Loader *loader_new(const LoaderConfig *config, RtError *err) {
    if (!check_config(config, err)) return NULL;
    Loader *l = rt_alloc(1, sizeof *l, err);
    if (!l) return NULL;
    size_t n = dataset_count(config->data), batch = (size_t)config->batch;
    l->config = *config;
    l->samples = n;
    l->views = config->n_crops ? (size_t)config->n_crops : 1;
    if (!rt_mul(n, l->views, &n)) n = 0; /* more than memory could hold the paths of */
    l->batches = n / batch + (!config->drop_last && n % batch);
    if (config->drop_last && config->together > 1) l->batches -= l->batches % (size_t)config->together;
    l->bad = SIZE_MAX;
    take_sizes(l);
    l->front = l->next_batch = config->first_batch < l->batches ? config->first_batch : l->batches;
    l->began = rt_now();
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->ready, NULL);
    if (make_order(l, err) && make_places(l, err) && start_threads(l, err)) return l;
    loader_free(l);
    return NULL;
}

static void stop_threads(Loader *l) {
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->threads; i++) pthread_join(l->thread[i], NULL);
    l->threads = 0;
}

void loader_free(Loader *l) {
    if (!l) return;
    stop_threads(l);
    for (size_t i = 0; l->place && i < l->places; i++) free(l->place[i].why);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->room);
    pthread_cond_destroy(&l->ready);
    free(l->place);
    free(l->images);
    free(l->labels);
    free(l->numbers);
    free(l->order);
    free(l->thread);
    free(l);
}

/* ---- the consumer ---- */

/* Gives back the batch that the consumer had and waits for the next; NULL at the end of the epoch. */
static Place *wait_for_front(Loader *l) {
    Place *p = NULL;
    double before = rt_now();
    pthread_mutex_lock(&l->lock);
    if (l->holding) {
        l->front++;
        l->holding = false;
        pthread_cond_broadcast(&l->room);
    }
    if (l->front < l->batches) {
        p = &l->place[l->front % l->places];
        while (p->number != l->front || p->done < p->size) pthread_cond_wait(&l->ready, &l->lock);
        l->holding = true;
    }
    pthread_mutex_unlock(&l->lock);
    l->waited += rt_now() - before;
    return p;
}

/* Decides on a picture that could not be read: true if it is left out, false if the epoch ends with l->failure. */
static bool leave_out(Loader *l, uint32_t sample, const RtError *why) {
    bool its_fault = why->code == RT_DATA || why->code == RT_NO_INPUT || why->code == RT_LIMIT;
    if (!l->config.skip || !its_fault)
        return !rt_fail(&l->failure, why->code, "%s%s", why->text,
                        its_fault ? "; `on_error = skip(at_most=1%)` in `data` leaves such out" : "");
    if (sample == l->bad) return true; /* another crop of it */
    l->bad = sample;
    l->skipped++;
    if (l->config.on_skip) l->config.on_skip(l->config.context, sample, why->text);
    if ((double)l->skipped > l->config.at_most * (double)l->samples)
        return !rt_fail(&l->failure, RT_DATA, "%zu bad pictures of %zu, more than the %g%% allowed; the last: %s",
                        l->skipped, l->samples, 100 * l->config.at_most, why->text);
    return true;
}

/* Closes the gaps that bad pictures left; false if the epoch ends. */
static bool compact(Loader *l, Place *p) {
    Batch *b = &p->batch;
    size_t floats = floats_of(l, p), labels = labels_for(l, size_of(l, p));
    b->n = 0;
    b->number = p->number;
    for (int32_t i = 0; i < p->size; i++) {
        if (p->why[i].code != RT_OK && !leave_out(l, b->samples[i], &p->why[i])) return false;
        if (p->why[i].code != RT_OK) continue;
        if (b->n < i) {
            memcpy(b->images + (size_t)b->n * floats, b->images + (size_t)i * floats, floats * sizeof *b->images);
            memcpy(b->labels + (size_t)b->n * labels, b->labels + (size_t)i * labels, labels * sizeof *b->labels);
            b->samples[b->n] = b->samples[i];
        }
        b->n++;
    }
    return true;
}

const Batch *loader_next(Loader *l, RtError *err) {
    Place *p;
    while (l->failure.code == RT_OK && (p = wait_for_front(l))) {
        if (!compact(l, p)) break;
        if (p->batch.n > 0) return &p->batch;
    }
    if (l->failure.code != RT_OK) rt_fail(err, l->failure.code, "%s", l->failure.text);
    return NULL;
}

size_t loader_batches(const Loader *l) { return l->batches; }

size_t loader_skipped(const Loader *l) { return l->skipped; }

double loader_waited(const Loader *l) { return l->waited; }

double loader_elapsed(const Loader *l) { return rt_now() - l->began; }
