#include "pack.h"

#include <string.h>

static int64_t blocks(int64_t extent, int64_t block) { return (extent + block - 1) / block; }

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t form_elements(const Form *f) { return f->dim[0] * f->dim[1] * f->dim[2] * f->dim[3]; }

int64_t form_stored(const Form *f) {
    return blocks(f->dim[0], f->b0) * f->b0 * blocks(f->dim[1], f->b1) * f->b1 * f->dim[2] * f->dim[3];
}

/* Rows of dimension 0 in a slice: a whole number of blocks, at least one. */
static int64_t slice_rows(const Form *f, int64_t most) {
    int64_t group = f->dim[1] * f->dim[2] * f->dim[3] * f->b0;
    int64_t rows = (most / group > 0 ? most / group : 1) * f->b0;
    return smaller(rows, blocks(f->dim[0], f->b0) * f->b0);
}

int64_t form_slices(const Form *f, int64_t most) { return blocks(f->dim[0], slice_rows(f, most)); }

Slice form_slice(const Form *f, int64_t most, int64_t index) {
    int64_t rows = slice_rows(f, most), first = index * rows, plane = f->dim[2] * f->dim[3];
    Slice s = {*f, first * f->dim[1] * plane, first * blocks(f->dim[1], f->b1) * f->b1 * plane};
    s.form.dim[0] = smaller(rows, f->dim[0] - first);
    return s;
}

int64_t form_slice_elements(const Form *f, int64_t most) {
    Slice s = form_slice(f, most, 0);
    return form_elements(&s.form);
}

/* A tile is the storage of one block pair: [plane][b1][b0], where plane = dim2 * dim3. Rows of `logical` at tile (i0,
 * i1) start at ((i0 * dim1) + i1) * plane. */
static void pack_tile(const Form *f, const float *logical, float *tile, int64_t n0, int64_t n1) {
    int64_t plane = f->dim[2] * f->dim[3], row = f->dim[1] * plane;
    for (int64_t p = 0; p < plane; p++)
        for (int64_t j = 0; j < n1; j++)
            for (int64_t i = 0; i < n0; i++) tile[(p * f->b1 + j) * f->b0 + i] = logical[i * row + j * plane + p];
}

static void unpack_tile(const Form *f, float *logical, const float *tile, int64_t n0, int64_t n1) {
    int64_t plane = f->dim[2] * f->dim[3], row = f->dim[1] * plane;
    for (int64_t p = 0; p < plane; p++)
        for (int64_t j = 0; j < n1; j++)
            for (int64_t i = 0; i < n0; i++) logical[i * row + j * plane + p] = tile[(p * f->b1 + j) * f->b0 + i];
}

void pack(const Form *f, const float *logical, float *stored) {
    int64_t plane = f->dim[2] * f->dim[3], tile = plane * f->b0 * f->b1;
    memset(stored, 0, (size_t)form_stored(f) * sizeof *stored);
    for (int64_t i = 0; i < f->dim[0]; i += f->b0)
        for (int64_t j = 0; j < f->dim[1]; j += f->b1, stored += tile)
            pack_tile(f, logical + (i * f->dim[1] + j) * plane, stored, smaller(f->b0, f->dim[0] - i),
                      smaller(f->b1, f->dim[1] - j));
}

void unpack(const Form *f, const float *stored, float *logical) {
    int64_t plane = f->dim[2] * f->dim[3], tile = plane * f->b0 * f->b1;
    for (int64_t i = 0; i < f->dim[0]; i += f->b0)
        for (int64_t j = 0; j < f->dim[1]; j += f->b1, stored += tile)
            unpack_tile(f, logical + (i * f->dim[1] + j) * plane, stored, smaller(f->b0, f->dim[0] - i),
                        smaller(f->b1, f->dim[1] - j));
}
