#include "schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"

static const int64_t endless = INT64_MAX;

typedef struct Piece Piece;
typedef double Rate(const Piece *p, double t, int64_t step);

struct Piece {
    Rate *rate;
    double base, to, gamma, power;
    double every;          /* steps */
    int64_t patience, falls; /* plateau */
    bool on_loss;
    int64_t start, length; /* steps; length: endless for a last piece of unknown end */
    int64_t *at;           /* multistep: absolute steps */
    size_t n_at;
};

struct Schedule {
    Piece *piece;
    int n;
};

/* ---- quantities ---- */

Quantity quantity_parse(const json_t *j, const char *where, RtError *err) {
    static const struct {
        const char *name;
        Unit unit;
    } units[] = {{"steps", UNIT_STEPS}, {"batches", UNIT_STEPS}, {"epochs", UNIT_EPOCHS}, {"s", UNIT_SECONDS}};
    Quantity q = {0, UNIT_NONE};
    if (!j || json_is_null(j)) return q;
    const char *unit = field_text(j, "unit", where, err);
    q.value = field_number(j, "value", where, err);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].name, unit) == 0) q.unit = units[i].unit;
    if (q.unit == UNIT_NONE || !(q.value >= 0 && q.value < 1e15))
        rt_fail(err, RT_INTERNAL, "%s: not a quantity of steps, epochs or s", where);
    return q;
}

int64_t quantity_steps(Quantity q, int64_t steps_per_epoch, const char *where, RtError *err) {
    if (q.unit == UNIT_NONE) return -1;
    if (q.unit == UNIT_SECONDS) {
        rt_fail(err, RT_DATA, "%s: a time does not say how many steps that is; give epochs or steps", where);
        return 0;
    }
    double steps = q.unit == UNIT_EPOCHS ? q.value * (double)steps_per_epoch : q.value;
    return steps < 9e18 ? llround(steps) : endless;
}

/* ---- pieces ---- */

static double part(const Piece *p, double t) { return p->length > 0 ? t / (double)p->length : 1; }

static double rate_constant(const Piece *p, double t, int64_t step) {
    (void)t, (void)step;
    return p->base;
}

static double rate_step(const Piece *p, double t, int64_t step) {
    (void)step;
    return p->base * pow(p->gamma, floor(t / p->every));
}

static double rate_exp(const Piece *p, double t, int64_t step) {
    (void)step;
    return p->base * pow(p->gamma, t / p->every);
}

static double rate_inv(const Piece *p, double t, int64_t step) {
    (void)step;
    return p->base * pow(1 + p->gamma * t / p->every, -p->power);
}

/* Up and down again on lines (Smith 2017). */
static double rate_cyclic(const Piece *p, double t, int64_t step) {
    double cycles = t / p->every, done = floor(cycles);
    (void)step;
    return p->base + (p->to - p->base) * pow(p->gamma, done) * (1 - fabs(2 * (cycles - done) - 1));
}

static double rate_multistep(const Piece *p, double t, int64_t step) {
    int past = 0;
    (void)t;
    for (size_t i = 0; i < p->n_at; i++) past += p->at[i] <= step;
    return p->base * pow(p->gamma, past);
}

static double rate_plateau(const Piece *p, double t, int64_t step) {
    (void)t, (void)step;
    return p->base * pow(p->gamma, (double)p->falls);
}

static double rate_poly(const Piece *p, double t, int64_t step) {
    (void)step;
    return p->to + (p->base - p->to) * pow(1 - part(p, t), p->power);
}

static double rate_cosine(const Piece *p, double t, int64_t step) {
    (void)step;
    return p->to + (p->base - p->to) * (1 + cos(M_PI * part(p, t))) / 2;
}

static double rate_linear(const Piece *p, double t, int64_t step) {
    (void)step;
    return p->base + (p->to - p->base) * part(p, t);
}

/* One row a kind. A warmup is a line whose end is filled in from the piece after it. */
static const struct Kind {
    const char *call;
    Rate *rate;
    bool length, every, at, warmup; /* what it needs */
} kinds[] = {
    {"constant", rate_constant, false, false, false, false},  {"step", rate_step, false, true, false, false},
    {"multistep", rate_multistep, false, false, true, false}, {"poly", rate_poly, true, false, false, false},
    {"cosine", rate_cosine, true, false, false, false},       {"exp", rate_exp, false, true, false, false},
    {"plateau", rate_plateau, false, false, false, false},
    {"inv", rate_inv, false, true, false, false},             {"cyclic", rate_cyclic, false, true, false, false},
    {"linear", rate_linear, true, false, false, false},       {"warmup", rate_linear, true, false, false, true},
};

static const struct Kind *find_kind(const char *call, RtError *err) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].call, call) == 0) return &kinds[i];
    rt_fail(err, RT_INTERNAL, "lr: unknown schedule \"%.40s\"", call);
    return NULL;
}

static void parse_at(Piece *p, const json_t *j, int64_t steps_per_epoch, RtError *err) {
    const json_t *list = field_array(j, "at", "lr", err);
    p->n_at = json_array_size(list);
    p->at = rt_alloc(p->n_at, sizeof *p->at, err);
    for (size_t i = 0; p->at && i < p->n_at; i++)
        p->at[i] = quantity_steps(quantity_parse(json_array_get(list, i), "multistep", err), steps_per_epoch,
                                  "multistep", err);
}

