#include "pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* About 100 microseconds: longer than the gap between two steps, far shorter than a decode or a file. */
enum { SPIN = 2000 };

/* A thread takes its share in this many pieces, so that others find something to take over when it is late. */
enum { PIECES = 8 };

typedef struct Worker {
    Pool *pool;
    pthread_t thread;
    int index;
} Worker;

/* The tasks next .. end - 1 of one work that belong to a thread and that nobody has taken yet; a cache line of its own. */
typedef struct Share {
    _Alignas(64) _Atomic int64_t next;
    int64_t end;
} Share;

/* A job is open to workers from its publication until no task is left. `gate` holds its number, whether it is open, and
 * how many workers are in it; the caller fills in the next job only when the last one is closed and empty. A worker
 * that comes too late finds the gate closed and waits for the next one: nobody ever waits for a worker that has not
 * begun. */
enum { GATE_WORKERS = 0x7fff, GATE_OPEN = 0x8000, GATE_JOB = 0x10000 };

struct Pool {
    const PoolWork *work;
    const CnncRun *run;
    int64_t piece[POOL_WORKS]; /* tasks taken at a time */
    int works, threads;
    _Atomic bool stop;
    Worker *worker; /* [threads - 1] */
    Share *share;   /* [threads][POOL_WORKS] */
    _Alignas(64) _Atomic uint32_t gate;
    _Alignas(64) _Atomic uint32_t sleepers; /* workers that need a wake-up call for the next job */
    _Atomic uint32_t caller_sleeps;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

static inline void spin_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take(Pool *p, const CnncRun *run, int thread, int work) {
    Share *s = &p->share[thread * POOL_WORKS + work];
    const PoolWork *w = &p->work[work];
    while (atomic_load_explicit(&s->next, memory_order_relaxed) < s->end) {
        int64_t begin = atomic_fetch_add_explicit(&s->next, p->piece[work], memory_order_relaxed);
        int64_t end = begin + p->piece[work];
        if (begin < s->end) w->fn(w->arg, run, begin, end < s->end ? end : s->end);
    }
}

/* Does tasks until none is left: the thread's own shares first, then what the others have not taken. */
static void work(Pool *p, int index) {
    CnncRun run = *p->run;
    run.scratch += index * run.scratch_bytes;
    for (int i = 0; i < p->threads; i++)
        for (int w = 0; w < p->works; w++) take(p, &run, (index + i) % p->threads, w);
}

static bool can_enter(uint32_t gate, uint32_t seen) { return (gate & GATE_OPEN) && gate / GATE_JOB != seen; }

/* Waits for a job other than number *seen to be open and enters it, *seen becoming its number; false when the pool
 * ends. */
static bool enter(Pool *p, uint32_t *seen) {
    uint32_t gate = atomic_load(&p->gate);
    for (int i = 0; !atomic_load(&p->stop);) {
        if (can_enter(gate, *seen)) {
            if (!atomic_compare_exchange_strong(&p->gate, &gate, gate + 1)) continue; /* which read gate again */
            *seen = gate / GATE_JOB;
            return true;
        }
        if (i++ < SPIN) {
            spin_pause();
        } else {
            atomic_fetch_add(&p->sleepers, 1);
            gate = atomic_load(&p->gate);
            if (!can_enter(gate, *seen) && !atomic_load(&p->stop)) futex_wait(&p->gate, gate);
            atomic_fetch_sub(&p->sleepers, 1);
            i = 0;
        }
        gate = atomic_load(&p->gate);
    }
    return false;
}

static void leave(Pool *p) {
    uint32_t before = atomic_fetch_sub(&p->gate, 1);
    if ((before & GATE_WORKERS) == 1 && atomic_load(&p->caller_sleeps)) futex_wake(&p->gate);
}

static void *worker_main(void *context) {
    Worker *w = context;
    uint32_t seen = 0;
    while (enter(w->pool, &seen)) {
        work(w->pool, w->index);
        leave(w->pool);
    }
    return NULL;
}

/* Job numbers start over after 65535: a worker that slept through exactly as many misses one, which others then do. */
static void next_job(Pool *p, uint32_t open) {
    uint32_t job = atomic_load(&p->gate) / GATE_JOB + 1;
    atomic_store(&p->gate, job * GATE_JOB | open);
    if (atomic_load(&p->sleepers)) futex_wake(&p->gate);
}

/* Lets nobody in any more and waits for those who are in. */
static void close_job(Pool *p) {
    uint32_t gate = atomic_fetch_and(&p->gate, ~(uint32_t)GATE_OPEN) & ~(uint32_t)GATE_OPEN;
    for (int i = 0; i < SPIN && (gate & GATE_WORKERS); i++) {
        spin_pause();
        gate = atomic_load(&p->gate);
    }
    if (!(gate & GATE_WORKERS)) return;
    atomic_store(&p->caller_sleeps, 1);
    while ((gate = atomic_load(&p->gate)) & GATE_WORKERS) futex_wait(&p->gate, gate);
    atomic_store(&p->caller_sleeps, 0);
}

/* What does not go into equal shares is for other threads in each work. */
static void set_shares(Pool *p) {
    int64_t given = 0;
    for (int w = 0; w < p->works; w++) {
        int64_t tasks = p->work[w].tasks, each = tasks / p->threads, rest = tasks % p->threads, begin = 0;
        for (int i = 0; i < p->threads; i++) {
            Share *s = &p->share[i * POOL_WORKS + w];
            atomic_store_explicit(&s->next, begin, memory_order_relaxed);
            begin += each + ((i + p->threads - given) % p->threads < rest ? 1 : 0);
            s->end = begin;
        }
        given = (given + rest) % p->threads;
        p->piece[w] = each / PIECES > 0 ? each / PIECES : 1;
    }
}

void pool_run_all(Pool *p, const PoolWork *work_list, int n, const CnncRun *run) {
    int64_t tasks = 0;
    for (int i = 0; i < n; i++) tasks += work_list[i].tasks;
    if (p->threads == 1 || tasks <= 1) {
        for (int i = 0; i < n; i++)
            if (work_list[i].tasks > 0) work_list[i].fn(work_list[i].arg, run, 0, work_list[i].tasks);
        return;
    }
    p->work = work_list;
    p->works = n;
    p->run = run;
    set_shares(p);
    next_job(p, GATE_OPEN);
    work(p, 0);
    close_job(p);
}

void pool_run(Pool *p, CnncKernel *fn, void *const *arg, const CnncRun *run, int64_t tasks) {
    pool_run_all(p, &(PoolWork){fn, arg, tasks}, 1, run);
}

int pool_size(const Pool *p) { return p->threads; }

/* Workers block all signals, so that SIGTERM and SIGINT are handled by the thread that trains. */
static bool start_workers(Pool *p, int count, RtError *err) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = 0;
    for (int i = 0; i < count && !failed; i++) {
        Worker *w = &p->worker[i];
        *w = (Worker){.pool = p, .index = i + 1};
        failed = pthread_create(&w->thread, NULL, worker_main, w);
        if (!failed) p->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) rt_fail(err, RT_OS, "cannot start thread %d: %s", p->threads, strerror(failed));
    return !failed;
}

