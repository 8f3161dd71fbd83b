/* See contract.h. */
#include "contract.h"

#include <string.h>

#include "../ir/number.h"
#include "foreign.h"
#include "settings.h"

typedef enum FigureMeasure { FM_COUNT, FM_BYTES, FM_SECONDS, FM_SHARE } FigureMeasure;
typedef enum FigureTime { WHEN_MADE, WHEN_RUN } FigureTime;

static const struct FigureRow {
    const char *name;
    FigureMeasure measure;
    FigureTime when;
    const char *example;
} figure_row[FIGURE_COUNT] = {
#define FIGURE(id, NAME, measure, when, example) [FIGURE_##NAME] = {#id, FM_##measure, WHEN_##when, example},
#include "../ir/figures.def"
#undef FIGURE
};

static bool is_order(Operator op) { return op == OPR_lt || op == OPR_le || op == OPR_gt || op == OPR_ge; }

/* The figure that the clause names, or FIGURE_COUNT if there is none (reported). */
static Figure find_figure(Elab *e, const AstExpr *x) {
    const char *known[FIGURE_COUNT];
    for (int i = 0; i < FIGURE_COUNT; i++) {
        if (!strcmp(x->name, figure_row[i].name)) return (Figure)i;
        known[i] = figure_row[i].name;
    }
    if (settings_is_later("require", x->name)) {
        diag_error(e->diags, x->span, "E0401", "`%s` of `require` is not part of this version", x->name);
        return FIGURE_COUNT;
    }
    Suggestion better = foreign_suggest(FOREIGN_WORD, "require", x->name, known, FIGURE_COUNT);
    diag_error(e->diags, x->span, "E0101", "`require` knows no `%s`%s", x->name, foreign_question(e->arena, &better));
    foreign_fix_word(e->diags, x->span, &better);
    Str all = STR(e->arena);
    for (int i = 0; i < FIGURE_COUNT; i++) str_addf(&all, "%s%s", i ? ", " : "", known[i]);
    if (!better.row && !better.name) diag_help(e->diags, (Span){0}, "it knows %s", str_text(&all));
    return FIGURE_COUNT;
}

/* A limit has the unit of its figure; a share is at most 1, so that 76 for 76% is noticed. */
static bool is_limit(const struct FigureRow *row, const Value *v) {
    static const Measure unit[] = {[FM_BYTES] = UNIT_BYTES, [FM_SECONDS] = UNIT_SECONDS, [FM_SHARE] = UNIT_NONE};
    if (!value_is_number(v) || v->unit != unit[row->measure]) return false;
    return row->measure != FM_SHARE || (value_double(v) >= 0 && value_double(v) <= 1);
}

/* params = 61M: a share is at least that, everything else at most, but what passes in a second. */
static void propose_order(Elab *e, const Setting *s) {
    Span gap = s->span;
    if (!s->key || s->value->kind != X_NUMBER || s->value->span.line != gap.line) return;
    for (int i = 0; i < FIGURE_COUNT; i++) {
        if (strcmp(s->key, figure_row[i].name) != 0) continue;
        gap.len = s->value->span.col - gap.col;
        bool least = figure_row[i].measure == FM_SHARE || i == FIGURE_THROUGHPUT;
        diag_fix(e->diags, gap, arena_printf(e->arena, "%s %s ", s->key, least ? ">=" : "<="), "%s", "");
    }
}

static void read_clause(Elab *e, Unit *u, const Setting *s) {
    const AstExpr *x = s->value;
    if (x->kind == X_ERROR) return;
    bool clause = !s->key && !s->group && x->kind == X_BINARY && is_order(x->op.op) && x->op.a->kind == X_NAME;
    if (!clause) {
        diag_error(e->diags, s->span, "E0402", "`require` holds comparisons of a figure with a number, like params <= 61M");
        propose_order(e, s);
        return;
    }
    Figure figure = find_figure(e, x->op.a);
    Value v = figure < FIGURE_COUNT ? eval(e, x->op.b) : v_error;
    if (v.kind == V_ERROR) return;
    const struct FigureRow *row = &figure_row[figure];
    if (!is_limit(row, &v)) {
        report_wants(e, x->op.b->span, row->name, arena_printf(e->arena, "a limit like %s", row->example), &v);
        return;
    }
    Operator op = x->op.op;
    Clause c = {.figure = figure, .below = op == OPR_lt || op == OPR_le, .equal = op == OPR_le || op == OPR_ge,
                .limit = value_double(&v), .span = x->span};
    PUSH(u->arena, u->clause, u->n_clause, u->cap_clause, c);
}

void contract_read(Elab *e, Unit *u, const SettingList *list) {
    for (int32_t i = 0; i < list->n; i++) read_clause(e, u, list->item[i]);
}

static const char *figure_text(Arena *a, Figure figure, int64_t value) {
    return figure_row[figure].measure == FM_BYTES ? number_bytes(a, value) : arena_printf(a, "%lld", (long long)value);
}

void contract_check(const Unit *u, Figure figure, int64_t value) {
    for (int32_t i = 0; i < u->n_clause; i++) {
        const Clause *c = &u->clause[i];
        double x = (double)value;
        bool holds = (c->equal && x == c->limit) || (c->below ? x < c->limit : x > c->limit);
        if (c->figure != figure || holds) continue;
        diag_error(u->diags, c->span, "E0420", "the net does not keep this: %s is %s", figure_row[figure].name,
                   figure_text(u->arena, figure, value));
    }
}

bool contract_mentions(const Unit *u, Figure figure) {
    for (int32_t i = 0; i < u->n_clause; i++)
        if (u->clause[i].figure == figure) return true;
    return false;
}

void contract_json(Str *s, const Unit *u) {
    const char *separator = "";
    for (int32_t i = 0; i < u->n_clause; i++) {
        const Clause *c = &u->clause[i];
        if (figure_row[c->figure].when != WHEN_RUN) continue;
        str_addf(s, "%s{\"figure\": \"%s\", \"order\": \"%s%s\", \"limit\": ", separator, figure_row[c->figure].name,
                 c->below ? "<" : ">", c->equal ? "=" : "");
        str_add_double(s, c->limit);
        str_add(s, "}");
        separator = ", ";
    }
}
