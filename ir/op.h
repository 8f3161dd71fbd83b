/* The operators: the enumeration and the table that ops.def expands into, and the attributes each row names.
 *
 * Adding an operator: one row in ops.def, then the functions the linker asks for. Attributes print and read back by
 * the field tables in op.c, so a new attribute struct is one more table there and nothing else. */
#ifndef CNNC_IR_OP_H
#define CNNC_IR_OP_H

#include "diag.h"
#include "type.h"

typedef enum Op {
    OP_none,
#define OP(id, diff, ...) OP_##id,
#include "ops.def"
#undef OP
    OP_COUNT
} Op;

typedef enum AttrKind {   /* selects the live member of Attr */
    ATTR_NONE, ATTR_INPUT, ATTR_PARAM, ATTR_FILL, ATTR_CONV, ATTR_SCALE, ATTR_CLIP, ATTR_SLOPE, ATTR_NORM, ATTR_DROPOUT,
    ATTR_POOL, ATTR_LRN, ATTR_SHAPE, ATTR_SLICE, ATTR_LOSS, ATTR_SGD, ATTR_ADAM, ATTR_RMSPROP, ATTR_LARS, ATTR_EMA, ATTR_WINOGRAD, ATTR_SHUFFLE, ATTR_PAD,
    ATTR_RESIZE, ATTR_FOCAL, ATTR_TABLE, ATTR_EPS, ATTR_GROUPS, ATTR_GHOST, ATTR_CLASSES,
    ATTR_COUNT
} AttrKind;

/* What the runtime feeds: pictures f32 [N,C,H,W], labels i32 [N] or [N,1,H,W]; of pictures that are mixed the label of
 * the other picture, i32 [N], and how much of the own label counts, f32 [N]; and f32 scalars: the learning rate, and
 * whether gradients join those of calls before (above 0) or are the first of a step. */
typedef enum InputRole {
    INPUT_IMAGE, INPUT_LABEL, INPUT_PARTNER, INPUT_SHARE, INPUT_LR, INPUT_AGAIN, INPUT_ROLE_COUNT
} InputRole;

/* Initial values. a and b: normal(mean a, std b); uniform(low a, high b); constant(a). he/xavier use the fan-in/out
 * of the weight's shape (He et al. 2015: std sqrt(2/fan_in); Glorot 2010: uniform +-sqrt(6/(fan_in+fan_out))). `torch`
 * is PyTorch's default: uniform +-1/sqrt(fan_in), with a = fan_in for a bias. */
typedef enum InitKind { INIT_CONSTANT, INIT_NORMAL, INIT_UNIFORM, INIT_HE, INIT_XAVIER, INIT_TORCH, INIT_COUNT } InitKind;
extern const char *const init_kind_name[INIT_COUNT];         /* "constant", ... */

/* What a param is for: weights are trained and saved; buffers are saved but not trained (running statistics);
 * momentum is optimiser state of the training program, of whatever optimiser; gradient is what accumulate sums up. */
typedef enum ParamRole { PARAM_WEIGHT, PARAM_BUFFER, PARAM_MOMENTUM, PARAM_GRADIENT, PARAM_ROLE_COUNT } ParamRole;
extern const char *const param_role_name[PARAM_ROLE_COUNT];   /* "weight", ... */

typedef struct InputAttr { InputRole role; Type type; } InputAttr;
typedef struct ParamAttr {
    ParamRole role;
    InitKind init;
    double a, b;
    bool frozen;             /* neither updated nor differentiated; frozen bn keeps its running statistics */
    double lr_scale, weight_decay;   /* of this parameter; weight_decay already resolved against train and group */
    Type type;               /* plain logical type; Node.type adds the layout */
} ParamAttr;
typedef struct FillAttr { double value; bool per_picture; Type type; } FillAttr;   /* per_picture: value / N */
/* kernel, stride, dilation: height then width. pad: top, bottom, left, right. in_h, in_w, in_c: shape of x, which
 * conv_dgrad cannot know otherwise (conv itself leaves them 0). kernel and in_c also serve conv_wgrad. */
