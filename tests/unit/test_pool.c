/* The thread pool: every task exactly once, for many task counts and thread numbers; steps see what the steps before
 * wrote. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/pool.h"

enum { MOST = 4099 };

/* arg[0]: a counter a task. */
static void count_tasks(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    unsigned char *count = arg[0];
    for (int64_t t = begin; t < end; t++) count[t] = (unsigned char)(count[t] + run->n);
}

static void check_counts(Pool *p, int64_t tasks) {
    static unsigned char count[MOST + 1];
    void *arg[] = {count};
    CnncRun run = {.n = 1};
    memset(count, 0, sizeof count);
    pool_run(p, count_tasks, arg, &run, tasks);
    int64_t wrong = count[tasks] != 0;
    for (int64_t t = 0; t < tasks; t++) wrong += count[t] != 1;
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_every_task_once(void) {
    static const int64_t tasks[] = {0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 100, 1000, MOST};
    for (int threads = 1; threads <= 9; threads++) {
        Pool *p = pool_new(threads, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        CU_ASSERT_EQUAL(pool_size(p), threads);
        for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) check_counts(p, tasks[i]);
        pool_free(p);
    }
}

/* Works of 0 .. MOST tasks at the same time. */
static void test_works_together(void) {
    static const int64_t tasks[][POOL_WORKS] = {
        {7, 104, 0, 3}, {0, 0, 0, 0}, {1, 0, 1, 1}, {5, 5, 5, 5}, {MOST, 1, 3, 64}};
    static unsigned char count[POOL_WORKS][MOST + 1];
    CnncRun run = {.n = 1};
    for (int threads = 1; threads <= 7; threads++) {
        Pool *p = pool_new(threads, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
            PoolWork work[POOL_WORKS];
            void *arg[POOL_WORKS];
            int64_t wrong = 0;
            memset(count, 0, sizeof count);
            for (int w = 0; w < POOL_WORKS; w++) {
                arg[w] = count[w];
                work[w] = (PoolWork){count_tasks, &arg[w], tasks[i][w]};
            }
            pool_run_all(p, work, POOL_WORKS, &run);
            for (int w = 0; w < POOL_WORKS; w++)
                for (int64_t t = 0; t <= MOST; t++) wrong += count[w][t] != (t < tasks[i][w]);
            CU_ASSERT_EQUAL(wrong, 0);
        }
        pool_free(p);
    }
}

/* arg: from, to, [MOST] each. to[t] = from[MOST - 1 - t] + 1: every task reads what another thread wrote. */
static void mirror(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const int32_t *from = arg[0];
    int32_t *to = arg[1];
    (void)run;
    for (int64_t t = begin; t < end; t++) to[t] = from[MOST - 1 - t] + 1;
}

static void test_steps_follow_each_other(void) {
    enum { STEPS = 2000 };
    static int32_t a[MOST], b[MOST];
    Pool *p = pool_new(4, NULL);
    void *there[] = {a, b}, *back[] = {b, a};
    CnncRun run = {.n = 1};
    memset(a, 0, sizeof a);
    for (int i = 0; i < STEPS; i++) {
        pool_run(p, mirror, i % 2 ? back : there, &run, MOST);
        if (i % 500 == 0) usleep(2000); /* long enough for the workers to fall asleep */
    }
    int wrong = 0;
    for (int t = 0; t < MOST; t++) wrong += a[t] != STEPS;
    CU_ASSERT_EQUAL(wrong, 0);
    pool_free(p);
}

static void test_thread_count(void) {
    RtError err = {.code = RT_OK};
    unsetenv("CNNC_THREADS");
    CU_ASSERT_EQUAL(pool_threads(3, &err), 3);
    CU_ASSERT(pool_threads(0, &err) >= 1);
    setenv("CNNC_THREADS", "5", 1);
    CU_ASSERT_EQUAL(pool_threads(0, &err), 5);
    CU_ASSERT_EQUAL(pool_threads(2, &err), 2);
    CU_ASSERT_EQUAL(err.code, RT_OK);
    static const char *const bad[] = {"0", "-1", "two", "2x", "99999999999999999999", " "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        RtError why = {.code = RT_OK};
        setenv("CNNC_THREADS", bad[i], 1);
        CU_ASSERT_EQUAL(pool_threads(0, &why), 0);
        CU_ASSERT_EQUAL(why.code, RT_USAGE);
    }
    unsetenv("CNNC_THREADS");
}

int main(void) {
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pool", NULL, NULL);
    CU_add_test(suite, "every task once", test_every_task_once);
    CU_add_test(suite, "works together", test_works_together);
    CU_add_test(suite, "steps follow each other", test_steps_follow_each_other);
    CU_add_test(suite, "thread count", test_thread_count);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failed > 0;
}
