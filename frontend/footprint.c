/* See footprint.h. */
#include "footprint.h"

#include "../ir/number.h"
#include "../passes/figures.h"
#include "../runtime/abi.h"
#include "contract.h"

int64_t footprint(const Memory *m, int64_t pictures) {
    const CnncInference all = {.param = m->param, .released = m->released, .fixed = m->fixed, .once = m->once,
                               .picture = m->picture, .image = m->image, .scratch = m->scratch, .steps = m->steps};
    return cnnc_infer_bytes(&all, pictures, FOOTPRINT_THREADS);
}

/* The most pictures, fewer than `above`, with which it is no more than `most`; 0: none. */
static int64_t pictures_within(const Memory *m, int64_t above, int64_t most) {
    int64_t fit = 0;
    while (above - fit > 1) {
        int64_t middle = fit + (above - fit) / 2;
        if (footprint(m, middle) <= most) fit = middle;
        else above = middle;
    }
    return fit;
}

static void check_calls(const Unit *u, const Memory *m) {
    const DeployConfig *d = &u->deploy;
    int64_t pictures = d->max_batch > 0 ? d->max_batch : 1, most = d->max_memory, bytes = footprint(m, pictures);
    if (most == 0 || bytes <= most) return;
    diag_error(u->diags, d->memory_at, "E0432", "inference of %lld picture%s needs %s; `max_memory` is %s",
               (long long)pictures, pictures == 1 ? "" : "s", number_bytes(u->arena, bytes),
               number_bytes(u->arena, most));
    diag_note(u->diags, (Span){0},
              "%s for parameters and what else all calls share, the program itself included, and %s for each picture",
              number_bytes(u->arena, footprint(m, 0)), number_bytes(u->arena, m->picture + m->image));
    int64_t fit = pictures_within(m, pictures, most);
    if (fit > 0)
        diag_help(u->diags, (Span){0}, "calls of %lld picture%s fit: batches = [%lld]", (long long)fit,
                  fit == 1 ? "" : "s", (long long)fit);
    else
        diag_help(u->diags, (Span){0}, "a smaller picture or net; weights = fp16 keeps those of fc in half the bytes");
}

bool footprint_matters(const Unit *u) { return contract_mentions(u, FIGURE_MEMORY) || u->deploy.max_memory > 0; }

void footprint_check(const Unit *u, const Memory *m, const char *processor) {
    int32_t before = u->diags->n_error;
    contract_check(u, FIGURE_MEMORY, footprint(m, 1));
    check_calls(u, m);
    if (processor && u->diags->n_error > before) diag_note(u->diags, (Span){0}, "in the code for %s", processor);
}
