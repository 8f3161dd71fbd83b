/* A net as its author wrote it: layers in blocks, who reads whom, what each costs. For reports and pictures. */
#ifndef CNNC_IR_OUTLINE_H
#define CNNC_IR_OUTLINE_H

#include "graph.h"

typedef struct Layer {       /* nodes that follow each other and have one name */
    Name name;               /* "layer1.0.conv1" */
    const char *label;       /* "conv1": without the names of its blocks */
    Name kind;               /* "conv": what the author calls it; the operator's name where there is no author */
    const char *what;        /* "conv 3x3/2": the kind, and what distinguishes it from others of the kind */
    Op op;                   /* of the first node that is no parameter */
    Attr attr;
    Type type;               /* of the result */
    int64_t parameters;      /* trained numbers */
    int64_t macs;            /* multiply-adds for a picture */
    bool deployed;           /* false: for training alone */
    Span span;
    int32_t block;           /* in Outline.block */
    int32_t *from;           /* the layers that it reads, ascending; READS_PICTURE: the picture */
    int32_t n_from, cap_from;
} Layer;

enum { READS_PICTURE = -1 };

typedef struct LayerBlock {  /* a use of a block that has layers; they are layer[first] .. layer[end - 1] */
    Name name, kind;         /* "layer1.0", "bottleneck" */
    const char *label;       /* "layer1.0", or "0" if it is in "layer1" */
    int32_t parent, depth;   /* -1 and 0 for block[0], the net */
    int32_t first, end;
    int64_t parameters, macs;
} LayerBlock;

typedef struct Outline {
    const Graph *net;
    Layer *layer;
    int32_t n_layer, cap_layer;
    LayerBlock *block;       /* each comes after its parent */
    int32_t n_block, cap_block;
    int32_t *layer_of;       /* node -> layer, READS_PICTURE for inputs, NO_LAYER for parameters */
    int64_t parameters, macs;   /* of what is deployed, as graph_costs says */
} Outline;

enum { NO_LAYER = -2 };

/* Of Unit.net before any pass. */
const Outline *outline_of(const Graph *net, Arena *a);

#endif
