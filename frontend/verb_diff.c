/* cnnc diff A.net B.net: two nets layer by layer, what each costs, and which weights of A load into B. Layers are
 * aligned by their names first (the longest sequence of names that both have in the same order, as patience diff does
 * with lines), and between those by kind and shape. */
#include <string.h>
#include <sysexits.h>

#include "../ir/number.h"
#include "../ir/outline.h"
#include "../passes/figures.h"
#include "driver.h"
#include "footprint.h"
#include "table.h"

enum { EX_DIFFERENT = 1, MOST_LISTED = 12, MOST_PAIRS = 4000000 };

typedef struct Side {
    const char *path;
    const Definition *definition;
    int32_t n_definition;
    const Unit *unit;
    const Layer *layer;
    int32_t n_layer;
    int32_t *match; /* layer -> the one of the other net, -1: none */
    Figures figures;
} Side;

/* ---- layers ---- */

static void find_layers(Side *s) {
    const Outline *o = outline_of(s->unit->net, s->unit->arena);
    s->layer = o->layer;
    s->n_layer = o->n_layer;
    s->match = NEW_ARRAY(s->unit->arena, int32_t, o->n_layer + 1);
    for (int32_t i = 0; i < o->n_layer; i++) s->match[i] = -1;
}

/* 0: of another kind; else the more the likelier is it that one came from the other. */
static int32_t likeness(const Layer *a, const Layer *b) {
    if (a->op != b->op) return 0;
    return 1 + type_same_shape(&a->type, &b->type) + (a->parameters == b->parameters);
}

static bool same_layer(const Layer *a, const Layer *b) {
    return a->name == b->name && likeness(a, b) == 3 && attr_equal(op_info[a->op].attr, &a->attr, &b->attr);
}

/* ---- alignment ---- */

/* Pairs the layers of one name and kind that stand in the same order in both: the longest increasing sequence of their
 * places in B, by patience sorting. */
static void match_names(Arena *a, Side *x, Side *y) {
    Table place = {0};
    int32_t *best = NEW_ARRAY(a, int32_t, x->n_layer + 1), *before = NEW_ARRAY(a, int32_t, x->n_layer + 1), n = 0;
    const Layer **named = NEW_ARRAY(a, const Layer *, x->n_layer + 1);
    for (int32_t j = 0; j < y->n_layer; j++) table_set(a, &place, y->layer[j].name, (void *)&y->layer[j]);
    for (int32_t i = 0; i < x->n_layer; i++) {
        const Layer *l = named[i] = table_get(&place, x->layer[i].name);
        if (!l || l->op != x->layer[i].op) continue;
        int32_t lo = 0, hi = n; /* how many sequences end before l */
        while (lo < hi) {
            int32_t middle = (lo + hi) / 2;
            if (named[best[middle]] < l)
                lo = middle + 1;
            else
                hi = middle;
        }
        before[i] = lo ? best[lo - 1] : -1;
        best[lo] = i;
        n = lo == n ? n + 1 : n;
    }
    for (int32_t i = n ? best[n - 1] : -1; i >= 0; i = before[i]) {
        x->match[i] = (int32_t)(named[i] - y->layer);
        y->match[x->match[i]] = i;
    }
}

/* Pairs what is between two pairs, layers x0.. before x1 and y0.. before y1, so that the sum of likenesses is the
 * largest. */
static void match_gap(Arena *a, Side *x, int32_t x0, int32_t x1, Side *y, int32_t y0, int32_t y1) {
    int64_t nx = x1 - x0, ny = y1 - y0, wide = ny + 1;
    if (nx == 0 || ny == 0 || nx * ny > MOST_PAIRS) return;
    int32_t *sum = NEW_ARRAY(a, int32_t, (nx + 1) * wide); /* of what comes from there on */
    for (int64_t i = nx - 1; i >= 0; i--)
        for (int64_t j = ny - 1; j >= 0; j--) {
            int32_t like = likeness(&x->layer[x0 + i], &y->layer[y0 + j]);
            int64_t skip = max_i64(sum[(i + 1) * wide + j], sum[i * wide + j + 1]);
            sum[i * wide + j] = (int32_t)max_i64(skip, like ? like + sum[(i + 1) * wide + j + 1] : 0);
        }
    for (int64_t i = 0, j = 0; i < nx && j < ny;) {
        const Layer *p = &x->layer[x0 + i], *q = &y->layer[y0 + j];
        int32_t like = likeness(p, q), here = sum[i * wide + j];
        if (like && here == like + sum[(i + 1) * wide + j + 1]) {
            x->match[x0 + i] = (int32_t)(y0 + j);
            y->match[y0 + j++] = (int32_t)(x0 + i++);
        } else if (here == sum[(i + 1) * wide + j]) {
            i++;
        } else {
            j++;
        }
    }
}

