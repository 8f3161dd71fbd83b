/* layout: how every tensor lies in memory.
 *
 * Needs the order; makes layouts; adds copies of the picture. One internal layout, so no choices that depend on each
 * other:
 *   activations       channels in blocks of one vector (nChw{v}c); the picture stays plain, the first convolution reads
 *   it
 *   conv, fc weights  OIhw{v}i{v}o; the input block is 1 where x is the plain picture
 *   fc by OpenBLAS    OIhw{v}i: a matrix of one row an output, in the order in which a picture's features lie
 *   grouped conv      Ohw{v}o, input channel by input channel, where a group does not fill whole blocks
 *   channel vectors   padded to whole vectors
 *   Winograd's taps   by rows: the operands of a tap's matrix product lie in one piece; channel by channel they would
 *   lie
 *                     a power of two apart, where maps are small, and push each other out of the first-level cache
 * A tensor has the halo that its hungriest reader needs, and may lie inside another one (layout_parts.c); outputs,
 * which the runtime reads, are copied where they have either. Parameters get the same layout in every program, since
 * all programs share them: it depends on the reading convolution's shape only. */
#include "layout.h"

#include <string.h>

#include "blas.h"

typedef struct Layouts {
    Unit *u;
    Graph *g;
    Entry entry;
    int32_t lanes;
} Layouts;

static Node *node_of(const Layouts *l, Ref r) { return graph_node(l->g, r); }

/* w [O, I/groups, ..]; x_block: the channel block of the tensor that is read with it. */
static Layout weight_layout(const Layouts *l, const Type *w, int32_t groups, int32_t x_block) {
    Layout layout = {.b0 = l->lanes, .b1 = x_block == 1 ? 1 : l->lanes};
    if (groups > 1 && (w->dim[0] / groups % l->lanes || w->dim[1] % l->lanes)) layout.b1 = 1;
    return layout;
}

/* A weight may be computed from a parameter element by element (a folded norm): all of the chain lies alike, but for
 * the parameter where another program keeps it by rows. */
static void set_weight(const Layouts *l, Ref r, Layout layout, Layout param) {
    Node *n = node_of(l, r);
    n->type.layout = n->op == OP_param ? param : layout;
    if (!op_info[n->op].elementwise) return;
    for (int32_t i = 0; i < n->n_in; i++)
        if (type_same_dims(&node_of(l, n->in[i])->type, &n->type)) set_weight(l, n->in[i], layout, param);
}

/* Operand 1 of a fully connected node: by rows for OpenBLAS. What training keeps by rows and inference reads in blocks
 * is copied once. */
static void set_fc_weight(const Layouts *l, Ref reader, Layout blocks) {
    static const Attr same = {.scale = {.alpha = 1}};
    Ref w = node_of(l, reader)->in[1];
    const Type *t = &node_of(l, w)->type;
    Layout rows = {.b0 = 1, .b1 = blocks.b1};
    Layout layout = blas_takes(l->u, l->entry, t) ? rows : blocks;
    Layout param = l->u->train.present ? (blas_keeps(l->u) ? rows : blocks) : layout;
    if (node_of(l, w)->op == OP_param && param.b0 != layout.b0) {
        w = graph_op1(l->g, OP_scale, w, &same, w);
        node_of(l, reader)->in[1] = w;
    }
    set_weight(l, w, layout, param);
}

static void set_default(const Layouts *l, Node *n) {
    n->type.layout = (Layout){.b0 = 1, .b1 = 1};
    if (n->op == OP_input) return;
    if (type_batched(&n->type) && n->type.rank >= 2) n->type.layout.b1 = l->lanes;
    if (!type_batched(&n->type) && n->type.rank == 1) n->type.layout.b0 = l->lanes;
}

static int32_t block_of(const Layouts *l, Ref r) { return node_of(l, r)->type.layout.b1; }

