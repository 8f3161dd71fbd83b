/* The command `predict`: the most likely classes of picture files; of nets with scores for each pixel, how much of the
 * picture each class takes, and the class of each pixel as a file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "augment.h"
#include "classmap.h"
#include "fields.h"
#include "metrics.h"
#include "replay.h"
#include "session.h"

enum { MOST = 16, TOP = 5 }; /* pictures in a batch; classes shown for a picture */

typedef struct Predict {
    const Model *model;
    const Options *options;
    InferSession session;
    Pipeline *pipeline;
    int64_t room; /* pictures in a batch, at most MOST */
    Frame *frame[MOST];
    float *images;       /* [room][channels][height][width], batches are gathered at the front */
    RtError error[MOST]; /* of each picture of the batch */
    const ModelOutput *output;
    float *scores;       /* [classes * plane] */
    int32_t *map;        /* [plane], if that is more than 1: the class of each pixel */
    double *probability; /* [classes]; with a map the share of the pixels */
    int *order;          /* [classes] */
    json_t *json;        /* the answer, or NULL when text is printed */
    int bad;             /* pictures that could not be read */
    uint8_t *piped;      /* what standard input gave, if a picture is "-" */
    size_t n_piped, piped_capacity;
} Predict;

/* A picture and the file of its map. */
typedef struct MapName {
    char *path;
    const char *picture;
} MapName;

static int by_path(const void *a, const void *b) {
    return strcmp(((const MapName *)a)->path, ((const MapName *)b)->path);
}

/* Each picture's map must have a file of its own. */
static bool names_differ(const Options *o, RtError *err) {
    size_t n = 0, all = (size_t)o->n_operand;
    MapName *name = rt_alloc(all, sizeof *name, err);
    for (; !err->code && n < all; n++) name[n] = (MapName){classmap_path(o->out, o->operand[n], err), o->operand[n]};
    if (!err->code) qsort(name, n, sizeof *name, by_path);
    for (size_t i = 1; i < n && !err->code; i++)
        if (by_path(&name[i - 1], &name[i]) == 0)
            rt_fail(err, RT_USAGE, "--out: %s and %s would both be written to %s", name[i - 1].picture, name[i].picture,
                    name[i].path);
    while (n > 0) free(name[--n].path);
    free(name);
    return !err->code;
}

static bool check_out(const Predict *p, RtError *err) {
    const Options *o = p->options;
    if (!o->out) return true;
    if (p->output->plane == 1)
        return !rt_fail(err, RT_USAGE, "--out: net %s has scores for a picture, not for its pixels", p->model->name);
    if (classmap_is_file(o->out))
        return o->n_operand == 1 ||
               !rt_fail(err, RT_USAGE, "--out: %d pictures need a folder, not the file %s", o->n_operand, o->out);
    if (!names_differ(o, err)) return false;
    return mkdir(o->out, 0777) == 0 || errno == EEXIST ||
           !rt_fail(err, RT_NO_OUTPUT, "cannot create folder %s: %s", o->out, strerror(errno));
}

static bool predict_open(Predict *p, const Context *c, RtError *err) {
    const Model *m = c->model;
    p->output = program_scores(&m->infer);
    if (!check_out(p, err)) return false;
    p->room = m->max_batch < MOST ? m->max_batch : MOST;
    if (p->options->n_operand < p->room) p->room = p->options->n_operand;
    if (!infer_open(&p->session, c, p->options, p->room, err)) return false;
    p->pipeline = pipeline_new(model_input_settings(m), NULL, err);
    for (int64_t i = 0; p->pipeline && i < p->room && !err->code; i++) p->frame[i] = frame_new(err);
    p->images = rt_alloc_aligned((size_t)p->room, (size_t)model_image_bytes(m), err);
    p->scores = rt_alloc((size_t)(p->output->channels * p->output->plane), sizeof *p->scores, err);
    if (p->output->plane > 1) p->map = rt_alloc((size_t)p->output->plane, sizeof *p->map, err);
    p->probability = rt_alloc((size_t)m->classes, sizeof *p->probability, err);
    p->order = rt_alloc((size_t)m->classes, sizeof *p->order, err);
    p->json = p->options->json ? json_array() : NULL;
    return !err->code;
}

