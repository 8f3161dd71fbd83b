#include "exec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, SCALAR_BYTES = CNNC_SCALAR_BYTES };

static int64_t scratch_of(const ModelProgram *p) { return cnnc_scratch_bytes(p->scratch); }

static const int64_t huge_page = 2 << 20;

struct Exec {
    const ModelProgram *program;
    CnncKernel *const *kernel;
    Pool *pool;
    char *base[RG_COUNT], *scratch;
    bool own_params;
    int64_t param_bytes; /* of its own */
    bool changed;     /* the once-steps have to run */
    int64_t n, max_n; /* n: the one the addresses were worked out for, 0 for none */
    void **address;   /* [all arguments of all steps, in order] */
    int64_t *first;   /* [n_step] where those of a step begin */
    double *seconds;  /* [n_step] or NULL */
};

/* ---- memory ---- */

/* The mapping is guard, header page, block, guard. The header page keeps its length, for block_free. */
int64_t block_bytes(int64_t bytes) { return cnnc_block_bytes(bytes); }

/* A large block starts on a large page, so the mapping is made one longer than needed and what is over is given back.
 */
static char *map_aligned(size_t bytes, size_t before, size_t alignment) {
    size_t whole = bytes + before + alignment;
    char *start = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return NULL;
    uintptr_t block = ((uintptr_t)start + before + alignment - 1) / alignment * alignment;
    size_t front = (size_t)(block - before - (uintptr_t)start), back = whole - front - before - bytes;
    if (front) munmap(start, front);
    if (back) munmap(start + front + before + bytes, back);
    return start + front;
}

void *block_alloc(int64_t bytes, RtError *err) {
    bool large = bytes >= huge_page;
    size_t usable = (size_t)block_bytes(bytes) - PAGE, whole = usable + 3 * PAGE;
    char *start = bytes < 0 || bytes > (int64_t)1 << 46
                      ? NULL
                      : map_aligned(usable + PAGE, 2 * PAGE, large ? (size_t)huge_page : PAGE);
    if (!start || mprotect(start + PAGE, PAGE + usable, PROT_READ | PROT_WRITE) != 0) {
        if (start) munmap(start, whole);
        rt_fail(err, RT_OS, "out of memory: %lld MiB are needed", (long long)(bytes >> 20) + 1);
        return NULL;
    }
    char *block = start + 2 * PAGE;
    memcpy(start + PAGE, &whole, sizeof whole);
    if (large) madvise(block, usable / (size_t)huge_page * (size_t)huge_page, MADV_HUGEPAGE);
    return block;
}

void block_free(void *block) {
    if (!block) return;
    char *start = (char *)block - 2 * PAGE;
    size_t whole;
    memcpy(&whole, start + PAGE, sizeof whole);
    munmap(start, whole);
}

/* ---- instance ---- */

/* What is enough for each of the programs. */
typedef struct Needs {
    int64_t param_bytes, batch_bytes, fixed_bytes, gradient_bytes, scratch; /* as ModelProgram has them; scratch in whole pages */
    int64_t steps, args;
} Needs;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static Needs needs_of(const ModelProgram *const *p, int n) {
    Needs most = {0};
    for (int i = 0; i < n; i++) {
        int64_t args = 0;
        for (int k = 0; k < p[i]->n_step; k++) args += p[i]->step[k].n_arg;
        most = (Needs){larger(most.param_bytes, p[i]->param_bytes),
                       larger(most.batch_bytes, p[i]->batch_bytes),
                       larger(most.fixed_bytes, p[i]->fixed_bytes),
                       larger(most.gradient_bytes, p[i]->gradient_bytes),
                       larger(most.scratch, scratch_of(p[i])),
                       larger(most.steps, p[i]->n_step),
                       larger(most.args, args)};
    }
    return most;
}

int64_t exec_bytes_several(const ModelProgram *const *p, int n, int64_t max_n, int threads) {
    Needs needs = needs_of(p, n);
    int64_t batch;
    if (__builtin_mul_overflow(needs.batch_bytes, max_n, &batch)) return INT64_MAX;
    return block_bytes(batch) + block_bytes(needs.fixed_bytes) + block_bytes(SCALAR_BYTES) +
           (needs.gradient_bytes ? block_bytes(needs.gradient_bytes) : 0) + block_bytes(threads * needs.scratch);
}

int64_t exec_bytes(const ModelProgram *p, int64_t max_n, int threads) {
    CnncInference needs = exec_needs(p);
    return cnnc_instance_bytes(&needs, max_n, threads);
}