/* Weights by their reading convolution; gradients of weights like the weights. */
static void set_weights(const Layouts *l) {
    for (int32_t i = 1; i < l->g->n_node; i++) {
        Node *n = node_of(l, (Ref)i);
        int32_t groups = op_info[n->op].attr == ATTR_CONV ? n->attr.conv.groups : 1;
        const Type *w = n->n_in > 1 ? &node_of(l, n->in[1])->type : NULL;
        if (n->op == OP_conv || n->op == OP_conv_dgrad) {
            Layout layout = weight_layout(l, w, groups, block_of(l, n->in[0]));
            set_weight(l, n->in[1], layout, layout);
        }
        if (n->op == OP_swap_io) { /* what has a gradient, or is one, is no picture */
            Layout layout = weight_layout(l, &node_of(l, n->in[0])->type, groups, l->lanes);
            set_weight(l, n->in[0], layout, layout);
        }
        if (n->op == OP_fc || n->op == OP_fc_dgrad)
            set_fc_weight(l, (Ref)i,
                          weight_layout(l, w, 1, n->op == OP_fc_dgrad ? l->lanes : block_of(l, n->in[0])));
    }
    for (int32_t i = 1; i < l->g->n_node; i++) {
        Node *n = node_of(l, (Ref)i);
        int32_t groups = op_info[n->op].attr == ATTR_CONV ? n->attr.conv.groups : 1;
        Layout blocks = {.b0 = l->lanes, .b1 = l->lanes};
        if (n->op == OP_winograd_product) node_of(l, n->in[1])->type.layout = blocks;
        if (n->op == OP_winograd_product || n->op == OP_winograd_output) node_of(l, n->in[0])->type.layout.rows = true;
        if (n->op == OP_winograd_weight) {
            n->type.layout = blocks;
            set_weight(l, n->in[0], blocks, blocks);
        }
        if (n->op == OP_conv_wgrad || n->op == OP_fc_wgrad)
            n->type.layout = weight_layout(l, &n->type, groups, block_of(l, n->in[1]));
        if (n->op == OP_fc_wgrad && blas_takes(l->u, l->entry, &n->type)) n->type.layout.b0 = 1;
        bool unset = n->type.layout.b0 == 1 && n->type.layout.b1 == 1;
        if (op_info[n->op].elementwise && !type_batched(&n->type) && n->type.rank >= 2 && unset)
            n->type.layout = node_of(l, n->in[0])->type.layout;
        if (n->op == OP_accumulate) node_of(l, n->in[0])->type.layout = n->type.layout = node_of(l, n->in[1])->type.layout;
        for (int k = 2; k < n->n_in && op_info[n->op].effect; k++)   /* the weight's own state, if not sums */
            if (type_same_dims(&node_of(l, n->in[k])->type, &node_of(l, n->in[0])->type))
                node_of(l, n->in[k])->type.layout = node_of(l, n->in[0])->type.layout;
    }
}

/* ---- halos ---------------------------------------------------------------------------------------------------- */

static int32_t at_least(int32_t a, int32_t b) { return a > b ? a : b; }

/* What reading rows lo..hi of a tensor with `size` rows needs on either side. */
static void widen(int32_t *before, int32_t *after, int32_t lo, int32_t hi, int32_t size) {
    *before = at_least(*before, -lo);
    *after = at_least(*after, hi - (size - 1));
}

/* conv and conv_wgrad read out*stride + k*dilation - pad. */
static Halo conv_halo(const ConvAttr *a, const Type *x, const Type *out) {
    Halo h = {0, 0, 0, 0};
    int32_t reach[2];
    for (int d = 0; d < 2; d++)
        reach[d] = (out->dim[2 + d] - 1) * a->stride[d] + (a->kernel[d] - 1) * a->dilation[d] - a->pad[2 * d];
    widen(&h.top, &h.bottom, -a->pad[0], reach[0], x->dim[2]);
    widen(&h.left, &h.right, -a->pad[2], reach[1], x->dim[3]);
    return h;
}

/* conv_dgrad reads dy at (in + pad - k*dilation) / stride where that is whole. */
static Halo dgrad_halo(const ConvAttr *a, const Type *dx, const Type *dy) {
    Halo h = {0, 0, 0, 0};
    int32_t *side[2][2] = {{&h.top, &h.bottom}, {&h.left, &h.right}};
    for (int d = 0; d < 2; d++)
        for (int32_t k = 0; k < a->kernel[d]; k++)
            for (int32_t i = 0; i < dx->dim[2 + d]; i++) {
                int32_t at = i + a->pad[2 * d] - k * a->dilation[d];
                if (at % a->stride[d] == 0)
                    widen(side[d][0], side[d][1], at / a->stride[d], at / a->stride[d], dy->dim[2 + d]);
            }
    return h;
}

/* Tiles at the lower and right edge are whole. */
static Halo winograd_halo(const WinogradAttr *a, const Type *x) {
    Halo h = {0, 0, 0, 0};
    int32_t reach[2];
    for (int d = 0; d < 2; d++)
        reach[d] = (int32_t)round_up(a->out[1 + d], a->tile) - 1 + a->kernel - 1 - a->pad[d];
    widen(&h.top, &h.bottom, -a->pad[0], reach[0], x->dim[2]);
    widen(&h.left, &h.right, -a->pad[1], reach[1], x->dim[3]);
    return h;
}

