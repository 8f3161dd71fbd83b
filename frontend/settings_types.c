/* Types of parameters that exist only in settings: words and calls, which are names there and not values; times, lists
 * of numbers, patterns. */
#include <string.h>

#include "foreign.h"
#include "settings.h"
#include "../ir/unit.h"

enum { MAX_CHOICES = 32 };

static const char *wants_of(const char *type) { return settings_type_find(type, strlen(type))->wants; }

/* `a if c else b` chooses between words and calls as it does between values. */
static const AstExpr *chosen(Elab *e, const AstExpr *x) {
    while (x && x->kind == X_COND) {
        Truth truth = eval_condition(e, x->cond.test);
        x = truth == IS_UNKNOWN ? NULL : truth == IS_TRUE ? x->cond.value : x->cond.other;
    }
    return x;
}

/* "a|b|c" as an array; returns how many. */
static int split(Elab *e, const char *choice, const char **out) {
    int n = 0;
    for (const char *p = choice; *p && n < MAX_CHOICES;) {
        size_t length = strcspn(p, "|");
        out[n++] = arena_strndup(e->arena, p, length);
        p += length + (p[length] == '|');
    }
    return n;
}

/* `where`: the key of a word, the group of a call. */
static bool report_choice(Elab *e, Span at, const char *code, const char *where, const char *label, const char *got,
                          const char *const *word, int n) {
    if (got && settings_is_later(where, got)) {
        diag_error(e->diags, at, "E0401", "`%s` is not part of this version", got);
        return false;
    }
    Suggestion better = got ? foreign_suggest(FOREIGN_WORD, where, got, word, n) : (Suggestion){0};
    for (int i = 0; i < n && got; i++)
        if (!strcmp(word[i], got)) better = (Suggestion){.name = word[i]};   /* a string that names it */
    Str s = STR(e->arena);
    for (int i = 0; i < n; i++) str_addf(&s, "%s%s", i == 0 ? "" : i == n - 1 ? " or " : ", ", word[i]);
    if (!got) {
        diag_error(e->diags, at, code, "`%s` wants %s", label, str_text(&s));
        return false;
    }
    bool quoted = foreign_source(e->diags, at)[0] == '"';
    diag_error(e->diags, at, code, quoted ? "`%s` does not know \"%s\"%s" : "`%s` does not know `%s`%s", label, got,
               foreign_question(e->arena, &better));
    if (better.row || better.name) foreign_fix_word(e->diags, at, &better);
    else diag_help(e->diags, (Span){0}, "it knows %s", str_text(&s));
    return false;
}

static Name callee_name(const AstExpr *x) {
    if (x->kind == X_CALL) x = x->call.callee;
    return x->kind == X_NAME ? x->name : NULL;
}

static bool from_word(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    const char *word[MAX_CHOICES], *got = NULL;
    int n = split(e, choice, word);
    if (!(x = chosen(e, x))) return false;
    Name call = callee_name(x);
    if (call && settings_is_later(label, call)) return report_choice(e, x->span, "E0404", label, label, call, word, n);
    for (int i = 0; x->kind == X_CALL && call && i < n; i++) {
        if (strcmp(call, word[i])) continue;
        diag_error(e->diags, x->span, "E0404", "`%s` is a word of `%s`, not a call", call, label);
        diag_help(e->diags, (Span){0}, "write %s alone", call);
        return false;
    }
    if (x->kind == X_NAME) got = x->name;
    for (int i = 0; got && i < n; i++)
        if (!strcmp(got, word[i])) {
            *v = value_text(word[i]);
            return true;
        }
    if (got && !table_get(&e->globals, x->name)) return report_choice(e, x->span, "E0404", label, label, got, word, n);
    if (x->kind == X_CALL && call && !name_value(e, call, v)) return report_choice(e, x->call.callee->span, "E0404", label, label, call, word, n);
    *v = eval(e, x);
    if (v->kind == V_ERROR) return false;
    got = v->kind == V_TEXT ? v->text : NULL;
    for (int i = 0; got && i < n; i++)
        if (!strcmp(got, word[i])) return true;
    return report_choice(e, x->span, "E0404", label, label, got, word, n);
}

