/* peer_ncnn PARAM BIN BATCH THREADS fp16|fp32: ncnn as bench.sh asks for it (see peers.py for the protocol).
 *
 * A batch is a loop over pictures, since ncnn has no layer that takes several. fp16 is what ncnn does by itself:
 * weights of fully connected layers in half precision; fp32 keeps them as they are. Built by setup_ncnn.sh. */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cpu.h"
#include "net.h"

static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Peer {
    ncnn::UnlockedPoolAllocator blobs;
    ncnn::PoolAllocator workspace;
    ncnn::Net net; /* after the allocators, which must outlive it */
    std::vector<ncnn::Mat> images;
};

static void set_options(Peer &p, int threads, bool fp16) {
    p.blobs.set_size_compare_ratio(0.f);
    p.workspace.set_size_compare_ratio(0.f);
    ncnn::set_omp_dynamic(0);
    ncnn::set_omp_num_threads(threads);
    ncnn::Option &o = p.net.opt;
    o.lightmode = true;
    o.num_threads = threads;
    o.blob_allocator = &p.blobs;
    o.workspace_allocator = &p.workspace;
    o.use_fp16_packed = o.use_fp16_storage = o.use_fp16_arithmetic = fp16;
}

/* The same numbers in every peer, so that results can be compared. */
static void make_images(Peer &p, int batch) {
    for (int n = 0; n < batch; n++) {
        ncnn::Mat m(224, 224, 3);
        for (int c = 0; c < 3; c++) {
            float *plane = m.channel(c);
            for (long i = 0; i < 224 * 224; i++)
                plane[i] = (float)(((n * 3 + c) * 224L * 224 + i) * 7919 % 1000) / 500 - 1;
        }
        p.images.push_back(m);
    }
}

static ncnn::Mat run_one(Peer &p, const ncnn::Mat &image) {
    ncnn::Extractor e = p.net.create_extractor();
    ncnn::Mat scores;
    e.input(p.net.input_names()[0], image);
    if (e.extract(p.net.output_names()[0], scores)) exit(70);
    return scores;
}

static double run_batch(Peer &p) {
    double start = now();
    for (const ncnn::Mat &m : p.images) run_one(p, m);
    return now() - start;
}

static void measure(Peer &p, double seconds) {
    std::vector<double> times;
    double begin = now();
    do times.push_back(run_batch(p));
    while (now() - begin < seconds);
    std::sort(times.begin(), times.end());
    printf("%.4f\n", 1e3 * times[times.size() / 2]);
}

static void print_scores(Peer &p) {
    ncnn::Mat scores = run_one(p, p.images[0]);
    for (int i = 0; i < (int)scores.total(); i++) printf("%g ", ((const float *)scores.data)[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    char line[64];
    if (argc != 6) return 64;
    Peer p;
    set_options(p, atoi(argv[4]), !strcmp(argv[5], "fp16"));
    if (p.net.load_param(argv[1]) || p.net.load_model(argv[2])) return 65;
    make_images(p, atoi(argv[3]));
    run_batch(p);
    printf("ncnn %s, %s weights\n", NCNN_COMMIT, argv[5]);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "scores", 6))
            print_scores(p);
        else
            measure(p, atof(line));
        fflush(stdout);
    }
    return 0;
}