static void align(Arena *a, Side *x, Side *y) {
    match_names(a, x, y);
    for (int32_t i = 0, j = 0; i <= x->n_layer; i++) {
        if (i < x->n_layer && x->match[i] < 0) continue;
        int32_t end = i < x->n_layer ? x->match[i] : y->n_layer, from = i;
        while (from > 0 && x->match[from - 1] < 0) from--;
        match_gap(a, x, from, i, y, j, end);
        j = end + 1;
    }
}

/* ---- output ---- */

typedef struct Page {
    Arena *arena;
    Str text;
    int32_t n_same; /* layers since the last line */
    bool different;
} Page;

static void end_same(Page *o) {
    if (o->n_same) str_addf(&o->text, "  %d layer%s the same\n", o->n_same, o->n_same == 1 ? " is" : "s are");
    o->n_same = 0;
}

/* With its attributes if nothing else tells the two apart. */
static void add_layer(Page *o, char mark, const Layer *l, bool attributes) {
    Arena *a = o->arena;
    end_same(o);
    o->different = true;
    str_addf(&o->text, "%c %-28s %-10s %14s %13s %11s %10s", mark, l->name, op_info[l->op].name,
             type_shape_text(a, &l->type), number_thousands(a, l->parameters), number_scaled(a, l->macs),
             number_bytes(a, type_elements(&l->type) * (int64_t)sizeof(float)));
    if (attributes) {
        str_add(&o->text, " ");
        attr_print(&o->text, op_info[l->op].attr, &l->attr);
    }
    str_add(&o->text, "\n");
}

static void add_layers(Page *o, const Side *x, const Side *y) {
    str_addf(&o->text, "  %-28s %-10s %14s %13s %11s %10s\n", "layer", "kind", "shape", "parameters", "MACs", "result");
    for (int32_t i = 0, j = 0; i < x->n_layer || j < y->n_layer;) {
        const Layer *p = i < x->n_layer ? &x->layer[i] : NULL, *q = j < y->n_layer ? &y->layer[j] : NULL;
        bool pair = p && q && x->match[i] == j, alone = p && x->match[i] < 0;
        if (pair && same_layer(p, q)) {
            o->n_same++;
        } else if (pair) {
            bool attributes = likeness(p, q) == 3 && !attr_equal(op_info[p->op].attr, &p->attr, &q->attr);
            add_layer(o, '-', p, attributes);
            add_layer(o, '+', q, attributes);
        } else if (alone) {
            add_layer(o, '-', p, false);
        } else {
            add_layer(o, '+', q, false);
        }
        i += pair || alone;
        j += pair || !alone;
    }
    end_same(o);
}

static void add_total(Page *o, const char *what, const char *a, const char *b, int64_t x, int64_t y) {
    str_addf(&o->text, "%-12s %15s %15s", what, a, b);
    if (x != y && x > 0) str_addf(&o->text, "  %+.1f %%", 100 * ((double)y / (double)x - 1));
    str_add(&o->text, "\n");
    o->different = o->different || x != y;
}

static void add_totals(Page *o, const Side *x, const Side *y) {
    Arena *a = o->arena;
    const Figures *f = &x->figures, *g = &y->figures;
    add_total(o, "layers", number_thousands(a, x->n_layer), number_thousands(a, y->n_layer), x->n_layer, y->n_layer);
    add_total(o, "parameters", number_thousands(a, f->parameters), number_thousands(a, g->parameters), f->parameters,
              g->parameters);
    add_total(o, "MACs", number_scaled(a, f->macs), number_scaled(a, g->macs), f->macs, g->macs);
    int64_t m = footprint(&f->memory, 1), n = footprint(&g->memory, 1);
    add_total(o, "memory", number_bytes(a, m), number_bytes(a, n), m, n);
}

/* ---- weights ---- */

typedef struct Listed { /* the first names, and how many there are */
    const char *what;
    const char *text[MOST_LISTED];
    int32_t n;
} Listed;

static void list(Listed *l, const char *text) {
    if (l->n < MOST_LISTED) l->text[l->n] = text;
    l->n++;
}

