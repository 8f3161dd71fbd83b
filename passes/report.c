/* See report.h. Predictions are cycles; a nominal clock turns them into milliseconds, so that a report says the same on
 * every machine. */
#include "report.h"

#include <stdio.h>

static const double nominal_ghz = 3.5;

static const char *text(Name n) { return n ? n : ""; }

static void schedule_row(Str *s, const Step *step, bool once) {
    char tasks[32], ms[32] = "-", macs[32] = "-";
    snprintf(tasks, sizeof tasks, "%lld%s", (long long)step->tasks, step->tasks_batched ? "*N" : "");
    if (step->cycles > 0) snprintf(ms, sizeof ms, "%.3f", step->cycles / nominal_ghz * 1e-6);
    if (step->macs > 0) snprintf(macs, sizeof macs, "%.2f", (double)step->macs * 1e-6);
    str_addf(s, "%-4s %-24.24s %-28.28s %8s %9s %10s  %s\n", once ? "once" : "", text(step->layer), step->what, tasks,
             ms, macs, text(step->how));
}

void report_schedule(Str *s, const Unit *u) {
    for (int e = 0; e < ENTRY_COUNT; e++) {
        const Program *p = u->program[e];
        if (!p) continue;
        int pictures = e == ENTRY_TRAIN ? u->train.batch : u->opt->batch > 0 ? u->opt->batch : 1;
        str_addf(s, "%s on %s: predicted for %d pictures and one core of %.1f GHz\n", p->name, u->machine->cpu,
                 pictures, nominal_ghz);
        str_addf(s, "%-4s %-24.24s %-28.28s %8s %9s %10s  %s\n", "", "layer", "what", "tasks", "ms", "M macs", "how");
        double cycles = 0;
        for (int32_t i = 0; i < p->n_step; i++) {
            schedule_row(s, &p->step[i], i < p->n_once);
            cycles += i < p->n_once ? 0 : p->step[i].cycles;
        }
        str_addf(s, "%-4s %-24s %-28s %8s %9.3f\n\n", "", "all predicted", "", "", cycles / nominal_ghz * 1e-6);
    }
}

static void memory_row(Str *s, const Storage *at) {
    char dies[16] = "end";
    if (at->dies != INT32_MAX) snprintf(dies, sizeof dies, "%d", at->dies);
    str_addf(s, "%-24s %-7s %12lld %12lld %6d %6s\n", text(at->name), region_name[at->region], (long long)at->offset,
             (long long)at->bytes, at->born, dies);
}

void report_memory(Str *s, const Unit *u) {
    for (int e = 0; e < ENTRY_COUNT; e++) {
        const Program *p = u->program[e];
        if (!p) continue;
        str_addf(s, "%s on %s: bytes, of one picture in region batch; first and last step\n", p->name, u->machine->cpu);
        str_addf(s, "%-24s %-7s %12s %12s %6s %6s\n", "tensor", "region", "offset", "bytes", "from", "to");
        for (int32_t i = 0; i < p->n_storage; i++)
            if (p->storage[i].region <= REGION_BATCH && p->storage[i].dies >= 0) memory_row(s, &p->storage[i]);
        int64_t bytes = p->region_bytes[REGION_BATCH];
        str_addf(s, "batch: %lld bytes a picture, %.3f times what any plan needs; fixed: %lld; parameters: %lld\n\n",
                 (long long)bytes, p->lower_bound_bytes ? (double)bytes / (double)p->lower_bound_bytes : 1.0,
                 (long long)p->region_bytes[REGION_FIXED], (long long)p->region_bytes[REGION_PARAM]);
    }
}