static void parse_every(Piece *p, const json_t *j, const char *call, int64_t steps_per_epoch, RtError *err) {
    p->every =
        (double)quantity_steps(quantity_parse(json_object_get(j, "every"), call, err), steps_per_epoch, call, err);
    if (!(p->every >= 1)) rt_fail(err, RT_DATA, "lr: %s needs an `every` of at least one step", call);
}

static void parse_plateau(Piece *p, const json_t *j, int64_t steps_per_epoch, RtError *err) {
    p->patience = quantity_steps(quantity_parse(json_object_get(j, "patience"), "plateau", err), steps_per_epoch,
                                 "plateau", err);
    p->on_loss = strcmp(field_text(j, "on", "plateau", err), "loss") == 0;
}

static void parse_piece(Piece *p, const json_t *j, int64_t steps_per_epoch, int64_t left, bool last, RtError *err) {
    const char *call = field_text(j, "call", "lr", err);
    const struct Kind *kind = find_kind(call, err);
    if (err->code) return;
    p->rate = kind->rate;
    p->base = kind->warmup ? field_number_or(j, "from", 0, call, err) : field_number(j, "base", call, err);
    p->to = field_number_or(j, "to", 0, call, err);
    p->gamma = field_number_or(j, "gamma", 1, call, err);
    p->power = field_number_or(j, "power", 1, call, err);
    p->length = quantity_steps(quantity_parse(json_object_get(j, "for"), call, err), steps_per_epoch, call, err);
    if (kind->rate == rate_plateau) parse_plateau(p, j, steps_per_epoch, err);
    if (kind->every) parse_every(p, j, call, steps_per_epoch, err);
    if (kind->at) parse_at(p, j, steps_per_epoch, err);
    if (p->length < 0) p->length = left;
    if (kind->length && p->length == endless)
        rt_fail(err, RT_DATA, "lr: %s must know how long the training is; give `stop` in epochs or steps", call);
    if (!last && p->length == endless) rt_fail(err, RT_DATA, "lr: %s needs a `for`, as another schedule follows", call);
    if (last && kind->warmup) rt_fail(err, RT_DATA, "lr: warmup needs a schedule after it");
}

Schedule *schedule_new(const json_t *lr, int64_t steps_per_epoch, int64_t total, RtError *err) {
    Schedule *s = rt_alloc(1, sizeof *s, err);
    size_t n = json_array_size(lr);
    if (!s) return NULL;
    s->piece = rt_alloc(n, sizeof *s->piece, err);
    s->n = s->piece ? (int)n : 0;
    if (n == 0) rt_fail(err, RT_INTERNAL, "lr: no schedule");
    int64_t start = 0;
    for (int i = 0; i < s->n && !err->code; i++) {
        Piece *p = &s->piece[i];
        int64_t left = total < 0 ? endless : total > start ? total - start : 0;
        p->start = start;
        parse_piece(p, json_array_get(lr, (size_t)i), steps_per_epoch, left, i == s->n - 1, err);
        if (__builtin_add_overflow(start, p->length, &start)) start = endless;
    }
    for (int i = s->n - 2; i >= 0 && !err->code; i--) {
        const json_t *j = json_array_get(lr, (size_t)i);
        if (find_kind(field_text(j, "call", "lr", err), err)->warmup)
            s->piece[i].to = s->piece[i + 1].rate(&s->piece[i + 1], 0, s->piece[i + 1].start);
    }
    if (!err->code) return s;
    schedule_free(s);
    return NULL;
}

void schedule_free(Schedule *s) {
    if (!s) return;
    for (int i = 0; i < s->n; i++) free(s->piece[i].at);
    free(s->piece);
    free(s);
}

static Piece *piece_at(const Schedule *s, int64_t step) {
    int i = 0;
    while (i < s->n - 1 && step >= s->piece[i + 1].start) i++;
    return &s->piece[i];
}

double schedule_lr(const Schedule *s, int64_t step) {
    const Piece *p = piece_at(s, step);
    int64_t t = step - p->start;
    return p->rate(p, (double)(t < p->length ? t : p->length), step);
}

bool schedule_has_plateau(const Schedule *s) {
    for (int i = 0; i < s->n; i++)
        if (s->piece[i].rate == rate_plateau) return true;
    return false;
}

void schedule_resume(Schedule *s, const Plateau *p) { piece_at(s, p->since)->falls = p->falls; }

bool schedule_judge(Schedule *s, Plateau *p, int64_t step, double score, double loss) {
    const Piece *piece = piece_at(s, step);
    if (piece->rate != rate_plateau) return false;
    if (p->since < piece->start) *p = (Plateau){.since = step, .best = PLATEAU_NONE};
    double value = piece->on_loss ? -loss : score;
    bool better = value > p->best, falls = !better && step - p->since >= piece->patience;
    if (better) p->best = value;
    if (better || falls) p->since = step;
    p->falls += falls;
    schedule_resume(s, p);
    return falls;
}
