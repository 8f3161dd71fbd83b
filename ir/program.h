/* A program: kernels, the steps that call them, and where every tensor lives.
 *
 * One program per entry point (infer, train). A step binds storages to a kernel's arguments. Equal kernels (equal
 * text) are one kernel. The first `n_once` steps depend on parameters only: they run once after the weights change. */
#ifndef CNNC_IR_PROGRAM_H
#define CNNC_IR_PROGRAM_H

#include "graph.h"
#include "loop.h"

/* Base addresses that a step's operands are relative to; see runtime/abi.h, where the same names are used. */
typedef enum Region {
    REGION_PARAM, REGION_STATE, REGION_GRADIENT, REGION_FIXED, REGION_BATCH, REGION_IMAGE, REGION_LABEL, REGION_PARTNER,
    REGION_SHARE, REGION_SCALAR, REGION_COUNT
} Region;
extern const char *const region_name[REGION_COUNT];

typedef struct Storage {      /* one tensor's memory */
    Name name;
    Ref ref;                  /* the graph node it holds, 0 for scratch */
    Region region;
    Type type;
    int64_t bytes;            /* rounded up to 64; per picture in REGION_BATCH */
    int64_t offset;           /* bytes from the region's start; in REGION_BATCH multiplied by N at run time */
    int32_t born, dies;       /* first and last step that touch it; dies == INT32_MAX: outputs and what `once` steps leave */
    int32_t alias;            /* shares the memory of this storage (in place), or -1 */
    bool sliced;              /* only steps of one slice touch it, for all pictures in the same place */
} Storage;

typedef struct Step {
    int32_t kernel;
    int32_t *arg;             /* storages, n_arg of the kernel */
    int32_t n_arg;
    int64_t tasks;            /* iterations of the kernel's parallel loops... */
    bool tasks_batched;       /* ...times N */
    Ref root;                 /* of the group it computes; steps of one group follow each other */
    Name layer;
    const char *what;         /* "conv+add+relu" */
    Span span;
    int64_t macs;             /* per picture */
    Name how;                 /* "F(4,3) band 1, 4x6": algorithm and register tiles; "" where there is nothing to say */
    bool along;               /* may run at the same time as the step before it, and as those that step runs along with */
    double cycles;            /* of one core for a call, as the models say; 0: they say nothing */
} Step;

/* Steps of a program that run at the same time, at most. */
enum { STEPS_ALONG = 4 };

/* Steps up to `end` run for so many pictures of each thread at a time; 0: for all pictures of a call. */
typedef struct Slice {
    int32_t end, pictures;
} Slice;

typedef struct Program {
    Name name;                /* "infer", "train" */
    Graph *graph;
    Kernel **kernel;
    int32_t n_kernel, cap_kernel;
    Step *step;
    int32_t n_step, cap_step, n_once;
    bool owns;                /* an instance has its own copy of the parameters, which steps that run once may use up */
    Slice *slice;             /* of the steps from n_once on, if n_slice is not 0 */
    int32_t n_slice;
    Storage *storage;
    int32_t n_storage, cap_storage;
    int32_t *storage_of;      /* graph node -> storage, -1 where it has none */
    int64_t region_bytes[REGION_COUNT];   /* per picture for REGION_BATCH; set by the plan pass */
    int64_t lower_bound_bytes;            /* of REGION_BATCH: most live bytes at any step */
} Program;

/* Steps of one group are one time, counted from 0: the time of each step, and behind them how many times there are.
 * Array from `a`. */
int32_t *program_times(Arena *a, const Program *p);
/* The first of the steps that change weights, where gradients are kept until then (accumulate): they and what follows
 * are run once for all the calls of the steps before. n_step if there are none. */
int32_t program_update(const Program *p);
/* The slice that a step belongs to, or NULL: it runs for all pictures. */
const Slice *program_slice(const Program *p, int32_t step);
/* The storage whose memory s really uses: several may take it over one after the other. */
int32_t program_owner(const Program *p, int32_t s);
/* How many bytes of region param, from *from on, nobody misses after argument k of a step that runs once: the memory of
 * a parameter, or of what took its place, that no later step touches, in whole units of RELEASE_UNIT, the huge pages of
 * x86. 0 if there are none, and for all but the first of several arguments in one memory. */
enum { RELEASE_UNIT = 2 << 20 };
int64_t program_releases(const Program *p, int32_t step, int32_t k, int64_t *from);
/* Scratch of a thread: what the hungriest kernel needs. */
int64_t program_scratch(const Program *p);
/* The most bytes of the regions param and fixed that are in use at a time while the once-steps run. */
int64_t program_once_bytes(Arena *a, const Program *p);

#endif