static void predict_close(Predict *p) {
    for (int i = 0; i < MOST; i++) frame_free(p->frame[i]);
    pipeline_free(p->pipeline);
    free(p->images);
    free(p->scores);
    free(p->map);
    free(p->probability);
    free(p->order);
    free(p->piped);
    json_decref(p->json);
    infer_close(&p->session);
}

/* ---- a picture from standard input ---- */

static const char standard_input[] = "standard input";

static bool is_piped(const char *path) { return strcmp(path, "-") == 0; }

static bool read_piped(Predict *p, RtError *err) {
    enum { STEP = 1 << 16 };
    for (ssize_t n = 1; n > 0;) {
        if (p->n_piped > IMAGE_FILE_LIMIT)
            return !rt_fail(err, RT_LIMIT, "%s: over the limit of %d bytes for a picture", standard_input,
                            IMAGE_FILE_LIMIT);
        if (!rt_reserve(&p->piped, &p->piped_capacity, p->n_piped + STEP, 1, err)) return false;
        n = read(STDIN_FILENO, p->piped + p->n_piped, STEP);
        if (n < 0 && errno != EINTR) return !rt_fail(err, RT_NO_INPUT, "%s: %m", standard_input);
        if (n < 0)
            n = 1; /* again */
        else
            p->n_piped += (size_t)n;
    }
    return true;
}

/* Reads it if a picture is that, once for all that are. */
static bool take_piped(Predict *p, RtError *err) {
    for (int i = 0; i < p->options->n_operand; i++)
        if (is_piped(p->options->operand[i])) return read_piped(p, err);
    return true;
}

/* ---- pictures to numbers ---- */

typedef struct Decode {
    Predict *predict;
    const char *const *path;
} Decode;

/* Task t reads picture t of the batch with a frame of its own. */
static void decode_task(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    static const Draw none = {0};
    const Decode *d = arg[0];
    Predict *p = d->predict;
    size_t floats = pipeline_floats(p->pipeline);
    (void)run;
    for (int64_t t = begin; t < end; t++) {
        p->error[t] = (RtError){.code = RT_OK};
        float *tensor = p->images + (size_t)t * floats;
        if (is_piped(d->path[t]))
            pipeline_memory(p->pipeline, p->frame[t], p->piped, p->n_piped, standard_input, &none, tensor,
                            &p->error[t]);
        else
            pipeline_tensor(p->pipeline, p->frame[t], d->path[t], &none, tensor, &p->error[t]);
    }
}

/* Moves the pictures that were read to the front, in order; returns how many they are. */
static int64_t gather(Predict *p, int64_t n) {
    size_t floats = pipeline_floats(p->pipeline);
    int64_t good = 0;
    for (int64_t i = 0; i < n; i++) {
        if (p->error[i].code) continue;
        if (good < i) memcpy(p->images + (size_t)good * floats, p->images + (size_t)i * floats, floats * sizeof(float));
        good++;
    }
    return good;
}

/* order[0 .. k-1] = the k most likely classes, the first of equals first. */
static void sort_top(Predict *p, int k) {
    for (int i = 0; i < p->model->classes; i++) p->order[i] = i;
    for (int i = 0; i < k; i++) {
        int best = i;
        for (int j = i + 1; j < p->model->classes; j++)
            if (p->probability[p->order[j]] > p->probability[p->order[best]]) best = j;
        int class = p->order[best];
        memmove(&p->order[i + 1], &p->order[i], (size_t)(best - i) * sizeof *p->order);
        p->order[i] = class;
    }
}

static void show_text(const Predict *p, const char *path, int k) {
    char room[32];
    printf("%s\n", path);
    for (int i = 0; i < k; i++) {
        printf("  %6.2f %%  ", 100 * p->probability[p->order[i]]);
        rt_show(stdout, infer_label(&p->session, p->order[i], room));
        putchar('\n');
    }
}

/* A text of any bytes: what is not UTF-8 becomes null. */
static json_t *text_json(const char *text) {
    json_t *j = json_string(text);
    return j ? j : json_null();
}

