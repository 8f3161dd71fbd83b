#include "golden.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "augment.h"
#include "fields.h"
#include "session.h"
#include "synthetic.h"
#include "weights.h"

enum { BATCH = 16, SEED = 1, DIGEST_ROOM = 17, NAME_ROOM = 32 };

static const Draw no_draw = {0};

/* What writing and comparing share. */
typedef struct Golden {
    const Model *model;
    InferSession session;
    int64_t n, most;       /* pictures, and of a call */
    float *images, *batch; /* [n], [most] */
    float **output;        /* [infer.n_output][n * its size]: what the net answers now */
    Pipeline *pipeline;
    Frame *frame;
    char weights[DIGEST_ROOM];
} Golden;

static size_t output_floats(const ModelOutput *o) { return (size_t)(o->channels * o->plane); }

static float *image_of(const Golden *g, int64_t i) { return g->images + (size_t)i * pipeline_floats(g->pipeline); }

static const char *numbered(char room[NAME_ROOM], int64_t k) {
    snprintf(room, NAME_ROOM, "picture.%lld", (long long)k);
    return room;
}

static bool take_room(Golden *g, RtError *err) {
    const Model *m = g->model;
    size_t picture = (size_t)model_image_bytes(m);
    g->images = rt_alloc((size_t)g->n, picture, err);
    g->batch = rt_alloc_aligned((size_t)g->most, picture, err);
    g->output = rt_alloc((size_t)m->infer.n_output, sizeof *g->output, err);
    if (!g->images || !g->batch || !g->output) return false;
    for (int i = 0; i < m->infer.n_output; i++)
        if (!(g->output[i] = rt_alloc((size_t)g->n, output_floats(&m->infer.output[i]) * sizeof(float), err)))
            return false;
    return true;
}

/* The parameters have to be looked at before the net runs, which may fold them. */
static bool golden_open(Golden *g, const Context *c, const Options *o, int64_t n, RtError *err) {
    uint64_t digest;
    *g = (Golden){.model = c->model, .n = n, .most = c->model->max_batch < BATCH ? c->model->max_batch : BATCH};
    if (!infer_open_any(&g->session, c, o, g->most, err) || !take_room(g, err)) return false;
    if (!weights_digest(g->model, exec_params(g->session.exec), g->model->infer.param_bytes, &digest, err)) return false;
    snprintf(g->weights, sizeof g->weights, "%016" PRIx64, digest);
    g->pipeline = pipeline_new(model_input_settings(g->model), NULL, err);
    return g->pipeline && (g->frame = frame_new(err));
}

static void golden_close(Golden *g) {
    for (int i = 0; g->output && i < g->model->infer.n_output; i++) free(g->output[i]);
    free(g->output);
    free(g->images);
    free(g->batch);
    pipeline_free(g->pipeline);
    frame_free(g->frame);
    infer_close(&g->session);
}

static void run_net(Golden *g) {
    static const uint32_t key[2] = {0, 0};
    const ModelProgram *p = &g->model->infer;
    for (int64_t first = 0, n; first < g->n; first += n) {
        n = g->n - first < g->most ? g->n - first : g->most;
        memcpy(g->batch, image_of(g, first), (size_t)n * pipeline_floats(g->pipeline) * sizeof(float));
        exec_run(g->session.exec, n, g->batch, NULL, key);
        for (int k = 0; k < p->n_output; k++)
            for (int64_t i = 0; i < n; i++)
                exec_output_copy(g->session.exec, &p->output[k], i,
                                 g->output[k] + (size_t)(first + i) * output_floats(&p->output[k]));
    }
}

/* ---- writing ---- */

static bool make_up(Golden *g, int64_t i, RtError *err) {
    Image *pixels = frame_open_blank(g->frame, pipeline_width(g->pipeline), pipeline_height(g->pipeline), err);
    if (!pixels) return false;
    synthetic_paint(SEED, (uint32_t)i, (int32_t)i, pixels);
    return pipeline_blank(g->pipeline, g->frame, &no_draw, image_of(g, i), err);
}