Pool *pool_new(int threads, RtError *err) {
    Pool *p = rt_alloc_aligned(1, sizeof *p, err);
    if (!p) return NULL;
    memset(p, 0, sizeof *p);
    p->threads = 1;
    p->worker = rt_alloc((size_t)threads, sizeof *p->worker, err);
    p->share = rt_alloc_aligned((size_t)threads * POOL_WORKS, sizeof *p->share, err);
    if (!p->worker || !p->share || !start_workers(p, threads - 1, err)) {
        pool_free(p);
        return NULL;
    }
    return p;
}

void pool_free(Pool *p) {
    if (!p) return;
    if (p->worker && p->threads > 1) {
        atomic_store(&p->stop, true);
        next_job(p, 0);
        for (int i = 0; i < p->threads - 1; i++) pthread_join(p->worker[i].thread, NULL);
    }
    free(p->worker);
    free(p->share);
    free(p);
}

/* The affinity mask counts, not the machine: batch systems and containers give a process a part of it. */
static int processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n <= POOL_MAX_THREADS ? (int)n : 1;
}

int pool_threads(int asked, RtError *err) {
    if (asked > 0) return asked;
    const char *text = getenv("CNNC_THREADS");
    if (!text || !*text) return processors();
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (*end || errno || n < 1 || n > POOL_MAX_THREADS) {
        rt_fail(err, RT_USAGE, "CNNC_THREADS is \"%.40s\": a number from 1 to %d is needed", text, POOL_MAX_THREADS);
        return 0;
    }
    return (int)n;
}