/* map: the file with the classes of the pixels, or NULL. */
static void add_json(const Predict *p, const char *path, const char *map, int k) {
    char room[32];
    json_t *top = json_array(), *entry = json_object();
    for (int i = 0; i < k; i++) {
        int class = p->order[i];
        json_array_append_new(top,
                              json_pack("{s:s, s:i, s:o}", "label", infer_label(&p->session, class, room), "class",
                                        class, p->map ? "share" : "probability", field_real(p->probability[class])));
    }
    json_object_set_new(entry, "file", text_json(path));
    if (map) json_object_set_new(entry, "map", text_json(map));
    json_object_set_new(entry, "top", top);
    json_array_append_new(p->json, entry);
}

static void find_map(Predict *p) {
    int64_t plane = p->output->plane;
    int classes = p->model->classes;
    metrics_map(p->scores, classes, plane, p->map);
    memset(p->probability, 0, (size_t)classes * sizeof *p->probability);
    for (int64_t i = 0; i < plane; i++) p->probability[p->map[i]]++;
    for (int i = 0; i < classes; i++) p->probability[i] /= (double)plane;
}

static char *write_map(const Predict *p, const char *picture, RtError *err) {
    char *path = p->options->out ? classmap_path(p->options->out, picture, err) : NULL;
    const int64_t *shape = p->output->shape;
    if (path) classmap_write(path, (int32_t)shape[2], (int32_t)shape[1], p->model->classes, p->map, err);
    return path;
}

static void show_picture(Predict *p, const char *path, int64_t index, RtError *err) {
    char *map = NULL;
    int k = p->options->k ? (int)p->options->k : TOP;
    if (k > p->model->classes) k = p->model->classes;
    exec_output_copy(p->session.exec, p->output, index, p->scores);
    if (p->map)
        find_map(p);
    else
        metrics_probabilities(p->scores, p->model->classes, model_gives_probabilities(p->model), p->probability);
    sort_top(p, k);
    if (p->map) map = write_map(p, path, err);
    if (p->json && !err->code) add_json(p, path, map, k);
    if (!p->json && !err->code) show_text(p, path, k);
    free(map);
}

/* A picture that is the only one is the command's own error, which main.c prints. */
static void show_bad(Predict *p, const char *program, const char *path, const RtError *why, RtError *err) {
    p->bad++;
    fflush(stdout);
    if (p->options->n_operand == 1) {
        rt_fail(err, why->code, "%s", why->text);
    } else {
        fprintf(stderr, "%s: error: ", program);
        rt_show(stderr, why->text);
        fputc('\n', stderr);
    }
    if (!p->json) return;
    json_t *entry = json_object();
    json_object_set_new(entry, "file", text_json(path));
    json_object_set_new(entry, "error", text_json(why->text));
    json_array_append_new(p->json, entry);
}

static void predict_batch(Predict *p, const Context *c, const char *const *path, int64_t n, RtError *err) {
    static const uint32_t key[2] = {0, 0};
    Decode d = {p, path};
    void *arg[] = {&d};
    CnncRun run = {.n = n};
    pool_run(p->session.pool, decode_task, arg, &run, n);
    int64_t good = gather(p, n), at = 0;
    if (good) exec_run(p->session.exec, good, p->images, NULL, key);
    for (int64_t i = 0; i < n && !err->code; i++) {
        if (p->error[i].code)
            show_bad(p, c->program, path[i], &p->error[i], err);
        else
            show_picture(p, path[i], at++, err);
    }
}

int predict_command(const Context *c, const Options *o, RtError *err) {
    if (o->replay) return replay_predict(c, o, err);
    if (!o->n_operand)
        return rt_fail(err, RT_USAGE, "predict needs at least one picture file, or - for standard input");
    Predict p = {.model = c->model, .options = o};
    if (predict_open(&p, c, err) && take_piped(&p, err)) {
        for (int64_t i = 0; i < o->n_operand && !err->code; i += p.room)
            predict_batch(&p, c, o->operand + i, o->n_operand - i < p.room ? o->n_operand - i : p.room, err);
        if (p.json) json_dumpf(p.json, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        if (p.json) putchar('\n');
        if (p.bad) rt_fail(err, RT_DATA, "%d of %d pictures could not be read", p.bad, o->n_operand);
    }
    predict_close(&p);
    return err->code;
}
