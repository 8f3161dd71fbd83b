/* Shape rules: what each operator makes of its operands, and what it says when they do not fit. One table; its rows
 * without a misfit are also one graph of every operator, which must print, read back and verify. */
#include "ir/graph.h"

#include <CUnit/Basic.h>
#include <string.h>

static Arena *arena;

#define CONV(kernel, stride, dilation, pad, rest) \
    "{kernel=[" kernel "], stride=[" stride "], dilation=[" dilation "], pad=[" pad "], groups=" rest "}"
#define WINO(tile, kernel, pad, out) \
    "{tile=" tile ", kernel=" kernel ", pad=[" pad "], out=[" out "], band=0, flip=false}"
#define IN(c, h, w) ", in_c=" c ", in_h=" h ", in_w=" w
#define NO_IN IN("0", "0", "0")
#define PLAIN(kernel, pad, rest) CONV(kernel, "1,1", "1,1", pad, rest)
#define POOL(kernel, stride, pad, ceil, in) \
    "{kernel=[" kernel "], stride=[" stride "], pad=[" pad "], ceil=" ceil ", count_pad=false" in "}"
#define HW(h, w) ", in_h=" h ", in_w=" w ", to=[0,0]"
#define SHARES(kernel, to) \
    "{kernel=[" kernel "], stride=[1,1], pad=[0,0,0,0], ceil=false, count_pad=false, in_h=0, in_w=0, to=[" to "]}"
#define PARAM(type) "{role=weight, init=he, a=0, b=0, frozen=false, lr_scale=1, weight_decay=1e-04, type=" type "}"
#define LRN "{size=5, alpha=1e-04, beta=0.75, k=2}"
#define ADAM "{beta=[0.9,0.999], eps=1e-08, weight_decay=0.01, lr_scale=1, decoupled=true}"
#define RMSPROP(momentum, centred) "{alpha=0.9, eps=1e-08, momentum=" momentum ", weight_decay=0, lr_scale=1, centred=" centred ", eps_inside=false}"
#define LARS "{momentum=0.9, weight_decay=1e-04, trust=0.001, eps=0, lr_scale=1}"
#define SGD "{momentum=0.9, weight_decay=5e-04, lr_scale=1, nesterov=false}"

typedef struct Case {
    Op op;
    const char *in;     /* types, separated by blanks */
    const char *attr;
    const char *want;   /* the result, or "E0312 text of the message" */
} Case;