/* The record of a call: its arguments checked against the row. */
static bool call_record(Elab *e, const Function *fn, const AstExpr *source, const ArgList *args, Span at, Value *v) {
    Call c = {.fn = fn, .source = source, .span = at};
    for (int32_t i = 0; args && i < args->n; i++) {
        const Arg *a = &args->item[i];
        if (a->spread) {
            diag_error(e->diags, a->span, "E0124", "`*` does not work in settings");
            return false;
        }
        Actual actual = {.name = a->name, .expr = a->value, .span = a->span, .at = a->value->span};
        PUSH(e->arena, c.actual, c.n, c.cap, actual);
    }
    Bound *b = NEW(e->arena, Bound);
    if (!bind_call(e, &c, b)) return false;
    Record *r = NEW(e->arena, Record);
    r->call = name_of(fn->name);
    for (int i = 0; i < b->signature->n; i++) {
        Field f = {.key = b->signature->param[i].name, .value = b->value[i], .span = b->span[i]};
        PUSH(e->arena, r->field, r->n, r->cap, f);
    }
    *v = (Value){.kind = V_RECORD, .record = r};
    return true;
}

/* A word, or the call of one that has parameters, which are at their defaults where it stands alone. */
static bool from_word_or_call(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    if (!(x = chosen(e, x))) return false;
    Name name = callee_name(x);
    const Function *fn = name ? settings_call_find(label, name) : NULL;
    if (!fn) return from_word(e, x, v, label, choice);
    const AstExpr *call = x->kind == X_CALL ? x : NULL;
    return call_record(e, fn, call, call ? &x->call.arg : NULL, x->span, v);
}

/* Of two calls with different arguments one would be dropped in silence. */
static bool is_second_call(Elab *e, const AstExpr *x, const Value *item, int32_t i) {
    for (int32_t k = 0; k < i && item[i].kind == V_RECORD; k++) {
        if (item[k].kind != V_RECORD || item[k].record->call != item[i].record->call) continue;
        diag_error(e->diags, x->span, "E0106", "`%s` is given twice", item[i].record->call);
        return true;
    }
    return false;
}

static bool from_words(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    if (!(x = chosen(e, x))) return false;
    if (x->kind != X_LIST) {
        diag_error(e->diags, x->span, "E0109", "`%s` wants a list of words", label);
        const char *word = foreign_source(e->diags, x->span);
        if (*word && (x->kind == X_NAME || x->kind == X_STRING))
            diag_fix(e->diags, x->span, arena_printf(e->arena, "[%s]", word), "a list may have one");
        return false;
    }
    Value *item = NEW_ARRAY(e->arena, Value, x->list.n);
    bool good = true;
    for (int32_t i = 0; i < x->list.n; i++)
        good = from_word_or_call(e, x->list.item[i], &item[i], label, choice) && !is_second_call(e, x->list.item[i], item, i) && good;
    *v = value_list(item, x->list.n);
    return good;
}

/* Does the first parameter of a call take what stands alone there? */
static bool takes(const ParamType *type, const Value *v) {
    static const struct {
        const char *type;
        ValueKind kind;
    } row[] = {{"text", V_TEXT}, {"dim", V_DIM}};
    if (!strcmp(type->name, "time")) return value_is_number(v) && v->unit && v->unit != UNIT_BYTES && v->unit != UNIT_IMAGES;
    if (!strcmp(type->name, "positive")) return value_is_number(v) && !v->unit && value_double(v) > 0;
    if (!strcmp(type->name, "count")) return value_is_whole(v) && value_whole(v) > 0;
    for (int i = 0; i < ARRAY_LEN(row); i++)
        if (!strcmp(type->name, row[i].type)) return v->kind == row[i].kind;
    return false;
}

