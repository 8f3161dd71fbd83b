/* canon: the net in the form the other passes expect.
 *
 * Needs nothing, breaks nothing. Afterwards no flatten stands above an element-wise operator or a fully connected layer
 * that could take the unflattened tensor, no relu before a pooling that could come first, and operators that do nothing
 * are gone. First in the pipeline because it works on the net as written, so that inference and training see the same.
 *
 * A flatten would cost a pass over its tensor, and with blocked channels it would permute it. So it sinks: first below
 * relu, dropout and the like, which do not care, then into fc(flatten(x), w), which becomes fc(x, w) with the weight
 * [O,K] seen as [O,C,H,W]. Row-major order is the same in both, so files need not care either: the program's parameter
 * table then says [O,C,H,W] where a file of PyTorch's says [O,C*H*W], and who reads weights compares element counts
 * after the trailing dimensions are multiplied out. Declined where the weight has another user: it would want [O,K].
 *
 * Zeros that a pad puts around become the padding of the convolution that reads them.
 *
 * maxpool(relu(x)) becomes relu(maxpool(x)), the same numbers and gradients: training then keeps the pooled tensor
 * only, a quarter for the usual window, and indices of one byte. Declined where the relu has another reader. */
#include <string.h>

#include "pass.h"

/* Everything that names `old` now names `same`: operands, outputs and the loss terms. */
static void replace(Unit *u, Ref old, Ref same) {
    graph_replace(u->net, old, same);
    for (int i = 0; i < u->train.n_loss; i++)
        if (u->train.loss[i].logits == old) u->train.loss[i].logits = same;
}

static bool identity(const Graph *g, const Node *n) {
    switch (n->op) {
    case OP_scale: return n->attr.scale.alpha == 1 && n->attr.scale.beta == 0 && !n->attr.scale.per_picture;
    case OP_dropout: return n->attr.dropout.p == 0;
    case OP_concat: return n->n_in == 1;
    case OP_channel_shuffle: return n->attr.shuffle.groups == 1 || n->attr.shuffle.groups == type_channels(&n->type);
    case OP_pad: return !memcmp(n->attr.pad.pad, (const int32_t[4]){0}, sizeof n->attr.pad.pad);
    case OP_slice:
    case OP_resize:
    case OP_flatten:
    case OP_reshape: return type_equal(&graph_node(g, n->in[0])->type, &n->type);
    default: return false;
    }
}

/* Node r, f(h(x)), becomes h(f(x)): it takes the place of h, and f moves to a new node. */
static void swap_with_operand(Graph *g, Ref r) {
    const Node *f = graph_node(g, r);
    Ref inner = f->in[0];
    Attr attr = f->attr;
    bool plain = op_info[f->op].attr == ATTR_NONE;
    Ref moved = graph_op1(g, f->op, graph_node(g, inner)->in[0], plain ? NULL : &attr, r);
    Node *now = graph_node(g, r), *h = graph_node(g, inner);
    graph_node(g, moved)->frozen = now->frozen;
    graph_node(g, moved)->nofuse = now->nofuse;
    now->op = h->op;
    now->in[0] = moved;
    now->attr = h->attr;
    now->name = h->name;
    now->span = h->span;
    now->kind = h->kind;
    now->block = h->block;
    now->frozen = h->frozen;
    now->nofuse = h->nofuse;
}

static void swap_if_better(Graph *g, Ref r, const int32_t *uses) {
    const Node *n = graph_node(g, r);
    if (n->n_in != 1) return;
    Op inner = graph_node(g, n->in[0])->op;
    bool sinks = inner == OP_flatten && op_info[n->op].elementwise;
    bool shrinks = inner == OP_relu && n->op == OP_maxpool && uses[n->in[0]] == 1;
    if (sinks || shrinks) swap_with_operand(g, r);
}

/* fc(flatten(x), w [O,K]) -> fc(x, w [O,C,H,W]). */
static void unflatten_fc(Graph *g, Ref r, const int32_t *uses) {
    Node *n = graph_node(g, r);
    if (n->op != OP_fc || graph_node(g, n->in[0])->op != OP_flatten) return;
    Node *w = graph_node(g, n->in[1]);
    Ref x = graph_node(g, n->in[0])->in[0];
    if (w->op != OP_param || w->type.rank != 2 || uses[n->in[1]] != 1 || graph_node(g, x)->type.rank != 4) return;
    int32_t dim[MAX_RANK] = {w->type.dim[0]};
    for (int i = 1; i < MAX_RANK; i++) dim[i] = graph_node(g, x)->type.dim[i];
    w->type = w->attr.param.type = type_make(w->type.dtype, MAX_RANK, dim);
    n->in[0] = x;
}

/* conv(pad(x)) -> conv(x): convolutions read zeros around a picture anyway. */
static void unpad_conv(Graph *g, Ref r) {
    Node *n = graph_node(g, r);
    if (n->op != OP_conv) return;
    const Node *p = graph_node(g, n->in[0]);
    if (p->op != OP_pad || p->attr.pad.value != 0 || p->nofuse || n->nofuse) return;
    for (int i = 0; i < 4; i++)
        if (p->attr.pad.pad[i] < 0 || p->attr.pad.pad[i] > INT32_MAX - n->attr.conv.pad[i]) return;
    for (int i = 0; i < 4; i++) n->attr.conv.pad[i] += p->attr.pad.pad[i];
    n->in[0] = p->in[0];
}

void pass_canon(Unit *u, Entry entry) {
    (void)entry;
    Graph *g = u->net;
    int32_t n = g->n_node;
    const int32_t *uses = graph_uses(g, u->arena);
    for (Ref r = 1; r < (Ref)n; r++) {
        if (identity(g, graph_node(g, r))) {
            replace(u, r, graph_node(g, r)->in[0]);
            continue;
        }
        swap_if_better(g, r, uses);
        unflatten_fc(g, r, uses);
        unpad_conv(g, r);
    }
}
