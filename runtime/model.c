#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"

/* No count of anything, and no size in bytes, is larger; so sums and small products of checked numbers fit. */
enum { MAX_COUNT = 1 << 24, MAX_DIM = INT32_MAX, MAX_ARGS = 64 };
static const int64_t max_bytes = (int64_t)1 << 44;

static const char *const region_key[RG_COUNT] = {"param", "state", "gradient", "fixed", "batch",
                                                 "image", "label", "partner",  "share", "scalar"};
static const char *const init_key[] = {"constant", "normal", "uniform", "he", "xavier", "torch"};
enum { N_INIT = sizeof init_key / sizeof init_key[0] };

enum { SCALAR_BYTES = 64 };

/* The index of `word` in table, or -1 with an error. */
static int word_index(const char *word, const char *const *table, int n, const char *where, RtError *err) {
    for (int i = 0; i < n; i++)
        if (strcmp(word, table[i]) == 0) return i;
    rt_fail(err, RT_INTERNAL, "%s: unknown word \"%.40s\"", where, word);
    return -1;
}

/* n zeroed items for a JSON list; its length in *n. */
static void *list_alloc(const json_t *list, size_t size, int *n, RtError *err) {
    size_t count = json_array_size(list);
    *n = 0;
    if (count > MAX_COUNT) {
        rt_fail(err, RT_INTERNAL, "a list of %zu entries is too long", count);
        return NULL;
    }
    void *items = rt_alloc(count, size, err);
    if (items) *n = (int)count;
    return items;
}

static int64_t product(const int64_t *dim, int rank, const char *where, RtError *err) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(n, dim[i], &n) || n > max_bytes) {
            rt_fail(err, RT_INTERNAL, "%s: the shape is too large", where);
            return 0;
        }
    return n;
}

/* Form.dim, b0 and b1 are small enough here (each rounded up extent is below 2^32 + 2^16) for one more checked product.
 */
static void check_param_size(ModelParam *p, int64_t region_bytes, RtError *err) {
    int64_t rounded[4] = {p->form.dim[0] + p->form.b0, p->form.dim[1] + p->form.b1, p->form.dim[2], p->form.dim[3]};
    p->elements = product(p->shape, p->rank, p->name, err);
    product(rounded, 4, p->name, err);
    if (err->code) return;
    if (form_stored(&p->form) * 4 > p->bytes)
        rt_fail(err, RT_INTERNAL, "parameter %s: %lld bytes do not hold its elements", p->name, (long long)p->bytes);
    if (p->offset % 64 || p->bytes > region_bytes || p->offset > region_bytes - p->bytes)
        rt_fail(err, RT_INTERNAL, "parameter %s lies outside its region", p->name);
}

static void parse_init(ModelParam *p, const json_t *j, RtError *err) {
    const json_t *init = json_object_get(j, "init");
    if (!init) return; /* state: constant 0 */
    int kind = word_index(field_text(init, "kind", p->name, err), init_key, N_INIT, p->name, err);
    p->init = kind < 0 ? INIT_CONSTANT : (InitKind)kind;
    p->a = field_number_or(init, "a", 0, p->name, err);
    p->b = field_number_or(init, "b", 0, p->name, err);
}

/* Whether the parameter "<layer>.weight" belongs to a fully connected layer. */
static bool is_fc_weight(const Model *m, const char *name) {
    for (int i = 0; i < m->n_layer; i++) {
        size_t n = strlen(m->layer[i].name);
        if (strcmp(m->layer[i].op, "fc") == 0 && strncmp(name, m->layer[i].name, n) == 0 &&
            strcmp(name + n, ".weight") == 0)
            return true;
    }
    return false;
}

/* In files a fully connected weight is [outputs, inputs], as everywhere else, though it may be [O,C,H,W] here. */
static void flatten_file_shape(ModelParam *p) {
    p->file_rank = 2;
    p->file_shape[0] = p->shape[0];
    p->file_shape[1] = p->elements / p->shape[0];
}