static void add_listed(Page *o, const Listed *l) {
    if (!l->n) return;
    str_addf(&o->text, "%s: %d\n", l->what, l->n);
    for (int32_t i = 0; i < l->n && i < MOST_LISTED; i++) str_addf(&o->text, "  %s\n", l->text[i]);
    if (l->n > MOST_LISTED) str_addf(&o->text, "  ... and %d more\n", l->n - MOST_LISTED);
}

static bool is_saved(const Node *n) { return n->op == OP_param; }

/* A program loads a tensor that has the name and the shape of one of its own. */
static void add_weights(Page *o, const Side *x, const Side *y) {
    const Graph *g = x->unit->net, *h = y->unit->net;
    Listed other = {.what = "in both, of other shapes"}, gone = {.what = "only in the first"},
           new = {.what = "only in the second"};
    int32_t n = 0, loads = 0;
    for (int32_t i = 1; i < g->n_node; i++) {
        const Node *p = graph_node(g, (Ref)i);
        if (!is_saved(p)) continue;
        Ref r = graph_find_param(h, p->name);
        const Type *there = r ? &graph_node(h, r)->type : NULL;
        n++;
        if (there && type_same_shape(&p->type, there))
            loads++;
        else if (there)
            list(&other, arena_printf(o->arena, "%s %s, %s", p->name, type_shape_text(o->arena, &p->type),
                                      type_shape_text(o->arena, there)));
        else
            list(&gone, p->name);
    }
    for (int32_t i = 1; i < h->n_node; i++) {
        const Node *p = graph_node(h, (Ref)i);
        if (is_saved(p) && !graph_find_param(g, p->name)) list(&new, p->name);
    }
    str_addf(&o->text, "weights of the first that load into the second: %d of %d\n", loads, n);
    add_listed(o, &other);
    add_listed(o, &gone);
    add_listed(o, &new);
    o->different = o->different || other.n || gone.n || new.n;
}

/* ---- the verb ---- */

/* The definitions for word k: those before all files, and those between it and the next file. */
static Definition *definitions_for(const CommandLine *c, int32_t k, int32_t *n) {
    Definition *d = NEW_ARRAY(c->arena, Definition, c->n_definition + 1);
    int32_t common = c->word[0].n_definition, from = c->word[k].n_definition;
    int32_t to = k + 1 < c->n_word ? c->word[k + 1].n_definition : c->n_definition;
    *n = 0;
    for (int32_t i = 0; i < common; i++) d[(*n)++] = c->definition[i];
    for (int32_t i = from; i < to; i++) d[(*n)++] = c->definition[i];
    return d;
}

static int read_side(const CommandLine *c, int32_t k, const Machine *machine, Side *s) {
    Diags *d = driver_diags(c->arena, c);
    *s = (Side){.path = c->word[k].text};
    s->definition = definitions_for(c, k, &s->n_definition);
    Unit *u = driver_unit(c->arena, d, c, s->path, s->definition, s->n_definition);
    diag_print(d);
    if (!u) return driver_exit_code(d);
    u->machine = machine;
    s->unit = u;
    find_layers(s);
    figures_of(u, NULL, &s->figures);
    return EX_OK;
}

static void add_title(Page *o, char mark, const Side *s) {
    str_addf(&o->text, "%c %s: net %s", mark, s->path, s->unit->name);
    for (int32_t i = 0; i < s->n_definition; i++)
        str_addf(&o->text, "%s %s=%s", i ? "," : " with", s->definition[i].name, s->definition[i].value);
    str_add(&o->text, "\n");
}

int verb_diff(const CommandLine *c) {
    const Machine *machine = driver_machine(c, NULL);
    Side x, y;
    int code = machine ? read_side(c, 0, machine, &x) : EX_USAGE;
    if (code == EX_OK) code = read_side(c, 1, machine, &y);
    if (code != EX_OK) return code;
    align(c->arena, &x, &y);
    Page o = {.arena = c->arena, .text = STR(c->arena)};
    add_title(&o, '-', &x);
    add_title(&o, '+', &y);
    str_add(&o.text, "\n");
    add_layers(&o, &x, &y);
    str_addf(&o.text, "\n%-12s %15s %15s\n", "", "first", "second");
    add_totals(&o, &x, &y);
    str_add(&o.text, "\n");
    add_weights(&o, &x, &y);
    code = driver_write(c->arena, NULL, &o.text);
    return code != EX_OK ? code : o.different ? EX_DIFFERENT : EX_OK;
}
