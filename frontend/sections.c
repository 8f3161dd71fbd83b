/* See sections.h. */
#include "sections.h"

#include <string.h>

#include "contract.h"
#include "deploy.h"
#include "net_input.h"
#include "train.h"

/* ---- which section of its kind ---- */

/* The name that the command line gives for this kind; NULL: none. */
static const char *chosen_name(const Bundle *p, const SectionKind *kind) {
    return kind->train ? p->options->train : kind->deploy ? p->options->deploy : NULL;
}

static bool is_chosen(const Bundle *p, const SectionKind *kind, const Item *item) {
    const char *name = chosen_name(p, kind);
    return name ? item->name && !strcmp(item->name, name) : !item->name;
}

/* The names of the sections of a kind; returns how many, *chosen is set if one of them holds. */
static int section_names(const Bundle *p, const SectionKind *kind, const char **out, int most, bool *chosen) {
    int n = 0;
    *chosen = false;
    for (int32_t i = 0; i < p->sections.n; i++) {
        const Item *item = p->sections.item[i];
        if (section_find(item->section) != kind) continue;
        *chosen = *chosen || is_chosen(p, kind, item);
        if (item->name && n < most) out[n++] = item->name;
    }
    return n;
}

/* A name on the command line that no section has is an error; only named ones, and none chosen, is worth a warning. */
static void check_choice(const Bundle *p, const SectionKind *kind) {
    enum { MOST = 64 };
    const char *known[MOST], *name = chosen_name(p, kind);
    bool chosen;
    int n = section_names(p, kind, known, MOST, &chosen);
    if (chosen) return;
    Diags *d = p->elab->diags;
    if (name) {
        const char *near = did_you_mean(name, known, n);
        diag_error(d, (Span){0}, "E0130",
                   near ? "--%s=%s: there is no section `%s %s`; did you mean `%s`?"
                        : "--%s=%s: there is no section `%s %s`",
                   kind->name, name, kind->name, name, near);
    } else if (n > 0 && d->n_error == 0) {
        const Item *item = NULL;
        for (int32_t i = 0; !item; i++)
            if (section_find(p->sections.item[i]->section) == kind) item = p->sections.item[i];
        diag_warning(d, item->span, "W0133", "no `%s` section holds: all have names", kind->name);
        diag_help(d, (Span){0}, "choose one when compiling: --%s=%s", kind->name, item->name);
    }
}

/* ---- one section ---- */

static void report_section(Elab *e, const Item *item) {
    Str s = STR(e->arena);
    const SectionKind *kind;
    str_add(&s, "input");
    for (int i = 1; (kind = section_at(i)); i++) str_addf(&s, "%s%s", section_at(i + 1) ? ", " : " and ", kind->name);
    diag_error(e->diags, item->span, "E0401", "section `%s` is not part of this version; it knows %s", item->section,
               str_text(&s));
}

/* What a section says to the compiler, written to `u` and the parameters of the graph. */
static void apply(Bundle *p, Unit *u, const SectionKind *kind, const Item *item, const Record *r, Scope *net) {
    Elab *e = p->elab;
    if (kind->train && net) {
        train_build(e, u, net, item, r);
        for (int32_t i = 0; i < u->train.n_loss; i++)
            PUSH(e->arena, p->wanted, p->n_wanted, p->cap_wanted, u->train.loss[i].logits);
    }
    if (kind->deploy) deploy_build(e, u, e->graph, item->settings, r);
}

/* A section that does not hold: its mistakes are reported, what it says goes to copies. */
static void try_out(Bundle *p, const Unit *u, const SectionKind *kind, const Item *item, const Record *r, Scope *net) {
    Elab *e = p->elab;
    Unit copy = *u;
    Graph *graph = e->graph;
    if (graph) e->graph = graph_clone(e->arena, graph);
    apply(p, &copy, kind, item, r, net);
    e->graph = graph;
}

/* Each metric is of scores for a picture or of scores for its pixels; the loss is of both. */
static bool check_metric(Elab *e, const char *metric, Span at) {
    static const char *const of_pixels[] = {"pixel_accuracy", "mean_iou"};
    bool pixels = train_scores_pixels(e->graph), wants_pixels = false;
    for (int k = 0; k < ARRAY_LEN(of_pixels); k++) wants_pixels |= !strcmp(metric, of_pixels[k]);
    if (wants_pixels == pixels || !strcmp(metric, "loss")) return true;
    diag_error(e->diags, at, "E0441", "`%s` is of scores for %s, and the net has scores for %s", metric,
               pixels ? "a picture" : "each pixel", pixels ? "each pixel" : "a picture");
    return false;
}