/* The operand of n that is read with a halo, 0 if none; *h says how wide. */
static Ref halo_of(const Layouts *l, const Node *n, Halo *h) {
    const ConvAttr *a = &n->attr.conv;
    if (n->op == OP_conv)
        *h = conv_halo(a, &node_of(l, n->in[0])->type, &n->type);
    else if (n->op == OP_conv_wgrad)
        *h = conv_halo(a, &node_of(l, n->in[1])->type, &node_of(l, n->in[0])->type);
    else if (n->op == OP_conv_dgrad)
        *h = dgrad_halo(a, &n->type, &node_of(l, n->in[0])->type);
    else if (n->op == OP_winograd_input)
        *h = winograd_halo(&n->attr.winograd, &node_of(l, n->in[0])->type);
    else
        return 0;
    return n->op == OP_conv_wgrad ? n->in[1] : n->in[0];
}

static void set_halos(const Layouts *l) {
    for (int32_t i = 1; i < l->g->n_node; i++) {
        Halo h;
        Ref r = halo_of(l, node_of(l, (Ref)i), &h);
        if (!r) continue;
        Halo *has = &node_of(l, r)->type.layout.halo;
        has->top = at_least(has->top, h.top);
        has->bottom = at_least(has->bottom, h.bottom);
        has->left = at_least(has->left, h.left);
        has->right = at_least(has->right, h.right);
    }
}

/* ---- the picture ---------------------------------------------------------------------------------------------- */

/* Operand k of n, if it is the picture? */
static bool reads_plain(const Node *n, int32_t k) {
    bool gradient = n->op == OP_conv_wgrad || n->op == OP_fc_wgrad;
    return gradient ? k == 1 : n->op == OP_conv || n->op == OP_fc;
}

/* Whether a contraction reads beyond the edge of the picture. */
static bool reads_outside(const Layouts *l, Ref image) {
    for (int32_t i = 1; i < l->g->n_node; i++) {
        Halo h = {0, 0, 0, 0};
        if (halo_of(l, node_of(l, (Ref)i), &h) == image && h.top + h.bottom + h.left + h.right > 0) return true;
    }
    return false;
}

/* The runtime hands the picture over plain and without a halo. Contractions read it as it is, or, if one of them needs
 * a halo, a plain copy; everything else reads a copy in blocks. */
static void copy_image(const Layouts *l, Ref image) {
    Attr same = {.scale = {.alpha = 1}};
    Ref copy[2] = {0, reads_outside(l, image) ? 0 : image}; /* in blocks; plain */
    int32_t n_before = l->g->n_node;
    for (int32_t i = 1; i < n_before; i++) {
        for (int32_t k = 0; k < node_of(l, (Ref)i)->n_in; k++) {
            if (node_of(l, (Ref)i)->in[k] != image) continue;
            bool plain = reads_plain(node_of(l, (Ref)i), k);
            if (!copy[plain]) {
                copy[plain] = graph_op1(l->g, OP_scale, image, &same, image);
                node_of(l, copy[plain])->type.layout = (Layout){.b0 = 1, .b1 = plain ? 1 : l->lanes};
                node_of(l, copy[plain])->name = node_of(l, image)->name;
            }
            node_of(l, (Ref)i)->in[k] = copy[plain];
        }
    }
}

/* ---- outputs -------------------------------------------------------------------------------------------------- */

static void copy_output(const Layouts *l, Output *o) {
    static const Halo none = {0, 0, 0, 0};
    Attr same = {.scale = {.alpha = 1}};
    Layout layout = node_of(l, o->ref)->type.layout;
    bool picture = node_of(l, o->ref)->op == OP_input; /* an output has memory of its own */
    if (!picture && !layout.whole && !layout.rows && memcmp(&layout.halo, &none, sizeof none) == 0) return;
    o->ref = graph_op1(l->g, OP_scale, o->ref, &same, o->ref);
    node_of(l, o->ref)->type.layout = (Layout){.b0 = layout.b0, .b1 = layout.b1};
}

void pass_layout(Unit *u, Entry entry) {
    Layouts l = {.u = u, .g = u->graph[entry], .entry = entry, .lanes = u->machine->vector_lanes};
    int32_t n_before = l.g->n_node;
    for (int32_t i = 1; i < n_before; i++) set_default(&l, node_of(&l, (Ref)i));
    for (int32_t i = 1; i < n_before; i++) {
        const Node *n = node_of(&l, (Ref)i);
        if (n->op == OP_input && n->attr.input.role == INPUT_IMAGE) copy_image(&l, (Ref)i);
    }
    set_weights(&l);
    set_halos(&l);
    layout_parts(l.g, u->arena);
    for (int32_t i = 0; i < l.g->n_output; i++) copy_output(&l, &l.g->output[i]);
}
