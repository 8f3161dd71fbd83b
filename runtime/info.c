/* The command `info`: what the program knows about itself. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "memory.h"
#include "settings.h"

/* 60965224 as "60,965,224". */
static const char *thousands(int64_t n, char text[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0 && digits[i - 1] != '-') text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static void shape_text(const ModelLayer *l, char *text, size_t room) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < l->rank && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, i ? "x%lld" : "%lld", (long long)l->shape[i]);
}

static int name_width(const Model *m) {
    int width = 5;
    for (int i = 0; i < m->n_layer; i++) {
        int n = (int)strlen(m->layer[i].name);
        if (n > width) width = n < 32 ? n : 32;
    }
    return width;
}

static void print_layers(const Model *m) {
    char shape[64], params[32], macs[32];
    int width = name_width(m);
    printf("\n%-*s  %-12s  %-16s  %14s  %16s  %5s\n", width, "layer", "op", "shape", "parameters", "MACs", "line");
    for (int i = 0; i < m->n_layer; i++) {
        const ModelLayer *l = &m->layer[i];
        shape_text(l, shape, sizeof shape);
        printf("%-*s  %-12s  %-16s  %14s  %16s  %5d\n", width, l->name, l->op, shape,
               l->params ? thousands(l->params, params) : "", l->macs ? thousands(l->macs, macs) : "", l->line);
    }
    int64_t trained = model_weights(m);
    printf("\nparameters  %s", thousands(m->params_total, params));
    if (trained > m->params_total) printf(", and %s for training only", thousands(trained - m->params_total, params));
    putchar('\n');
    printf("MACs        %s per picture\n", thousands(m->macs_total, macs));
}

/* How far the plan is from what any plan needs. */
static const char *plan_text(const ModelProgram *p, char text[64]) {
    double ratio = p->lower_bound > 0 ? (double)p->batch_bytes / (double)p->lower_bound : 1;
    snprintf(text, 64, "tensors: %.3f of the lower bound", ratio);
    return text;
}

static void print_memory(const Model *m, RtError *err) {
    char text[24], plan[64];
    memory_text(memory_infer(m, 1), text);
    printf("memory      %s for inference at batch 1 (%s)\n", text, plan_text(&m->infer, plan));
    if (!m->train.present) return;
    TrainSettings s;
    if (train_settings(m, &s, err)) {
        memory_text(memory_train(m, s.batch, 0, err), text);
        printf("            %s for training at batch %d (%s)\n", text, s.batch, plan_text(&m->train, plan));
    }
    train_settings_free(&s);
}

static void print_options(const Model *m) {
    const char *key;
    json_t *value;
    if (!json_object_size(m->options)) return;
    printf("options     ");
    json_object_foreach(json_object_get(m->json, "options"), key, value) {
        printf(" %s=", key);
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    }
    printf("\n");
}

/* The one in use is marked where there are several. */
static void print_instruction_sets(const Context *c) {
    const char *cpu = json_string_value(json_object_get(c->model->target, "cpu"));
    const char *used = json_string_value(json_object_get(c->model->target, "isa"));
    if (cpu) printf("processor   %s\n", cpu);
    if (c->n_variant < 2 || !used) return;
    printf("code for   ");
    for (int i = 0; i < c->n_variant; i++)
        printf(" %s%s", c->variant[i].isa, strcmp(c->variant[i].isa, used) == 0 ? " (in use)" : "");
    printf("; CNNC_ISA= forces one\n");
}

/* The programs for pictures of other sizes than the input's. */
static void print_sizes(const Model *m) {
    for (int i = 0; i < m->n_sized; i++)
        if (m->sized[i].present)
            printf("            %d x %d pixels to %s\n", m->sized[i].width, m->sized[i].height,
                   strcmp(m->sized[i].name, "train") ? "evaluate" : "train");
}

static void print_text(const Context *c, RtError *err) {
    const Model *m = c->model;
    printf("net         %s, from %s, by cnnc %s\n", m->name, m->file, m->version);
    print_instruction_sets(c);
    print_options(m);
    printf("input       %d x %d pixels, %d channels\n", m->width, m->height, m->channels);
    print_sizes(m);
    const ModelOutput *scores = program_scores(&m->infer);
    printf("output      %d classes", m->classes);
    if (scores->plane > 1)
        printf(" for each of %lld x %lld pixels", (long long)scores->shape[2], (long long)scores->shape[1]);
    putchar('\n');
    printf("trains      %s\n", m->train.present ? "yes" : "no: the file has no train section with a loss");
    print_layers(m);
    print_memory(m, err);
}

/* The model and the plan in use as one object, and what other plans there are. */
static void print_json(const Context *c) {
    json_t *isas = json_array();
    for (int i = 0; i < c->n_variant; i++) json_array_append_new(isas, json_string(c->variant[i].isa));
    json_object_set_new(c->model->json, "isas", isas);
    json_dumpf(c->model->json, stdout, JSON_REAL_PRECISION(9));
    printf("\n");
}

int info_command(const Context *c, const Options *o, RtError *err) {
    if (o->json)
        print_json(c);
    else if (o->source)
        fputs(c->model->source, stdout);
    else
        print_text(c, err);
    return err->code;
}
