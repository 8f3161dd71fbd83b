/* The picture of the graph: a grid (grid.h) for each block, grids inside grids. Boxes say in data-g how they lie in
 * their grid, links in data-l, from which page.js places them again when a block opens or closes. */
#include <string.h>

#include "../ir/number.h"
#include "grid.h"
#include "page_parts.h"

enum { BOX_HEIGHT = 34, END_HEIGHT = 22, HEAD = 18, MARGIN = 8, MOST_LAYERS = 5000 };

/* Of a character of the font, in hundredths of a pixel; page.css sets the font. */
enum { CHAR_WIDTH = 632 };

typedef enum BoxKind { BOX_LAYER, BOX_BLOCK, BOX_PICTURE, BOX_OUTPUT } BoxKind;

typedef struct BoxOf {
    BoxKind kind;
    int32_t index;
} BoxOf;

typedef struct BlockGrid {
    Grid grid;
    BoxOf *of; /* of each box of the grid */
    int32_t cap_of;
} BlockGrid;

typedef struct Picture {
    Page *page;
    const Outline *o;
    BlockGrid *block;
    int32_t *box_of_layer, *box_of_block; /* in the grid that it is in */
    int32_t width;                        /* of a layer's box */
} Picture;

static int32_t text_width(size_t characters) { return (int32_t)(characters * CHAR_WIDTH / 200 * 2); }

/* ---- boxes ---- */

static const char *cost_text(Arena *a, int64_t parameters) { return parameters ? number_scaled(a, parameters) : ""; }

static int32_t add_box(Picture *p, int32_t block, BoxOf of, int32_t w) {
    BlockGrid *b = &p->block[block];
    int32_t n = b->grid.n_box;
    bool end = of.kind == BOX_PICTURE || of.kind == BOX_OUTPUT;
    GridBox box = {.ranks = 1, .w = w, .h = end ? END_HEIGHT : BOX_HEIGHT, .stretches = of.kind == BOX_LAYER};
    PUSH(p->page->arena, b->of, n, b->cap_of, of);
    PUSH(p->page->arena, b->grid.box, b->grid.n_box, b->grid.cap_box, box);
    return b->grid.n_box - 1;
}

/* One width for all, so that columns are straight. */
static int32_t box_width(const Picture *p) {
    Arena *a = p->page->arena;
    size_t most = 14;
    for (int32_t i = 0; i < p->o->n_layer; i++) {
        const Layer *l = &p->o->layer[i];
        size_t first = strlen(l->what) + strlen(type_shape_text(a, &l->type));
        size_t second = strlen(l->label) + strlen(cost_text(a, l->parameters));
        most = (size_t)max_i64((int64_t)most, max_i64((int64_t)first, (int64_t)second));
    }
    return text_width((size_t)min_i64((int64_t)most, 34) + 2) + 2 * MARGIN;
}

static const char *input_name(const Outline *o, const Type **type) {
    for (int32_t i = 1; i < o->net->n_node; i++) {
        const Node *n = graph_node(o->net, (Ref)i);
        if (n->op != OP_input) continue;
        *type = &n->type;
        return n->name ? n->name : "";
    }
    *type = NULL;
    return "";
}

/* Layers and blocks in the order of the text, so that who reads comes after what it reads. */
static void add_boxes(Picture *p) {
    const Outline *o = p->o;
    add_box(p, 0, (BoxOf){BOX_PICTURE, 0}, p->width);
    for (int32_t i = 0, next = 1; i < o->n_layer; i++) {
        for (; next < o->n_block && o->block[next].first == i; next++)
            p->box_of_block[next] = add_box(p, o->block[next].parent, (BoxOf){BOX_BLOCK, next}, 0);
        p->box_of_layer[i] = add_box(p, o->layer[i].block, (BoxOf){BOX_LAYER, i}, p->width);
    }
    for (int32_t i = 0; i < o->net->n_output; i++) add_box(p, 0, (BoxOf){BOX_OUTPUT, i}, p->width);
}

/* ---- links ---- */

static void add_link(Picture *p, int32_t block, int32_t from, int32_t to) {
    Grid *g = &p->block[block].grid;
    PUSH(p->page->arena, g->link, g->n_link, g->cap_link, ((GridLink){.from = from, .to = to, .lane = -1}));
}

/* From a layer, or the net's picture, to box `to` of block `block`: out of the blocks that the reader is not in, into
 * those that the layer is not in. */
