/* The memory plan: a rectangle for each buffer, from the kernel that makes it to the last one that reads it, where it
 * lies. */
#include "../ir/number.h"
#include "page_parts.h"

enum { LEFT = 64, TOP = 8, WIDTH = 920, HEIGHT = 240, FOOT = 22 };

typedef struct Chart {
    Page *page;
    const Program *p;
    int32_t first, end; /* kernels: from the first one that does not run once */
    double bytes;
} Chart;

static int x_at(const Chart *c, int32_t time) {
    return LEFT + (int)((double)(time - c->first) * WIDTH / (c->end > c->first ? c->end - c->first : 1));
}

static int y_at(const Chart *c, int64_t bytes) { return TOP + HEIGHT - (int)((double)bytes * HEIGHT / c->bytes); }

/* The name where there is room for it. */
static void add_label(Str *s, const char *name, int x, int y, int w, int h) {
    int most = (w - 6) / 6;
    if (h < 12 || most < 4) return;
    str_addf(s, "<text x=\"%d\" y=\"%d\">", x + 3, y + h / 2 + 3);
    page_text_cut(s, name, most);
    str_add(s, "</text>");
}

static void add_buffer(Str *s, const Chart *c, const Storage *at) {
    Arena *a = s->arena;
    int32_t last = at->dies == INT32_MAX ? c->end - 1 : at->dies;
    Name name = at->ref ? graph_node(c->p->graph, at->ref)->name : at->name;
    int32_t layer = page_layer(c->page, name);
    int x = x_at(c, at->born), w = x_at(c, last + 1) - x, y = y_at(c, at->offset + at->bytes),
        h = y_at(c, at->offset) - y;
    const char *family = layer >= 0 ? page_family(&c->page->o->layer[layer]) : "shape";
    str_addf(s, "<g class=\"m %s\"", family);
    if (layer >= 0) str_addf(s, " data-n=\"%d\"", layer);
    str_add(s, "><title>");
    page_text(s, name ? name : "");
    str_addf(s, ": %s at %s, kernels %d to %d</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
             number_bytes(a, at->bytes), number_bytes(a, at->offset), at->born, last, x, y, (int)max_i64(w, 1),
             (int)max_i64(h, 1));
    add_label(s, name ? name : "", x, y, w, h);
    str_add(s, "</g>\n");
}

static void add_axes(Str *s, const Chart *c) {
    for (int i = 0; i <= 4; i++) {
        int64_t bytes = (int64_t)(c->bytes * i / 4);
        str_addf(s, "<path class=\"g\" d=\"M%d %dH%d\"/><text class=\"y\" x=\"%d\" y=\"%d\">%s</text>\n", LEFT,
                 y_at(c, bytes), LEFT + WIDTH, LEFT - 5, y_at(c, bytes) + 3, number_bytes(s->arena, bytes));
        int32_t time = c->first + (int32_t)((int64_t)(c->end - 1 - c->first) * i / 4);
        str_addf(s, "<text class=\"x\" x=\"%d\" y=\"%d\">%d</text>\n", (x_at(c, time) + x_at(c, time + 1)) / 2,
                 TOP + HEIGHT + 15, time);
    }
}

static void add_bound(Str *s, const Chart *c) {
    int y = y_at(c, c->p->lower_bound_bytes);
    str_addf(s, "<path class=\"l\" d=\"M%d %dH%d\"><title>any plan needs %s</title></path>\n", LEFT, y, LEFT + WIDTH,
             number_bytes(s->arena, c->p->lower_bound_bytes));
}

void page_chart(Str *s, Page *page, const Program *p) {
    const int32_t *time_of = program_times(page->arena, p);
    Chart c = {.page = page, .p = p, .end = time_of[p->n_step], .bytes = (double)p->region_bytes[REGION_BATCH]};
    if (p->n_step == 0 || c.bytes <= 0) return;
    c.first = p->n_once < p->n_step ? time_of[p->n_once] : 0;
    str_addf(s, "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"buffers of %s\">\n",
             LEFT + WIDTH + 8, TOP + HEIGHT + FOOT, p->name);
    add_axes(s, &c);
    for (int32_t i = 0; i < p->n_storage; i++)
        if (p->storage[i].region == REGION_BATCH && p->storage[i].dies >= 0) add_buffer(s, &c, &p->storage[i]);
    add_bound(s, &c);
    str_add(s, "</svg>\n");
}