typedef struct ConvAttr {
    int32_t kernel[2], stride[2], dilation[2], pad[4], groups;
    int32_t in_c, in_h, in_w;
} ConvAttr;
typedef struct ScaleAttr { double alpha, beta; bool per_picture; } ScaleAttr;   /* per_picture: alpha / N */
typedef struct ClipAttr { double lo, hi; } ClipAttr;                             /* lo < hi */
typedef struct SlopeAttr { double slope; } SlopeAttr;   /* of leaky_relu and elu below 0, at least 0 */
/* ghost: how many pictures at a time training takes; 0: all. */
typedef struct NormAttr { double eps, momentum; int32_t ghost; } NormAttr;
typedef struct EpsAttr { double eps; } EpsAttr;
typedef struct GroupsAttr { double eps; int32_t groups; } GroupsAttr;            /* of channels */
typedef struct GhostAttr { int32_t pictures; } GhostAttr;   /* runs of so many; the last one may be shorter */
/* site: which mask of the step. per_picture: of a picture all numbers stay or all go. */
typedef struct DropoutAttr { double p; int32_t site; bool per_picture; } DropoutAttr;
/* ceil: output size rounds up (Caffe), a window then starts inside the padded input. count_pad: an average divides by
 * the window's size with padding. in_h, in_w: for the gradients. to: 0, or the size of the result; then window
 * number i is from in * i / to, rounded down, up to in * (i + 1) / to, rounded up, and kernel is the largest of them. */
typedef struct PoolAttr {
    int32_t kernel[2], stride[2], pad[4];
    bool ceil, count_pad;
    int32_t in_h, in_w;
    int32_t to[2];
} PoolAttr;
/* y = x * (k + alpha/size * sum of x^2 over `size` neighbouring channels)^-beta (Krizhevsky 2012; PyTorch's form). */
typedef struct LrnAttr { int32_t size; double alpha, beta, k; } LrnAttr;
typedef struct ShapeAttr { Type type; } ShapeAttr;                              /* the result's logical type */
typedef struct SliceAttr { int32_t from, count; } SliceAttr;   /* pad_channels: operand goes to from.., result has count */
/* Channel c of the result is channel c % groups * (C / groups) + c / groups: the first of each group, then the second,
 * ... */
typedef struct ShuffleAttr { int32_t groups; } ShuffleAttr;
/* Top, bottom, left, right; a negative number takes so many rows or columns away. */
typedef struct PadAttr { int32_t pad[4]; double value; } PadAttr;
/* PyTorch's interpolate, height and width of what is read and of the result. linear: bilinear, else the nearest pixel;
 * corners: the centres of the corner pixels meet, else the edges of the pictures. */
typedef struct ResizeAttr { int32_t from[2], to[2]; bool linear, corners; } ResizeAttr;
typedef struct LossAttr { double smoothing; } LossAttr;
typedef struct ClassesAttr { int32_t classes; } ClassesAttr;   /* labels of 0 .. classes-1 are classes, others are none */
typedef struct TableAttr { Name numbers; } TableAttr;   /* "1,0.25,3": as text, since attributes hold no arrays */
typedef struct FocalAttr { double power, hit, miss; } FocalAttr;   /* see losses.def */
/* What the attributes of every update of a weight begin with, so that they can be set whichever it is. */
typedef struct UpdateAttr { double weight_decay, lr_scale; } UpdateAttr;
typedef struct SgdAttr { double weight_decay, lr_scale, momentum; bool nesterov; } SgdAttr;
/* Adam (Kingma & Ba 2015): moving averages of the gradient and of its square, which start at 0 and are divided by the
 * sums of what the averages weigh so far, 1 - beta^step. Those two sums are params [1], the same for all weights: adam
 * reads what they were in the step before, an ema of 1 changes them after all. decoupled: weight_decay shrinks the
 * weight (AdamW, Loshchilov & Hutter 2019), else it joins the gradient. eps is above 0, also as a float. */
typedef struct AdamAttr { double weight_decay, lr_scale, beta[2], eps; bool decoupled; } AdamAttr;
/* RMSprop (Hinton 2012), as PyTorch has it: s = alpha s + (1 - alpha) g^2; centred: its variance, with a moving average
 * of the gradient, at least 0. v = momentum v + g / (sqrt(s) + eps), or g / sqrt(s + eps); w -= lr v. */