static bool read_pictures(Golden *g, const Options *o, RtError *err) {
    for (int64_t i = 0; i < g->n; i++) {
        bool good = o->n_operand ? pipeline_tensor(g->pipeline, g->frame, o->operand[i], &no_draw, image_of(g, i), err)
                                 : make_up(g, i, err);
        if (!good) return false;
    }
    return true;
}

static SafeTensor describe(const char *name, int64_t n, const int64_t *shape, int rank) {
    SafeTensor t = {.name = name, .dtype = "F32", .rank = rank + 1, .shape = {n}};
    for (int i = 0; i < rank; i++) t.shape[i + 1] = shape[i];
    return t;
}

/* How long each file is; it must not change until it is copied. */
static bool describe_pictures(const Options *o, SafeTensor *t, char (*name)[NAME_ROOM], RtError *err) {
    for (int i = 0; i < o->n_operand; i++) {
        struct stat st;
        if (stat(o->operand[i], &st)) return !rt_fail(err, RT_NO_INPUT, "%s: %m", o->operand[i]);
        t[i] = (SafeTensor){.name = numbered(name[i], i), .dtype = "U8", .rank = 1, .shape = {st.st_size}};
    }
    return true;
}

static bool copy_file(SafeWriter *w, const char *path, RtError *err) {
    char buffer[1 << 14];
    ssize_t n = 0;
    int fd = rt_open_plain(path, err);
    if (fd < 0) return false;
    bool good = true;
    while (good && (n = read(fd, buffer, sizeof buffer)) > 0) good = safe_write(w, buffer, (size_t)n, err);
    if (n < 0) good = !rt_fail(err, RT_NO_INPUT, "%s: %m", path);
    close(fd);
    return good;
}

static bool write_all(const Golden *g, const Options *o, SafeWriter *w, RtError *err) {
    const ModelProgram *p = &g->model->infer;
    bool good = safe_write(w, g->images, (size_t)(g->n * model_image_bytes(g->model)), err);
    for (int k = 0; good && k < p->n_output; k++)
        good = safe_write(w, g->output[k], (size_t)g->n * output_floats(&p->output[k]) * sizeof(float), err);
    for (int i = 0; good && i < o->n_operand; i++) good = copy_file(w, o->operand[i], err);
    return good;
}

static bool write_file(const Golden *g, const Options *o, const char *path, RtError *err) {
    const Model *m = g->model;
    const int64_t image[] = {m->channels, m->height, m->width};
    size_t n = 1 + (size_t)m->infer.n_output + (size_t)o->n_operand;
    SafeTensor *t = rt_alloc(n, sizeof *t, err);
    char(*name)[NAME_ROOM] = rt_alloc((size_t)o->n_operand, sizeof *name, err);
    json_t *metadata = json_pack("{s:s, s:s, s:s}", "net", m->name, "cnnc", m->version, "weights", g->weights);
    SafeWriter *w = NULL;
    if (t && name) {
        t[0] = describe("images", g->n, image, 3);
        for (int k = 0; k < m->infer.n_output; k++)
            t[1 + k] = describe(m->infer.output[k].name, g->n, m->infer.output[k].shape, m->infer.output[k].rank);
        if (describe_pictures(o, t + 1 + m->infer.n_output, name, err)) w = safe_create(path, t, n, metadata, err);
    }
    bool good = w && write_all(g, o, w, err);
    json_decref(metadata);
    free(name);
    free(t);
    if (good) return safe_commit(w, err);
    safe_abort(w);
    return false;
}

bool golden_write(const Context *c, const Options *o, const char *path, RtError *err) {
    Golden g;
    if (o->n_operand > GOLDEN_MOST) return !rt_fail(err, RT_USAGE, "more than %d pictures", GOLDEN_MOST);
    bool good = golden_open(&g, c, o, o->n_operand ? o->n_operand : GOLDEN_USUAL, err) && read_pictures(&g, o, err);
    if (good) run_net(&g);
    good = good && write_file(&g, o, path, err);
    golden_close(&g);
    return good;
}

/* ---- comparing ---- */