static void parse_file_shape(const Model *m, ModelParam *p, const json_t *j, RtError *err) {
    memcpy(p->file_shape, p->shape, sizeof p->shape);
    p->file_rank = p->rank;
    if (p->rank > 2 && is_fc_weight(m, p->name)) flatten_file_shape(p);
    if (!json_object_get(j, "file_shape")) return;
    p->file_rank = field_ints(j, "file_shape", 1, MAX_DIM, p->file_shape, MODEL_MAX_RANK, p->name, err);
    if (product(p->file_shape, p->file_rank, p->name, err) != p->elements)
        rt_fail(err, RT_INTERNAL, "parameter %s: shape and file_shape differ in size", p->name);
}

static void parse_param(const Model *m, ModelParam *p, const json_t *j, int64_t region_bytes, RtError *err) {
    int64_t block[2] = {1, 1};
    p->name = field_text(j, "name", "a parameter", err);
    p->role = field_text(j, "role", p->name, err);
    p->rank = field_ints(j, "shape", 1, MAX_DIM, p->shape, MODEL_MAX_RANK, p->name, err);
    field_ints(j, "block", 1, 1 << 16, block, 2, p->name, err);
    p->form = (Form){{1, 1, 1, 1}, block[0], block[1]};
    for (int i = 0; i < p->rank; i++) p->form.dim[i] = p->shape[i];
    p->offset = field_int(j, "offset", 0, max_bytes, p->name, err);
    p->bytes = field_int(j, "bytes", 4, max_bytes, p->name, err);
    p->frozen = field_bool_or(j, "frozen", false, p->name, err);
    p->train = field_bool_or(j, "train", false, p->name, err);
    parse_init(p, j, err);
    if (err->code) return;
    check_param_size(p, region_bytes, err);
    if (!err->code) parse_file_shape(m, p, j, err);
}

static ModelParam *parse_params(const Model *m, const char *key, int64_t region_bytes, int *n, RtError *err) {
    const json_t *list = field_array(m->json, key, "the model", err);
    ModelParam *param = list_alloc(list, sizeof *param, n, err);
    for (int i = 0; i < *n && !err->code; i++)
        parse_param(m, &param[i], json_array_get(list, (size_t)i), region_bytes, err);
    return param;
}

static void parse_layer(ModelLayer *l, const json_t *j, RtError *err) {
    l->name = field_text(j, "name", "a layer", err);
    l->op = field_text(j, "op", l->name, err);
    l->rank = field_ints(j, "shape", 1, MAX_DIM, l->shape, MODEL_MAX_RANK, l->name, err);
    l->params = field_int_or(j, "params", 0, 0, max_bytes, l->name, err);
    l->macs = field_int_or(j, "macs", 0, 0, INT64_MAX, l->name, err);
    l->line = (int)field_int_or(j, "line", 0, 0, INT32_MAX, l->name, err);
}

static void parse_layers(Model *m, RtError *err) {
    const json_t *list = field_array(m->json, "layers", "the model", err);
    m->layer = list_alloc(list, sizeof *m->layer, &m->n_layer, err);
    for (int i = 0; i < m->n_layer && !err->code; i++) parse_layer(&m->layer[i], json_array_get(list, (size_t)i), err);
}

/* How far an offset may reach in each region: bytes, per picture in RG_BATCH; and from there a stride. */
typedef struct Limits {
    int64_t bytes[RG_COUNT], stride[RG_COUNT];
    int64_t n_kernel;
} Limits;

static Limits limits_of(const Model *m, const ModelProgram *p, int64_t n_kernel) {
    Limits l = {.n_kernel = n_kernel};
    l.bytes[RG_PARAM] = p->param_bytes;
    l.bytes[RG_STATE] = m->state_bytes;
    l.bytes[RG_GRADIENT] = p->gradient_bytes;
    l.bytes[RG_FIXED] = p->fixed_bytes;
    l.bytes[RG_BATCH] = p->batch_bytes;
    l.bytes[RG_IMAGE] = 1; /* what comes with pictures is one tensor each */
    l.bytes[RG_LABEL] = 1;
    l.bytes[RG_PARTNER] = 1;
    l.bytes[RG_SHARE] = 1;
    l.bytes[RG_SCALAR] = SCALAR_BYTES;
    l.stride[RG_BATCH] = p->batch_bytes;
    l.stride[RG_IMAGE] = program_image_bytes(m, p);
    return l;
}

