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

typedef struct Worker {
    Pool *pool;
    pthread_t thread;
    int index;
} Worker;

/* A job is published by raising `generation`; each worker lowers `pending` when its share is done. `sleepers` tells the
 * caller whether a wake-up call is needed at all. The three words that threads spin on have their own cache lines. */
struct Pool {
    CnncKernel *fn;
    void *const *arg;
    const CnncRun *run;
    int64_t tasks;
    int threads;
    bool stop;
    Worker *worker; /* [threads - 1] */
    _Alignas(64) _Atomic uint32_t generation;
    _Alignas(64) _Atomic uint32_t pending;
    _Alignas(64) _Atomic uint32_t sleepers;
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

static void run_share(const Pool *p, int index) {
    int64_t each = p->tasks / p->threads, rest = p->tasks % p->threads;
    int64_t begin = index * each + (index < rest ? index : rest);
    int64_t end = begin + each + (index < rest ? 1 : 0);
    if (begin < end) p->fn(p->arg, p->run, begin, end);
}

/* Returns when `generation` is no longer `seen`. */
static void wait_for_job(Pool *p, uint32_t seen) {
    for (int i = 0; i < SPIN; i++) {
        if (atomic_load_explicit(&p->generation, memory_order_acquire) != seen) return;
        spin_pause();
    }
    while (atomic_load(&p->generation) == seen) {
        atomic_fetch_add(&p->sleepers, 1);
        futex_wait(&p->generation, seen);
        atomic_fetch_sub(&p->sleepers, 1);
    }
}

static void *worker_main(void *context) {
    Worker *w = context;
    Pool *p = w->pool;
    for (uint32_t seen = 0;; seen++) {
        wait_for_job(p, seen);
        if (p->stop) return NULL;
        run_share(p, w->index);
        if (atomic_fetch_sub(&p->pending, 1) == 1 && atomic_load(&p->caller_sleeps)) futex_wake(&p->pending);
    }
}

static void publish(Pool *p) {
    atomic_store(&p->pending, (uint32_t)p->threads - 1);
    atomic_fetch_add(&p->generation, 1);
    if (atomic_load(&p->sleepers)) futex_wake(&p->generation);
}

static void wait_for_workers(Pool *p) {
    for (int i = 0; i < SPIN; i++) {
        if (atomic_load_explicit(&p->pending, memory_order_acquire) == 0) return;
        spin_pause();
    }
    atomic_store(&p->caller_sleeps, 1);
    for (uint32_t left; (left = atomic_load(&p->pending)) != 0;) futex_wait(&p->pending, left);
    atomic_store(&p->caller_sleeps, 0);
}

void pool_run(Pool *p, CnncKernel *fn, void *const *arg, const CnncRun *run, int64_t tasks) {
    if (p->threads == 1 || tasks == 1) {
        if (tasks > 0) fn(arg, run, 0, tasks);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->run = run;
    p->tasks = tasks;
    publish(p);
    run_share(p, 0);
    wait_for_workers(p);
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
    if (!p->worker || !start_workers(p, threads - 1, err)) {
        pool_free(p);
        return NULL;
    }
    return p;
}

void pool_free(Pool *p) {
    if (!p) return;
    if (p->worker) {
        p->stop = true;
        publish(p);
        for (int i = 0; i < p->threads - 1; i++) pthread_join(p->worker[i].thread, NULL);
    }
    free(p->worker);
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
