#include "program.h"

const char *const region_name[REGION_COUNT] = {"param", "state", "gradient", "fixed", "batch",
                                               "image", "label", "partner",  "share", "scalar"};

const Slice *program_slice(const Program *p, int32_t step) {
    for (int32_t i = 0; step >= p->n_once && i < p->n_slice; i++)
        if (step < p->slice[i].end) return p->slice[i].pictures ? &p->slice[i] : NULL;
    return NULL;
}

int32_t program_update(const Program *p) {
    int32_t first = p->n_once;
    if (!graph_gathers(p->graph)) return p->n_step;
    while (first < p->n_step && !graph_updates(p->graph, p->step[first].root)) first++;
    for (int32_t i = first; i < p->n_step; i++)
        ICE_UNLESS(graph_node(p->graph, p->step[i].root)->op != OP_accumulate, "a gradient is kept after an update");
    return first;
}

int32_t program_owner(const Program *p, int32_t s) {
    while (p->storage[s].alias >= 0) s = p->storage[s].alias;
    return s;
}

/* The first argument of the step that lies in that memory, or -1. */
static int32_t first_touch(const Program *p, const Step *s, int32_t memory) {
    for (int32_t k = 0; k < s->n_arg; k++)
        if (program_owner(p, s->arg[k]) == memory) return k;
    return -1;
}

int64_t program_releases(const Program *p, int32_t step, int32_t k, int64_t *from) {
    int32_t memory = program_owner(p, p->step[step].arg[k]);
    const Storage *s = &p->storage[memory];
    if (!p->owns || s->region != REGION_PARAM || s->dies == INT32_MAX || step >= p->n_once) return 0;
    if (first_touch(p, &p->step[step], memory) != k) return 0;
    for (int32_t i = step + 1; i < p->n_step; i++)
        if (first_touch(p, &p->step[i], memory) >= 0) return 0;
    *from = round_up(s->offset, RELEASE_UNIT);
    return max_i64((s->offset + s->bytes) / RELEASE_UNIT * RELEASE_UNIT - *from, 0);
}

int64_t program_scratch(const Program *p) {
    int64_t most = 0;
    for (int32_t i = 0; i < p->n_kernel; i++) most = max_i64(most, kernel_scratch(p->kernel[i], p->kernel[i]->n_buf));
    return most;
}

int64_t program_once_bytes(Arena *a, const Program *p) {
    int64_t param = p->region_bytes[REGION_PARAM], fixed = 0, most = param;
    bool *seen = NEW_ARRAY(a, bool, p->n_storage + 1);
    for (int32_t i = 0; i < p->n_once; i++) {
        int64_t released = 0, from;
        for (int32_t k = 0; k < p->step[i].n_arg; k++) {
            int32_t arg = p->step[i].arg[k];
            const Storage *s = &p->storage[arg];
            if (!seen[arg] && s->region == REGION_FIXED && s->alias < 0) fixed += s->bytes;
            released += program_releases(p, i, k, &from);
            seen[arg] = true;
        }
        fixed = min_i64(fixed, p->region_bytes[REGION_FIXED]);
        most = max_i64(most, param + fixed);
        param -= released;
    }
    return most;
}

int32_t *program_times(Arena *a, const Program *p) {
    int32_t *time_of = NEW_ARRAY(a, int32_t, p->n_step + 1), time = -1;
    for (int32_t i = 0; i < p->n_step; i++) {
        if (i == 0 || p->step[i].root != p->step[i - 1].root) time++;
        time_of[i] = time;
    }
    time_of[p->n_step] = time + 1;
    return time_of;
}
