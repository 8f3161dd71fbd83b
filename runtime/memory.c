#include "memory.h"

#include <stdio.h>
#include <unistd.h>

#include "exec.h"
#include "settings.h"

/* Of a run that is not told how many to use. */
static int usual_threads(void) {
    RtError ignored = {0};
    int n = pool_threads(0, &ignored);
    return n ? n : 1;
}

/* The program as it stands, with its code, its model and its libraries, before it takes blocks. Not by getrusage, which
 * counts what the process was before it became this program. */
static int64_t own_bytes(void) {
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*s %lld", &pages) != 1) pages = 0;
    if (f) fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

int64_t memory_infer(const Model *m, int64_t n) {
    CnncInference needs = exec_needs(&m->infer);
    needs.image = model_image_bytes(m);
    return cnnc_infer_bytes(&needs, n, usual_threads());
}

int64_t memory_train(const Model *m, int64_t batch, int threads, RtError *err) {
    DataSettings data;
    EvalSettings eval;
    TrainSizes sizes;
    int64_t image = 0, labels = 1, at_once = train_at_once(m, batch);
    if (!threads) threads = usual_threads();
    if (!data_settings(m, &data, err) || !eval_settings(m, &eval, err) || !train_sizes(m, &sizes, err)) return 0;
    for (int i = 0; i < sizes.n; i++) {
        const ModelProgram *p = sizes.program[i];
        if (program_image_bytes(m, p) > image) image = program_image_bytes(m, p);
        if (program_output(p, "logits")->plane > labels) labels = program_output(p, "logits")->plane;
    }
    return own_bytes() + block_bytes(m->param_bytes) + block_bytes(m->state_bytes) +
           exec_bytes_several(sizes.program, sizes.n, at_once, threads) +
           cnnc_loader_bytes(image, labels, batch, data.prefetch) + exec_bytes(eval.program, eval.batch, threads) +
           cnnc_loader_bytes(program_image_bytes(m, eval.program), program_scores(eval.program)->plane, eval.batch,
                             data.prefetch);
}

void memory_text(int64_t bytes, char text[24]) {
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    double x = (double)bytes / 1024;
    int i = 0;
    for (; x >= 1000 && i < 3; i++) x /= 1024;
    snprintf(text, 24, "%.1f %s", x, unit[i]);
}