CnncInference exec_needs(const ModelProgram *p) {
    return (CnncInference){.param = p->param_bytes, .released = p->released, .fixed = p->fixed_bytes,
                           .once = p->once_bytes, .picture = p->batch_bytes, .scratch = p->scratch, .steps = p->n_step};
}

static bool take_regions(Exec *e, const Needs *needs, float *params, float *state, RtError *err) {
    int64_t batch;
    if (__builtin_mul_overflow(needs->batch_bytes, e->max_n, &batch)) {
        rt_fail(err, RT_LIMIT, "a batch of %lld is too large for this machine", (long long)e->max_n);
        return false;
    }
    e->own_params = !params;
    e->param_bytes = params ? 0 : needs->param_bytes;
    e->base[RG_PARAM] = params ? (char *)params : block_alloc(e->param_bytes, err);
    e->base[RG_STATE] = (char *)state;
    e->base[RG_FIXED] = block_alloc(needs->fixed_bytes, err);
    e->base[RG_BATCH] = block_alloc(batch, err);
    if (needs->gradient_bytes) e->base[RG_GRADIENT] = block_alloc(needs->gradient_bytes, err);
    e->base[RG_SCALAR] = block_alloc(SCALAR_BYTES, err);
    e->scratch = block_alloc(pool_size(e->pool) * needs->scratch, err);
    return !err->code;
}

static bool take_addresses(Exec *e, const Needs *needs, RtError *err) {
    e->first = rt_alloc((size_t)needs->steps, sizeof *e->first, err);
    e->address = rt_alloc((size_t)needs->args, sizeof *e->address, err);
    return e->first && e->address;
}

void exec_use(Exec *e, const ModelProgram *p) {
    int64_t n = 0;
    if (p == e->program) return;
    e->program = p;
    e->changed = true; /* what its once-steps made is where others have been since */
    e->n = 0;
    for (int i = 0; i < p->n_step; n += p->step[i++].n_arg) e->first[i] = n;
}

Exec *exec_new_several(const ModelProgram *const *p, int n, CnncKernel *const *kernel, Pool *pool,
                       float *params, float *state, int64_t max_n, RtError *err) {
    Exec *e = rt_alloc(1, sizeof *e, err);
    Needs needs = needs_of(p, n);
    if (!e) return NULL;
    *e = (Exec){.kernel = kernel, .pool = pool, .max_n = max_n};
    if (take_addresses(e, &needs, err) && take_regions(e, &needs, params, state, err)) {
        exec_use(e, p[0]);
        return e;
    }
    exec_free(e);
    return NULL;
}

Exec *exec_new(const ModelProgram *p, CnncKernel *const *kernel, Pool *pool, float *params,
               float *state, int64_t max_n, RtError *err) {
    return exec_new_several(&p, 1, kernel, pool, params, state, max_n, err);
}

void exec_free(Exec *e) {
    if (!e) return;
    if (e->own_params) block_free(e->base[RG_PARAM]);
    block_free(e->base[RG_FIXED]);
    block_free(e->base[RG_BATCH]);
    block_free(e->base[RG_GRADIENT]);
    block_free(e->base[RG_SCALAR]);
    block_free(e->scratch);
    free(e->address);
    free(e->first);
    free(e);
}

int64_t exec_param_bytes(const Exec *e) { return e->param_bytes; }

float *exec_params(Exec *e) { return (float *)(void *)e->base[RG_PARAM]; }

void exec_params_changed(Exec *e) { e->changed = true; }

void exec_set_lr(Exec *e, float lr) { memcpy(e->base[RG_SCALAR], &lr, sizeof lr); }

void exec_set_again(Exec *e, bool again) {
    float number = again;
    memcpy(e->base[RG_SCALAR] + sizeof number, &number, sizeof number);
}

float *exec_gradients(Exec *e) { return (float *)(void *)e->base[RG_GRADIENT]; }

void exec_set_mix(Exec *e, const int32_t *partners, const float *shares) {
    e->base[RG_PARTNER] = (char *)(uintptr_t)partners;
    e->base[RG_SHARE] = (char *)(uintptr_t)shares;
    e->n = 0;
}

void exec_time_steps(Exec *e, double *seconds) { e->seconds = seconds; }

/* ---- run ---- */

/* The addresses of steps begin .. end - 1, for a slice that so many pictures of the call come before. */
static void resolve(Exec *e, int begin, int end, int64_t before) {
    for (int i = begin; i < end; i++) {
        const ModelStep *s = &e->program->step[i];
        for (int k = 0; k < s->n_arg; k++) {
            const ModelArg *a = &s->arg[k];
            int64_t offset = a->region == RG_BATCH ? a->offset * e->n : a->offset;
            e->address[e->first[i] + k] = e->base[a->region] + offset + a->stride * before;
        }
    }
}