/* A value alone where a call takes one: "cats" becomes folder("cats"), 1.0 becomes norm(1.0). */
static void wrap_value(Elab *e, const AstExpr *x, const char *group, const char *const *known, int n) {
    bool literal = x->kind == X_STRING || x->kind == X_NUMBER || x->kind == X_DIM;
    Value v = x->kind == X_STRING ? value_text(x->string.text) : literal ? x->literal.value : v_error;
    for (int i = 0; i < n && literal; i++) {
        const Signature *s = signature_of(e, settings_call_find(group, known[i])->signature);
        bool bare = s->n > 0 && !strcmp(s->param[0].type->name, "time") && value_is_whole(&v) && value_whole(&v) > 0;
        if (bare) {
            diag_fix(e->diags, x->span, arena_printf(e->arena, "%s(%s epochs)", known[i], value_text_of(e->arena, &v)),
                     "a time is a number with its unit, the argument of a call");
            return;
        }
        if (s->n == 0 || !takes(s->param[0].type, &v)) continue;
        const char *what = x->kind == X_STRING ? "a string" : x->kind == X_DIM ? "a size" : "a number";
        diag_fix(e->diags, x->span, arena_printf(e->arena, "%s(%s)", known[i], foreign_source(e->diags, x->span)),
                 "%s is the argument of a call", what);
        return;
    }
}

static bool from_call(Elab *e, const AstExpr *x, Value *v, const char *label, const char *group) {
    if (!(x = chosen(e, x))) return false;
    Name name = callee_name(x);
    const Function *fn = name ? settings_call_find(group, name) : NULL;
    const AstExpr *call = x->kind == X_CALL ? x : NULL;
    if (fn) return call_record(e, fn, call, call ? &x->call.arg : NULL, x->span, v);
    const char *known[MAX_CHOICES], *got = name;
    int n = settings_call_names(group, known, MAX_CHOICES);
    bool quoted = x->kind == X_STRING && (settings_is_later(group, x->string.text) ||
                                          foreign_suggest(FOREIGN_WORD, group, x->string.text, known, n).name);
    for (int i = 0; i < n && x->kind == X_STRING; i++) quoted = quoted || !strcmp(known[i], x->string.text);
    if (quoted) got = x->string.text;
    if (call && x->call.callee->kind == X_FIELD) got = x->call.callee->access.field;
    if (x->kind == X_LIST) {
        diag_error(e->diags, x->span, "E0405", "`%s` wants one call, not a list", label);
        return false;
    }
    bool bad = report_choice(e, call ? x->call.callee->span : x->span, "E0405", group, label, got, known, n);
    int32_t before = e->diags->n_message;
    if (!got) wrap_value(e, x, group, known, n);
    if (!got && n == 1 && e->diags->current >= 0 && e->diags->n_message == before)
        diag_help(e->diags, (Span){0}, "it is written %s(%s=...)", known[0],
                  signature_of(e, settings_call_find(group, known[0])->signature)->param[0].name);
    return bad;
}

/* warmup(5 epochs) + cosine(0.1) */
static bool is_sum_of_pieces(const AstExpr *x) {
    if (x->kind == X_BINARY) return is_sum_of_pieces(x->op.a) || is_sum_of_pieces(x->op.b);
    Name name = x->kind == X_CALL ? callee_name(x) : NULL;
    return name && settings_call_find("lr", name);
}

/* One piece of a schedule: a call, or a number, which stands for constant(number). */
static bool schedule_piece(Elab *e, const AstExpr *x, Value *v, const char *label) {
    if (!(x = chosen(e, x))) return false;
    if (x->kind == X_CALL || (callee_name(x) && !table_get(&e->globals, x->name)))
        return from_call(e, x, v, label, "lr");
    if (is_sum_of_pieces(x)) {
        diag_error(e->diags, x->span, "E0411", "a schedule follows another by `->`");
        diag_help(e->diags, (Span){0}, "lr = warmup(5 epochs) -> cosine(0.1)");
        return false;
    }
    Value plain = eval(e, x);
    if (plain.kind == V_ERROR || !type_find("nonnegative", 11)->convert(e, &plain, x->span, label)) return false;
    Arg base = {.value = x, .span = x->span};
    ArgList args = {.item = &base, .n = 1};
    return call_record(e, settings_call_find("lr", "constant"), NULL, &args, x->span, v);
}

