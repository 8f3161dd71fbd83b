/* What the memory gives at most: GB/s of reading a block that no cache holds, by 1 or more threads.
 * Usage: bandwidth THREADS. Built by bench.sh with -O3 -march=native -pthread. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { MIB = 1 << 20, SIZE = 1024 * MIB, RUNS = 7, MOST = 64, LINE = 64 };
typedef int64_t Vector __attribute__((vector_size(LINE)));

typedef struct Part {
    const Vector *begin, *end;
    Vector sum;
    pthread_barrier_t *barrier;
} Part;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Several streams a thread, as a matrix times a vector has: the processor's prefetcher follows each of them. */
static void *read_part(void *arg) {
    enum { STREAMS = 4 };
    Part *p = arg;
    Vector sum[STREAMS] = {{0}};
    long n = (p->end - p->begin) / STREAMS;
    for (int run = 0; run < RUNS; run++) {
        pthread_barrier_wait(p->barrier);
        for (long i = 0; i < n; i++)
            for (int s = 0; s < STREAMS; s++) sum[s] += p->begin[s * n + i];
        pthread_barrier_wait(p->barrier);
    }
    p->sum = sum[0] + sum[1] + sum[2] + sum[3];
    return NULL;
}

/* Best of RUNS: what disturbs a loop like this can only slow it down. */
static double best_of(pthread_barrier_t *barrier) {
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        pthread_barrier_wait(barrier);
        double start = now();
        pthread_barrier_wait(barrier);
        double rate = 1e-9 * SIZE / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

int main(int argc, char **argv) {
    long threads = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (threads < 1 || threads > MOST) return 64;
    char *block = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return 71;
    madvise(block, SIZE, MADV_HUGEPAGE);
    for (size_t i = 0; i < SIZE; i += 4096) block[i] = 1; /* pages that were never written are all the same one */

    pthread_barrier_t barrier;
    Part part[MOST];
    pthread_t id[MOST];
    pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
    const Vector *v = (const Vector *)block;
    long n = SIZE / LINE;
    for (long t = 0; t < threads; t++) {
        part[t] = (Part){v + n * t / threads, v + n * (t + 1) / threads, {0}, &barrier};
        if (pthread_create(&id[t], NULL, read_part, &part[t])) return 71;
    }
    printf("%.1f\n", best_of(&barrier));
    int64_t sum = 0;
    for (long t = 0; t < threads; t++) {
        pthread_join(id[t], NULL);
        for (int i = 0; i < LINE / 8; i++) sum += part[t].sum[i];
    }
    return sum == 0; /* keeps the loop */
}
