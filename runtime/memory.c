#include "memory.h"

#include <stdio.h>
#include <sys/resource.h>

#include "exec.h"
#include "settings.h"

/* Of a run that is not told how many to use. */
static int usual_threads(void) {
    RtError ignored = {0};
    int n = pool_threads(0, &ignored);
    return n ? n : 1;
}

/* The program as it stands, with its code, its model and its libraries, before it takes blocks. */
static int64_t own_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

int64_t memory_infer(const Model *m, int64_t n) {
    return own_bytes() + exec_bytes(m, &m->infer, n, true, usual_threads()) + n * model_image_bytes(m);
}

/* Pictures, labels and sample numbers of the batches that a loader holds, each with room for a multiple of 16 pictures.
 */
static int64_t loader_bytes(int64_t image_bytes, int64_t batch, int64_t prefetch) {
    return (prefetch + 1) * ((batch + 15) / 16 * 16) * (image_bytes + 8);
}

int64_t memory_train(const Model *m, int64_t batch, RtError *err) {
    DataSettings data;
    EvalSettings eval;
    TrainSizes sizes;
    int64_t image = 0;
    if (!data_settings(m, &data, err) || !eval_settings(m, &eval, err) || !train_sizes(m, &sizes, err)) return 0;
    for (int i = 0; i < sizes.n; i++)
        if (program_image_bytes(m, sizes.program[i]) > image) image = program_image_bytes(m, sizes.program[i]);
    return own_bytes() + block_bytes(m->param_bytes) + block_bytes(m->state_bytes) +
           exec_bytes_several(sizes.program, sizes.n, batch, usual_threads()) + loader_bytes(image, batch, data.prefetch) +
           exec_bytes(m, eval.program, eval.batch, true, usual_threads()) +
           loader_bytes(program_image_bytes(m, eval.program), eval.batch, data.prefetch);
}

void memory_text(int64_t bytes, char text[24]) {
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    double x = (double)bytes / 1024;
    int i = 0;
    for (; x >= 1000 && i < 3; i++) x /= 1024;
    snprintf(text, 24, "%.1f %s", x, unit[i]);
}
