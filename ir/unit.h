/* One compilation: what the front end makes, what passes transform, what back ends emit. Everything dies with the
 * arena. */
#ifndef CNNC_IR_UNIT_H
#define CNNC_IR_UNIT_H

#include "diag.h"
#include "graph.h"
#include "machine.h"
#include "program.h"

typedef struct LossTerm {      /* train.loss = sum of weight * op(output, labels) */
    double weight;
    Ref logits;                /* in Unit.net */
    Op op;                     /* cross_entropy, or a row of losses.def */
    Attr attr;
    Name class_weights;        /* of cross_entropy, as in TableAttr; NULL: none */
    Span span;
} LossTerm;

/* What compilation itself needs of the settings; the rest of them travels to the program as JSON (settings_json). */
typedef struct TrainConfig {
    bool present;              /* the file has a train {} section with a loss */
    LossTerm *loss;
    int32_t n_loss;
    Op optimizer;              /* an effect that changes a weight, and its attributes but for what each weight has of its own */
    Attr update;
    bool mixes;                /* pictures may be mixed: the loss is of two labels a picture, see INPUT_PARTNER */
    int32_t batch, accumulate; /* pictures, and so many times of them in a step */
    bool gathers;              /* gradients are kept until the updates of a step, which several calls may make together */
    int32_t at_once;           /* pictures of a batch in one call; 0: all of them */
    int64_t max_memory;        /* bytes of training, evaluation included; 0: not said */
    bool averages;             /* of the parameters are kept, too */
    Span memory_at, batch_at;  /* batch_at: of the section if it does not say its batch */
    Span span;
} TrainConfig;

typedef enum WinogradUse { WINOGRAD_AUTO, WINOGRAD_NEVER, WINOGRAD_ALWAYS } WinogradUse;   /* always: where it applies */

typedef enum BlasUse { BLAS_NEVER, BLAS_AUTO, BLAS_ALWAYS } BlasUse;   /* of OpenBLAS, for fully connected layers; see passes/blas.h */

/* A convolution that was measured, and what was fastest; see passes/algorithm_model.h. */
typedef struct TunedConv {
    Name shape;
    int32_t tile, band;
    double microseconds;
} TunedConv;

typedef struct TunedConvs {
    TunedConv *conv;
    int32_t n, cap;
} TunedConvs;

enum { PICTURES_MOST = 65536, PICTURES_USUAL = 256 };   /* in one call of a program: at most, and where nobody says */

typedef struct Options {       /* of the command line, as far as passes and back ends care */
    int opt_level;             /* 0..3 */
    bool verbose;
    int32_t max_batch;         /* largest batch for inference */
    int32_t batch;             /* pictures in a call that the code is made for; 0: 1. Any other number runs too */
    WinogradUse winograd;
    BlasUse blas;
    const TunedConvs *tuned;   /* comes before any model; NULL: nothing was measured */
    bool undivided;            /* every call runs each step for all its pictures, as what the tuner times */
} Options;

/* What a net costs, in require { }. */
typedef enum Figure {
#define FIGURE(id, NAME, measure, when, example) FIGURE_##NAME,
#include "figures.def"
#undef FIGURE
    FIGURE_COUNT
} Figure;

typedef struct Clause {        /* figure < limit, <=, > or >= */
    Figure figure;
    bool below, equal;
    double limit;
    Span span;
} Clause;

/* What deploy { } says about the program; the command line wins. */
typedef struct DeployConfig {
    const char *march;         /* as -march; NULL: not said */
    Span march_at, memory_at;
    int32_t batch, max_batch;  /* as --batch and --max-batch; 0: not said */
    int64_t max_memory;        /* bytes of inference; 0: not said */
} DeployConfig;

typedef enum Entry { ENTRY_INFER, ENTRY_TRAIN, ENTRY_COUNT } Entry;

/* A section eval, as far as memory goes. */
typedef struct Evaluation {
    int32_t h, w;              /* of pictures; 0: as the input is */
    int32_t batch;             /* 0: not said */
} Evaluation;

/* A net for pictures of several sizes is one unit for the size of its input, and a unit for each other size among
 * `sized` of that. They share all parameters, and so where these lie, and become one program. */
typedef struct Unit {
    Arena *arena;
    Diags *diags;
    const Options *opt;
    const Machine *machine;
    Name name;                 /* of the net */
    Graph *net;                /* as written: dropout and bn as layers, outputs with their `only` */
    Ref image;                 /* the picture input in `net` */
    TrainConfig train;
    Clause *clause;            /* of require { } */
    int32_t n_clause, cap_clause;
    bool half_weights;         /* deploy { weights = fp16 } */
    DeployConfig deploy;
    int32_t prefetch;          /* the most batches that a section data says */
    Evaluation *evaluation;    /* what each section eval says */
    int32_t n_evaluation, cap_evaluation;
    bool unnamed_data, unnamed_eval; /* one of them has no name; else none may hold */
    const char *settings_json; /* sections input, data, augment, train, eval: see runtime/abi.h */
    const char *options_json;  /* {"classes": 1000, ...}: option values that were in force */
    Graph *graph[ENTRY_COUNT]; /* made by `specialise`; [ENTRY_TRAIN] is NULL without a train section */
    Program *program[ENTRY_COUNT];
    struct Unit **sized;       /* the same net for pictures of other sizes */
    int32_t n_sized, cap_sized;
    const struct Unit *base;   /* the unit that this is `sized` of, or NULL */
    bool unwanted[ENTRY_COUNT];   /* of one with a base: nobody runs that entry at its size, so it has no graph */
} Unit;

/* Pictures in a call that the code of an entry is made for. */
static inline int32_t unit_pictures(const Unit *u, Entry entry) {
    return entry == ENTRY_TRAIN ? u->train.batch : u->opt->batch > 0 ? u->opt->batch : 1;
}

#endif
