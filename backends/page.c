/* See page.h. page.html is the frame, with {{name}} where a part of the page comes, page.css and page.js its looks and
 * what it does beyond showing; the build embeds them (embed.cmake). */
#include <stdlib.h>
#include <string.h>

#include "../ir/number.h"
#include "page_parts.h"

extern const char asset_page_html[], asset_page_css[], asset_page_js[];

/* ---- texts ---- */

/* Bytes of the character at `t`, 0 if it is no UTF-8 or no text. */
static int character(const char *t) {
    unsigned char c = (unsigned char)*t;
    int n = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
    if (n == 1) return (c < ' ' && c != '\n' && c != '\t') || c == 0x7F ? 0 : 1;
    for (int i = 1; i < n; i++)
        if (((unsigned char)t[i] & 0xC0) != 0x80) return 0;
    return n;
}

/* Adds the character, escaped, and returns its bytes. */
static int add_character(Str *s, const char *t) {
    static const struct {
        char c;
        const char *as;
    } escape[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    int n = character(t);
    for (int i = 0; i < ARRAY_LEN(escape); i++)
        if (*t == escape[i].c) {
            str_add(s, escape[i].as);
            return 1;
        }
    if (n)
        str_addn(s, t, (size_t)n);
    else
        str_add(s, "\xEF\xBF\xBD");
    return n ? n : 1;
}

static void add_text(Str *s, const char *text, size_t bytes) {
    for (const char *end = text + bytes; text < end;) text += add_character(s, text);
}

void page_text(Str *s, const char *text) { add_text(s, text, strlen(text)); }

void page_text_cut(Str *s, const char *text, int32_t most) {
    int32_t n = 0;
    for (const char *t = text; *t; n++) t += character(t) ? character(t) : 1;
    for (int32_t i = 0; *text && (n <= most || i < most - 1); i++) text += add_character(s, text);
    if (*text) str_add(s, "\xE2\x80\xA6");
}

/* ---- what is known of a layer ---- */

const char *page_family(const Layer *l) {
    const OpInfo *info = &op_info[l->op];
    if (l->macs) return "sum";
    if (info->attr == ATTR_POOL || info->attr == ATTR_RESIZE) return "window";
    if (info->attr == ATTR_NORM || info->attr == ATTR_LRN) return "norm";
    if (l->n_from > 1) return "join";
    return info->elementwise || info->attr == ATTR_DROPOUT ? "element" : "shape";
}

static int by_name(const void *x, const void *y, void *outline) {
    const Outline *o = outline;
    uintptr_t a = (uintptr_t)o->layer[*(const int32_t *)x].name, b = (uintptr_t)o->layer[*(const int32_t *)y].name;
    return (a > b) - (a < b);
}

int32_t page_layer(const Page *p, Name name) {
    int32_t lo = 0, hi = p->o->n_layer;
    while (lo < hi) {
        int32_t middle = (lo + hi) / 2;
        if ((uintptr_t)p->o->layer[p->by_name[middle]].name < (uintptr_t)name)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < p->o->n_layer && p->o->layer[p->by_name[lo]].name == name ? p->by_name[lo] : -1;
}

static void add_buffers(Page *p) {
    const Program *of = p->infer;
    for (int32_t i = 0; i < of->n_storage; i++) {
        const Storage *at = &of->storage[i];
        int32_t layer = at->ref ? page_layer(p, graph_node(of->graph, at->ref)->name) : -1;
        if (layer < 0 || at->region != REGION_BATCH || at->dies < 0) continue;
        PageUse *use = &p->use[layer];
        use->bytes += at->bytes;
        use->born = use->born < 0 ? at->born : (int32_t)min_i64(use->born, at->born);
        use->dies = (int32_t)max_i64(use->dies, at->dies);
    }
}

/* Kernels that compute something of a layer, of those that run in each call. */
static void add_kernels(Page *p) {
    const Program *of = p->infer;
    const Graph *g = of->graph;
    const int32_t *time_of = program_times(p->arena, of);
    p->end = time_of[of->n_step];
    p->start = of->n_once < of->n_step ? time_of[of->n_once] : 0;
    for (int32_t i = of->n_once; i < of->n_step; i++) {
        int32_t root = (int32_t)of->step[i].root, group = graph_node(g, of->step[i].root)->group, first = root;
        while (group && first > 1 && g->node[first - 1].group == group) first--;
        for (int32_t k = first; k == first || (group && k < g->n_node && g->node[k].group == group); k++) {
            int32_t layer = page_layer(p, g->node[k].name);
            if (layer < 0) continue;
            PageUse *use = &p->use[layer];
            if (use->first < 0) use->first = time_of[i];
            use->last = time_of[i];
        }
    }
}

static void find_uses(Page *p) {
    const Outline *o = p->o;
    p->use = NEW_ARRAY(p->arena, PageUse, o->n_layer + 1);
    p->by_name = NEW_ARRAY(p->arena, int32_t, o->n_layer + 1);
    for (int32_t i = 0; i < o->n_layer; i++) {
        p->use[i] = (PageUse){0, -1, -1, -1, -1};
        p->by_name[i] = i;
    }
    qsort_r(p->by_name, (size_t)o->n_layer, sizeof *p->by_name, by_name, (void *)o);
    add_buffers(p);
    add_kernels(p);
}

/* ---- head ---- */

static void add_name(Str *s, Page *p) { page_text(s, p->o->net->name); }

static void add_path(Str *s, Page *p) { page_text(s, p->net->path); }

static void add_processor(Str *s, Page *p) { page_text(s, p->net->unit->machine->cpu); }

/* {"depth": 50, ...} as it is, without the braces. */
static void add_options(Str *s, Page *p) {
    const char *json = p->net->unit->options_json;
    size_t n = json ? strlen(json) : 0;
    if (n <= 2) return;
    str_add(s, "<p class=\"options\">");
    for (size_t i = 1; i + 1 < n; i++)
        if (json[i] != '"' && json[i] != '\n') add_text(s, json + i, 1);
    str_add(s, "</p>");
}

static void add_total(Str *s, const char *what, const char *value, const char *more) {
    str_addf(s, "<div><dt>%s</dt><dd>%s</dd>", what, value);
    if (*more) str_addf(s, "<dd class=\"more\">%s</dd>", more);
    str_add(s, "</div>\n");
}

static void add_totals(Str *s, Page *p) {
    Arena *a = s->arena;
    const Outline *o = p->o;
    int32_t n = 0;
    for (int32_t i = 0; i < o->n_layer; i++) n += o->layer[i].deployed;
    int64_t batch = p->infer->region_bytes[REGION_BATCH], bound = p->infer->lower_bound_bytes;
    add_total(s, "layers", number_thousands(a, n),
              n < o->n_layer ? arena_printf(a, "%d more for training", o->n_layer - n) : "");
    add_total(s, "parameters", number_thousands(a, o->parameters), number_bytes(a, o->parameters * 4));
    add_total(s, "MACs", number_thousands(a, o->macs), "per picture");
    add_total(s, "memory", number_bytes(a, p->net->memory), "inference, 1 picture");
    add_total(s, "buffers", number_bytes(a, batch),
              arena_printf(a, "%.3f of the lower bound", bound ? (double)batch / (double)bound : 1.0));
}

/* ---- the table ---- */

static const char *cell_number(Arena *a, int64_t n) { return n ? number_thousands(a, n) : ""; }

/* A number with a bar of its share of the largest; data-v is what the column is sorted by. */
static void add_bar(Str *s, int64_t n, int64_t most, const char *text) {
    str_addf(s, "<td class=\"v\" data-v=\"%lld\"", (long long)n);
    if (n > 0) str_addf(s, " style=\"--v:%.1f%%\"", 100.0 * (double)n / (double)most);
    str_addf(s, ">%s</td>", text);
}

/* Where the buffers of a layer are in time, of all kernels of a call. */
static void add_life(Str *s, const Page *p, const PageUse *use) {
    if (use->born < 0) {
        str_addf(s, "<td data-v=\"-1\" class=\"life\">%s</td>", use->first < 0 ? "" : "not stored");
        return;
    }
    int32_t last = use->dies == INT32_MAX ? p->end - 1 : use->dies;
    double all = p->end > p->start ? p->end - p->start : 1;
    str_addf(s, "<td data-v=\"%d\" class=\"life\">%d&ndash;%d", use->born, use->born, last);
    str_addf(s, "<i style=\"--a:%.1f%%;--b:%.1f%%\"></i></td>", 100 * (use->born - p->start) / all,
             100 * (last + 1 - p->start) / all);
}

/* The name, with the blocks that it is in set back. */
static void add_layer_name(Str *s, const Layer *l) {
    size_t blocks = strlen(l->name) - strlen(l->label);
    if (blocks) {
        str_add(s, "<span>");
        add_text(s, l->name, blocks);
        str_add(s, "</span>");
    }
    page_text(s, l->label);
}

static void add_line_link(Str *s, const Page *p, Span at) {
    if (at.line == 0 || at.file >= (uint32_t)p->net->unit->diags->n_file)
        str_add(s, "<td data-v=\"0\"></td>");
    else
        str_addf(s, "<td data-v=\"%u\"><a href=\"#s%u-%u\">%u</a></td>", at.file * 1000000 + at.line, at.file, at.line,
                 at.line);
}

static void add_row(Str *s, const Page *p, int32_t i, const Layer *most, int64_t most_bytes) {
    const Layer *l = &p->o->layer[i];
    const PageUse *use = &p->use[i];
    Arena *a = s->arena;
    str_addf(s, "<tr id=\"r%d\"%s><td data-v=\"%d\"><a href=\"#p%d\" class=\"%s\">", i,
             l->deployed ? "" : " class=\"t\"", i, i, page_family(l));
    add_layer_name(s, l);
    str_add(s, "</a></td><td>");
    page_text(s, l->what);
    if (!l->deployed) str_add(s, " <em>training</em>");
    str_add(s, "</td>");
    add_line_link(s, p, l->span);
    str_addf(s, "<td data-v=\"%lld\">%s</td>", (long long)type_elements(&l->type), type_shape_text(a, &l->type));
    add_bar(s, l->parameters, most->parameters, cell_number(a, l->parameters));
    add_bar(s, l->macs, most->macs, cell_number(a, l->macs));
    add_bar(s, use->bytes, most_bytes, use->bytes ? number_bytes(a, use->bytes) : "");
    str_addf(s, "<td data-v=\"%d\">", use->first);
    if (use->first >= 0) str_addf(s, "%d", use->first);
    if (use->last > use->first) str_addf(s, "&ndash;%d", use->last);
    str_add(s, "</td>");
    add_life(s, p, use);
    str_add(s, "</tr>\n");
}

static void add_rows(Str *s, Page *p) {
    Layer most = {0};
    int64_t bytes = 0;
    for (int32_t i = 0; i < p->o->n_layer; i++) {
        const Layer *l = &p->o->layer[i];
        most.parameters = max_i64(most.parameters, l->parameters);
        most.macs = max_i64(most.macs, l->macs);
        bytes = max_i64(bytes, p->use[i].bytes);
    }
    for (int32_t i = 0; i < p->o->n_layer; i++) add_row(s, p, i, &most, bytes);
}

static void add_sums(Str *s, Page *p) {
    str_addf(
        s, "<td></td><td></td><td></td><td id=\"parameters\">%s</td><td id=\"macs\">%s</td><td></td><td></td><td></td>",
        number_thousands(s->arena, p->o->parameters), number_thousands(s->arena, p->o->macs));
}

/* ---- source ---- */

static bool has_layer(const Page *p, uint32_t file) {
    for (int32_t i = 0; i < p->o->n_layer; i++)
        if (p->o->layer[i].span.line && p->o->layer[i].span.file == file) return true;
    return false;
}

static void add_file(Str *s, const SourceFile *f, uint32_t index) {
    str_add(s, "<h3>");
    page_text(s, f->path);
    str_add(s, "</h3><pre>");
    const char *at = f->text, *end = f->text + f->bytes;
    for (uint32_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        str_addf(s, "<span id=\"s%u-%u\">", index, line);
        add_text(s, at, (size_t)(stop - at));
        str_add(s, "\n</span>");
        at = stop + 1;
    }
    str_add(s, "</pre>\n");
}

static void add_sources(Str *s, Page *p) {
    const Diags *d = p->net->unit->diags;
    for (int32_t i = 0; i < d->n_file; i++)
        if (has_layer(p, (uint32_t)i)) add_file(s, &d->file[i], (uint32_t)i);
}

/* ---- memory ---- */

static void add_plan(Str *s, Page *p, const Program *of, const char *title) {
    Arena *a = s->arena;
    int64_t bytes = of->region_bytes[REGION_BATCH], bound = of->lower_bound_bytes;
    str_addf(s,
             "<h3>%s<span class=\"note\">%s a picture, %.3f of what any plan needs (dashed)</span></h3>\n<div "
             "class=\"wide\">",
             title, number_bytes(a, bytes), bound ? (double)bytes / (double)bound : 1.0);
    page_chart(s, p, of);
    str_add(s, "</div>\n");
}

static void add_plans(Str *s, Page *p) {
    add_plan(s, p, p->infer, "Inference");
    if (p->train) add_plan(s, p, p->train, "Training");
}

/* ---- the frame ---- */

static void add_css(Str *s, Page *p) {
    (void)p;
    str_add(s, asset_page_css);
}

static void add_js(Str *s, Page *p) {
    (void)p;
    str_add(s, asset_page_js);
}

/* ONE ROW PER {{name}} of page.html. */
static const struct Part {
    const char *name;
    void (*add)(Str *s, Page *p);
} part[] = {{"name", add_name},       {"path", add_path},     {"processor", add_processor},
            {"options", add_options}, {"totals", add_totals}, {"picture", page_picture},
            {"rows", add_rows},       {"sums", add_sums},     {"sources", add_sources},
            {"plans", add_plans},     {"css", add_css},       {"js", add_js}};

/* Adds the part at "{{name}}" and returns what follows it. */
static const char *add_part(Str *s, Page *p, const char *at) {
    for (int i = 0; i < ARRAY_LEN(part); i++) {
        size_t n = strlen(part[i].name);
        if (strncmp(at + 2, part[i].name, n) != 0 || strncmp(at + 2 + n, "}}", 2) != 0) continue;
        part[i].add(s, p);
        return at + n + 4;
    }
    ice("the frame of the page has an unknown part: %.20s", at);
}

void page_print(Str *s, const PageNet *net) {
    const Unit *u = net->unit;
    Page p = {.arena = s->arena, .net = net, .o = net->outline};
    p.infer = u->program[ENTRY_INFER];
    p.train = u->program[ENTRY_TRAIN];
    find_uses(&p);
    for (const char *at = asset_page_html; *at;) {
        const char *next = strstr(at, "{{");
        str_addn(s, at, next ? (size_t)(next - at) : strlen(at));
        if (!next) return;
        at = add_part(s, &p, next);
    }
}