static void parse_arg(ModelArg *arg, const json_t *j, const Limits *limits, RtError *err) {
    const json_t *region = json_array_get(j, 0), *offset = json_array_get(j, 1), *stride = json_array_get(j, 2);
    if (!json_is_string(region) || !json_is_integer(offset) || (stride && !json_is_integer(stride)) ||
        json_array_size(j) > 3) {
        rt_fail(err, RT_INTERNAL, "a step's argument is not [region, offset] or [region, offset, stride]");
        return;
    }
    int r = word_index(json_string_value(region), region_key, RG_COUNT, "a step's argument", err);
    if (r < 0) return;
    arg->region = (RegionId)r;
    arg->offset = json_integer_value(offset);
    if (arg->offset < 0 || arg->offset >= limits->bytes[r])
        rt_fail(err, RT_INTERNAL, "a step's argument is outside region \"%s\"", region_key[r]);
    arg->stride = stride ? json_integer_value(stride) : 0;
    if (arg->stride < 0 || (arg->stride && arg->stride > limits->stride[r] - arg->offset))
        rt_fail(err, RT_INTERNAL, "a slice's pictures are outside region \"%s\"", region_key[r]);
}

static void parse_range(ModelRange *range, const json_t *j, int64_t most, RtError *err) {
    enum { PAGE = 4096 };
    const json_t *offset = json_array_get(j, 0), *bytes = json_array_get(j, 1);
    range->offset = json_integer_value(offset);
    range->bytes = json_integer_value(bytes);
    if (!json_is_integer(offset) || !json_is_integer(bytes) || range->offset < 0 || range->bytes < 0 ||
        range->offset > most || range->bytes > most - range->offset || range->offset % PAGE || range->bytes % PAGE)
        rt_fail(err, RT_INTERNAL, "a step releases what is not pages of region \"param\"");
}

static void parse_releases(ModelProgram *p, ModelStep *s, const json_t *j, const Limits *limits, RtError *err) {
    const json_t *list = json_object_get(j, "release");
    if (!list || err->code) return;
    s->release = list_alloc(list, sizeof *s->release, &s->n_release, err);
    for (int i = 0; i < s->n_release && !err->code; i++) {
        parse_range(&s->release[i], json_array_get(list, (size_t)i), limits->bytes[RG_PARAM], err);
        p->released += s->release[i].bytes;
    }
}

static void parse_step(ModelStep *s, const json_t *j, const Limits *limits, RtError *err) {
    s->layer = json_object_get(j, "layer") ? field_text(j, "layer", "a step", err) : "";
    s->what = json_object_get(j, "what") ? field_text(j, "what", "a step", err) : "";
    s->how = json_object_get(j, "how") ? field_text(j, "how", "a step", err) : "";
    s->kernel = (int32_t)field_int(j, "kernel", 0, (int64_t)limits->n_kernel - 1, "a step", err);
    s->tasks = field_int(j, "tasks", 0, max_bytes, "a step", err);
    s->per_picture = field_bool_or(j, "per_picture", false, "a step", err);
    s->along = field_bool_or(j, "along", false, "a step", err);
    s->macs = field_int_or(j, "macs", 0, 0, INT64_MAX, "a step", err);
    s->line = (int)field_int_or(j, "line", 0, 0, INT32_MAX, "a step", err);
    const json_t *args = field_array(j, "args", "a step", err);
    if (json_array_size(args) > MAX_ARGS) rt_fail(err, RT_INTERNAL, "a step has more than %d arguments", MAX_ARGS);
    if (err->code) return;
    s->arg = list_alloc(args, sizeof *s->arg, &s->n_arg, err);
    for (int i = 0; i < s->n_arg && !err->code; i++)
        parse_arg(&s->arg[i], json_array_get(args, (size_t)i), limits, err);
}

