/* See driver.h. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "../backends/target.h"
#include "../ir/files.h"
#include "../ir/number.h"
#include "../passes/figures.h"
#include "../passes/pass.h"
#include "../passes/report.h"
#include "fit.h"
#include "footprint.h"

Diags *driver_diags(Arena *a, const CommandLine *c) {
    Diags *d = diag_new(a);
    d->options = &c->diag;
    return d;
}

/* ---- exit codes ---- */

/* The messages decide, the gravest first: a limit, then a missing file, then a wrong command line, then bad data. */
int driver_exit_code(const Diags *d) {
    static const struct {
        const char *prefix;
        int code;
    } rank[] = {
        {"E09", EX_CONFIG},
        {"E0601", EX_NOINPUT},
        {"E0130", EX_USAGE},
    };
    for (int i = 0; i < ARRAY_LEN(rank); i++)
        for (int k = 0; k < d->n_message; k++)
            if (d->message[k].code && !strncmp(d->message[k].code, rank[i].prefix, strlen(rank[i].prefix)))
                return rank[i].code;
    return EX_DATAERR;
}

/* ---- text output ---- */

int driver_complain(int code, const char *what, const char *path) {
    fprintf(stderr, "cnnc: error: %s %s: %s\n", what, path, strerror(errno));
    return code;
}

/* By way of a temporary file beside it, so that a failure, or a power cut, leaves what was there; permissions stay. */
static int write_file(Arena *a, const char *path, const Str *s) {
    const char *temporary = arena_printf(a, "%s.tmp%ld", path, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return driver_complain(EX_CANTCREAT, "cannot create", path);
    struct stat old;
    bool replaces = !stat(path, &old) && S_ISREG(old.st_mode);
    bool good = files_write_all(fd, str_text(s), s->n) && (!replaces || (!fchmod(fd, old.st_mode & 07777) && !fsync(fd)));
    if (close(fd)) good = false;
    if (good && !rename(temporary, path)) return EX_OK;
    int code = driver_complain(good ? EX_CANTCREAT : EX_IOERR, "cannot write", path);
    unlink(temporary);
    return code;
}

int driver_write(Arena *a, const char *path, const Str *s) {
    if (!path || !strcmp(path, "-"))
        return files_write_all(STDOUT_FILENO, str_text(s), s->n) ? EX_OK
                                                                 : driver_complain(EX_IOERR, "cannot write", "standard output");
    int code = EX_OK;
    if (files_is_special(path)) {
        code = files_write_special(path, str_text(s), s->n);
        return code ? driver_complain(code, "cannot write", path) : EX_OK;
    }
    sigset_t before;
    files_hold(&before);
    code = write_file(a, path, s);
    files_release(&before);
    return code;
}

Unit *driver_unit(Arena *a, Diags *d, const CommandLine *c, const char *path, const Definition *definition, int n) {
    Unit *u = NEW(a, Unit);
    *u = (Unit){.arena = a, .diags = d, .opt = &c->options};
    ice_context("reading", path);
    FrontendOptions o = c->frontend;
    o.definition = definition;
    o.n_definition = n;
    if (!frontend_build(u, path, &o)) return NULL;
    Options *all = NEW(a, Options);
    *all = c->options;
    if (c->options.max_batch > 0) u->deploy.max_batch = c->options.max_batch;
    if (all->batch == 0) all->batch = u->deploy.batch;
    all->max_batch = u->deploy.max_batch > 0 ? u->deploy.max_batch : PICTURES_USUAL;
    u->opt = all;
    return u;
}

bool driver_targets(const CommandLine *c, const Unit *u, const char *usual, Targets *t) {
    const char *file = u ? u->deploy.march : NULL, *march = c->march ? c->march : file ? file : usual, *error;
    if (target_list(c->arena, march, t, &error)) return true;
    if (march != file) fprintf(stderr, "cnnc: error: -march=%.120s: %s\n", march, error);
    else diag_error(u->diags, u->deploy.march_at, "E0431", "`march`: %.*s", (int)strcspn(error, ";"), error);
    if (march == file) diag_help(u->diags, (Span){0}, "native, \"x86-64-v2\", \"x86-64-v3\", \"x86-64-v4\" and others: cnnc(1)");
    return false;
}

const Machine *driver_machine(const CommandLine *c, const Unit *u) {
    Targets t;
    return driver_targets(c, u, target_default, &t) ? t.machine[0] : NULL;
}

void driver_check_footprint(Unit *u, const Targets *t, FigureCache *const *cache) {
    const Machine *before = u->machine;
    for (int i = 0; i < t->n && footprint_matters(u) && !u->diags->n_error; i++) {
        Figures f;
        u->machine = t->machine[i];
        figures_of(u, cache ? cache[i] : NULL, &f);
        footprint_check(u, &f.memory, t->n > 1 ? u->machine->cpu : NULL);
    }
    u->machine = before;
}

/* The loss terms point into the net, so they are copied with it. */
static Unit *unit_for(const Unit *u, const Machine *m) {
    Unit *copy = NEW(u->arena, Unit);
    *copy = *u;
    copy->machine = m;
    copy->net = graph_clone(u->arena, u->net);
    copy->train.loss = NEW_ARRAY(u->arena, LossTerm, u->train.n_loss);
    for (int32_t i = 0; i < u->train.n_loss; i++) copy->train.loss[i] = u->train.loss[i];
    return copy;
}

Unit *driver_unit_for(const Unit *u, const Machine *m) {
    Unit *copy = unit_for(u, m);
    copy->sized = NEW_ARRAY(u->arena, Unit *, u->n_sized);
    for (int32_t i = 0; i < u->n_sized; i++) {
        copy->sized[i] = unit_for(u->sized[i], m);
        copy->sized[i]->base = copy;
        copy->sized[i]->opt = copy->opt;   /* the front end, which made it, did not know them all */
    }
    return copy;
}

bool driver_passes(Unit *u, const PassOptions *o) {
    bool good = pipeline_run(u, o);
    for (int32_t i = 0; good && i < u->n_sized; i++) good = pipeline_run(u->sized[i], o);
    return good;
}

/* What train { max_memory } came to. */
static void report_fit(Str *s, const Unit *u) {
    const TrainConfig *t = &u->train;
    str_addf(s, "training on %s: %d of a batch of %d pictures at a time, %s in all; max_memory is %s\n\n", u->machine->cpu,
             t->at_once ? t->at_once : t->batch, t->batch,
             number_bytes(u->arena, fit_bytes(u, t->at_once ? t->at_once : t->batch)), number_bytes(u->arena, t->max_memory));
}

void driver_reports(Str *s, const CommandLine *c, const Unit *u, const Outline *o) {
    if (c->report[REPORT_SCHEDULE]) report_schedule(s, u);
    if (c->report[REPORT_FUSION]) report_fusion(s, u, o);
    if (c->report[REPORT_MEMORY]) report_memory(s, u);
    if (c->report[REPORT_MEMORY] && u->train.max_memory && !u->base) report_fit(s, u);
    for (int32_t i = 0; i < u->n_sized; i++) driver_reports(s, c, u->sized[i], o);
}

bool driver_reports_need_passes(const CommandLine *c) {
    return c->report[REPORT_SCHEDULE] || c->report[REPORT_FUSION] || c->report[REPORT_MEMORY];
}
