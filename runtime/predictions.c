#include "predictions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

enum { FLUSH_AT = 1 << 16 };

static bool flush(Predictions *p) {
    bool good = !p->err.code && outfile_write(&p->file, p->text, p->size, &p->err);
    p->size = 0;
    return good;
}

static void add_text(Predictions *p, const char *text, size_t n) {
    if (!rt_reserve(&p->text, &p->capacity, p->size + n, 1, &p->err)) return;
    memcpy(p->text + p->size, text, n);
    p->size += n;
}

/* A field and the comma behind it; in quotes, with its own doubled, if it has what separates fields. */
static void add_field(Predictions *p, const char *text) {
    bool quoted = text[strcspn(text, ",\"\r\n")] != 0;
    if (quoted) add_text(p, "\"", 1);
    for (const char *c = text; *c; c++) add_text(p, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    add_text(p, quoted ? "\"," : ",", quoted ? 2 : 1);
}

bool predictions_open(Predictions *p, const char *path, const Dataset *data, bool probabilities, RtError *err) {
    static const char head[] = "picture,class,taken for,probability\n";
    *p = (Predictions){.data = data, .classes = dataset_classes(data), .probabilities = probabilities};
    p->probability = rt_alloc((size_t)p->classes, sizeof *p->probability, err);
    if (!p->probability || !outfile_open(&p->file, path, err)) {
        free(p->probability);
        *p = (Predictions){0};
        return false;
    }
    add_text(p, head, sizeof head - 1);
    return true;
}

void predictions_add(void *predictions, uint32_t sample, const float *scores) {
    Predictions *p = predictions;
    if (p->err.code) return;
    char number[32], *path = dataset_path(p->data, sample, &p->err);
    int best = 0;
    if (!path) return;
    for (int i = 1; i < p->classes; i++)
        if (scores[i] > scores[best]) best = i;
    metrics_probabilities(scores, p->classes, p->probabilities, p->probability);
    add_field(p, path);
    add_field(p, dataset_class_name(p->data, dataset_label(p->data, sample)));
    add_field(p, dataset_class_name(p->data, best));
    add_text(p, number, (size_t)snprintf(number, sizeof number, "%.6f\n", p->probability[best]));
    free(path);
    if (p->size >= FLUSH_AT) flush(p);
}

bool predictions_close(Predictions *p, bool keep, RtError *err) {
    if (!p->data) return true;
    bool good = keep && flush(p) && outfile_commit(&p->file, &p->err);
    if (!good) outfile_abort(&p->file);
    if (p->err.code) rt_fail(err, p->err.code, "%s", p->err.text);
    free(p->probability);
    free(p->text);
    *p = (Predictions){0};
    return good;
}
