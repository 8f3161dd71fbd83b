/* apply_op PICTURE OPERATION MAGNITUDE: what an operation of trivial_augment and rand_augment (runtime/policy.h) makes
 * of a picture, as red, green and blue bytes. apply_op POLICY: a line for each operation: its name, then the magnitudes
 * of the policy (0: trivial_augment, 1: rand_augment) for a picture of 90 x 70 pixels. For tests/torch_ops.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/policy.h"

static int fail(const RtError *err) {
    fprintf(stderr, "%s\n", err->text);
    return EXIT_FAILURE;
}

static int list(Frame *f, PolicyKind kind, RtError *err) {
    if (!frame_open_blank(f, 90, 70, err)) return fail(err);
    for (int k = 0; policy_name(k); k++) {
        bool sign;
        printf("%s", policy_name(k));
        for (int step = 0; step < POLICY_STEPS; step++) printf(" %.17g", policy_magnitude(kind, k, step, f, &sign));
        printf(" %d\n", sign);
    }
    return EXIT_SUCCESS;
}

static int apply(Frame *f, const char *path, const char *name, double magnitude, RtError *err) {
    static const double black[3];
    Image *pixels;
    int k = 0;
    while (policy_name(k) && strcmp(policy_name(k), name)) k++;
    if (!policy_name(k)) return EXIT_FAILURE;
    if (!frame_open(f, path, false, err) || !policy_run(k, magnitude, black, f, err) || !frame_settle(f, &pixels, err))
        return fail(err);
    for (int32_t i = 0; i < pixels->width * pixels->height; i++) fwrite(pixels->pixel + (size_t)i * IMAGE_PIXEL_BYTES, 1, 3, stdout);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    RtError err = {.code = RT_OK};
    Frame *f = frame_new(&err);
    if (!f) return fail(&err);
    int code = argc == 4   ? apply(f, argv[1], argv[2], strtod(argv[3], NULL), &err)
               : argc == 2 ? list(f, (PolicyKind)(argv[1][0] == '1'), &err)
                           : EXIT_FAILURE;
    frame_free(f);
    return code;
}