typedef struct RmspropAttr { double weight_decay, lr_scale, alpha, eps, momentum; bool centred, eps_inside; } RmspropAttr;
/* LARS (You, Gitman, Ginsburg 2017, algorithm 1): v = momentum v + lr r (g + decay w); w -= v. r = trust |w| / (|g| +
 * decay |w| + eps), where the squares are given and |w| is above 0, else 1. The decay is then above 0. */
typedef struct LarsAttr { double weight_decay, lr_scale, momentum, trust, eps; } LarsAttr;
/* unbias: value * M / (M - 1), M = pictures * pixels. ghost: 0, or how many pictures in a run have values in common;
 * runs are then taken one after the other. */
typedef struct EmaAttr { double momentum; bool unbias; int32_t pixels, ghost; } EmaAttr;

/* A convolution of stride 1 by F(tile x tile, kernel x kernel), see winograd.h. pad: rows above, columns to the left.
 * out: channels, height, width of the convolution's result. band: rows of tiles that one task takes through all phases
 * in memory of its own; 0: each phase is a kernel. flip: taps in reverse order, as a transposed convolution has them. */
typedef struct WinogradAttr { int32_t tile, kernel, pad[2], out[3], band; bool flip; } WinogradAttr;

typedef union Attr {
    InputAttr input; ParamAttr param; FillAttr fill; ConvAttr conv; ScaleAttr scale; ClipAttr clip; SlopeAttr slope;
    NormAttr norm; DropoutAttr dropout; PoolAttr pool; LrnAttr lrn; ShapeAttr shape; SliceAttr slice; LossAttr loss; UpdateAttr update;
    SgdAttr sgd; AdamAttr adam; RmspropAttr rmsprop; LarsAttr lars;
    EmaAttr ema; WinogradAttr winograd; ShuffleAttr shuffle; PadAttr pad; ResizeAttr resize; FocalAttr focal; TableAttr table;
    EpsAttr eps; GroupsAttr groups; GhostAttr ghost; ClassesAttr classes;
} Attr;

struct Node;
struct Graph;
/* Sets *result (plain layout) from the node's operands and attributes. On a misfit reports with diag_error at the
 * node's span, showing the shapes involved, and returns false; d may be NULL (IR read from text): then only false. */
typedef bool ShapeRule(const struct Graph *g, const struct Node *n, Type *result, Diags *d);

typedef struct OpInfo {   /* what is true of an operator on every target */
    const char *name;
    AttrKind attr;
    int16_t min_in, max_in;
    bool elementwise;      /* result element i depends only on element i of each operand (or on its channel's value) */
    bool heads;            /* element-wise nodes may follow it in one kernel; every element-wise node may, too */
    bool lifts_zero;       /* element-wise, and of zeros it makes something else: the zeros of pads are put back */
    bool rereads;          /* element-wise, and its rule names an operand more than once: that goes through a register */
    bool effect;           /* never dead: it changes its first operand in place */
    ShapeRule *shape;
} OpInfo;

extern const OpInfo op_info[OP_COUNT];
/* OP_none if there is no operator of that name. */
Op op_by_name(const char *name);

/* The largest of the windows that PoolAttr.to makes of `in` numbers. Both at least 1. */
int32_t pool_largest(int32_t in, int32_t to);

/* The numbers of a table, in the order of the text: calls `each` with the context, the index and the number, and
 * returns how many there are. */
int32_t table_numbers(const TableAttr *t, void (*each)(void *context, int32_t i, double x), void *context);

/* Attributes as text "{stride=[2,2], ...}" (nothing if ATTR_NONE): each field in table order, defaults too, so that
 * equal attributes print equally. attr_read parses the same from *text, advances it, and returns false on a mistake. */
void attr_print(Str *s, AttrKind kind, const Attr *attr);
bool attr_read(const char **text, AttrKind kind, Attr *attr);
bool attr_equal(AttrKind kind, const Attr *a, const Attr *b);
/* The name of the first field that no text can hold (an infinite number, an unknown enum value), or NULL. */
const char *attr_invalid(AttrKind kind, const Attr *attr);

#endif