/* A word, whether or not it has arguments. */
static const char *word_of(const Value *v) { return v->kind == V_RECORD ? v->record->call : v->text; }

static void check_metrics(Elab *e, const Record *r) {
    const Field *f = record_field(r, "metrics"), *table = record_field(r, "save_predictions");
    if (e->lost) return; /* the scores are not known */
    if (table->value.kind == V_TEXT) check_metric(e, table->key, table->span);
    for (int32_t i = 0; f->value.kind == V_LIST && i < f->value.n; i++)
        if (!check_metric(e, word_of(&f->value.item[i]), f->span)) return;
}

/* What a schedule watches. */
static void check_plateaus(Elab *e, const Record *r) {
    const Field *f = record_field(r, "lr");
    for (int32_t i = 0; !e->lost && f->value.kind == V_LIST && i < f->value.n; i++) {
        const Record *piece = f->value.item[i].record;
        const Field *on = strcmp(piece->call, "plateau") ? NULL : record_field(piece, "on");
        if (on) check_metric(e, on->value.text, on->span);
    }
}

/* What decides which weights are the best. */
static void check_best(Elab *e, const Record *r) {
    const Field *f = record_field(r, "checkpoint");
    const Field *best = !e->lost && f->value.kind == V_RECORD ? record_field(f->value.record, "best") : NULL;
    if (best && best->value.kind == V_TEXT) check_metric(e, best->value.text, best->span);
}

/* How many classes a source has, and where that is said; 0: it is known when its pictures are seen. */
static int64_t classes_of(const Record *source, const AstExpr *said, Span *at) {
    static const struct {
        const char *call;
        int64_t classes;
    } fixed[] = {{"cifar10", 10}, {"cifar100", 100}};
    const Field *f = record_field(source, "classes");
    *at = f ? f->span : said->span;
    for (int i = 0; i < ARRAY_LEN(fixed); i++)
        if (!strcmp(fixed[i].call, source->call)) return fixed[i].classes;
    return f ? value_whole(&f->value) : 0;
}

/* Masks are for scores of pixels, all other sources for scores of pictures. */
static bool check_labels(Elab *e, const Record *source, Span at) {
    bool masks = !strcmp(source->call, "masks");
    if (masks == train_scores_pixels(e->graph)) return true;
    diag_error(e->diags, at, "E0455", "`%s` has a class for each %s, and the net has scores for each %s", source->call,
               masks ? "pixel" : "picture", masks ? "picture" : "pixel");
    if (!masks)
        diag_help(e->diags, (Span){0}, "pictures with a class for each pixel: masks(\"PICTURES\", \"MASKS\")");
    return false;
}

/* A source whose classes are known has as many as the net. */
static void check_sources(Elab *e, const SettingList *list, const Record *r) {
    for (int32_t i = 0; !e->lost && i < r->n; i++) {
        const Value *source = &r->field[i].value;
        const AstExpr *said = settings_value(list, r->field[i].key);
        if (source->kind != V_RECORD || !said) continue;
        Span at;
        int64_t classes = classes_of(source->record, said, &at), wanted = train_classes(e->graph);
        if (wanted && !check_labels(e, source->record, said->span)) continue;
        if (!classes || classes == wanted) continue;
        diag_error(e->diags, at, "E0455", "`%s` has %lld classes, and the net has scores for %lld", source->record->call,
                   (long long)classes, (long long)wanted);
        if (record_field(source->record, "classes"))
            diag_fix(e->diags, at, arena_printf(e->arena, "%lld", (long long)wanted), "as many as the net has scores for");
    }
}