static const Case table[] = {
    {OP_input, "", "{role=image, type=f32[N,3,8,8]}", "f32[N,3,8,8]"},
    {OP_input, "", "{role=label, type=i32[N]}", "i32[N]"},
    {OP_input, "", "{role=lr, type=f32[]}", "f32[]"},
    {OP_input, "", "{role=label, type=f32[N]}", "E0300 an input of that role cannot be f32 of one number"},
    {OP_input, "", "{role=image, type=f32[N,3,8,8]{1,16;0,0,0,0}}", "E0300 the type attribute of `input` has a layout"},
    {OP_input, "", "{role=image, type=f32[N,65536,65536,512]}",
     "E0301 `input` would give a tensor of more than 2^40 numbers"},
    {OP_param, "", PARAM("f32[4,3,3,3]"), "f32[4,3,3,3]"},
    {OP_param, "", PARAM("f32[N,3]"), "E0300 a parameter must be f32 and cannot depend on the batch"},
    {OP_fill, "", "{value=0.1, per_picture=true, type=f32[N]}", "f32[N]"},

    {OP_conv, "f32[N,3,227,227] f32[96,3,11,11]", CONV("11,11", "4,4", "1,1", "0,0,0,0", "1" NO_IN), "f32[N,96,55,55]"},
    {OP_conv, "f32[N,8,9,10] f32[12,4,3,2]", CONV("3,2", "2,3", "2,3", "1,0,2,1", "2" NO_IN), "f32[N,12,3,4]"},
    {OP_conv, "f32[N,8,5,5] f32[8,1,3,3]", PLAIN("3,3", "1,1,1,1", "8" NO_IN), "f32[N,8,5,5]"},
    {OP_conv, "f32[N,8,5,5] f32[8,8,7,7]", PLAIN("7,7", "1,0,1,1", "1" NO_IN),
     "E0304 a 7x7 window does not fit on 5x5 (+ 1+0 and 1+1 padding)"},
    {OP_conv, "f32[N,8,9,5] f32[8,8,3,3]", CONV("3,3", "1,1", "1,3", "0,0,0,0", "1" NO_IN),
     "E0304 a 3x3 window of dilation 1x3, which spans 3x7, does not fit on 9x5 (+ 2*0 padding)"},
    {OP_conv, "f32[N,8,5,5] f32[8,8,3,3]", CONV("3,3", "1,0", "1,1", "0,0,0,0", "1" NO_IN),
     "E0303 kernel, stride and dilation must be at least 1, but are 3, 0 and 1"},
    {OP_conv, "f32[N,8,5,5] f32[8,8,3,3]", PLAIN("3,3", "0,0,-1,0", "1" NO_IN),
     "E0303 a pad must not be negative, but is -1"},
    {OP_conv, "f32[N,8,5,5] f32[8,8,3,3]", PLAIN("3,3", "0,0,0,0", "0" NO_IN),
     "E0303 groups must be at least 1, but is 0"},
    {OP_conv, "f32[N,8,5,5] f32[9,8,3,3]", PLAIN("3,3", "0,0,0,0", "3" NO_IN),
     "E0306 groups = 3 does not divide the input's 8 channels: 8 = 2 * 3 + 2"},
    {OP_conv, "f32[N,8,5,5] f32[9,2,3,3]", PLAIN("3,3", "0,0,0,0", "4" NO_IN),
     "E0306 groups = 4 does not divide the output's 9 channels: 9 = 2 * 4 + 1"},
    {OP_conv, "f32[N,8,5,5] f32[8,7,3,3]", PLAIN("3,3", "0,0,0,0", "1" NO_IN),
     "E0300 `conv` needs a weight of 8x8x3x3, but gets 8x7x3x3"},
    {OP_conv, "f32[N,8] f32[8,8,3,3]", PLAIN("3,3", "0,0,0,0", "1" NO_IN),
     "E0302 `conv` needs channels x height x width, but its input is 8"},
    {OP_conv, "f32[N,1,2,2] f32[1,1,1,1]", PLAIN("1,1", "2147483647,2147483647,0,0", "1" NO_IN),
     "E0301 `conv` would give a tensor with a dimension of 4294967296: allowed are 1 to 2147483647"},
    {OP_conv, "f32[N,1,2,2] f32[1,1,1,1]", PLAIN("1,1", "1000000000,0,1000000000,0", "1" NO_IN),
     "E0301 `conv` would give a tensor of more than 2^40 numbers"},
    {OP_conv, "f32[N,1,2,2] f32[1,1,2147483647,1]", CONV("2147483647,1", "1,1", "2147483647,1", "0,0,0,0", "1" NO_IN),
     "E0304 a 2147483647x1 window of dilation 2147483647x1, which spans 4611686011984936963x1, does not fit on 2x2 (+ 2*0 padding)"},
    {OP_conv_dgrad, "f32[N,12,3,4] f32[8,6,3,2]", CONV("3,2", "2,3", "2,3", "1,0,2,1", "2" IN("8", "9", "10")),
     "f32[N,8,9,10]"},
    {OP_conv_dgrad, "f32[N,12,3,5] f32[8,6,3,2]", CONV("3,2", "2,3", "2,3", "1,0,2,1", "2" IN("8", "9", "10")),
     "E0300 `conv_dgrad` needs a gradient of height 3 and width 4, but gets 12x3x5"},
    {OP_conv_dgrad, "f32[N,12,3,4] f32[12,4,3,2]", CONV("3,2", "2,3", "2,3", "1,0,2,1", "2" IN("8", "9", "10")),
     "E0300 `conv_dgrad` needs a weight of 8x6x3x2, but gets 12x4x3x2"},
    {OP_conv_dgrad, "f32[N,12,3,4] f32[8,6,3,2]", PLAIN("3,2", "0,0,0,0", "2" NO_IN),
     "E0300 `conv_dgrad` does not know the shape of x"},
    {OP_conv_wgrad, "f32[N,12,3,4] f32[N,8,9,10]", CONV("3,2", "2,3", "2,3", "1,0,2,1", "2" IN("8", "0", "0")),
     "f32[12,4,3,2]"},
    {OP_conv_wgrad, "f32[N,12,3,4] f32[N,8,9,10]", CONV("3,2", "2,3", "2,3", "1,0,2,1", "2" NO_IN),
     "E0300 `conv_wgrad` has in_c = 0, but x has 8 channels"},
    {OP_swap_io, "f32[12,4,3,2]", PLAIN("3,2", "0,0,0,0", "2" NO_IN), "f32[8,6,3,2]"},
    {OP_swap_io, "f32[12,4,3,2]", PLAIN("3,2", "0,0,0,0", "5" NO_IN),
     "E0300 `swap_io` in 5 groups does not take 12x4x3x2"},
    {OP_winograd_weight, "f32[20,7,3,3]", WINO("4", "3", "1,1", "20,9,10"), "f32[1152,7]"},
    {OP_winograd_weight, "f32[20,7,3,3]", WINO("2", "5", "1,1", "20,9,10"), "E0300 `winograd_weight` does not take 20x7x3x3"},
    {OP_winograd_weight, "f32[20,7,3,3]", WINO("7", "3", "1,1", "20,9,10"),
     "E0300 `winograd_weight` has attributes that fit no convolution"},
    {OP_winograd_input, "f32[N,7,9,10]", WINO("4", "3", "1,1", "20,9,10"), "f32[N,7,36,9]"},
    {OP_winograd_input, "f32[N,7]", WINO("4", "3", "1,1", "20,9,10"),
     "E0302 `winograd_input` needs channels x height x width, but its input is 7"},
    {OP_winograd_product, "f32[N,7,36,9] f32[1152,7]", WINO("4", "3", "1,1", "20,9,10"), "f32[N,20,36,9]"},
    {OP_winograd_product, "f32[N,7,36,8] f32[1152,7]", WINO("4", "3", "1,1", "20,9,10"),
     "E0300 `winograd_product` does not take 7x36x8"},
    {OP_winograd_product, "f32[N,7,36,9] f32[1152,8]", WINO("4", "3", "1,1", "20,9,10"),
     "E0300 `winograd_product` does not take 1152x8"},
    {OP_winograd_output, "f32[N,20,36,9]", WINO("4", "3", "1,1", "20,9,10"), "f32[N,20,9,10]"},
    {OP_winograd_output, "f32[N,21,36,9]", WINO("4", "3", "1,1", "20,9,10"),
     "E0300 `winograd_output` does not take 21x36x9"},
    {OP_fc, "f32[N,9] f32[5,9]", NULL, "f32[N,5]"},
    {OP_fc, "f32[N,256,6,6] f32[4096,256,6,6]", NULL, "f32[N,4096]"},
    {OP_fc, "f32[N,9] f16[5,9]", NULL, "f32[N,5]"},
    {OP_fc_dgrad, "f32[N,5] f16[5,9]", NULL, "E0300 the weight of `fc_dgrad` is 5x9"},
    {OP_fc, "f32[N,256,5,6] f32[4096,256,6,6]", NULL,
     "E0300 a weight of 4096x256x6x6 does not fit an input of 256x5x6"},
    {OP_fc, "f32[9] f32[5,9]", NULL, "E0302 `fc` needs a vector or channels x height x width, but its input is 9"},
    {OP_fc_dgrad, "f32[N,5] f32[5,3,2,2]", NULL, "f32[N,3,2,2]"},
    {OP_fc_dgrad, "f32[N,6] f32[5,9]", NULL, "E0300 a weight of 5x9 does not fit a gradient of 6"},
    {OP_fc_wgrad, "f32[N,5] f32[N,3,2,2]", NULL, "f32[5,3,2,2]"},
    {OP_fc_wgrad, "f32[N,3,2,2] f32[N,5]", NULL, "E0300 `fc_wgrad` needs a vector per picture, but gets 3x2x2"},

    {OP_add, "f32[N,64,7,7] f32[N,64,7,7]", NULL, "f32[N,64,7,7]"},
    {OP_add, "f32[N,64,7,7] f32[64]", NULL, "f32[N,64,7,7]"},
    {OP_add, "f32[N] f32[N]", NULL, "f32[N]"},
    {OP_add, "f32[N,64,56,56] f32[N,256,56,56]", NULL, "E0312 cannot add 64x56x56 and 256x56x56: channels differ"},
    {OP_add, "f32[N,64,56,56] f32[N,32,28,28]", NULL,
     "E0312 cannot add 64x56x56 and 32x28x28: channels, heights and widths differ"},
    {OP_add, "f32[N,64,56,56] f32[32]", NULL, "E0312 cannot add 64x56x56 and 32: channels differ"},
    {OP_add, "f32[N,64,56,56] f32[N,64]", NULL, "f32[N,64,56,56]"},
    {OP_mul, "f32[N,64,56,56] f32[N,64,1,1]", NULL, "f32[N,64,56,56]"},
    {OP_mul, "f32[N,64,56,56] f32[1]", NULL, "f32[N,64,56,56]"},
    {OP_add, "f32[N,64,56,56] f32[N,32]", NULL, "E0312 cannot add 64x56x56 and 32: numbers of dimensions differ"},
    {OP_mul, "f32[N,64,56,56] f32[N,64,56,1]", NULL, "E0312 cannot multiply 64x56x56 and 64x56x1: widths differ"},
    {OP_add, "f32[N,64,56,56] f32[1]", NULL, "E0312 cannot add 64x56x56 and 1: channels differ"},
    {OP_plane_dot, "f32[N,8,3,3] f32[N,8,3,3]", "{type=f32[N,8]}", "f32[N,8]"},
    {OP_plane_dot, "f32[N,8,3,3] f32[N,8,3,3]", "{type=f32[N,8,1,1]}", "f32[N,8,1,1]"},
    {OP_plane_dot, "f32[N,8,3,3] f32[N,8,3,3]", "{type=f32[8]}", "E0300 the planes of 8x3x3 do not make 8"},
    {OP_total, "f32[8]", NULL, "f32[1]"},
    {OP_total, "f32[N,8]", NULL, "E0300 `total` needs one number for each of 8 channels, but operand 1 is 8"},
    {OP_add, "i32[N] i32[N]", NULL, "E0302 `add` needs floating-point numbers, but its input has i32"},
    {OP_sub, "f32[8,4,3,3] f32[8]", NULL, "f32[8,4,3,3]"},
    {OP_sub, "f32[8] f32[9]", NULL, "E0312 cannot subtract 8 and 9: sizes differ"},
    {OP_mul, "f32[8] f32[8]", NULL, "f32[8]"},
    {OP_mul, "f32[8] f32[8,1]", NULL, "E0312 cannot multiply 8 and 8x1: numbers of dimensions differ"},
    {OP_scale, "f32[N,8]", "{alpha=0.5, beta=-0, per_picture=true}", "f32[N,8]"},
    {OP_rsqrt, "f32[8]", NULL, "f32[8]"},
    {OP_relu, "u8[N,8]", NULL, "E0302 `relu` needs floating-point numbers, but its input has u8"},
#define ACT(id, ...)                                                                                                   \
    {OP_##id, "f32[N,8,2,2]", NULL, "f32[N,8,2,2]"},                                                                   \
    {OP_##id##_grad, "f32[N,8] f32[N,8]", NULL, "f32[N,8]"},
#include "ir/acts.def"
#undef ACT
    {OP_elu, "f32[N,8]", "{slope=-0.5}", "E0300 a slope of -0.5 is negative"},
    {OP_relu_grad, "f32[N,8] f32[N,9]", NULL,
     "E0300 `relu_grad` needs equal shapes, but operand 1 is 8 and operand 2 is 9: channels differ"},
    {OP_to_half, "f32[8,4,3,3]", NULL, "f16[8,4,3,3]"},
    {OP_to_half, "f16[8]", NULL, "E0302 `to_half` needs floating-point numbers, but its input has f16"},
    {OP_clip, "f32[N,8]", "{lo=6, hi=6}", "E0300 nothing lies between 6 and 6"},
    {OP_clip_grad, "f32[N,8] f32[N,9]", "{lo=0, hi=6}",
     "E0300 `clip_grad` needs equal shapes, but operand 1 is 8 and operand 2 is 9: channels differ"},
    {OP_bn, "f32[N,8,2,2] f32[8] f32[8] f32[8] f32[8]", "{eps=1e-05, momentum=0.1, ghost=0}", "f32[N,8,2,2]"},
    {OP_bn, "f32[N,8,2,2] f32[8] f32[8] f32[9] f32[8]", "{eps=1e-05, momentum=0.1, ghost=0}",
     "E0300 `bn` needs one number for each of 8 channels, but operand 4 is 9"},
    {OP_layer_norm, "f32[N,8,2,3] f32[8] f32[8]", "{eps=1e-05}", "f32[N,8,2,3]"},
    {OP_layer_norm, "f32[N,8,2,3] f32[8] f32[9]", "{eps=1e-05}",
     "E0300 `layer_norm` needs one number for each of 8 channels, but operand 3 is 9"},
    {OP_layer_norm, "f32[8,2,3] f32[8] f32[8]", "{eps=1e-05}",
     "E0302 `layer_norm` needs channels of pictures, but its input is 8x2x3"},
    {OP_layer_norm_grad, "f32[N,8] f32[N,8] f32[8]", "{eps=1e-05}", "f32[N,8]"},
    {OP_layer_norm_dot, "f32[N,8,2,3] f32[N,8,2,3]", "{eps=1e-05}", "f32[N,8,2,1]"},
    {OP_layer_norm_dot, "f32[N,8] f32[N,8]", "{eps=1e-05}", "f32[N,8]"},
    {OP_group_norm, "f32[N,8,2,3] f32[8] f32[8]", "{eps=1e-05, groups=4}", "f32[N,8,2,3]"},
    {OP_group_norm, "f32[N,8,2,3] f32[8] f32[8]", "{eps=1e-05, groups=3}",
     "E0306 groups = 3 does not divide the input's 8 channels: 8 = 2 * 3 + 2"},
    {OP_group_norm, "f32[N,8,2,3] f32[8] f32[8]", "{eps=1e-05, groups=0}", "E0303 groups must be at least 1, but is 0"},
    {OP_group_norm_grad, "f32[N,8] f32[N,8] f32[8]", "{eps=1e-05, groups=8}", "f32[N,8]"},
    {OP_group_norm_dot, "f32[N,8,2,3] f32[N,8,2,3]", "{eps=1e-05, groups=2}", "f32[N,8]"},
    {OP_bn, "f32[N,8,2,2] f32[N,8] f32[N,8] f32[8] f32[8]", "{eps=1e-05, momentum=0.1, ghost=2}", "f32[N,8,2,2]"},
    {OP_bn, "f32[N,8,2,2] f32[N,8] f32[8] f32[8] f32[8]", "{eps=1e-05, momentum=0.1, ghost=2}",
     "E0300 `bn` needs equal shapes, but operand 2 is 8 and operand 3 is 8: numbers of dimensions differ"},
    {OP_plane_mean, "f32[N,8,2,2]", NULL, "f32[N,8]"},
    {OP_plane_var, "f32[N,8,2,2]", NULL, "f32[N,8]"},
    {OP_plane_var, "f32[N,8]", NULL, "E0302 `plane_var` needs channels x height x width, but its input is 8"},
    {OP_ghost_mean, "f32[N,8]", "{pictures=3}", "f32[N,8]"},
    {OP_ghost_mean, "f32[N,8]", "{pictures=0}", "E0300 `ghost_mean` of 0 pictures"},
    {OP_ghost_mean, "f32[8,8]", "{pictures=2}",
     "E0300 `ghost_mean` needs one number for each channel of each picture, but gets 8x8"},
    {OP_ema, "f32[8] f32[N,8]", "{momentum=0.1, unbias=true, pixels=25, ghost=4}", "f32[]"},
    {OP_dropout, "f32[N,8]", "{p=0.5, site=3, per_picture=false}", "f32[N,8]"},

    {OP_maxpool, "f32[N,8,112,112]", POOL("3,3", "2,2", "0,0,0,0", "true", HW("0", "0")), "f32[N,8,56,56]"},
    {OP_maxpool, "f32[N,8,112,112]", POOL("3,3", "2,2", "0,0,0,0", "false", HW("0", "0")), "f32[N,8,55,55]"},
    {OP_maxpool, "f32[N,8,5,5]", POOL("2,2", "2,2", "1,1,0,1", "true", HW("0", "0")), "f32[N,8,3,3]"},
    {OP_maxpool, "f32[N,8,5,5]", POOL("1,1", "3,7", "0,0,0,0", "true", HW("0", "0")), "f32[N,8,2,1]"},
    {OP_maxpool, "f32[N,8,5,5]", POOL("3,3", "1,1", "3,0,0,0", "false", HW("0", "0")),
     "E0305 a pad of 3 is not below the kernel's 3: a window would see only padding"},
    {OP_maxpool, "f32[N,8,5,5]", POOL("3,3", "0,1", "0,0,0,0", "false", HW("0", "0")),
     "E0303 kernel and stride must be at least 1, but are 3 and 0"},
    {OP_maxpool, "f32[N,8,5,5]", POOL("3,7", "1,1", "0,0,1,0", "true", HW("0", "0")),
     "E0304 a 3x7 window does not fit on 5x5 (+ 0+0 and 1+0 padding)"},
    {OP_maxpool_index, "f32[N,8,15,17]", POOL("15,17", "1,1", "0,0,0,0", "false", HW("0", "0")), "u8[N,8,1,1]"},
    {OP_maxpool_index, "f32[N,8,16,16]", POOL("16,16", "1,1", "0,0,0,0", "false", HW("0", "0")), "i32[N,8,1,1]"},
    {OP_maxpool_grad, "f32[N,8,56,56] u8[N,8,56,56]", POOL("3,3", "2,2", "0,0,0,0", "true", HW("112", "112")),
     "f32[N,8,112,112]"},
    {OP_maxpool_grad, "f32[N,8,56,56] i32[N,8,56,56]", POOL("3,3", "2,2", "0,0,0,0", "true", HW("112", "112")),
     "E0300 `maxpool_grad` gets a gradient of 8x56x56 and an index of 8x56x56"},
    {OP_avgpool, "f32[N,8,7,7]", POOL("7,7", "1,1", "0,0,0,0", "false", HW("0", "0")), "f32[N,8,1,1]"},
    {OP_avgpool, "f32[N,8,7,10]", SHARES("4,3", "2,7"), "f32[N,8,2,7]"},
    {OP_avgpool, "f32[N,8,7,10]", SHARES("3,3", "2,7"), "E0300 windows of 3 do not make 2 of 7"},
    {OP_avgpool, "f32[N,8,7,10]", SHARES("4,3", "2,0"), "E0300 windows of 3 do not make 0 of 10"},
    {OP_avgpool_grad, "f32[N,8,1,1]", POOL("7,7", "1,1", "0,0,0,0", "false", HW("7", "7")), "f32[N,8,7,7]"},
    {OP_avgpool_grad, "f32[N,8,2,1]", POOL("7,7", "1,1", "0,0,0,0", "false", HW("7", "7")),
     "E0300 `avgpool_grad` needs a gradient of height 1 and width 1, but gets 8x2x1"},
    {OP_avgpool_grad, "f32[N,8,1,1]", POOL("7,7", "1,1", "0,0,0,0", "false", HW("0", "0")),
     "E0300 `avgpool_grad` does not know the shape of x"},
    {OP_lrn, "f32[N,8,5,5]", LRN, "f32[N,8,5,5]"},
    {OP_lrn, "f32[N,8,5,5]", "{size=0, alpha=1, beta=1, k=1}", "E0303 the size of `lrn` must be at least 1, but is 0"},
    {OP_lrn_grad, "f32[N,8,5,5] f32[N,8,5,5]", LRN, "f32[N,8,5,5]"},

    {OP_flatten, "f32[N,8,5,4]", NULL, "f32[N,160]"},
    {OP_flatten, "f32[N,8]", NULL, "f32[N,8]"},
    {OP_flatten, "f32[N,65536,65536,2]", NULL,
     "E0301 `flatten` would give a tensor with a dimension of 8589934592: allowed are 1 to 2147483647"},
    {OP_flatten, "f32[N]", NULL, "E0302 `flatten` needs channels x height x width, but its input is one number"},
    {OP_reshape, "f32[N,160]", "{type=f32[N,8,5,4]}", "f32[N,8,5,4]"},
    {OP_reshape, "f32[N,160]", "{type=f32[N,8,5,5]}", "E0300 cannot reshape 160 to 8x5x5"},
    {OP_reshape, "f32[N,160]", "{type=f32[160]}", "E0300 cannot reshape 160 to 160"},
    {OP_concat, "f32[N,8,5,5] f32[N,3,5,5] f32[N,1,5,5]", NULL, "f32[N,12,5,5]"},
    {OP_concat, "f32[N,8] f32[N,3]", NULL, "f32[N,11]"},
    {OP_concat, "f32[N,8,5,5] f32[N,8,5,5] f32[N,3,5,6]", NULL,
     "E0311 cannot concatenate 8x5x5 and 3x5x6: widths differ"},
    {OP_concat, "f32[N,8,5,5] f32[N,8]", NULL, "E0311 cannot concatenate 8x5x5 and 8: numbers of dimensions differ"},
    {OP_concat, "f32[N,2147483647] f32[N,1]", NULL,
     "E0301 `concat` would give a tensor with a dimension of 2147483648: allowed are 1 to 2147483647"},
    {OP_slice, "f32[N,8,5,5]", "{from=6, count=2}", "f32[N,2,5,5]"},
    {OP_slice, "f32[N,8,5,5]", "{from=6, count=3}", "E0307 channels 6 to 8 are not in a tensor of 8x5x5"},
    {OP_slice, "f32[N,8]", "{from=0, count=0}", "E0307 channels 0 to -1 are not in a tensor of 8"},
    {OP_slice, "f32[N,8]", "{from=2147483647, count=2147483647}",
     "E0307 channels 2147483647 to 4294967293 are not in a tensor of 8"},
    {OP_pad_channels, "f32[N,2,5,5]", "{from=6, count=8}", "f32[N,8,5,5]"},
    {OP_pad_channels, "f32[N,2,5,5]", "{from=7, count=8}", "E0307 a tensor of 2x5x5 does not fit at channel 7 of 8"},

    {OP_mean, "f32[N,8,5,5]", NULL, "f32[8]"},
    {OP_mean, "f32[]", NULL, "E0302 `mean` needs a tensor with channels, but its input is one number"},
    {OP_var, "f32[N,8]", NULL, "f32[8]"},
    {OP_channel_sum, "f32[N,8,5,5]", NULL, "f32[8]"},
    {OP_channel_dot, "f32[N,8] f32[N,8]", NULL, "f32[8]"},
    {OP_channel_dot, "f32[N,8] f32[8]", NULL,
     "E0300 `channel_dot` needs equal shapes, but operand 1 is 8 and operand 2 "
     "is 8: numbers of dimensions differ"},
    {OP_spread, "f32[8]", "{type=f32[N,8,5,5]}", "f32[N,8,5,5]"},
    {OP_spread, "f32[9]", "{type=f32[N,8,5,5]}",
     "E0300 `spread` needs one number for each of 8 channels, but operand 1 is 9"},
    {OP_spread, "f32[8]", "{type=f32[N]}", "E0300 cannot spread channels to one number"},

    {OP_pad, "f32[N,3,5,5]", "{pad=[1,2,0,3], value=0.5}", "f32[N,3,8,8]"},
    {OP_pad, "f32[N,3,5,5]", "{pad=[-1,-2,4,-4], value=0}", "f32[N,3,2,5]"},
    {OP_pad, "f32[N,3,5,5]", "{pad=[-2,-3,0,0], value=0}", "E0307 nothing of 3x5x5 would be left"},
    {OP_pad, "f32[N,3,5,5]", "{pad=[9,-5,0,0], value=0}", "E0307 nothing of 3x5x5 would be left"},
    {OP_pad, "f32[N,3,5,5]", "{pad=[2147483647,0,0,0], value=0}",
     "E0301 `pad` would give a tensor with a dimension of 2147483652: allowed are 1 to 2147483647"},
    {OP_pad, "f32[N,3]", "{pad=[0,0,0,0], value=0}", "E0302 `pad` needs channels x height x width, but its input is 3"},
    {OP_resize, "f32[N,3,5,4]", "{from=[5,4], to=[10,3], linear=true, corners=false}", "f32[N,3,10,3]"},
    {OP_resize, "f32[N,3,5,4]", "{from=[5,5], to=[10,3], linear=true, corners=false}",
     "E0300 `resize` from 5x5 to 10x3 does not take 3x5x4"},
    {OP_resize, "f32[N,3,5,4]", "{from=[5,4], to=[268435457,3], linear=true, corners=false}",
     "E0301 a picture of height or width above 268435456 cannot be resized"},
    {OP_resize, "f32[N,3]", "{from=[1,1], to=[1,1], linear=true, corners=false}",
     "E0302 `resize` needs channels x height x width, but its input is 3"},
    {OP_resize_grad, "f32[N,3,10,3]", "{from=[5,4], to=[10,3], linear=true, corners=true}", "f32[N,3,5,4]"},
    {OP_resize_grad, "f32[N,3,10,3]", "{from=[0,4], to=[10,3], linear=true, corners=true}",
     "E0300 `resize_grad` from 0x4 to 10x3 does not take 3x10x3"},
    {OP_channel_shuffle, "f32[N,12,5,5]", "{groups=3}", "f32[N,12,5,5]"},
    {OP_channel_shuffle, "f32[N,12]", "{groups=12}", "f32[N,12]"},
    {OP_channel_shuffle, "f32[N,12,5,5]", "{groups=5}", "E0306 groups = 5 does not divide the input's 12 channels: 12 = 2 * 5 + 2"},
    {OP_channel_shuffle, "f32[N,12,5,5]", "{groups=0}", "E0303 groups must be at least 1, but is 0"},
    {OP_softmax, "f32[N,10]", NULL, "f32[N,10]"},
    {OP_softmax, "f32[N,10,2,2]", NULL, "f32[N,10,2,2]"},
    {OP_softmax, "f32[10]", NULL, "E0302 `softmax` needs scores per picture, but its input is 10"},
    {OP_softmax_grad, "f32[N,10] f32[N,10]", NULL, "f32[N,10]"},
    {OP_cross_entropy, "f32[N,10] i32[N]", "{smoothing=0.1}", "f32[N]"},
    {OP_cross_entropy, "f32[N,10] f32[N]", "{smoothing=0}",
     "E0300 `cross_entropy` needs one label per picture, but gets one number"},
    {OP_cross_entropy, "f32[N,10,1,1] i32[N]", "{smoothing=0}",
     "E0300 `cross_entropy` needs one label per pixel of 10x1x1, but gets one number"},
    {OP_mse, "f32[N,10,1,1] i32[N]", NULL, "E0302 `mse` needs one score per class, but gets 10x1x1"},
    {OP_cross_entropy_grad, "f32[N,10] i32[N] f32[N]", "{smoothing=0.1}", "f32[N,10]"},
    {OP_table, "", "{numbers=[1,0.25,3]}", "f32[3]"},
    {OP_cross_entropy, "f32[N,10] i32[N] f32[1] f32[10]", "{smoothing=0.1}", "f32[N]"},
    {OP_cross_entropy_grad, "f32[N,10] i32[N] f32[N] f32[1] f32[10]", "{smoothing=0.1}", "f32[N,10]"},
    {OP_cross_entropy, "f32[N,10] i32[N] f32[1] f32[9]", "{smoothing=0.1}",
     "E0300 `cross_entropy` needs one number for each of 10 channels, but operand 4 is 9"},
    {OP_cross_entropy, "f32[N,10] i32[N] f32[2]", "{smoothing=0.1}",
     "E0300 `cross_entropy` needs one number for each of 1 channels, but operand 3 is 2"},
    {OP_cross_entropy, "f32[N,10,4,5] i32[N,1,4,5] f32[1]", "{smoothing=0}", "f32[N]"},
    {OP_cross_entropy_grad, "f32[N,10,4,5] i32[N,1,4,5] f32[N] f32[1] f32[10]", "{smoothing=0}", "f32[N,10,4,5]"},
    {OP_cross_entropy, "f32[N,10,4,5] i32[N,1,5,4]", "{smoothing=0}",
     "E0300 `cross_entropy` needs one label per pixel of 10x4x5, but gets 1x5x4"},
    {OP_label_factor, "i32[N,1,5,4] f32[3]", "{classes=3}", "f32[1]"},
    {OP_label_factor, "i32[N]", "{classes=3}", "f32[1]"},
    {OP_label_factor, "i32[N] f32[4]", "{classes=3}",
     "E0300 `label_factor` needs one number for each of 3 channels, but operand 2 is 4"},
    {OP_label_factor, "i32[N]", "{classes=0}",
     "E0300 `label_factor` needs labels of one class or more, but gets one number"},
    {OP_cross_entropy_grad, "f32[N,10] i32[N] f32[]", "{smoothing=0.1}",
     "E0300 `cross_entropy_grad` needs one number per picture, but gets one number"},
    {OP_log_softmax, "f32[N,8]", NULL, "f32[N,8]"},
    {OP_log_softmax_grad, "f32[N,8] f32[N,8]", NULL, "f32[N,8]"},
    {OP_log_softmax, "f32[8]", NULL, "E0302 `log_softmax` needs scores per picture, but its input is 8"},
#define LOSS(id, ...)                                                                                                  \
    {OP_##id, "f32[N,10] i32[N]", NULL, "f32[N]"},                                                                     \
    {OP_##id##_grad, "f32[N,10] i32[N] f32[N]", NULL, "f32[N,10]"},
#include "ir/losses.def"
#undef LOSS
    {OP_bce, "f32[N,3,2,2] i32[N]", NULL, "E0302 `bce` needs one score per class, but gets 3x2x2"},
    {OP_mse_grad, "f32[N,10] i32[N] f32[N,10]", NULL, "E0300 `mse_grad` needs one number per picture, but gets 10"},
    {OP_accumulate, "f32[8,4] f32[8,4] f32[]", NULL, "f32[8,4]"},
    {OP_accumulate, "f32[8,4] f32[8,4] f32[1]", NULL, "E0300 `accumulate` needs one number, but gets 1"},
    {OP_sgd, "f32[8,4] f32[8,4] f32[8,4] f32[]", SGD, "f32[]"},
    {OP_sgd, "f32[8,4] f32[8,4] f32[4,8] f32[]", SGD,
     "E0300 `sgd` needs equal shapes, but operand 1 is 8x4 and operand 3 is 4x8: sizes differ"},
    {OP_sgd, "f32[8,4] f32[8,4] f32[8,4] f32[1]", SGD, "E0300 `sgd` needs one learning rate, but gets 1"},
    {OP_adam, "f32[8,4] f32[8,4] f32[8,4] f32[8,4] f32[1] f32[1] f32[]", ADAM, "f32[]"},
    {OP_adam, "f32[8,4] f32[8,4] f32[8,4] f32[4,8] f32[1] f32[1] f32[]", ADAM,
     "E0300 `adam` needs equal shapes, but operand 1 is 8x4 and operand 4 is 4x8: sizes differ"},
    {OP_adam, "f32[8,4] f32[8,4] f32[8,4] f32[8,4] f32[1] f32[2] f32[]", ADAM,
     "E0300 `adam` needs one number for each of 1 channels, but operand 6 is 2"},
    {OP_rmsprop, "f32[8,4] f32[8,4] f32[8,4] f32[]", RMSPROP("0", "false"), "f32[]"},
    {OP_rmsprop, "f32[8,4] f32[8,4] f32[8,4] f32[8,4] f32[8,4] f32[]", RMSPROP("0.9", "true"), "f32[]"},
    {OP_rmsprop, "f32[8,4] f32[8,4] f32[8,4] f32[8,4] f32[]", RMSPROP("0", "false"),
     "E0300 `rmsprop` needs 1 tensors of state, but gets 2"},
    {OP_lars, "f32[8,4] f32[8,4] f32[8,4] f32[1] f32[1] f32[]", LARS, "f32[]"},
    {OP_lars, "f32[8,4] f32[8,4] f32[8,4] f32[1] f32[]", LARS, "E0300 `lars` needs both lengths or none"},
    {OP_row_squares, "f32[8,4,3,3]", NULL, "f32[8]"},
    {OP_row_squares, "f32[N,4]", NULL, "E0300 `row_squares` needs a weight, but gets 4"},
    {OP_ema, "f32[8] f32[8]", "{momentum=0.1, unbias=true, pixels=25, ghost=0}", "f32[]"},
    {OP_ema, "f32[8,1] f32[8,1]", "{momentum=0.1, unbias=true, pixels=25, ghost=0}",
     "E0300 `ema` needs one number for each of 8 channels, but operand 1 is 8x1"},
};

static Attr attr_of(AttrKind kind, const char *text) {
    Attr attr;
    CU_ASSERT_FATAL(attr_read(&text, kind, &attr));
    CU_ASSERT_EQUAL_FATAL(*text, 0);
    return attr;
}

/* A node of that type: a fill, or, where the operator changes it, a param of a name of its own. */
static Ref operand(Graph *g, Type type, bool param) {
    Attr attr = param ? attr_of(ATTR_PARAM, PARAM("f32[1]")) : (Attr){.fill = {.type = type}};
    if (param) attr.param.type = type;
    Name name = name_format("operand %d", g->n_node);
    return graph_add(g, param ? OP_param : OP_fill, 0, NULL, &attr, name, (Span){0}, NULL);
}

/* Of activations and losses, whose rows come from tables. */
static const char *usual_attr(Op op) {
    AttrKind kind = op_info[op].attr;
    if (kind == ATTR_FOCAL) return "{power=2, hit=0.25, miss=0.75}";
    return kind == ATTR_SLOPE ? "{slope=0.25}" : kind == ATTR_CLIP ? "{lo=0, hi=6}" : NULL;
}

static Ref add_case(Graph *g, const Case *c, Diags *d) {
    Ref in[8];
    int n = 0;
    for (const char *p = c->in; *p; p += *p == ' ') {
        Type t;
        CU_ASSERT_FATAL(type_read(&p, &t));
        in[n] = operand(g, t, n == 0 && (op_info[c->op].effect || c->op == OP_accumulate));
        n++;
    }
    Attr attr;
    const char *text = c->attr ? c->attr : usual_attr(c->op);
    if (text) attr = attr_of(op_info[c->op].attr, text);
    return graph_add(g, c->op, n, in, text ? &attr : NULL, name_format("node %d", g->n_node), (Span){0}, d);
}

static void expect(const Case *c, const char *got) {
    if (strcmp(got, c->want) != 0) printf("\n    %s(%s) %s\n    gives %s\n    wants %s\n", op_info[c->op].name, c->in,
                                          c->attr ? c->attr : "", got, c->want);
    CU_ASSERT_STRING_EQUAL(got, c->want);
}

static void every_rule_gives_what_the_table_says(void) {
    for (int i = 0; i < ARRAY_LEN(table); i++) {
        Graph *g = graph_new(arena, name_of("case"));
        Diags *d = diag_new(arena);
        Ref r = add_case(g, &table[i], d);
        Str s = STR(arena);
        if (r)
            type_print(&s, &graph_node(g, r)->type);
        else
            str_addf(&s, "%s %s", d->message[0].code, d->message[0].text);
        expect(&table[i], str_text(&s));
        CU_ASSERT_EQUAL(d->n_error, r ? 0 : 1);
    }
}

/* With no Diags a rule only says no. */
static void rules_are_silent_without_diags(void) {
    for (int i = 0; i < ARRAY_LEN(table); i++) {
        Graph *g = graph_new(arena, name_of("case"));
        if (!add_case(g, &table[i], diag_new(arena))) continue;
        Node n = *graph_node(g, (Ref)g->n_node - 1);
        Type result;
        CU_ASSERT_TRUE(op_info[n.op].shape(g, &n, &result, NULL));
        if (n.n_in == 0) continue;
        Type odd = type_make(DT_U8, 3, (const int32_t[]){5, 6, 7});
        for (int k = 0; k < n.n_in; k++) n.in[k] = operand(g, odd, false);
        CU_ASSERT_FALSE(op_info[n.op].shape(g, &n, &result, NULL));
    }
}

static void zero_dimensions_are_refused(void) {
    static const int32_t dim[][4] = {
        {BATCH, 0, 8, 8}, {BATCH, 3, 0, 8}, {BATCH, 3, 8, -5}, {0, 3, 8, 8}, {BATCH, BATCH, 8, 8}};
    for (int i = 0; i < ARRAY_LEN(dim); i++) {
        Graph *g = graph_new(arena, name_of("zero"));
        Diags *d = diag_new(arena);
        Attr attr = {.fill = {.type = type_make(DT_F32, 4, dim[i])}};
        CU_ASSERT_EQUAL(graph_add(g, OP_fill, 0, NULL, &attr, NULL, (Span){0}, d), 0);
        CU_ASSERT_STRING_EQUAL(d->message[0].code, "E0301");
    }
}

static Graph *graph_of_everything(void) {
    Graph *g = graph_new(arena, name_of("every operator"));
    bool seen[OP_COUNT] = {false};
    for (int i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].want[0] == 'E') continue;
        Ref r = add_case(g, &table[i], NULL);
        Node *n = graph_node(g, r);
        seen[table[i].op] = true;
        n->frozen = i % 3 == 0;
        n->group = op_info[n->op].elementwise ? i + 1 : 0;
        if (n->type.rank == 4) n->type.layout = (Layout){.b0 = type_batched(&n->type) ? 1 : 8, .b1 = 8};
        if (n->type.rank == 4 && type_batched(&n->type)) n->type.layout.halo = (Halo){1, 2, 3, 4};
        if (!op_info[n->op].effect) graph_output(g, name_format("out \"%d\"\n", i), r, (OutputOnly)(i % ONLY_COUNT));
    }
    for (int op = OP_none + 1; op < OP_COUNT; op++) {
        if (!seen[op]) printf("\n    no case for %s\n", op_info[op].name);
        CU_ASSERT_TRUE(seen[op]);
    }
    return g;
}

static const char *text_of(const Graph *g) {
    Str s = STR(arena);
    graph_print(&s, g);
    return str_text(&s);
}

static void every_operator_prints_and_reads_back(void) {
    Graph *g = graph_of_everything();
    const char *error = graph_verify(arena, g), *text = text_of(g);
    if (error) printf("\n    %s\n", error);
    CU_ASSERT_PTR_NULL(error);
    Graph *again = graph_read(arena, text, &error);
    if (!again) printf("\n    %s\n", error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(again);
    CU_ASSERT_STRING_EQUAL(text_of(again), text);
    for (int32_t i = 1; i < g->n_node; i++)
        CU_ASSERT_TRUE(attr_equal(op_info[g->node[i].op].attr, &g->node[i].attr, &again->node[i].attr));
}

static void attributes_differ_in_any_field(void) {
    static const struct {
        AttrKind kind;
        const char *a, *b;
    } row[] = {{ATTR_CONV, PLAIN("3,3", "1,1,1,1", "1" NO_IN), PLAIN("3,3", "1,1,1,0", "1" NO_IN)},
               {ATTR_SCALE, "{alpha=1, beta=0, per_picture=false}", "{alpha=1, beta=-0, per_picture=false}"},
               {ATTR_SCALE, "{alpha=1, beta=0, per_picture=false}", "{alpha=1, beta=0, per_picture=true}"},
               {ATTR_INPUT, "{role=lr, type=f32[]}", "{role=label, type=f32[]}"},
               {ATTR_SHAPE, "{type=f32[3]}", "{type=f32[3]{8,1;0,0,0,0}}"}};
    for (int i = 0; i < ARRAY_LEN(row); i++) {
        Attr a = attr_of(row[i].kind, row[i].a), b = attr_of(row[i].kind, row[i].b);
        CU_ASSERT_TRUE(attr_equal(row[i].kind, &a, &a));
        CU_ASSERT_FALSE(attr_equal(row[i].kind, &a, &b));
    }
}

static void shared_windows_are_no_larger_than_said(void) {
    for (int32_t in = 1; in < 40; in++)
        for (int32_t to = 1; to < 40; to++) {
            int64_t most = 0;
            for (int32_t i = 0; i < to; i++) most = max_i64(most, div_up((i + 1) * in, to) - i * in / to);
            CU_ASSERT_EQUAL(pool_largest(in, to), most);
        }
}

/* Any prefix, and any text with one character changed, is read or refused, but never more than that. */
static void broken_texts_are_refused(void) {
    const char *text = text_of(graph_of_everything()), *error;
    size_t n = strlen(text);
    for (size_t cut = 0; cut + 2 < n; cut += 7)
        CU_ASSERT_PTR_NULL(graph_read(arena, arena_strndup(arena, text, cut), &error));
    unsigned seed = 1;
    for (int i = 0; i < 1500; i++) {
        Arena *scratch = arena_new();
        char *copy = arena_strndup(scratch, text, n);
        seed = seed * 1664525u + 1013904223u;
        copy[seed / 7 % n] = "0123456789-,[]{}%N \n\"ex"[(seed >> 20) % 22];
        const Graph *g = graph_read(scratch, copy, &error);
        if (g) CU_ASSERT_PTR_NULL(graph_verify(scratch, g));
        arena_free(scratch);
    }
}

int main(void) {
    arena = arena_new();
    if (CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite s = CU_add_suite("shape", NULL, NULL);
    CU_ADD_TEST(s, every_rule_gives_what_the_table_says);
    CU_ADD_TEST(s, rules_are_silent_without_diags);
    CU_ADD_TEST(s, zero_dimensions_are_refused);
    CU_ADD_TEST(s, every_operator_prints_and_reads_back);
    CU_ADD_TEST(s, attributes_differ_in_any_field);
    CU_ADD_TEST(s, shared_windows_are_no_larger_than_said);
    CU_ADD_TEST(s, broken_texts_are_refused);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(arena);
    return failures != 0;
}
