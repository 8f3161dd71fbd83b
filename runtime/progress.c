#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rt.h"

enum { BAR = 24 };
static const double redraw = 0.2, plain_interval = 30; /* seconds */

void progress_start(Progress *p) {
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    bool dumb = !term || strcmp(term, "dumb") == 0;
    *p = (Progress){.terminal = isatty(STDERR_FILENO) && !dumb};
    p->colour = p->terminal && !(no_colour && *no_colour);
    p->started = p->shown = rt_now();
}

void progress_clear(Progress *p) {
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

/* True if it is time to show something, which then counts as shown. */
static bool due(Progress *p) {
    double now = rt_now();
    if (now - p->shown < (p->terminal ? redraw : plain_interval)) return false;
    p->shown = now;
    return true;
}

static void draw_bar(const Progress *p, int64_t done, int64_t all) {
    char bar[BAR + 1];
    int full = all > 0 ? (int)(done * BAR / all) : 0;
    memset(bar, ' ', BAR);
    memset(bar, '=', (size_t)full);
    if (full < BAR) bar[full] = '>';
    bar[BAR] = '\0';
    fprintf(stderr, "[%s%s%s]", p->colour ? "\033[36m" : "", bar, p->colour ? "\033[0m" : "");
}

/* "31d 09h", "2h 05m", "3m 20s", "12s". */
static void time_text(double seconds, char text[16]) {
    unsigned s = seconds > 0 ? seconds < 4e9 ? (unsigned)(seconds + 0.5) : 4000000000u : 0;
    if (s >= 86400)
        snprintf(text, 16, "%ud %02uh", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        snprintf(text, 16, "%uh %02um", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, 16, "%um %02us", s / 60, s % 60);
    else
        snprintf(text, 16, "%us", s);
}

static int percent(int64_t done, int64_t all) { return all > 0 ? (int)(100 * done / all) : 0; }

static void epoch_text(const ProgressTrain *t, char text[48]) {
    if (t->epochs)
        snprintf(text, 48, "epoch %lld/%lld", (long long)t->epoch, (long long)t->epochs);
    else
        snprintf(text, 48, "epoch %lld", (long long)t->epoch);
}

static void print_figures(FILE *to, const ProgressTrain *t) {
    fprintf(to, "  loss %.4f  %s %.2f %%  lr %.3g", metrics_loss(t->running), t->running->pixels ? "pixels" : "top1",
            metrics_percent(t->running, t->running->top1), t->lr);
    if (t->norm >= 0) fprintf(to, "  norm %.3g", t->norm);
    fprintf(to, "  %.1f img/s  data-wait %.0f %%", t->rate, 100 * t->waiting);
}

void progress_train(Progress *p, const ProgressTrain *t) {
    char epoch[48], left[16] = "?";
    if (!due(p)) return;
    epoch_text(t, epoch);
    if (t->left >= 0) time_text(t->left, left);
    if (!p->terminal) {
        printf("%s  %d %%", epoch, percent(t->done, t->all));
        print_figures(stdout, t);
        printf("  ETA %s\n", left);
        fflush(stdout);
        return;
    }
    fprintf(stderr, "\r%s %3d%% ", epoch, percent(t->done, t->all));
    draw_bar(p, t->done, t->all);
    print_figures(stderr, t);
    fprintf(stderr, "  ETA %s\033[K", left);
    p->drawn = true;
}

void progress_epoch(Progress *p, const ProgressTrain *t, double seconds) {
    char epoch[48], took[16];
    progress_clear(p);
    epoch_text(t, epoch);
    time_text(seconds, took);
    printf("%s", epoch);
    if (t->done < t->all) printf("  %d %%", percent(t->done, t->all));
    print_figures(stdout, t);
    printf("  %s\n", took);
    fflush(stdout);
    p->shown = rt_now();
}

void progress_evaluate(Progress *p, int64_t done, int64_t all) {
    if (!p->terminal || !due(p)) return;
    fprintf(stderr, "\revaluating %3d%% ", percent(done, all));
    draw_bar(p, done, all);
    fputs("\033[K", stderr);
    p->drawn = true;
}