static void add_links(Picture *p, int32_t layer, int32_t block, int32_t to) {
    const LayerBlock *all = p->o->block;
    int32_t from = layer >= 0 ? p->box_of_layer[layer] : 0, inside = layer >= 0 ? p->o->layer[layer].block : 0;
    while (inside != block) {
        if (all[inside].depth > all[block].depth) {
            add_link(p, inside, from, GRID_BOTTOM);
            from = p->box_of_block[inside];
            inside = all[inside].parent;
        } else {
            add_link(p, block, GRID_TOP, to);
            to = p->box_of_block[block];
            block = all[block].parent;
        }
    }
    add_link(p, block, from, to);
}

static void add_all_links(Picture *p) {
    const Outline *o = p->o;
    for (int32_t i = 0; i < o->n_layer; i++)
        for (int32_t k = 0; k < o->layer[i].n_from; k++)
            add_links(p, o->layer[i].from[k], o->layer[i].block, p->box_of_layer[i]);
    int32_t first = p->block[0].grid.n_box - o->net->n_output;
    for (int32_t i = 0; i < o->net->n_output; i++) add_links(p, o->layer_of[o->net->output[i].ref], 0, first + i);
}

/* ---- places ---- */

/* Blocks inside come after those around them, so from the last one on. */
static void place_all(Picture *p) {
    const Outline *o = p->o;
    for (int32_t b = o->n_block - 1; b >= 0; b--) {
        Grid *g = &p->block[b].grid;
        g->head = b ? HEAD : 0;
        g->least = b ? text_width(strlen(o->block[b].label) + strlen(o->block[b].kind) + 3) + 2 * MARGIN : 0;
        for (int32_t i = 0; i < g->n_box; i++) {
            const BoxOf *of = &p->block[b].of[i];
            if (of->kind != BOX_BLOCK) continue;
            g->box[i].w = p->block[of->index].grid.w;
            g->box[i].h = p->block[of->index].grid.h;
            g->box[i].ranks = p->block[of->index].grid.n_rank + 1;
        }
        grid_arrange(g);
        grid_place(g);
    }
}

/* ---- SVG ---- */

static void add_place(Str *s, const GridBox *b) {
    str_addf(s, " transform=\"translate(%d %d)\" data-g=\"%d %d %d %d\"", b->x, b->y, b->rank, b->ranks, b->a, b->b);
}

/* Two lines, each with something flush left and right; the right side takes what it needs. */
static void add_lines(Str *s, const char *const text[4], int32_t width) {
    static const char *const class[4] = {"", " class=\"r\"", " class=\"q\"", " class=\"q r\""};
    int32_t characters = (width - 2 * MARGIN) * 100 / CHAR_WIDTH;
    for (int i = 0; i < 4; i++) {
        int32_t most = i % 2 ? characters : characters - (int32_t)strlen(text[i + 1]) - 1;
        if (!*text[i]) continue;
        str_addf(s, "<text x=\"%d\" y=\"%d\"%s>", i % 2 ? (int)width - MARGIN : MARGIN + 1, i < 2 ? 14 : 27, class[i]);
        page_text_cut(s, text[i], most);
        str_add(s, "</text>");
    }
}

static void add_frame(Str *s, int32_t w, int32_t h, int32_t radius) {
    str_addf(s, "<rect width=\"%d\" height=\"%d\" rx=\"%d\"/>", w, h, radius);
}

static void draw_layer(Str *s, const Picture *p, const GridBox *box, int32_t index) {
    const Layer *l = &p->o->layer[index];
    Arena *a = s->arena;
    const char *const text[4] = {l->what, type_shape_text(a, &l->type), l->label, cost_text(a, l->parameters)};
    str_addf(s, "<a class=\"n %s%s\" id=\"p%d\" href=\"#r%d\"", page_family(l), l->deployed ? "" : " t", index, index);
    add_place(s, box);
    str_addf(s, "><title>");
    page_text(s, l->name);
    str_add(s, ": ");
    page_text(s, l->what);
    str_addf(s, ", %s</title>", type_shape_text(a, &l->type));
    add_frame(s, box->w, box->h, 3);
    add_lines(s, text, box->w);
    str_add(s, "</a>\n");
}

static void draw_end(Str *s, const GridBox *box, const char *name, const char *more) {
    const char *const text[4] = {name, more, "", ""};
    str_add(s, "<g class=\"o\"");
    add_place(s, box);
    str_add(s, ">");
    add_frame(s, box->w, END_HEIGHT, END_HEIGHT / 2);
    add_lines(s, text, box->w);
    str_add(s, "</g>\n");
}