/* The endings of files that are surely of another kind. */
static void check_init(Elab *e, const Record *r) {
    static const char *const other[] = {".pth", ".pt", ".h5", ".keras", ".onnx", ".pkl", ".ckpt", ".caffemodel", ".npz"};
    const Field *init = record_field(r, "init");
    const Field *f = init->value.kind == V_RECORD ? record_field(init->value.record, "path") : NULL;
    const char *dot = f && f->value.kind == V_TEXT ? strrchr(f->value.text, '.') : NULL;
    for (int i = 0; dot && i < ARRAY_LEN(other); i++) {
        if (strcmp(dot, other[i]) != 0) continue;
        diag_warning(e->diags, f->span, "W0161", "weights are read from safetensors files, and this has the ending of another kind");
        if (i < 2)
            diag_help(e->diags, (Span){0}, "in Python: safetensors.torch.save_file(torch.load(\"%s\"), \"%.*s.safetensors\")",
                      f->value.text, (int)(dot - f->value.text), f->value.text);
    }
}

/* Ten crops are windows at different places of what the input's crop takes the middle of, and each gives the picture a
 * class. */
static void check_crops(Elab *e, const Record *r, const Value *input) {
    const Field *f = record_field(r, "crops");
    if (value_whole(&f->value) == 1 || e->lost) return;
    if (train_scores_pixels(e->graph))
        diag_error(e->diags, f->span, "E0450",
                   "ten crops are for scores of a picture, and the net has scores for each pixel");
    else if (input->kind == V_RECORD && record_field(input->record, "crop")->value.kind != V_RECORD) {
        diag_error(e->diags, f->span, "E0450",
                   "ten crops are other places for the `crop` of the input, which has none");
        diag_help(e->diags, (Span){0}, "in `input`, for example: resize = shorter(256), crop = centre(224x224)");
    }
}

/* What asks for a class of each picture does not go with masks. */
static void check_masks(Elab *e, const Record *r) {
    const Field *labels = record_field(r, "labels"), *sampling = record_field(r, "sampling");
    bool balanced = sampling->value.kind == V_TEXT && !strcmp(sampling->value.text, "class_balanced"), masks = false;
    for (int32_t i = 0; i < r->n; i++) {
        const Value *v = &r->field[i].value;
        masks |= v->kind == V_RECORD && !strcmp(v->record->call, "masks");
    }
    const Field *wrong = labels->value.kind == V_RECORD ? labels : balanced ? sampling : NULL;
    if (masks && wrong)
        diag_error(e->diags, wrong->span, "E0456", "`%s` is about the class of a picture, and `masks` has one for each pixel",
                   wrong->key);
}

/* What sections data and eval say of memory. The program is told only when it runs which ones hold. */
static void take_batches(Unit *u, const Item *item, const Record *r) {
    const Field *prefetch = !strcmp(item->section, "data") ? record_field(r, "prefetch") : NULL;
    if (prefetch) {
        u->prefetch = (int32_t)max_i64(u->prefetch, value_whole(&prefetch->value));
        u->unnamed_data |= !item->name;
    }
    if (strcmp(item->section, "eval") != 0) return;
    const Field *batch = record_field(r, "batch"), *size = record_field(r, "size");
    Evaluation e = {.batch = batch->value.kind == V_NONE ? 0 : (int32_t)value_whole(&batch->value)};
    if (size->value.kind == V_DIM) {
        e.h = size->value.dim.h;
        e.w = size->value.dim.w;
    }
    PUSH(u->arena, u->evaluation, u->n_evaluation, u->cap_evaluation, e);
    u->unnamed_eval |= !item->name;
}

static Value build(Bundle *p, Unit *u, const Item *item, Scope *net, const Value *input) {
    Elab *e = p->elab;
    const SectionKind *kind = section_find(item->section);
    if (!kind) {
        report_section(e, item);
        return v_error;
    }
    if (kind->contract) {
        contract_read(e, u, item->settings);
        return v_none;
    }
    Value v = section_eval(e, kind, item->settings, item->span);
    if (v.kind == V_LIST && input->kind == V_RECORD && u->image) check_augment(e, item->settings, &v, input->record);
    if (v.kind == V_RECORD && net && !strcmp(kind->name, "eval")) {
        check_metrics(e, v.record);
        check_crops(e, v.record, input);
        if (input->kind == V_RECORD) input_at_size(e, input->record, (Record *)(uintptr_t)v.record);
    }
    if (v.kind == V_RECORD && !strcmp(kind->name, "data")) check_masks(e, v.record);
    if (v.kind == V_RECORD && net && !strcmp(kind->name, "train")) {
        check_plateaus(e, v.record);
        check_init(e, v.record);
        check_best(e, v.record);
    }
    if (v.kind == V_RECORD && net && !strcmp(kind->name, "data")) check_sources(e, item->settings, v.record);
    if (v.kind == V_RECORD) take_batches(u, item, v.record);
    if (v.kind != V_RECORD || !kind->compiled) return v;
    if (is_chosen(p, kind, item)) {
        apply(p, u, kind, item, v.record, net);
        return v;
    }
    try_out(p, u, kind, item, v.record, net);
    return v_none;
}

