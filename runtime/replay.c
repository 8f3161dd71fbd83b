#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "params.h"
#include "trainer.h"

/* A tensor of f32 pictures: its number of them, 0 with err set if it is not [n, channels, height, width] with 1 <= n <=
 * most. */
static int64_t check_images(const Model *m, const SafeFile *f, const SafeTensor *t, int64_t most, RtError *err) {
    bool ok = strcmp(t->dtype, "F32") == 0 && t->rank == 4 && t->shape[0] >= 1 && t->shape[0] <= most &&
              t->shape[1] == m->channels && t->shape[2] == m->height && t->shape[3] == m->width;
    if (ok) return t->shape[0];
    rt_fail(err, RT_DATA, "%s: tensor \"%s\" is not F32 [1..%lld, %d, %d, %d]", f->path, t->name, (long long)most,
            m->channels, m->height, m->width);
    return 0;
}

/* [n], or of maps [n, height, width], where -1 is no class. */
static bool read_labels(const ModelOutput *logits, const SafeFile *f, const SafeTensor *t, int64_t n, int32_t *label,
                        RtError *err) {
    bool wide = strcmp(t->dtype, "I64") == 0, map = logits->plane > 1, fits = t->rank == (map ? 3 : 1) && t->shape[0] == n;
    if (map) fits = fits && t->shape[1] == logits->shape[1] && t->shape[2] == logits->shape[2];
    if (!fits || (!wide && strcmp(t->dtype, "I32") != 0)) {
        rt_fail(err, RT_DATA, "%s: tensor \"%s\" is not I32 or I64 with a label for each of %lld %s", f->path, t->name,
                (long long)n, map ? "pictures' pixels" : "pictures");
        return false;
    }
    for (int64_t i = 0; i < n * logits->plane; i++) {
        int64_t wide_value = 0;
        int32_t value = 0;
        if (!safe_read(f, t, (uint64_t)i * (wide ? 8 : 4), wide ? (void *)&wide_value : &value, wide ? 8 : 4, err))
            return false;
        if (!wide) wide_value = value;
        if (wide_value < (map ? -1 : 0) || wide_value >= logits->channels) {
            rt_fail(err, RT_DATA, "%s: tensor \"%s\": label %lld is not one of %lld classes", f->path, t->name,
                    (long long)wide_value, (long long)logits->channels);
            return false;
        }
        label[i] = (int32_t)wide_value;
    }
    return true;
}

static const SafeTensor *find_numbered(const SafeFile *f, const char *name, int64_t k) {
    char text[64];
    snprintf(text, sizeof text, "%s.%lld", name, (long long)k);
    return safe_find(f, text);
}

/* ---- training ---- */

typedef struct Replay {
    Trainer t;
    SafeFile *file;
    float *images;
    int32_t *labels, *partners;
    float *shares;
    int64_t batch; /* the next */
} Replay;

static bool replay_open(Replay *r, const Context *c, const Options *o, RtError *err) {
    if (!trainer_open(&r->t, c, o, false, err)) return false;
    r->file = safe_open(o->replay, err);
    if (!r->file) return false;
    int64_t batches = 0;
    while (find_numbered(r->file, "images", batches)) batches++;
    if (!batches) {
        rt_fail(err, RT_DATA, "%s has no tensor \"images.0\"", o->replay);
        return false;
    }
    r->images = rt_alloc_aligned((size_t)r->t.batch, (size_t)model_image_bytes(c->model), err);
    r->labels = rt_alloc_aligned((size_t)r->t.batch * (size_t)r->t.logits->plane, sizeof *r->labels, err);
    r->partners = rt_alloc((size_t)r->t.batch * (size_t)r->t.logits->plane, sizeof *r->partners, err);
    r->shares = rt_alloc((size_t)r->t.batch, sizeof *r->shares, err);
    if (!r->images || !r->labels || !r->partners || !r->shares) return false;
    int64_t together = r->t.settings.accumulate, steps = (batches + together - 1) / together;
    return trainer_schedule(&r->t, o, steps, err) && trainer_initialise(&r->t, o, err);
}

static void replay_close(Replay *r) {
    safe_close(r->file);
    free(r->images);
    free(r->labels);
    free(r->partners);
    free(r->shares);
    trainer_close(&r->t);
}

/* Mixed pictures come with the other labels and with what their own count, "partners.k" and F32 "shares.k". */
static bool replay_mix(Replay *r, int64_t k, int64_t n, RtError *err) {
    const SafeTensor *partners = find_numbered(r->file, "partners", k), *shares = find_numbered(r->file, "shares", k);
    if (!partners && !shares) return true;
    bool fits = partners && shares && r->t.logits->plane == 1 && !strcmp(shares->dtype, "F32") && shares->rank == 1 &&
                shares->shape[0] == n;
    if (!fits)
        return !rt_fail(err, RT_DATA, "%s: mixed pictures need \"partners\" and F32 \"shares\" for each picture",
                        r->file->path);
    if (!read_labels(r->t.logits, r->file, partners, n, r->partners, err)) return false;
    if (!safe_read(r->file, shares, 0, r->shares, (size_t)n * sizeof *r->shares, err)) return false;
    trainer_mix(&r->t, (int)n, r->partners, r->shares);
    return true;
}