static void parse_steps(ModelProgram *p, const json_t *j, const Limits *limits, RtError *err) {
    const json_t *list = field_array(j, "steps", p->name, err);
    p->step = list_alloc(list, sizeof *p->step, &p->n_step, err);
    for (int i = 0; i < p->n_step && !err->code; i++) {
        parse_step(&p->step[i], json_array_get(list, (size_t)i), limits, err);
        parse_releases(p, &p->step[i], json_array_get(list, (size_t)i), limits, err);
        if (__builtin_add_overflow(p->macs, p->step[i].macs, &p->macs)) p->macs = INT64_MAX;
    }
    p->n_once = (int)field_int_or(j, "once", 0, 0, p->n_step, p->name, err);
    p->update = (int)field_int_or(j, "update", p->n_step, p->n_once, p->n_step, p->name, err);
    for (int i = p->n_once; i < p->n_step && !err->code; i++)
        if (p->step[i].n_release) rt_fail(err, RT_INTERNAL, "a step that runs at each call releases parameters");
    if (p->released > limits->bytes[RG_PARAM])
        rt_fail(err, RT_INTERNAL, "the steps of %s release a parameter twice", p->name);
}

static void parse_slice(ModelSlice *s, const json_t *j, int begin, int most, RtError *err) {
    const json_t *end = json_array_get(j, 0), *pictures = json_array_get(j, 1);
    s->begin = begin;
    s->pictures = json_integer_value(pictures);
    if (!json_is_integer(end) || !json_is_integer(pictures) || json_integer_value(end) <= begin ||
        json_integer_value(end) > most || s->pictures < 0 || s->pictures > 1 << 20)
        rt_fail(err, RT_INTERNAL, "a slice is not [end, pictures] in the order of the steps");
    else
        s->end = (int)json_integer_value(end);
}

/* What no slice is said of is one for all pictures. Updates are in none. */
static void parse_slices(ModelProgram *p, const json_t *j, RtError *err) {
    const json_t *list = json_object_get(j, "slices");
    size_t n = json_array_size(list);
    int begin = p->n_once;
    p->slice = rt_alloc(n + 1, sizeof *p->slice, err);
    for (size_t i = 0; i < n && !err->code; i++) {
        parse_slice(&p->slice[i], json_array_get(list, i), begin, p->update, err);
        begin = p->slice[i].end;
        p->n_slice++;
    }
    if (!err->code && begin < p->update) p->slice[p->n_slice++] = (ModelSlice){begin, p->update, 0};
}

static void parse_output(ModelOutput *o, const json_t *j, const ModelProgram *p, RtError *err) {
    int64_t block[2] = {1, 1}, stored;
    o->rank = field_ints(j, "shape", 1, MAX_DIM, o->shape, MODEL_MAX_RANK, o->name, err);
    field_ints(j, "block", 1, 1 << 16, block, 2, o->name, err);
    o->block = block[1];
    o->channels = o->rank ? o->shape[0] : 1;
    o->plane = o->rank ? product(o->shape + 1, o->rank - 1, o->name, err) : 1;
    o->offset = field_int(j, "offset", 0, p->batch_bytes, o->name, err);
    o->softmax = field_bool_or(j, "softmax", false, o->name, err);
    const char *region = field_text(j, "region", o->name, err);
    if (strcmp(region, region_key[RG_BATCH]) != 0)
        rt_fail(err, RT_INTERNAL, "output %s is not in region \"batch\"", o->name);
    if (block[0] != 1) rt_fail(err, RT_INTERNAL, "output %s: pictures are stored in blocks", o->name);
    int64_t padded[2] = {(o->channels + o->block - 1) / o->block * o->block, o->plane};
    stored = product(padded, 2, o->name, err) * 4;
    o->stride = field_int_or(j, "stride", (stored + 63) / 64 * 64, 4, max_bytes, o->name, err);
    if (stored > o->stride || o->offset > p->batch_bytes - o->stride)
        rt_fail(err, RT_INTERNAL, "output %s lies outside its region", o->name);
}

static void parse_outputs(ModelProgram *p, const json_t *j, RtError *err) {
    json_t *outputs = json_object_get(j, "outputs");
    if (!json_is_object(outputs)) rt_fail(err, RT_INTERNAL, "program \"%s\" has no outputs", p->name);
    p->output = rt_alloc(json_object_size(outputs), sizeof *p->output, err);
    if (!p->output) return;
    const char *key;
    json_t *value;
    json_object_foreach(outputs, key, value) {
        if (err->code) return;
        p->output[p->n_output].name = key;
        parse_output(&p->output[p->n_output++], value, p, err);
    }
}

