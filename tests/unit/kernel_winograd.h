/* Winograd's convolution for test_kernels.c: each phase by itself, and all of them with what follows. */
#ifndef CNNC_TESTS_UNIT_KERNEL_WINOGRAD_H
#define CNNC_TESTS_UNIT_KERNEL_WINOGRAD_H

#include "kernel_cases.h"

typedef struct WinogradShape {
    int32_t n, c, h, w, o, tile, kernel, pad[4];
} WinogradShape;
static const WinogradShape winograds[] = {
    {1, 16, 8, 8, 16, 4, 3, {1, 1, 1, 1}},  {2, 17, 7, 9, 20, 4, 3, {1, 1, 1, 1}},  {3, 8, 5, 6, 40, 2, 3, {1, 1, 1, 1}},
    {1, 33, 6, 12, 7, 4, 3, {0, 0, 0, 0}},  {2, 5, 9, 4, 17, 3, 3, {1, 1, 1, 1}},   {1, 16, 11, 7, 24, 2, 5, {2, 2, 2, 2}},
    {2, 9, 8, 8, 9, 2, 5, {0, 2, 1, 4}},    {5, 3, 4, 4, 3, 4, 3, {2, 2, 2, 2}},    {1, 64, 6, 20, 96, 4, 3, {1, 1, 1, 1}},
    {2, 24, 16, 4, 33, 2, 3, {0, 1, 2, 0}}, {1, 7, 3, 3, 5, 4, 3, {1, 0, 0, 1}},    {4, 32, 4, 4, 48, 4, 3, {1, 1, 1, 1}},
};
enum { N_WINOGRADS = ARRAY_LEN(winograds) };

static Attr winograd_attr(const WinogradShape *s, int32_t band) {
    int32_t height = s->h + s->pad[0] + s->pad[1] - s->kernel + 1, width = s->w + s->pad[2] + s->pad[3] - s->kernel + 1;
    return (Attr){.winograd = {s->tile, s->kernel, {s->pad[0], s->pad[2]}, {s->o, height, width}, band, false}};
}

static Ref winograd_picture(Case *c, const WinogradShape *s) {
    c->n = s->n;
    return case_stored(c, case_image(c, s->c, s->h, s->w));
}

static Ref build_winograd_weight(Case *c, int i) {
    const WinogradShape *s = &winograds[i % N_WINOGRADS];
    Attr attr = winograd_attr(s, 0);
    attr.winograd.flip = i % 2;
    Ref w = case_param(c, "", PARAM_WEIGHT, 4, (const int32_t[]){s->o, s->c, s->kernel, s->kernel});
    c->n = s->n;
    return case_op1(c, OP_winograd_weight, w, &attr);
}

static Ref build_winograd_input(Case *c, int i) {
    const WinogradShape *s = &winograds[i % N_WINOGRADS];
    Attr attr = winograd_attr(s, 0);
    return case_op1(c, OP_winograd_input, winograd_picture(c, s), &attr);
}

/* A tensor of a*a taps that is no transformed one: rows of tiles in place of a picture's. */
static Ref winograd_taps(Case *c, const WinogradShape *s, int32_t channels) {
    const WinogradAttr a = winograd_attr(s, 0).winograd;
    int32_t side = a.tile + a.kernel - 1;
    int64_t tiles = div_up(a.out[1], a.tile) * div_up(a.out[2], a.tile);
    c->n = s->n;
    return case_stored(c, case_image(c, channels, side * side, (int32_t)tiles));
}

/* Whole blocks of channels, since weights of channels that there are not would have to be 0. */
static Ref build_winograd_product(Case *c, int i) {
    WinogradShape s = winograds[i % N_WINOGRADS];
    s.o = (int32_t)round_up(s.o, 16);
    Attr attr = winograd_attr(&s, 0);
    int32_t side = s.tile + s.kernel - 1;
    Ref v = winograd_taps(c, &s, s.c);
    Ref u = case_param(c, "", PARAM_WEIGHT, 2, (const int32_t[]){side * side * s.o, s.c});
    return case_op2(c, OP_winograd_product, v, u, &attr);
}

static Ref build_winograd_output(Case *c, int i) {
    const WinogradShape *s = &winograds[i % N_WINOGRADS];
    Attr attr = winograd_attr(s, 0);
    return case_op1(c, OP_winograd_output, winograd_taps(c, s, s->o), &attr);
}

/* relu(conv(x) + bias + branch), phases in one kernel for bands of all heights, and as kernels of their own. */
static Ref build_winograd(Case *c, int i) {
    const WinogradShape *s = &winograds[i % N_WINOGRADS];
    Attr attr = winograd_attr(s, 0);
    int32_t rows = (int32_t)div_up(attr.winograd.out[1], s->tile), band = 0;
    for (int32_t k = 0; k <= i / N_WINOGRADS && band < rows; k++)
        do band++;
        while (rows % band);
    attr.winograd.band = i / N_WINOGRADS == 3 ? 0 : band;
    attr.winograd.flip = i % 2;
    Ref x = winograd_picture(c, s), w = case_param(c, "", PARAM_WEIGHT, 4,
                                                   (const int32_t[]){s->o, s->c, s->kernel, s->kernel});
    Ref u = case_op1(c, OP_winograd_weight, w, &attr), v = case_op1(c, OP_winograd_input, x, &attr);
    Ref y = case_op1(c, OP_winograd_output, case_op2(c, OP_winograd_product, v, u, &attr), &attr);
    y = case_op2(c, OP_add, y, case_vector(c, s->o), NULL);
    Ref branch = case_stored(c, case_image(c, s->o, attr.winograd.out[1], attr.winograd.out[2]));
    return case_op1(c, OP_relu, case_op2(c, OP_add, y, branch, NULL), NULL);
}

#endif