/* How far numbers are from those of the file. */
typedef struct Gap {
    const char *what;
    size_t each;           /* numbers of a picture */
    double worst, largest; /* difference; magnitude in the file */
    size_t at;             /* where the worst is */
    float is, was;         /* there */
    double allowed;        /* worst may be that much */
} Gap;

static bool kept(const Gap *g) { return g->worst <= g->allowed; }

/* What is no number differs by more than anything; what is infinite from all but itself, and allows nothing. */
static void compare(Gap *g, const float *is, const float *was, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double d = is[i] == was[i] ? 0 : fabs((double)is[i] - (double)was[i]), size = fabs((double)was[i]);
        if (size > g->largest && isfinite(size)) g->largest = size;
        if (d <= g->worst) continue;
        g->worst = isnan(d) ? INFINITY : d;
        g->at = i;
        g->is = is[i];
        g->was = was[i];
        if (isnan(d)) return;
    }
}

/* Comparing with a file: what is said of it, and the first thing that is not kept. */
typedef struct Check {
    Golden *golden;
    const SafeFile *file;
    double tolerance;
    bool others; /* the weights are known to be others than those of the file */
    json_t *json;
    RtError unkept;
} Check;

static void say(Check *c, const Gap *g) {
    if (c->json)
        json_array_append_new(json_object_get(c->json, "compared"),
                              json_pack("{s:s, s:o, s:f, s:b}", "what", g->what, "difference",
                                        field_real(g->worst), "allowed", g->allowed,
                                        "kept", kept(g)));
    else
        printf("  %-16s largest difference %.3g, allowed %.3g: %s\n", g->what, g->worst, g->allowed,
               kept(g) ? "kept" : "not kept");
    if (kept(g)) return;
    rt_fail(&c->unkept, RT_UNKEPT, "%s of picture %zu: number %zu is %.9g here and %.9g in %s%s", g->what,
            g->at / g->each, g->at % g->each, (double)g->is, (double)g->was, c->file->path,
            c->others ? ", which was written with other weights" : "");
}

/* A tensor of numbers for each of n pictures: `want`. */
static bool fits(const SafeFile *f, const SafeTensor *t, const SafeTensor *want, RtError *err) {
    bool good = !strcmp(t->dtype, want->dtype) && t->rank == want->rank;
    for (int i = 0; good && i < t->rank; i++) good = t->shape[i] == want->shape[i];
    return good || !rt_fail(err, RT_DATA, "%s: the tensor \"%.80s\" has not the shape or type that this net has",
                            f->path, t->name);
}

static bool check_images(const Model *m, const SafeFile *f, int64_t *n, RtError *err) {
    const SafeTensor *t = safe_find(f, "images");
    const int64_t image[] = {m->channels, m->height, m->width};
    if (!t || t->rank < 1)
        return !rt_fail(err, RT_DATA, "%s has no tensor \"images\": it holds no golden values", f->path);
    *n = t->shape[0];
    if (*n < 1 || *n > GOLDEN_MOST)
        return !rt_fail(err, RT_LIMIT, "%s: %lld pictures; from 1 to %d can be compared", f->path, (long long)*n,
                        GOLDEN_MOST);
    SafeTensor want = describe("images", *n, image, 3);
    return fits(f, t, &want, err);
}

/* Every tensor is known, and at least one is an output. */
static bool check_names(const Model *m, const SafeFile *f, int64_t n, RtError *err) {
    int outputs = 0;
    for (size_t i = 0; i < f->n; i++) {
        const SafeTensor *t = &f->tensor[i];
        const ModelOutput *o = program_output(&m->infer, t->name);
        char room[NAME_ROOM];
        bool picture = false;
        for (int64_t k = 0; !o && !picture && k < n; k++) picture = !strcmp(t->name, numbered(room, k));
        if (!o && !picture && strcmp(t->name, "images") != 0)
            return !rt_fail(err, RT_DATA, "%s: the tensor \"%.80s\" is neither an output of net %s nor a picture",
                            f->path, t->name, m->name);
        if (picture && (strcmp(t->dtype, "U8") != 0 || t->rank != 1))
            return !rt_fail(err, RT_DATA, "%s: the tensor \"%.80s\" holds no file", f->path, t->name);
        SafeTensor want = o ? describe(o->name, n, o->shape, o->rank) : *t;
        if (!fits(f, t, &want, err)) return false;
        outputs += o != NULL;
    }
    return outputs > 0 || !rt_fail(err, RT_DATA, "%s has no output of net %s", f->path, m->name);
}