/* The program of that name of `programs`. p->height and p->width are set. */
static void parse_program(const Model *m, ModelProgram *p, const json_t *programs, const char *name, int64_t n_kernel, RtError *err) {
    const json_t *j = json_object_get(programs, name);
    p->name = name;
    if (!j || json_is_null(j)) return;
    p->present = true;
    p->param_bytes = field_int_or(j, "param_bytes", m->param_bytes, 0, m->param_bytes, name, err);
    p->batch_bytes = field_int(j, "batch_bytes", 0, max_bytes, name, err);
    p->fixed_bytes = field_int(j, "fixed_bytes", 0, max_bytes, name, err);
    p->gradient_bytes = field_int_or(j, "gradient_bytes", 0, 0, max_bytes, name, err);
    p->at_once = field_int_or(j, "at_once", 0, 0, 1 << 20, name, err);
    p->scratch = field_int_or(j, "scratch", 0, 0, max_bytes, name, err);
    p->lower_bound = field_int_or(j, "lower_bound", 0, 0, max_bytes, name, err);
    p->once_bytes = field_int_or(j, "once_bytes", 0, 0, max_bytes, name, err);
    Limits limits = limits_of(m, p, n_kernel);
    parse_steps(p, j, &limits, err);
    if (!err->code) parse_slices(p, j, err);
    parse_outputs(p, j, err);
}

/* "infer" and "train" of an object that has "programs". */
static void parse_programs(const Model *m, const json_t *of, int height, int width, ModelProgram *infer, ModelProgram *train,
                           int64_t n_kernel, RtError *err) {
    const json_t *programs = json_object_get(of, "programs");
    infer->height = train->height = height;
    infer->width = train->width = width;
    parse_program(m, infer, programs, "infer", n_kernel, err);
    parse_program(m, train, programs, "train", n_kernel, err);
}

static void parse_sizes(Model *m, int64_t n_kernel, RtError *err) {
    const json_t *list = json_object_get(m->json, "sizes");
    int n = (int)json_array_size(list);
    m->sized = rt_alloc((size_t)n * 2, sizeof *m->sized, err);
    for (int i = 0; i < n && !err->code; i++) {
        const json_t *j = json_array_get(list, (size_t)i);
        int height = (int)field_int(j, "height", 1, 1 << 16, "a size", err), width = (int)field_int(j, "width", 1, 1 << 16, "a size", err);
        m->n_sized += 2;
        parse_programs(m, j, height, width, &m->sized[2 * i], &m->sized[2 * i + 1], n_kernel, err);
    }
}

static void parse_head(Model *m, RtError *err) {
    const json_t *root = m->json, *input = field_object(root, "input", "the model", err);
    m->name = field_text(root, "name", "the model", err);
    m->file = field_text(root, "file", "the model", err);
    m->source = field_text(root, "source", "the model", err);
    m->version = field_text(root, "version", "the model", err);
    m->options = json_object_get(root, "options");
    m->target = json_object_get(root, "target");
    m->settings = json_object_get(root, "settings");
    m->max_batch = field_int(root, "max_batch", 1, 1 << 20, "the model", err);
    m->channels = (int)field_int(input, "channels", 1, 1 << 16, "input", err);
    m->height = (int)field_int(input, "height", 1, 1 << 16, "input", err);
    m->width = (int)field_int(input, "width", 1, 1 << 16, "input", err);
    m->classes = (int)field_int(root, "classes", 1, MAX_COUNT, "the model", err);
    m->trains = field_bool_or(root, "trains", json_object_get(json_object_get(root, "programs"), "train") != NULL, "the model", err);
    m->params_total = field_int_or(root, "params_total", 0, 0, max_bytes, "the model", err);
    m->macs_total = field_int_or(root, "macs_total", 0, 0, INT64_MAX, "the model", err);
    m->param_bytes = field_int(root, "param_bytes", 0, max_bytes, "the model", err);
    m->state_bytes = field_int_or(root, "state_bytes", 0, 0, max_bytes, "the model", err);
    if ((int64_t)m->channels * m->height * m->width * 4 > (int64_t)1 << 32)
        rt_fail(err, RT_LIMIT, "a picture of the input takes more than 4 GiB");
}