/* a -> b -> c: each but the last says how long it runs. */
static bool from_schedule(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    (void)choice;
    int32_t n = 1;
    for (const AstExpr *p = x; p->kind == X_ARROW; p = p->arrow.from) n++;
    Value *item = NEW_ARRAY(e->arena, Value, n);
    for (int32_t i = n - 1; i >= 0; i--, x = x->kind == X_ARROW ? x->arrow.from : x) {
        const AstExpr *piece = x->kind == X_ARROW ? x->arrow.to : x;
        if (!schedule_piece(e, piece, &item[i], label)) return false;
        const Record *r = item[i].record;
        bool last = i == n - 1, warmup = !strcmp(r->call, "warmup");
        if (last ? !warmup : record_field(r, "for")->value.kind != V_NONE) continue;
        diag_error(e->diags, piece->span, "E0411",
                   last ? "a schedule has to follow `%s`: -> cosine(0.1, to=0)"
                        : "another schedule follows, so `%s` needs for=... epochs",
                   r->call);
        return false;
    }
    *v = value_list(item, n);
    return true;
}

static bool from_every(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    (void)choice;
    if (!from_call(e, x, v, label, "every")) return false;
    *v = v->record->field[0].value;
    return true;
}

/* The loss speaks of the net's values: train.c reads it after the net was built. */
static bool from_loss(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    (void)e, (void)x, (void)label, (void)choice;
    *v = v_none;
    return true;
}

static bool from_workers(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    (void)choice;
    if (x->kind == X_NAME && !strcmp(x->name, "auto")) {
        *v = value_int(0);
        return true;
    }
    *v = eval(e, x);
    if (v->kind == V_ERROR) return false;
    if (value_is_whole(v) && value_whole(v) >= 1 && value_whole(v) <= 1024) return true;
    report_wants(e, x->span, label, wants_of("workers"), v);
    if (x->kind == X_STRING && !strcmp(x->string.text, "auto")) diag_fix(e->diags, x->span, "auto", "a word has no quotes");
    return false;
}

static bool to_time(Elab *e, Value *v, Span at, const char *label) {
    bool known = v->unit == UNIT_EPOCHS || v->unit == UNIT_STEPS || v->unit == UNIT_BATCHES || v->unit == UNIT_SECONDS;
    if (value_is_number(v) && v->unit == UNIT_NONE && value_double(v) >= 1) {
        const char *n = value_text_of(e->arena, v);
        diag_error(e->diags, at, "E0121", "`%s` needs a unit: %s steps, or %s epochs?", label, n, n);
        diag_fix(e->diags, at, arena_printf(e->arena, "%s epochs", n), "%s", "");
        return false;
    }
    if (!value_is_number(v) || !known || value_double(v) <= 0 || value_double(v) > 1e15)
        return report_wants(e, at, label, wants_of("time"), v);
    bool counted = v->unit == UNIT_STEPS || v->unit == UNIT_BATCHES;
    if (!counted || (v->kind == V_RATIO && v->ratio.den == 1)) return true;
    diag_error(e->diags, at, "E0117", "`%s` must be a whole number; this is %s", label, value_text_of(e->arena, v));
    return false;
}

/* A list in which every item passes `item`. */
static bool to_list_of(Elab *e, Value *v, Span at, const char *label, const char *type, Convert *item) {
    if (v->kind != V_LIST || v->n == 0) {
        report_wants(e, at, label, wants_of(type), v);
        if (value_is_number(v)) diag_fix(e->diags, at, arena_printf(e->arena, "[%s]", value_text_of(e->arena, v)), "%s", "");
        return false;
    }
    Value *copy = NEW_ARRAY(e->arena, Value, v->n);
    for (int32_t i = 0; i < v->n; i++) {
        copy[i] = v->item[i];
        if (!item(e, &copy[i], at, label)) return false;
    }
    *v = value_list(copy, v->n);
    return true;
}