/* Files in the file are read as pictures in an archive are. */
static bool compare_pictures(Check *c, RtError *err) {
    const Golden *g = c->golden;
    size_t floats = pipeline_floats(g->pipeline);
    Gap gap = {.what = "pictures", .each = floats};
    struct stat st;
    int n = 0;
    if (fstat(c->file->fd, &st)) return !rt_fail(err, RT_IO, "%s: %m", c->file->path);
    for (int64_t i = 0; i < g->n; i++) {
        char room[NAME_ROOM];
        const SafeTensor *t = safe_find(c->file, numbered(room, i));
        if (!t) continue;
        ImagePart part = {room, c->file->path, (uint64_t)st.st_size, c->file->data + t->begin, t->bytes};
        Gap one = {.what = room, .each = floats};
        if (!pipeline_part(g->pipeline, g->frame, &part, &no_draw, g->batch, err)) return false;
        compare(&one, g->batch, image_of(g, i), floats);
        if (one.worst > gap.worst)
            gap.worst = one.worst, gap.at = (size_t)i * floats + one.at, gap.is = one.is, gap.was = one.was;
        n++;
    }
    if (n) say(c, &gap);
    return true;
}

static bool compare_output(Check *c, int k, RtError *err) {
    const Golden *g = c->golden;
    const ModelOutput *o = &g->model->infer.output[k];
    const SafeTensor *t = safe_find(c->file, o->name);
    float *was = t ? rt_alloc(1, (size_t)t->bytes, err) : NULL;
    if (!t) return true;
    bool good = was && safe_read(c->file, t, 0, was, (size_t)t->bytes, err);
    if (good) {
        Gap gap = {.what = o->name, .each = output_floats(o)};
        compare(&gap, g->output[k], was, (size_t)t->elements);
        gap.allowed = c->tolerance * (gap.largest > 0 ? gap.largest : 1);
        say(c, &gap);
    }
    free(was);
    return good;
}

static bool compare_all(Check *c, RtError *err) {
    Golden *g = c->golden;
    const char *weights = safe_metadata(c->file, "weights");
    const SafeTensor *images = safe_find(c->file, "images");
    c->others = weights && strcmp(weights, g->weights) != 0;
    if (!safe_read(c->file, images, 0, g->images, (size_t)images->bytes, err)) return false;
    if (!c->json)
        printf("golden values of %s, %lld pictures%s\n", c->file->path, (long long)g->n,
               c->others ? ", written with other weights"
               : weights ? ", the same weights"
                         : "");
    if (!compare_pictures(c, err)) return false;
    run_net(g);
    for (int k = 0; k < g->model->infer.n_output; k++)
        if (!compare_output(c, k, err)) return false;
    return true;
}

bool golden_check(const Context *c, const Options *o, const char *path, double tolerance, json_t *into, RtError *err) {
    Golden g = {0};
    int64_t n = 0;
    SafeFile *f = safe_open(path, err);
    Check check = {.golden = &g, .file = f, .tolerance = tolerance};
    if (into) {
        check.json = json_pack("{s:s, s:f, s:[]}", "file", path, "tolerance", tolerance, "compared");
        json_object_set_new(into, "golden", check.json);
    }
    bool good = f && safe_check(f, err) && check_images(c->model, f, &n, err) && check_names(c->model, f, n, err) &&
                golden_open(&g, c, o, n, err) && compare_all(&check, err);
    if (good && check.unkept.code) good = !rt_fail(err, check.unkept.code, "%s", check.unkept.text);
    golden_close(&g);
    safe_close(f);
    return good;
}