/* Which augment section holds is known when the program trains, so its loss is of mixed pictures if any of them mixes. */
static void check_mixing(Bundle *p, Unit *u, const Value *section) {
    const Span *at = NULL;
    for (int32_t i = 0; i < p->sections.n && !at; i++) {
        const Item *item = p->sections.item[i];
        if (!strcmp(item->section, "augment") && section[i].kind == V_LIST) at = augment_mixes(item->settings, &section[i]);
    }
    u->train.mixes = at != NULL;
    for (int32_t i = 0; at && i < u->train.n_loss; i++) {
        const LossTerm *t = &u->train.loss[i];
        if (t->op == OP_cross_entropy && graph_node(p->elab->graph, t->logits)->type.rank == 2) continue;
        diag_error(p->elab->diags, *at, "E0481", "mixed pictures have two labels, which `cross_entropy` of one score a class can take");
        diag_label(p->elab->diags, t->span, "this is another loss");
        return;
    }
}

/* Gradients are tested where training has put them for good, which only a program does that keeps them. */
static void keep_gradients(Bundle *p, Unit *u, const Value *section) {
    for (int32_t i = 0; i < p->sections.n; i++) {
        bool test = !strcmp(p->sections.item[i]->section, "test") && section[i].kind == V_RECORD;
        const Field *f = test ? record_field(section[i].record, "gradients") : NULL;
        if (!f || f->value.kind != V_TEXT || strcmp(f->value.text, "all") != 0) continue;
        if (!u->train.present && p->elab->diags->n_error == 0) {
            diag_error(p->elab->diags, f->span, "E0470", "gradients are those of a loss, and no `train` section holds");
            diag_help(p->elab->diags, (Span){0}, "train { loss = cross_entropy(logits) } says what is trained");
        }
        u->train.gathers |= u->train.present;
    }
}

const Value *sections_build(Bundle *p, Unit *u, Scope *net, const Value *input) {
    Value *section = NEW_ARRAY(u->arena, Value, p->sections.n);
    for (int32_t i = 0; i < p->sections.n && !p->elab->stopped; i++)
        section[i] = build(p, u, p->sections.item[i], net, input);
    const SectionKind *kind;
    for (int i = 0; (kind = section_at(i)); i++)
        if (kind->compiled) check_choice(p, kind);
    if (!p->elab->stopped) check_mixing(p, u, section);
    if (net && !p->elab->stopped) keep_gradients(p, u, section);
    return section;
}

/* ---- for the program ---- */

/* The sections of one kind; where the compiler chose, that one is the one without a name. */
static void kind_json(Str *s, const Bundle *p, const Value *section, const char *kind) {
    const char *separator = "";
    str_addf(s, ", \"%s\": {", kind);
    for (int32_t i = 0; i < p->sections.n; i++) {
        const Item *item = p->sections.item[i];
        if (item->section != kind || section[i].kind == V_NONE) continue;
        str_add(s, separator);
        str_add_json(s, item->name && !section_find(kind)->compiled ? item->name : "");
        str_add(s, ": ");
        value_json(s, &section[i]);
        separator = ", ";
    }
    str_add(s, "}");
}

const char *sections_json(const Bundle *p, const Unit *u, const Value *section, const Value *input) {
    Str s = STR(p->elab->arena);
    str_add(&s, "{\"input\": ");
    value_json(&s, input);
    for (int32_t i = 0; i < p->sections.n; i++) {
        const char *kind = p->sections.item[i]->section;
        bool first = section[i].kind != V_NONE;
        for (int32_t k = 0; first && k < i; k++)
            first = p->sections.item[k]->section != kind || section[k].kind == V_NONE;
        if (first) kind_json(&s, p, section, kind);
    }
    str_add(&s, ", \"require\": [");
    contract_json(&s, u);
    str_add(&s, "]}");
    return str_text(&s);
}