static void check_infer(const Model *m, const ModelProgram *p, RtError *err) {
    const ModelOutput *scores = p->present ? program_scores(p) : NULL;
    if (p->present && (!scores || scores->channels != m->classes))
        rt_fail(err, RT_INTERNAL, "the output of program \"infer\" does not have %d classes", m->classes);
}

static void check_train(const Model *m, const ModelProgram *p, RtError *err) {
    const ModelOutput *logits = p->present ? program_output(p, "logits") : NULL;
    if (p->present && !program_output(p, "loss")) rt_fail(err, RT_INTERNAL, "program \"train\" has no output \"loss\"");
    if (p->present && !logits) rt_fail(err, RT_INTERNAL, "program \"train\" has no output \"logits\"");
    if (logits && logits->plane == 1 && logits->channels != m->classes)
        rt_fail(err, RT_INTERNAL, "the logits of program \"train\" do not have %d classes", m->classes);
}

/* What the commands rely on: scores for the classes, and for training a loss for each picture. */
static void check_programs(const Model *m, RtError *err) {
    if (!m->infer.present) {
        rt_fail(err, RT_INTERNAL, "the model has no program \"infer\"");
        return;
    }
    check_infer(m, &m->infer, err);
    check_train(m, &m->train, err);
    for (int i = 0; i < m->n_param; i++)
        if (!m->param[i].train && !model_within(&m->param[i], m->infer.param_bytes))
            rt_fail(err, RT_INTERNAL, "parameter %s lies behind those of program \"infer\"", m->param[i].name);
    for (int i = 0; i < m->n_sized; i += 2) {
        check_infer(m, &m->sized[i], err);
        check_train(m, &m->sized[i + 1], err);
    }
}

/* Averages of parameters are kept as the optimiser's state is: in checkpoints, and in the figures of memory. Their
 * names live in the model's JSON. */
static void add_averages(Model *m, RtError *err) {
    const json_t *train = model_section(m, "train");
    m->ema = field_number_or(train, "ema", -1, "train", err);
    if (err->code || m->ema < 0 || !m->trains) return;
    ModelParam *state = rt_alloc((size_t)m->n_state + (size_t)m->n_param, sizeof *state, err);
    if (!state) return;
    json_t *names = json_array();
    memcpy(state, m->state, (size_t)m->n_state * sizeof *state);
    m->average_offset = (m->state_bytes + 63) / 64 * 64;
    for (int i = 0; i < m->n_param; i++) {
        ModelParam *p = &state[m->n_state + i];
        *p = m->param[i];
        p->offset += m->average_offset;
        json_t *name = json_sprintf("%s.ema", p->name);
        json_array_append_new(names, name);
        p->name = json_string_value(name);
    }
    json_object_set_new(m->json, "averages", names);
    free(m->state);
    m->state = state;
    m->n_state += m->n_param;
    m->state_bytes = m->average_offset + m->param_bytes;
}

static void parse_all(Model *m, int64_t n_kernel, RtError *err) {
    if (field_int(m->json, "abi", 0, INT32_MAX, "the model", err) != CNNC_ABI) {
        rt_fail(err, RT_INTERNAL, "the model was written for another version of the runtime");
        return;
    }
    parse_head(m, err);
    if (err->code) return;
    parse_layers(m, err);
    m->spare = json_object_get(m->json, "spare");
    m->param = parse_params(m, "params", m->param_bytes, &m->n_param, err);
    m->state = parse_params(m, "state", m->state_bytes, &m->n_state, err);
    parse_programs(m, m->json, m->height, m->width, &m->infer, &m->train, n_kernel, err);
    if (!err->code && m->train.gradient_bytes)
        m->gradient = parse_params(m, "gradients", m->train.gradient_bytes, &m->n_gradient, err);
    if (!err->code) parse_sizes(m, n_kernel, err);
    if (!err->code) check_programs(m, err);
    if (!err->code) add_averages(m, err);
}

static json_t *parse_text(const char *text, RtError *err) {
    json_error_t where;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    if (!j) rt_fail(err, RT_INTERNAL, "the model's text is not JSON: line %d: %s", where.line, where.text);
    return j;
}

/* Where parse_programs and parse_sizes look for it. */
static void add_program(json_t *to, json_t *program) {
    if (json_is_object(program)) json_object_set(json_object_get(to, "programs"), "train", program);
}

