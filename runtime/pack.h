/* Storage form and logical form of a tensor.
 *
 * Logical form is plain row-major. Storage form, outermost first, is
 *     dim0/b0, dim1/b1, dim2, dim3, dim1 % b1, dim0 % b0
 * with the two blocked extents rounded up and the pad lanes zero (abi.h). Only these two functions know it. */
#ifndef CNNC_RUNTIME_PACK_H
#define CNNC_RUNTIME_PACK_H

#include <stdint.h>

typedef struct Form {
    int64_t dim[4]; /* missing dimensions are 1 */
    int64_t b0, b1; /* block sizes, 1 = not blocked */
} Form;

/* Elements in logical form, and as stored with pad lanes. The caller has checked that they fit. */
int64_t form_elements(const Form *f);
int64_t form_stored(const Form *f);

/* A tensor cut along dimension 0, in pieces of whole blocks, each contiguous in both forms: how large tensors are
 * filled, read and written through a small buffer. */
typedef struct Slice {
    Form form;
    int64_t logical, stored; /* where it starts, in elements of either form */
} Slice;

/* The number of slices of f when each may have at most `most` logical elements (or one block of rows, if that is more).
 */
int64_t form_slices(const Form *f, int64_t most);
Slice form_slice(const Form *f, int64_t most, int64_t index);
/* Logical elements of the largest slice. */
int64_t form_slice_elements(const Form *f, int64_t most);

/* stored[form_stored] from logical[form_elements]; pad lanes become zero. */
void pack(const Form *f, const float *logical, float *stored);
/* logical[form_elements] from stored[form_stored]; pad lanes are not looked at. */
void unpack(const Form *f, const float *stored, float *logical);

#endif
