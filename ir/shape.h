/* Shape rules: one function per operator (shape_<id>), and what they share.
 *
 * A rule reads the operands' types and the attributes and builds the result through rule_result, the one place where
 * dimensions and element counts are limited. On a misfit it reports once, at the node, with the shapes of both sides,
 * and returns false. Misfits that a model author can cause have codes of their own; the rest (weights, statistics and
 * gradients are made by the compiler, with the right shapes) is E_INTERNAL.
 *
 * Every rule may be run on hostile attributes (IR read from text): it checks before it divides or multiplies. */
#ifndef CNNC_IR_SHAPE_H
#define CNNC_IR_SHAPE_H

#include "graph.h"

#define OP(id, diff, ...) ShapeRule shape_##id;
#include "ops.def"
#undef OP

#define E_INTERNAL "E0300"   /* an operator that only the compiler writes does not fit */
#define E_LIMIT "E0301"      /* a dimension below 1 or above 2^31-1, or more than MAX_ELEMENTS elements */
#define E_OPERAND "E0302"    /* the operator does not take that kind of tensor */
#define E_WINDOW "E0303"     /* kernel, stride, dilation or groups below 1, or a negative pad */
#define E_KERNEL "E0304"     /* the kernel is larger than the padded input */
#define E_POOL_PAD "E0305"   /* a pooling pad as large as the kernel: a window would see only padding */
#define E_GROUPS "E0306"     /* groups do not divide the channels */
#define E_RANGE "E0307"      /* a channel range outside the tensor */
#define E_CONCAT "E0311"     /* shapes that cannot be joined on channels */
#define E_SHAPES "E0312"     /* shapes that cannot be added, subtracted or multiplied */

#define MAX_ELEMENTS ((int64_t)1 << 40)   /* logical, of one picture */
#define MAX_STORED ((int64_t)1 << 50)     /* the same as stored: whole blocks of channels, and halos */

/* Runs n's rule: the type that n must have, in plain layout. The operator and the number of operands must be right. */
bool shape_infer(const Graph *g, const Node *n, Type *result, Diags *d);

const Type *rule_in(const Graph *g, const Node *n, int i);
/* Reports at n, unless d is NULL, and returns false. */
bool rule_misfit(const Node *n, Diags *d, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The shape for a message; "" if d is NULL. */
const char *rule_text(Diags *d, const Type *t);
/* Which dimensions differ, for a message: "channels differ", "heights and widths differ". "" if d is NULL. */
const char *rule_difference(Diags *d, const Type *a, const Type *b);
/* "groups = 3 does not divide the input's 16 channels: 16 = 5 * 3 + 1"; side: "input" or "output". */
const char *rule_groups_text(Arena *a, int32_t groups, const char *side, int64_t channels);
/* E_GROUPS with that text, unless groups (at least 1) divides the channels. */
bool rule_groups_divide(const Node *n, Diags *d, int32_t groups, const char *side, int64_t channels);
/* E_KERNEL: kernel taps (height, width), `dilation` apart (NULL: 1), do not fit on in_h x in_w with pad (top, bottom,
 * left, right). */
bool rule_window_misfit(const Node *n, Diags *d, int64_t in_h, int64_t in_w, const int32_t *kernel,
                        const int32_t *dilation, const int32_t *pad);

/* Sets *result to a plain tensor, or reports E_LIMIT. dim[0] may be BATCH. */
bool rule_result(const Node *n, Diags *d, Type *result, DType dtype, int rank, const int64_t *dim);
#define DIMS(...) ARRAY_LEN(((const int64_t[]){__VA_ARGS__})), (const int64_t[]){__VA_ARGS__}
/* The same for a type that an attribute gives. */
bool rule_given(const Node *n, Diags *d, Type *result, const Type *given);
/* operand 0's type, plain, with channel dimension c if c is not 0. */
bool rule_like(const Graph *g, const Node *n, Diags *d, Type *result, int64_t c);

/* What operand i must be; each reports and returns false if it is not. */
bool rule_pictures(const Graph *g, const Node *n, int i, Diags *d);   /* f32 [N,C,H,W] */
bool rule_floats(const Graph *g, const Node *n, int i, Diags *d);     /* f32, any shape */
bool rule_channels(const Graph *g, const Node *n, int i, Diags *d);   /* f32 with a channel dimension */
bool rule_vector(const Graph *g, const Node *n, int i, int32_t c, Diags *d);   /* f32 [c] */
bool rule_same(const Graph *g, const Node *n, int i, int j, Diags *d);         /* operands i and j have equal shapes */

/* Positions of a window of `kernel` taps `dilation` apart over in + pads, 0 if it does not fit. All but pads >= 1. */
int64_t window_count(int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation);

#endif
