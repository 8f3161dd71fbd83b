/* The graph: operators over tensors, in single-assignment form.
 *
 * Rules (checked by graph_verify after every pass):
 *   - nodes are numbered from 1 in topological order: every operand has a smaller number; 0 is "none";
 *   - a node has one result, whose type is what its operator's shape rule gives (plus a layout);
 *   - params are unique by name; graph outputs name live nodes;
 *   - an effect (sgd, ema and their like) changes its first operand, a param, and comes after every other reader of it:
 *     the nodes of a graph see params as they were at the start of the step;
 *   - `group` is the fusion decision: nodes with equal non-zero group become one kernel, and these can run one after
 *   the
 *     other. The graph means the same without.
 * Within a pass nodes may be appended and operands redirected in any order; the pass driver calls graph_compact after
 * it, which drops dead nodes and renumbers, so between passes the first rule holds. */
#ifndef CNNC_IR_GRAPH_H
#define CNNC_IR_GRAPH_H

#include "op.h"

typedef uint32_t Ref;   /* a node of this graph; 0: none */

typedef struct Node {
    Op op;
    int32_t n_in;
    Ref *in;
    Type type;
    Attr attr;
    Name name;       /* "conv1", "layer1.0.bn2": of the layer it came from; of the parameter for a param; may be NULL */
    Name kind;       /* "conv", "relu6": what the .net text calls the layer it came from; may be NULL */
    int32_t block;   /* the use of a block it came from, in Graph.block */
    Span span;       /* the .net text this came from; every pass copies it on */
    int32_t group;   /* 0: not fused */
    const char *apart;   /* after pass fuse: why it is in no kernel of what it reads, for reports; NULL: it is in one */
    bool frozen;     /* @freeze or train.freeze covers this layer: no gradient flows into its parameters */
    bool nofuse;     /* @nofuse: its nodes are in a kernel with nodes of its own layer (of the same name) at most */
} Node;

typedef enum OutputOnly { ONLY_BOTH, ONLY_TRAIN, ONLY_DEPLOY, ONLY_COUNT } OutputOnly;
extern const char *const output_only_name[ONLY_COUNT];   /* "both", "train", "deploy" */

typedef struct Output {
    Name name;           /* "scores", "logits", "loss" */
    Ref ref;
    OutputOnly only;
    bool left_out;       /* it is only for training because deploy { outputs } does not name it */
} Output;

typedef struct BlockUse {   /* a use of a block of the .net text */
    Name name;           /* "layer1.0" */
    Name kind;           /* "bottleneck" */
    int32_t parent;      /* the use that it is in */
} BlockUse;

typedef struct Graph {
    Arena *arena;
    Name name;
    BlockUse *block;        /* block[0] is the net itself; each comes after its parent */
    int32_t n_block, cap_block;
    Node *node;          /* node[0] is unused */
    int32_t n_node, cap_node;
    Output *output;
    int32_t n_output, cap_output;
} Graph;

Graph *graph_new(Arena *a, Name name);
Graph *graph_clone(Arena *a, const Graph *g);
/* The node, valid until the next graph_add. */
Node *graph_node(const Graph *g, Ref r);
/* Appends a node and infers its type. Returns 0 if the shapes do not fit (reported to d; an ICE if d is NULL). `in` and
 * `attr` are copied; attr may be NULL for ATTR_NONE. */
Ref graph_add(Graph *g, Op op, int n_in, const Ref *in, const Attr *attr, Name name, Span span, Diags *d);
/* Short forms for passes: the new node inherits name, span, frozen and nofuse from `from`. */
Ref graph_op1(Graph *g, Op op, Ref a, const Attr *attr, Ref from);
Ref graph_op2(Graph *g, Op op, Ref a, Ref b, const Attr *attr, Ref from);
Ref graph_op3(Graph *g, Op op, Ref a, Ref b, Ref c, const Attr *attr, Ref from);
void graph_output(Graph *g, Name name, Ref ref, OutputOnly only);
Ref graph_find_output(const Graph *g, const char *name);   /* 0 if there is none */
/* What classes are told by: the output "scores", else the first one; 0 if there is none. */
Ref graph_scores(const Graph *g);
Ref graph_find_param(const Graph *g, Name name);
/* Every operand and output that is `old` becomes `new_ref`, but for new_ref's own operands: it may wrap old. */
void graph_replace(Graph *g, Ref old, Ref new_ref);
/* Number of uses (operands and outputs) of each node: array of n_node from `a`. */
int32_t *graph_uses(const Graph *g, Arena *a);
/* Who reads what: the readers of node r are node[start[r]] .. node[start[r + 1] - 1] by increasing number, from `a`.
 * One that reads r twice is there twice. Outputs do not count. */
typedef struct Readers {
    int32_t *start;
    Ref *node;
} Readers;
Readers graph_readers(const Graph *g, Arena *a);
/* Does r come before effect e, because it reads the param that e changes (and is not such an effect itself)? */
bool graph_reads_before(const Graph *g, Ref r, Ref e);
/* Which nodes are the same in every run: made of weights and running statistics alone that no effect changes. In training
 * these are what is made of frozen layers' parameters. From `a`. */
bool *graph_constants(const Graph *g, Arena *a);
/* Are gradients kept until the updates of a step (accumulate)? */
bool graph_gathers(const Graph *g);
/* Is r one of those updates: an effect on a weight or the optimiser's state, not on running statistics; or does it read
 * a gradient that is kept? */
bool graph_updates(const Graph *g, Ref r);
/* Drops what neither an output nor an effect needs (picture inputs stay), and renumbers in topological order. Stable:
 * nodes keep their order, but each is preceded by what it needs. Returns the map old -> new (0: dropped), from `a`. */
Ref *graph_compact(Graph *g, Arena *a);

/* What is left without outputs that are for training alone: a copy from `a`. *map, if map is not NULL, says what became
 * of each node (0: dropped). */
Graph *graph_deployed(const Graph *g, Arena *a, Ref **map);

/* Text, one node a line, and back; spans, kinds and blocks are not kept. graph_read returns NULL and sets *error on a
 * mistake, with its line or, since it verifies what it read, with the broken rule.
 *     graph infer alexnet {
 *       %1 = input {role=image, type=f32[N,3,227,227]} : f32[N,3,227,227]
 *       %2 = param {...} "conv1.weight" : f32[96,3,11,11]{16,1;0,0,0,0}
 *       %3 = conv(%1, %2) {kernel=[11,11], ...} "conv1" group=1 frozen nofuse : f32[N,96,55,55]
 *       output "scores" %9
 *       output "loss" %8 only=train
 *     } */
void graph_print(Str *s, const Graph *g);
Graph *graph_read(Arena *a, const char *text, const char **error);

/* The first broken rule as text "rule-name: what", or NULL. */
const char *graph_verify(Arena *a, const Graph *g);

/* Multiply-accumulates of the node per picture (contractions only, else 0). */
int64_t node_macs(const Graph *g, const Node *n);
/* Trained numbers and multiply-accumulates per picture of what is deployed: outputs for training alone do not count. */
void graph_costs(const Graph *g, Arena *a, int64_t *parameters, int64_t *macs);

#endif