static void draw_output(Str *s, const Picture *p, const GridBox *box, int32_t index) {
    const Output *o = &p->o->net->output[index];
    draw_end(s, box, o->name,
             o->only == ONLY_BOTH ? "output" : arena_printf(s->arena, "only %s", output_only_name[o->only]));
}

static void draw_picture_box(Str *s, const Picture *p, const GridBox *box) {
    const Type *type;
    const char *name = input_name(p->o, &type);
    draw_end(s, box, name, type ? type_shape_text(s->arena, type) : "");
}

static void draw_links(Str *s, const Grid *g) {
    str_add(s, "<g class=\"e\">");
    for (int32_t i = 0; i < g->n_link; i++) {
        const GridLink *l = &g->link[i];
        str_addf(s, "<path data-l=\"%d %d %d\" d=\"", l->from, l->to, l->lane);
        grid_path(s, g, l);
        str_add(s, "\"/>");
    }
    str_add(s, "</g>\n");
}

static void draw_inside(Str *s, const Picture *p, int32_t block);

static void draw_block(Str *s, const Picture *p, const GridBox *box, int32_t index) {
    const LayerBlock *b = &p->o->block[index];
    const Grid *g = &p->block[index].grid;
    Arena *a = s->arena;
    const char *const text[4] = {"", "", type_shape_text(a, &p->o->layer[b->end - 1].type),
                                 cost_text(a, b->parameters)};
    str_addf(s, "<g class=\"b\" id=\"b%d\"", index);
    add_place(s, box);
    str_addf(s, " data-n=\"%d %d %d\">", g->n_rank, g->n_column, g->least);
    add_frame(s, g->w, g->h, 5);
    str_addf(s, "<g class=\"h\"><rect width=\"%d\" height=\"%d\"/><text x=\"%d\" y=\"13\">", g->w, HEAD, MARGIN + 1);
    page_text(s, b->label);
    str_add(s, " <tspan>");
    page_text(s, b->kind);
    str_add(s, "</tspan></text><g class=\"u\">");
    add_lines(s, text, p->width);
    str_add(s, "</g></g>");
    draw_inside(s, p, index);
    str_add(s, "</g>\n");
}

static void draw_inside(Str *s, const Picture *p, int32_t block) {
    const BlockGrid *b = &p->block[block];
    str_add(s, "<g class=\"i\">");
    draw_links(s, &b->grid);
    for (int32_t i = 0; i < b->grid.n_box; i++) {
        const GridBox *box = &b->grid.box[i];
        switch (b->of[i].kind) {
        case BOX_LAYER: draw_layer(s, p, box, b->of[i].index); break;
        case BOX_BLOCK: draw_block(s, p, box, b->of[i].index); break;
        case BOX_PICTURE: draw_picture_box(s, p, box); break;
        case BOX_OUTPUT: draw_output(s, p, box, b->of[i].index); break;
        }
    }
    str_add(s, "</g>");
}

static void draw(Str *s, const Picture *p) {
    const Grid *g = &p->block[0].grid;
    str_addf(s,
             "<svg id=\"picture\" class=\"picture\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"group\" "
             "aria-label=\"the graph\" data-n=\"%d %d 0\" data-w=\"%d\">\n",
             g->w, g->h, g->w, g->h, g->n_rank, g->n_column, p->width);
    draw_inside(s, p, 0);
    str_add(s, "</svg>\n");
}

void page_picture(Str *s, Page *page) {
    const Outline *o = page->o;
    Picture p = {.page = page, .o = o};
    if (o->n_layer > MOST_LAYERS) {
        str_addf(s, "<p class=\"note\">There is no picture: nobody can read one of %d layers.</p>\n", o->n_layer);
        return;
    }
    p.block = NEW_ARRAY(page->arena, BlockGrid, o->n_block);
    p.box_of_layer = NEW_ARRAY(page->arena, int32_t, o->n_layer + 1);
    p.box_of_block = NEW_ARRAY(page->arena, int32_t, o->n_block);
    for (int32_t b = 0; b < o->n_block; b++) p.block[b].grid.arena = page->arena;
    p.width = box_width(&p);
    add_boxes(&p);
    add_all_links(&p);
    place_all(&p);
    draw(s, &p);
}