static void add_training(Model *m, const char *text, RtError *err) {
    json_t *j = parse_text(text, err), *sizes = json_object_get(j, "sizes"), *own = json_object_get(m->json, "sizes");
    add_program(m->json, json_object_get(j, "program"));
    for (size_t i = 0; i < json_array_size(sizes); i++) add_program(json_array_get(own, i), json_array_get(sizes, i));
    if (json_object_get(j, "gradients")) json_object_set(m->json, "gradients", json_object_get(j, "gradients"));
    json_decref(j);
}

Model *model_parse(const char *text, const char *plan, const char *training, int64_t n_kernel, RtError *err) {
    Model *m = rt_alloc(1, sizeof *m, err);
    if (!m) return NULL;
    m->json = parse_text(text, err);
    json_t *more = parse_text(plan, err);
    if (!err->code && json_object_update(m->json, more))
        rt_fail(err, RT_INTERNAL, "the model's text or its plan is no JSON object");
    json_decref(more);
    if (!err->code && training && *training) add_training(m, training, err);
    if (!err->code) parse_all(m, n_kernel, err);
    if (!err->code) return m;
    model_free(m);
    return NULL;
}

static void program_free(ModelProgram *p) {
    for (int i = 0; i < p->n_step; i++) {
        free(p->step[i].arg);
        free(p->step[i].release);
    }
    free(p->step);
    free(p->slice);
    free(p->output);
}

void model_free(Model *m) {
    if (!m) return;
    program_free(&m->infer);
    program_free(&m->train);
    for (int i = 0; i < m->n_sized; i++) program_free(&m->sized[i]);
    free(m->sized);
    free(m->layer);
    free(m->param);
    free(m->state);
    free(m->gradient);
    json_decref(m->json);
    free(m);
}

int64_t model_weights(const Model *m) {
    int64_t n = 0;
    for (int i = 0; i < m->n_param; i++)
        if (strcmp(m->param[i].role, "weight") == 0) n += m->param[i].elements;
    return n;
}

int64_t model_image_bytes(const Model *m) { return program_image_bytes(m, &m->infer); }

int64_t program_image_bytes(const Model *m, const ModelProgram *p) { return (int64_t)m->channels * p->height * p->width * 4; }

const ModelProgram *model_program(const Model *m, const char *name, int height, int width, RtError *err) {
    const ModelProgram *own[] = {&m->infer, &m->train};
    for (int i = 0; i < 2 + m->n_sized; i++) {
        const ModelProgram *p = i < 2 ? own[i] : &m->sized[i - 2];
        if (p->present && p->height == height && p->width == width && !strcmp(p->name, name)) return p;
    }
    rt_fail(err, RT_INTERNAL, "the model has no program \"%s\" for pictures of %d x %d", name, width, height);
    return NULL;
}

const json_t *model_sections(const Model *m, const char *kind) { return json_object_get(m->settings, kind); }

const json_t *model_section(const Model *m, const char *kind) { return json_object_get(model_sections(m, kind), ""); }

bool model_choose(const Model *m, const char *kind, const char *name) {
    json_t *sections = json_object_get(json_object_get(m->json, "settings"), kind);
    json_t *section = *name ? json_object_get(sections, name) : NULL;
    return section && json_object_set(sections, "", section) == 0;
}

const json_t *model_input_settings(const Model *m) { return json_object_get(m->settings, "input"); }

bool model_gives_probabilities(const Model *m) {
    const ModelOutput *scores = program_scores(&m->infer);
    return scores && scores->softmax;
}

const ModelOutput *program_output(const ModelProgram *p, const char *name) {
    for (int i = 0; i < p->n_output; i++)
        if (strcmp(p->output[i].name, name) == 0) return &p->output[i];
    return NULL;
}

const ModelOutput *program_scores(const ModelProgram *p) {
    const ModelOutput *scores = program_output(p, "scores");
    return scores || !p->n_output ? scores : &p->output[0];
}

int64_t output_address(const ModelOutput *o, int64_t n, int64_t picture, int64_t channel, int64_t position) {
    int64_t inside = ((channel / o->block) * o->plane + position) * o->block + channel % o->block;
    return o->offset * n + picture * o->stride + inside * 4;
}