/* at=[30, 60] */
static bool lacks_units(Elab *e, const Value *v, Span at, const char *label) {
    Str s = STR(e->arena);
    for (int32_t i = 0; v->kind == V_LIST && i < v->n; i++) {
        if (!value_is_whole(&v->item[i]) || v->item[i].unit != UNIT_NONE || value_whole(&v->item[i]) < 1) return false;
        str_addf(&s, "%s%lld epochs", i ? ", " : "[", (long long)value_whole(&v->item[i]));
    }
    if (v->kind != V_LIST || v->n == 0) return false;
    const char *first = value_text_of(e->arena, &v->item[0]);
    diag_error(e->diags, at, "E0121", "`%s` needs units: %s steps, or %s epochs?", label, first, first);
    if (foreign_source(e->diags, at)[0] == '[') diag_fix(e->diags, at, arena_printf(e->arena, "%s]", str_text(&s)), "%s", "");
    return true;
}

static bool to_times(Elab *e, Value *v, Span at, const char *label) {
    if (lacks_units(e, v, at, label)) return false;
    return to_list_of(e, v, at, label, "times", to_time);
}

static bool to_reals(Elab *e, Value *v, Span at, const char *label) {
    return to_list_of(e, v, at, label, "reals", type_find("real", 4)->convert);
}

static bool to_positives(Elab *e, Value *v, Span at, const char *label) {
    return to_list_of(e, v, at, label, "positives", type_find("positive", 8)->convert);
}

static bool to_prefetch(Elab *e, Value *v, Span at, const char *label) {
    bool whole = v->kind == V_RATIO && v->ratio.den == 1 && v->ratio.num >= 1 && v->ratio.num <= 1024;
    if (whole && v->unit == UNIT_NONE) {
        const char *n = value_text_of(e->arena, v);
        diag_error(e->diags, at, "E0121", "`%s` needs a unit: %s batches", label, n);
        diag_fix(e->diags, at, arena_printf(e->arena, "%s batches", n), "%s", "");
        return false;
    }
    if (!whole || v->unit != UNIT_BATCHES) return report_wants(e, at, label, wants_of("prefetch"), v);
    v->unit = UNIT_NONE;
    return true;
}

/* Whole ones: 0.1 GiB has a part of one more. */
static bool to_bytes(Elab *e, Value *v, Span at, const char *label) {
    if (!value_is_number(v) || v->unit != UNIT_BYTES || value_double(v) < 1 || value_double(v) >= 1e18)
        return report_wants(e, at, label, wants_of("bytes"), v);
    *v = value_int((int64_t)value_double(v));
    v->unit = UNIT_BYTES;
    return true;
}

static bool to_pictures(Elab *e, Value *v, Span at, const char *label) {
    return type_find("count", 5)->convert(e, v, at, label) &&
           (value_whole(v) <= 1 << 24 || report_wants(e, at, label, wants_of("pictures"), v));
}

/* A number of pictures, or a list of them. */
static bool to_counts(Elab *e, Value *v, Span at, const char *label) {
    if (v->kind != V_LIST) {
        Value *one = NEW(e->arena, Value);
        *one = *v;
        *v = value_list(one, 1);
    }
    bool good = v->n > 0;
    for (int32_t i = 0; good && i < v->n; i++)
        good = value_is_whole(&v->item[i]) && value_whole(&v->item[i]) >= 1 &&
               value_whole(&v->item[i]) <= PICTURES_MOST;
    return good || report_wants(e, at, label, wants_of("counts"), v);
}

static bool to_share(Elab *e, Value *v, Span at, const char *label) {
    bool share = value_is_number(v) && !v->unit && value_double(v) > 0 && value_double(v) <= 1;
    return share || report_wants(e, at, label, wants_of("share"), v);
}

/* [lo, hi] with least <= lo <= hi <= most. */
static bool is_range(const Value *v, double least, double most) {
    bool two = v->kind == V_LIST && v->n == 2;
    for (int i = 0; two && i < 2; i++) two = value_is_number(&v->item[i]) && !v->item[i].unit;
    if (!two) return false;
    double lo = value_double(&v->item[0]), hi = value_double(&v->item[1]);
    return lo >= least && lo <= hi && hi <= most;
}

