/* What the builders of layers share. A builder appends the nodes of one call to the graph and gives its value, V_ERROR
 * if something was reported. One row of layers.def names a builder, build_<id>; these are in layers*.c by family. */
#ifndef CNNC_FRONTEND_LAYERS_H
#define CNNC_FRONTEND_LAYERS_H

#include "eval.h"

#define LAYER(id, text) RunFunction build_##id;
#include "layers.def"
#undef LAYER

Value layer_value(Ref r);   /* of a node; V_ERROR for 0 */
/* A node of the layer; 0 if its shapes do not fit, which was reported. */
Ref layer_node(Elab *e, const Bound *b, Op op, int n_in, const Ref *in, const Attr *attr);
/* op(x) */
Value layer_unary(Elab *e, const Bound *b, Op op, const Attr *attr);
/* A parameter of the layer, "conv1.weight", or with the layer's own name if `what` is NULL, with its first values, a
 * V_INIT; 0 if its size was reported. */
Ref layer_param(Elab *e, const Bound *b, const char *what, ParamRole role, Value init, int rank, const int32_t *dim);
Value layer_constant(double x);                 /* the V_INIT of one number */
Value layer_weight_init(const Bound *b);        /* the argument `init`, or PyTorch's default */
/* y + bias, if the argument `bias` wants one. Its first values: the number given; PyTorch's default, which needs the
 * weight's fan-in, where the weight has PyTorch's default too; 0 otherwise. */
Ref layer_bias(Elab *e, const Bound *b, Ref y, int32_t out, double fan_in);
void layer_pair(int32_t *two, const Value *v);  /* height and width of a V_DIM */

#endif