static PoolWork work_of(const Exec *e, int i, const CnncRun *run) {
    const ModelStep *s = &e->program->step[i];
    return (PoolWork){e->kernel[s->kernel], e->address + e->first[i], s->per_picture ? s->tasks * run->n : s->tasks};
}

static void run_step(Exec *e, int i, const CnncRun *run) {
    double start = e->seconds ? rt_now() : 0;
    PoolWork work = work_of(e, i, run);
    pool_run_all(e->pool, &work, 1, run);
    if (e->seconds) e->seconds[i] += rt_now() - start;
}

/* Multiply-adds of a task, of which other times are guessed. */
static double weight_of(const ModelStep *s) { return s->tasks ? (double)s->macs / (double)s->tasks : 0; }

/* Step i and those before `end` that may run along with it, longest tasks first. Gives the next step. */
static int run_along(Exec *e, int i, int end, const CnncRun *run) {
    PoolWork work[POOL_WORKS];
    int n = 0, order[POOL_WORKS];
    do {
        int at = n++;
        for (; at > 0 && weight_of(&e->program->step[order[at - 1]]) < weight_of(&e->program->step[i]); at--)
            order[at] = order[at - 1];
        order[at] = i++;
    } while (i < end && n < POOL_WORKS && e->program->step[i].along);
    for (int k = 0; k < n; k++) work[k] = work_of(e, order[k], run);
    pool_run_all(e->pool, work, n, run);
    return i;
}

/* Parameters that only once-steps read: nobody needs them until they are set again. */
static void release(const Exec *e, const ModelStep *s) {
    for (int i = 0; i < s->n_release && e->own_params; i++)
        madvise(e->base[RG_PARAM] + s->release[i].offset, (size_t)s->release[i].bytes, MADV_DONTNEED);
}

static void run_once_steps(Exec *e, const CnncRun *run) {
    for (int i = 0; i < e->program->n_once; i++) {
        run_step(e, i, run);
        release(e, &e->program->step[i]);
    }
    e->changed = false;
}

/* So many pictures at a time. Threads share them out, and so each has its own in its caches. */
static void run_slice(Exec *e, const ModelSlice *s, const CnncRun *run) {
    CnncRun some = *run;
    int64_t most = s->pictures ? s->pictures * pool_size(e->pool) : run->n;
    for (int64_t before = 0; before < run->n; before += some.n) {
        some.n = run->n - before < most ? run->n - before : most;
        if (s->pictures) resolve(e, s->begin, s->end, before);
        for (int i = s->begin; i < s->end;) {
            if (e->seconds)
                run_step(e, i++, &some);
            else
                i = run_along(e, i, s->end, &some);
        }
    }
}

static CnncRun run_of(const Exec *e, int64_t n, const uint32_t key[2]) {
    return (CnncRun){.n = n, .key = {key[0], key[1]}, .scratch = e->scratch, .scratch_bytes = scratch_of(e->program)};
}

void exec_gather(Exec *e, int64_t n, const float *images, const int32_t *labels, const uint32_t key[2]) {
    const ModelProgram *p = e->program;
    CnncRun run = run_of(e, n, key);
    if (n != e->n || e->base[RG_IMAGE] != (const char *)images || e->base[RG_LABEL] != (const char *)labels) {
        e->base[RG_IMAGE] = (char *)(uintptr_t)images; /* kernels only read them, but take all addresses alike */
        e->base[RG_LABEL] = (char *)(uintptr_t)labels;
        e->n = n;
        resolve(e, 0, p->n_step, 0);
    }
    if (e->changed) run_once_steps(e, &run);
    for (int i = 0; i < p->n_slice; i++) run_slice(e, &p->slice[i], &run);
}

void exec_update(Exec *e) {
    static const uint32_t none[2] = {0};
    CnncRun run = run_of(e, e->n, none);
    for (int i = e->program->update; i < e->program->n_step; i++) run_step(e, i, &run);
}

void exec_run(Exec *e, int64_t n, const float *images, const int32_t *labels, const uint32_t key[2]) {
    exec_gather(e, n, images, labels, key);
    exec_update(e);
}

float exec_output(const Exec *e, const ModelOutput *o, int64_t picture, int64_t channel, int64_t position) {
    float x;
    memcpy(&x, e->base[RG_BATCH] + output_address(o, e->n, picture, channel, position), sizeof x);
    return x;
}

void exec_output_copy(const Exec *e, const ModelOutput *o, int64_t picture, float *out) {
    for (int64_t c = 0; c < o->channels; c++)
        for (int64_t i = 0; i < o->plane; i++) *out++ = exec_output(e, o, picture, c, i);
}