/* One batch, and a step if it is the last one of it; false at the end of the file too. */
static bool replay_batch(Replay *r, RtError *err) {
    int64_t k = r->batch;
    const SafeTensor *images = find_numbered(r->file, "images", k), *labels = find_numbered(r->file, "labels", k);
    if (!images) return false;
    if (!labels) rt_fail(err, RT_DATA, "%s has no tensor \"labels.%lld\"", r->file->path, (long long)k);
    int64_t n = check_images(r->t.model, r->file, images, r->t.batch, err);
    if (err->code || !safe_read(r->file, images, 0, r->images, (size_t)images->bytes, err)) return false;
    if (!read_labels(r->t.logits, r->file, labels, n, r->labels, err)) return false;
    if (!replay_mix(r, k, n, err)) return false;
    trainer_add(&r->t, (int)n, r->images, r->labels);
    r->batch++;
    if (!trainer_due(&r->t) && find_numbered(r->file, "images", r->batch)) return true;
    if (!trainer_step(&r->t, err)) return false;
    printf("step %lld loss %.9g", (long long)r->t.at.step, r->t.mean_loss);
    if (r->t.norm >= 0) printf(" norm %.9g", r->t.norm);
    putchar('\n');
    return true;
}

static bool replay_save(const Replay *r, const Context *c, const char *folder, RtError *err) {
    char *path = params_path(c, folder, PARAMS_SUFFIX, err);
    bool ok = path && weights_write(c->model, trainer_result(&r->t), NULL, path, NULL, err);
    free(path);
    return ok;
}

int replay_train(const Context *c, const Options *o, RtError *err) {
    Replay r = {.file = NULL};
    if (replay_open(&r, c, o, err))
        while ((r.t.last < 0 || r.t.at.step < r.t.last) && replay_batch(&r, err)) {}
    if (!err->code && o->out) replay_save(&r, c, o->out, err);
    replay_close(&r);
    return err->code;
}

/* ---- inference ---- */

static bool infer_all(const Model *m, Exec *e, const SafeFile *f, const SafeTensor *images, SafeWriter *w, int64_t most,
                      RtError *err) {
    static const uint32_t key[2] = {0, 0};
    const ModelOutput *o = program_scores(&m->infer);
    size_t picture = (size_t)model_image_bytes(m), each = (size_t)(o->channels * o->plane);
    float *in = rt_alloc_aligned((size_t)most, picture, err), *out = rt_alloc(each, sizeof *out, err);
    bool ok = in && out;
    for (int64_t first = 0; ok && first < images->shape[0]; first += most) {
        int64_t n = images->shape[0] - first < most ? images->shape[0] - first : most;
        ok = safe_read(f, images, (uint64_t)first * picture, in, (size_t)n * picture, err);
        if (ok) exec_run(e, n, in, NULL, key);
        for (int64_t i = 0; ok && i < n; i++) {
            exec_output_copy(e, o, i, out);
            ok = safe_write(w, out, each * sizeof *out, err);
        }
    }
    free(in);
    free(out);
    return ok;
}

static bool write_scores(const Model *m, Exec *e, const SafeFile *f, const Options *o, int64_t most, RtError *err) {
    const SafeTensor *images = safe_find(f, "images");
    if (!images) rt_fail(err, RT_DATA, "%s has no tensor \"images\"", o->replay);
    if (!images || !check_images(m, f, images, INT32_MAX, err)) return false;
    const ModelOutput *out = program_scores(&m->infer);
    SafeTensor scores = {.name = "scores", .dtype = "F32", .rank = out->plane > 1 ? 4 : 2, .shape = {images->shape[0], m->classes}};
    if (out->plane > 1) memcpy(scores.shape + 2, out->shape + 1, 2 * sizeof scores.shape[0]);
    SafeWriter *w = safe_create(o->scores, &scores, 1, NULL, err);
    if (!w) return false;
    if (infer_all(m, e, f, images, w, most, err)) return safe_commit(w, err);
    safe_abort(w);
    return false;
}

int replay_predict(const Context *c, const Options *o, RtError *err) {
    enum { BATCH = 16 };
    const Model *m = c->model;
    int64_t most = m->max_batch < BATCH ? m->max_batch : BATCH;
    if (!o->scores) return rt_fail(err, RT_USAGE, "--replay needs --scores FILE");
    int threads = pool_threads((int)o->threads, err);
    Pool *pool = threads ? pool_new(threads, err) : NULL;
    Exec *e = pool ? exec_new(&m->infer, c->kernel, pool, NULL, NULL, most, err) : NULL;
    SafeFile *f = e && params_load(c, o->weights, WEIGHTS_TO_INFER, exec_params(e), NULL, err) ? safe_open(o->replay, err) : NULL;
    if (f) write_scores(m, e, f, o, most, err);
    safe_close(f);
    exec_free(e);
    pool_free(pool);
    return err->code;
}