static bool to_crops(Elab *e, Value *v, Span at, const char *label) {
    if (!value_is_whole(v) || (value_whole(v) != 1 && value_whole(v) != 10))
        return report_wants(e, at, label, wants_of("crops"), v);
    *v = value_int(value_whole(v));
    return true;
}

static bool to_depth(Elab *e, Value *v, Span at, const char *label) {
    if (!value_is_whole(v) || (value_whole(v) != 8 && value_whole(v) != 16))
        return report_wants(e, at, label, wants_of("depth"), v);
    *v = value_int(value_whole(v));
    return true;
}

static bool to_degrees(Elab *e, Value *v, Span at, const char *label) {
    if (is_range(v, -360, 360)) return true;
    report_wants(e, at, label, wants_of("degrees"), v);
    const char *most = value_is_number(v) && !v->unit && value_double(v) > 0 ? value_text_of(e->arena, v) : NULL;
    if (most) diag_fix(e->diags, at, arena_printf(e->arena, "[-%s, %s]", most, most), "to either side");
    return false;
}

static bool to_whole_within(Elab *e, Value *v, Span at, const char *label, const char *type, int64_t least, int64_t most) {
    if (!value_is_whole(v) || value_whole(v) < least || value_whole(v) > most)
        return report_wants(e, at, label, wants_of(type), v);
    *v = value_int(value_whole(v));
    return true;
}

static bool to_changes(Elab *e, Value *v, Span at, const char *label) {
    return to_whole_within(e, v, at, label, "changes", 1, 14);
}

static bool to_bins(Elab *e, Value *v, Span at, const char *label) {
    return to_whole_within(e, v, at, label, "bins", 1, 1000);
}

static bool to_keep(Elab *e, Value *v, Span at, const char *label) {
    return to_whole_within(e, v, at, label, "keep", 1, 100);
}

static bool to_magnitude(Elab *e, Value *v, Span at, const char *label) {
    return to_whole_within(e, v, at, label, "magnitude", 0, 30);
}

static bool to_sigma(Elab *e, Value *v, Span at, const char *label) {
    bool good = value_is_number(v) && !v->unit && value_double(v) >= 0 && value_double(v) <= 100;
    return good || report_wants(e, at, label, wants_of("sigma"), v);
}

static bool to_sigmas(Elab *e, Value *v, Span at, const char *label) {
    return is_range(v, 1e-6, 100) || report_wants(e, at, label, wants_of("sigmas"), v);
}

static bool to_interval(Elab *e, Value *v, Span at, const char *label) {
    return is_range(v, 1e-6, 1e6) || report_wants(e, at, label, wants_of("interval"), v);
}

static bool to_shares(Elab *e, Value *v, Span at, const char *label) {
    return is_range(v, 1e-6, 1) || report_wants(e, at, label, wants_of("shares"), v);
}

/* With smaller ones a gradient whose square is below the smallest float would make a large step. */
static bool to_small(Elab *e, Value *v, Span at, const char *label) {
    bool good = value_is_number(v) && !v->unit && value_double(v) >= 1e-20 && value_double(v) <= 1;
    return good || report_wants(e, at, label, wants_of("small"), v);
}

static bool to_betas(Elab *e, Value *v, Span at, const char *label) {
    bool two = v->kind == V_LIST && v->n == 2;
    for (int i = 0; two && i < 2; i++)
        two = value_is_number(&v->item[i]) && !v->item[i].unit && value_double(&v->item[i]) >= 0 &&
              value_double(&v->item[i]) < 1;
    return two || report_wants(e, at, label, wants_of("betas"), v);
}

/* A string or a list of strings, as a list. */
static bool texts_from(Elab *e, Value *v) {
    if (v->kind == V_TEXT) {
        Value *one = NEW(e->arena, Value);
        *one = *v;
        *v = value_list(one, 1);
    }
    bool texts = v->kind == V_LIST;
    for (int32_t i = 0; texts && i < v->n; i++) texts = v->item[i].kind == V_TEXT;
    return texts;
}

