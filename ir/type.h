/* What a tensor is: element type, logical shape, and how it lies in memory.
 *
 * Logical shape. dim[0] of a batched tensor is BATCH: its extent is the number of pictures of the call, any number
 * from 1 to the compiled maximum. The CHANNEL dimension is the first one that is not the batch: C of [N,C,H,W], K of
 * [N,K], O of a weight [O,I,KH,KW], C of a per-channel vector [C].
 *
 * Memory. Dimension 0 may be cut in blocks of b0 and dimension 1 in blocks of b1. Storage order, outermost first:
 *     dim0/b0, dim1/b1, dim2, dim3, dim1%b1, dim0%b0
 * with both blocked extents rounded up and the pad lanes holding zero. So activations are nChw{v}c (b0 = 1, b1 = v),
 * plain NCHW is b0 = b1 = 1, convolution weights are OIhw{v}i{v}o (b0 = b1 = v), a channel vector has b0 = v. A rank-2
 * activation [N,K] with b1 = v is plain [N,K] with K rounded up to v. A batched rank-4 tensor may carry a halo: rows
 * and columns of zeros around each plane, so that a convolution reads its padding like any other pixel. One that is
 * stored by rows has dim2 outside dim1/b1 (and b0 = 1): each row of all channels lies in one piece, and the next begins an
 * odd number of vectors of b1 elements after it, so that a column of rows is spread over the sets of a cache.
 *
 * Parts. A batched tensor may be a part of another one's memory: channels [from, from + channels) of one that has
 * `whole` channels. Then everything about memory (bytes stored, offsets) is the whole's; so joining channels moves
 * nothing. */
#ifndef CNNC_IR_TYPE_H
#define CNNC_IR_TYPE_H

#include "base.h"

enum { MAX_RANK = 4 };
#define BATCH (-1)   /* the extent of a batch dimension */

/* F16 (IEEE half) is for storing weights: loads widen it to float, stores round to nearest even, nothing computes in
 * it. */
typedef enum DType { DT_F32, DT_I32, DT_U8, DT_F16, DT_COUNT } DType;
extern const char *const dtype_name[DT_COUNT];
extern const int dtype_bytes[DT_COUNT];
static inline bool dtype_real(DType t) { return t == DT_F32 || t == DT_F16; }

typedef struct Halo {
    int32_t top, bottom, left, right;
} Halo;

typedef struct Layout {
    int32_t b0, b1;      /* block sizes; 1 = not blocked */
    Halo halo;
    int32_t whole, from; /* a part of a tensor with `whole` channels, beginning at channel `from`; 0, 0: no part */
    bool rows;           /* stored by rows; has neither halo nor parts */
} Layout;

typedef struct Type {
    DType dtype;
    int32_t rank;                /* 0: a scalar */
    int32_t dim[MAX_RANK];       /* dim[0] == BATCH for batched tensors, all others >= 1 */
    Layout layout;
} Type;

/* Plain layout, no halo. */
Type type_make(DType dtype, int rank, const int32_t *dim);
bool type_batched(const Type *t);
int type_channel_dim(const Type *t);             /* index of the channel dimension, or -1 if there is none */
int32_t type_channels(const Type *t);            /* its extent, 1 if there is none */
int32_t type_height(const Type *t);              /* dim 2, or 1 */
int32_t type_width(const Type *t);               /* dim 3, or 1 */
bool type_same_shape(const Type *a, const Type *b);   /* dtype, rank and dims; layout ignored */
bool type_same_dims(const Type *a, const Type *b);    /* rank and dims */
/* How numbers of y go with those of x, dtypes aside: one each; one a channel, y [C]; one a channel of each picture, y
 * [N,C] or [N,C,1,1] and x [N,C,H,W]; one for all of a batched x, y [1]. */
typedef enum Broadcast { BROADCAST_MISFIT, BROADCAST_NONE, BROADCAST_CHANNEL, BROADCAST_PLANE, BROADCAST_ONE } Broadcast;
Broadcast type_broadcast(const Type *x, const Type *y);
bool type_equal(const Type *a, const Type *b);        /* layout too */
/* These three are INT64_MAX where the true value does not fit.
 * Logical elements: of one picture for a batched tensor, of the whole otherwise. */
int64_t type_elements(const Type *t);
/* Elements as stored, block padding and halo included; of one picture for a batched tensor. */
int64_t type_stored(const Type *t);
/* Of a tensor stored by rows: vectors from one row to the next. */
int64_t type_row_vectors(const Type *t);
/* Bytes as stored, rounded up to 64. */
int64_t type_bytes(const Type *t);
/* Where the logical element index[0..rank-1] is stored, in elements from the start of the tensor. */
int64_t type_offset(const Type *t, const int64_t *index);
/* The layout of `channels` channels of t from channel `from` on, where they lie in t: t's own if these are all. */
Layout type_part_layout(const Type *t, int32_t from, int32_t channels);
/* Does `part` lie in t's memory as t's channels from `from` on? */
bool type_is_part(const Type *part, const Type *t, int32_t from);

/* "f32[N,64,56,56]", and with its layout when that is not plain: "f32[N,64,56,56]{1,16;1,1,1,1}" = {b0,b1;halo}, for a
 * part {b0,b1;halo;from/whole}, stored by rows {b0,b1;halo;rows}. */
void type_print(Str *s, const Type *t);
/* Reads the same from *text and advances it; false on a mistake. Blocks and halo are not judged (graph_verify does). */
bool type_read(const char **text, Type *t);
const char *type_shape_text(Arena *a, const Type *t);    /* "64x56x56", "one number": for people, no batch */

#endif
