/* Persistent threads that share out the tasks of one step.
 *
 * A step's tasks 0 <= t < tasks are cut into contiguous shares, one a thread, so that a thread meets the same memory in
 * the next step. Steps that need nothing of each other may share one barrier. The caller is thread 0 and works too.
 * Whoever is done with its share takes over pieces of the others', and nobody waits for a thread that has not begun:
 * with static shares alone, on 2 cores that also decoded pictures or compiled something, a step of 1 us took 50 us
 * because a worker had lost its processor.
 *
 * Between steps a worker spins for a bounded time (steps of one net follow each other within microseconds) and then
 * sleeps on a futex, so an idle program uses no processor. Nothing is allocated after pool_new. One thread at a time
 * may call pool_run or pool_run_all. */
#ifndef CNNC_RUNTIME_POOL_H
#define CNNC_RUNTIME_POOL_H

#include "abi.h"
#include "rt.h"

enum { POOL_MAX_THREADS = 1024 };

typedef struct Pool Pool;

/* The number of threads to use when `asked` came from the command line: asked if > 0, else the environment's
 * CNNC_THREADS, else the processors this process may run on. 0 and RT_USAGE if CNNC_THREADS is not a number from 1 to
 * POOL_MAX_THREADS. */
int pool_threads(int asked, RtError *err);

/* Starts threads - 1 workers; NULL if a thread cannot be made. Signals stay with the calling thread. */
Pool *pool_new(int threads, RtError *err);
void pool_free(Pool *p);
int pool_size(const Pool *p);

/* One step's tasks 0 <= t < tasks: fn(arg, run, begin, end), for disjoint ranges. */
typedef struct PoolWork {
    CnncKernel *fn;
    void *const *arg;
    int64_t tasks;
} PoolWork;

enum { POOL_WORKS = 4 };

/* Does all tasks of n works, 1 <= n <= POOL_WORKS, none of which needs anything of another one, and returns when all
 * have ended. A thread begins with the first work; so those of few and long tasks should come before those of short
 * ones. */
void pool_run_all(Pool *p, const PoolWork *work, int n, const CnncRun *run);

/* Calls fn(arg, run, begin, end), for disjoint ranges that make up 0 .. tasks - 1, and returns when all have ended.
 * What the tasks wrote is visible to the caller, and to the tasks of the next call. */
void pool_run(Pool *p, CnncKernel *fn, void *const *arg, const CnncRun *run, int64_t tasks);

#endif