static bool to_globs(Elab *e, Value *v, Span at, const char *label) {
    return texts_from(e, v) || report_wants(e, at, label, wants_of("globs"), v);
}

static bool to_paths(Elab *e, Value *v, Span at, const char *label) {
    return (texts_from(e, v) && v->n > 0) || report_wants(e, at, label, wants_of("paths"), v);
}

/* all or all(except=...): every parameter but those. */
static bool from_freeze(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    (void)choice;
    if (!(x = chosen(e, x))) return false;
    Name name = callee_name(x);
    if (name && settings_call_find("freeze", name) && !table_get(&e->globals, name))
        return from_call(e, x, v, label, "freeze");
    bool bare = false;
    for (int32_t i = 0; x->kind == X_LIST && i < x->list.n; i++)
        bare = report_bare_text(e, x->list.item[i], label, "a pattern") || bare;
    if (bare || report_bare_text(e, x, label, "a pattern")) return false;
    *v = eval(e, x);
    return v->kind != V_ERROR && to_globs(e, v, x->span, label);
}

/* A bare word that names nothing else, with this for its _, or an expression that is a string. */
static bool from_bare(Elab *e, const AstExpr *x, Value *v, const char *label, const char *type, char underscore) {
    if (!(x = chosen(e, x))) return false;
    if (x->kind == X_NAME && !table_get(&e->globals, x->name)) {
        char *text = arena_strdup(e->arena, x->name);
        for (char *p = text; (p = strchr(p, '_')); p++) *p = underscore;
        *v = value_text(text);
        return true;
    }
    *v = eval(e, x);
    if (v->kind == V_ERROR) return false;
    return v->kind == V_TEXT || report_wants(e, x->span, label, wants_of(type), v);
}

/* One of these or a list, as a list. */
static bool from_bare_list(Elab *e, const AstExpr *x, Value *v, const char *label, const char *type, char underscore) {
    bool list = x->kind == X_LIST;
    int32_t n = list ? x->list.n : 1;
    Value *item = NEW_ARRAY(e->arena, Value, n);
    bool good = true;
    for (int32_t i = 0; i < n; i++)
        good = from_bare(e, list ? x->list.item[i] : x, &item[i], label, type, underscore) && good;
    *v = value_list(item, n);
    return good && (n > 0 || report_wants(e, x->span, label, wants_of(type), v));
}

static bool from_names(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    (void)choice;
    return from_bare_list(e, x, v, label, "names", '_');
}

/* As -march takes them, with commas between; x86_64_v3 is a word and x86-64-v3 is none. */
static bool from_processors(Elab *e, const AstExpr *x, Value *v, const char *label, const char *choice) {
    (void)choice;
    if (!from_bare_list(e, x, v, label, "processors", '-')) return false;
    Str s = STR(e->arena);
    for (int32_t i = 0; i < v->n; i++) str_addf(&s, "%s%s", i ? "," : "", v->item[i].text);
    *v = value_text(str_text(&s));
    return true;
}

static bool to_side_or_dim(Elab *e, Value *v, Span at, const char *label) {
    return v->kind == V_DIM || type_find("count", 5)->convert(e, v, at, label);
}

/* Sides of squares, or sizes, as sizes. */
static bool to_sizes(Elab *e, Value *v, Span at, const char *label) {
    enum { MOST = 16, SIDE_MOST = 65535 };
    bool good = v->kind == V_LIST && v->n > 0 && v->n <= MOST;
    Value *copy = NEW_ARRAY(e->arena, Value, good ? v->n : 0);
    for (int32_t i = 0; good && i < v->n; i++) {
        int64_t side = value_is_whole(&v->item[i]) ? value_whole(&v->item[i]) : 0;
        good = v->item[i].kind == V_DIM || (side >= 1 && side <= SIDE_MOST);
        copy[i] = v->item[i].kind == V_DIM ? v->item[i] : value_dim(side, side);
    }
    if (!good) return report_wants(e, at, label, wants_of("sizes"), v);
    *v = value_list(copy, v->n);
    return true;
}

