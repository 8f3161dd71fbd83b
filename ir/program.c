#include "program.h"

const char *const region_name[REGION_COUNT] = {"param", "state", "fixed", "batch", "image", "label", "scalar"};

static bool touches(const Step *s, int32_t storage) {
    for (int32_t i = 0; i < s->n_arg; i++)
        if (s->arg[i] == storage) return true;
    return false;
}

/* A storage that another one took over lives as long as that one. */
bool program_releases(const Program *p, int32_t step, int32_t storage) {
    const Storage *s = &p->storage[storage];
    if (s->region != REGION_PARAM || s->alias >= 0 || s->dies == INT32_MAX || step >= p->n_once) return false;
    for (int32_t i = step + 1; i < p->n_step; i++)
        if (touches(&p->step[i], storage)) return false;
    return touches(&p->step[step], storage);
}

int64_t program_once_bytes(Arena *a, const Program *p) {
    int64_t param = p->region_bytes[REGION_PARAM], fixed = 0, most = param;
    bool *seen = NEW_ARRAY(a, bool, p->n_storage + 1);
    for (int32_t i = 0; i < p->n_once; i++) {
        int64_t released = 0;
        for (int32_t k = 0; k < p->step[i].n_arg; k++) {
            int32_t arg = p->step[i].arg[k];
            const Storage *s = &p->storage[arg];
            if (!seen[arg] && s->region == REGION_FIXED && s->alias < 0) fixed += s->bytes;
            if (program_releases(p, i, arg)) released += max_i64(release_bytes(s), 0);
            seen[arg] = true;
        }
        fixed = min_i64(fixed, p->region_bytes[REGION_FIXED]);
        most = max_i64(most, param + fixed);
        param -= released;
    }
    return most;
}