/* ONE ROW PER TYPE of settings. */
static const ParamType settings_type_table[] = {
    {.name = "word", .wants = "one of its words", .from_expr = from_word},
    {.name = "words", .wants = "a list of its words", .from_expr = from_words},
    {.name = "call", .wants = "a call", .from_expr = from_call},
    {.name = "schedule", .wants = "a schedule", .from_expr = from_schedule},
    {.name = "every", .wants = "every(time)", .from_expr = from_every},
    {.name = "loss", .wants = "a loss", .from_expr = from_loss},
    {.name = "workers", .wants = "auto or a whole number from 1 to 1024", .from_expr = from_workers},
    {.name = "time", .wants = "a time above 0, like 450000 steps, 90 epochs or 20 min", .convert = to_time},
    {.name = "times", .wants = "a list of times", .convert = to_times},
    {.name = "reals", .wants = "a list of numbers", .convert = to_reals},
    {.name = "positives", .wants = "a list of numbers above 0", .convert = to_positives},
    {.name = "prefetch", .wants = "a number of batches from 1 to 1024", .convert = to_prefetch},
    {.name = "share", .wants = "a share above 0% and at most 100%", .convert = to_share},
    {.name = "bytes", .wants = "bytes, like 64 MiB", .convert = to_bytes},
    {.name = "pictures", .wants = "a whole number from 1 to 16777216", .convert = to_pictures}, /* STORED_MOST in runtime/stored.h */
    {.name = "counts", .wants = "a list of whole numbers from 1 to 65536, like [1, 8]", .convert = to_counts},
    {.name = "names", .wants = "a list of names", .from_expr = from_names},
    {.name = "processors", .wants = "a processor like native or \"x86-64-v3\", or a list of them", .from_expr = from_processors},
    {.name = "crops", .wants = "1 (the middle) or 10 (corners and middle, these mirrored too)", .convert = to_crops},
    {.name = "depth", .wants = "8 or 16, the bits of each colour", .convert = to_depth},
    {.name = "degrees", .wants = "[low, high] with -360 <= low <= high <= 360", .convert = to_degrees},
    {.name = "changes", .wants = "a whole number from 1 to 14", .convert = to_changes},
    {.name = "bins", .wants = "a whole number from 1 to 1000", .convert = to_bins}, /* CALIBRATION_MOST in runtime/metrics.h */
    {.name = "keep", .wants = "a whole number from 1 to 100", .convert = to_keep}, /* CHECKPOINTS_MOST in runtime/rundir.h */
    {.name = "magnitude", .wants = "a whole number from 0 to 30", .convert = to_magnitude},
    {.name = "sigma", .wants = "a number from 0 to 100", .convert = to_sigma},
    {.name = "sigmas", .wants = "[low, high] with 0 < low <= high <= 100", .convert = to_sigmas},
    {.name = "interval", .wants = "[low, high] with 0 < low <= high", .convert = to_interval},
    {.name = "shares", .wants = "[low, high] with 0 < low <= high <= 1", .convert = to_shares},
    {.name = "small", .wants = "a number from 1e-20 to 1", .convert = to_small},
    {.name = "betas", .wants = "two numbers of at least 0 and below 1, like [0.9, 0.999]", .convert = to_betas},
    {.name = "globs", .wants = "a pattern or a list of patterns, each a string", .convert = to_globs},
    {.name = "paths", .wants = "a path or a list of paths, each a string", .convert = to_paths},
    {.name = "freeze", .wants = "all or patterns", .from_expr = from_freeze},
    {.name = "sizes", .wants = "a list of 1 to 16 sizes, like [160, 192, 224]", .convert = to_sizes},
    {.name = "side_or_dim", .wants = "a side length or a size like 224x224", .convert = to_side_or_dim},
};

const ParamType *settings_type_find(const char *name, size_t n) {
    for (int i = 0; i < ARRAY_LEN(settings_type_table); i++)
        if (strlen(settings_type_table[i].name) == n && !memcmp(settings_type_table[i].name, name, n))
            return &settings_type_table[i];
    return NULL;
}
