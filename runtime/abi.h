/* The whole contract between cnnc's output and this runtime. The only header that both sides include.
 *
 * A program has code for one or more instruction sets. Layouts, plans and kernels depend on them, the net does not: the
 * generated objects export cnnc_model, a JSON text that says everything about the net, and cnnc_variant, for each
 * instruction set a name, what it needs, a JSON text with its plan, and the kernels that the plan's steps name by
 * number. JSON because a person can read it and a test can diff it. Weight files are the same for all of them.
 *
 * cnnc_model:
 * { "abi": 1, "version": "0.1.0", "name": "alexnet", "file": "alexnet.net", "source": "<text>",
 *   "options": {"classes": 1000},
 *   "max_batch": 256,                      largest n for `infer`; `train` takes n <= settings.train.batch
 *   "input": {"channels": 3, "height": 227, "width": 227},
 *   "classes": 1000,                       channels of the output named "scores" or, without one, of the first output
 *   "trains": true, "params_total": 60965224, "macs_total": 724406816,       of inference: heads for training alone do not count
 *   "layers": [{"name": "conv1", "op": "conv", "shape": [96,55,55], "params": 34944, "macs": 105415200, "line": 22},
 *              ...],
 *   "settings": {"input": {...}, "data": {"": {...}, "cats": {...}}, "augment": {"": [...]}, "train": {"": {...}},
 *                "eval": {"": {...}}, "deploy": {"": {...}}} }    see below; "" is the unnamed section, of train and
 *                deploy the one that cnnc took; a kind may be absent
 *
 * CnncVariant.plan:
 * { "target": {"isa": "v4", "cpu": "x86-64-v4", "features": "+avx2,...", "lanes": 16},
 *   "param_bytes": B, "state_bytes": B,
 *   "params": [PARAM...],                  in REGION_PARAM
 *   "state":  [PARAM...],                  of the optimiser, in REGION_STATE, like "<weight>.momentum"; zero at start
 *   "spare":  ["head.weight", ...],        parameters of the source that no program has: files may have them
 *   "programs": {"infer": PROGRAM},
 *   "sizes": [{"height": 288, "width": 288, "programs": {"infer": PROGRAM or absent}}, ...] }
 *                                          the same for pictures of other sizes than "input": those that
 *                                          settings.augment and settings.eval name; on the same params and state
 *
 * CnncVariant.training: what only commands that train read, so that a prediction need not hold it. "" if the net is not
 * trained.
 * { "gradients": [PARAM...],               in region "gradient" of `train`, where it has that: "<weight>.gradient"
 *   "program": PROGRAM,                    it is "train" of "programs",
 *   "sizes": [PROGRAM or null, ...] }      and of the programs of "sizes", in their order
 *
 * PARAM = {"name": "conv1.weight", "role": "weight"|"buffer"|"momentum"|"gradient", "shape": [96,3,11,11],
 *          "block": [b0,b1], "offset": bytes, "bytes": bytes, "init": {"kind": "normal", "a": 0, "b": 0.01},
 *          "frozen": false, "train": true of parameters that `infer` does not have, else absent}
 *   Storage order, outermost first: dim0/b0, dim1/b1, dim2, dim3, dim1%b1, dim0%b0; blocked extents are rounded up and
 *   the pad is zero and must stay zero. init kinds: constant(a) normal(mean a, std b) uniform(a, b) he xavier torch;
 *   for the last three fan_in = product of shape[1..], fan_out = shape[0] * shape[2] * shape[3]; he: normal, std
 *   sqrt(2/fan_in); xavier: uniform +-sqrt(6/(fan_in+fan_out)); torch: uniform +-1/sqrt(fan_in), or +-1/sqrt(a) if
 *   a > 0 (biases).
 *
 * PROGRAM = {"param_bytes": B, "batch_bytes": per picture, "fixed_bytes": B, "gradient_bytes": B, "update": k, "at_once": n,
 *            "scratch": bytes of a thread, "lower_bound": per picture,
 *            "once": k, "once_bytes": B, "slices": [[end, pictures]...], "steps": [STEP...],
 *            "outputs": {"scores": {"region": "batch", "offset": B, "shape": [1000], "block": [1,16],
 *                        "softmax": true or absent}, ...}}
 *   The program reads the first param_bytes of REGION_PARAM (absent: all): what lies behind is of layers that are only
 *   trained. The first `once` steps must run after the parameters were set or changed, the others at each call. `infer`
 *   may overwrite REGION_PARAM in its once-steps (batch norm folded in place), so it needs a private copy of the
 *   parameters; `train` updates them. While the once-steps run, at most once_bytes of the regions param and fixed are
 *   in use at a time. Outputs of `train`: "loss" (f32 per picture, shape []) and "logits"; if these are
 *   [classes, h, w], there is a label for each of h x w pixels; of `infer`: the net's own.
 *   The steps from `update` on change the weights by the gradients in region "gradient", once for all calls of a step;
 *   the steps before them put gradients of the sum of their pictures' losses there. Without region "gradient" there
 *   are none: `update` is the number of steps.
 *   at_once: the most pictures that `train` is called with; 0, or absent: a batch.
 *   slices, in the order of the steps, from the first after the once-steps on: steps up to `end` run for so many
 *   pictures of each thread at a time, all of them before the next pictures; 0, or no slice: for all pictures of the
 *   call at once.
 *   An output of n pictures begins at offset * n; the pictures follow each other at "stride" bytes, each in the storage
 *   order above with its blocked extents rounded up. It holds probabilities if softmax made it.
 *
 * STEP = {"kernel": i, "args": [["batch", offset], ["image", offset, stride], ...], "tasks": t, "per_picture": bool,
 *         "along": true or absent, "layer": "conv1", "what": "conv+add+relu", "how": "direct, 4x6" or absent,
 *         "macs": per picture, "line": 22,
 *         "release": [[offset, bytes], ...] or absent}
 *   along: may run at the same time as the step before it, and as those that step runs along with.
 *   how, for people: the algorithm and the register tiles, blocks of channels x points.
 *   release, in once-steps: whole pages of region "param" (from a huge page's start) that no later step reads.
 *   Argument address: region base + offset, but in region "batch" base + offset * n; and stride (0 if absent) times the
 *   pictures in the slices before. Number of tasks: t, or t * n.
 *   "image" is f32 [n][channels][height][width], plain; "label" is i32 [n] or [n][h][w], what is no class counts as
 *   nothing; "partner" is i32 [n] and "share" f32 [n]: with mixed pictures (augment has mixup or cutmix) the label of
 *   the other picture, and what the own label counts, 0 .. 1; "scalar" holds floats: [0] the learning rate, [1] above 0
 *   if gradients join those of the calls before.
 *   All region bases are aligned to 64 bytes, but those of what comes with pictures only to their numbers where a batch
 *   goes in parts. A step's tasks may be shared out among threads in any way; the next step starts when all have ended,
 *   unless it may run along. Results do not depend on the sharing.
 *
 * Settings are what the .net file says, checked and with every default filled in by the compiler; a call f(x, k=v) is
 * {"call": "f", "x's name": x, "k": v}; a quantity with a unit is {"value": 5, "unit": "epochs"} (units epochs, steps,
 * batches, s; bytes and percent become plain numbers); a size is [height, width]; colour triples have 3 numbers.
 *   input:   {"colour": "rgb"|"bgr"|"grey", "size": [h,w], "resize": {"call": "shorter", "size": 256,
 *             "filter": "bilinear"|"bicubic"|"nearest", "antialias": true} or {"call": "exact", "size": [h,w],
 *             "filter": .., "antialias": ..} or absent, "crop": {"call": "centre", "size": [h,w]} or absent,
 *             "mean": [..] or absent, "std": [..] or absent, "orientation": "exif"|"ignore", "depth": 8|16}
 *            A number of the tensor is (x/255 - mean) / std, per colour; of 16 bits with x/65535.
 *   data:    {"train": {"call": "folder"|"list", "path": "p"}
 *             or {"call": "masks", "path": "p", "masks": "q", "ignore": 255}
 *             or {"call": "synthetic", "count": n, "classes": c, "seed": s}
 *             or {"call": "cifar10"|"cifar100", "path": "p"} or {"call": "idx", "images": "p", "labels": "q"}
 *             or {"call": "tar", "path": ["p", ..]},
 *             "val": .., "test": .., "labels": {"call": "synsets"|"file", "path": "p"} or absent,
 *             "sampling": "shuffled"|"class_balanced", "subset": share or absent, "workers": 0 (= auto), "prefetch": 3,
 *             "on_error": {"call": "fail"} or {"call": "skip", "at_most": 0.001}}
 *   augment: [{"call": "random_resized_crop", "size": [h,w] or "sizes": [[h,w], ...], "area": [lo,hi],
 *              "ratio": [lo,hi], "filter": .., "antialias": ..},
 *             {"call": "random_crop", "size": [h,w], "pad": 4}, {"call": "random_scale", "shorter": [lo,hi]},
 *             {"call": "resize", "size": 256 or [h,w]}, {"call": "crop", "size": [h,w]},
 *             {"call": "hflip"|"vflip"|"grey", "p": p},
 *             {"call": "colour_jitter", "brightness": b, "contrast": c, "saturation": s},
 *             {"call": "colour_pca", "sigma": s}, {"call": "blur", "sigma": [lo,hi], "p": p},
 *             {"call": "random_erase", "p": p, "area": [lo,hi], "ratio": [lo,hi]},
 *             {"call": "rotate", "degrees": [lo,hi], "fill": "black"|"mean"},
 *             {"call": "trivial_augment", "fill": ..}, {"call": "rand_augment", "n": 2, "m": 9, "fill": ..},
 *             {"call": "mixup"|"cutmix", "alpha": a, "p": p or absent}]
 *   train:   {"batch": 256, "optimizer": {"call": "sgd", "momentum": m, "nesterov": b, "weight_decay": d} or another,
 *             "lr": [{"call": "warmup", "for": {5 epochs}, "from": 0}, {"call": "cosine", "base": 0.1, "to": 0}],
 *             "stop": {90 epochs}, "evaluate": {1 epochs}, "checkpoint": {"call": "every", "time": {..quantity..},
 *             "keep": 1, "best": "top1"|"top5"|"loss"|"mean_iou" or absent} or absent, "seed": 1,
 *             "init": {"call": "weights", "path": "f", "except": ["fc.*"]} or absent, "freeze": [globs],
 *             "drop_last": true, "ema": decay or absent, "clip": {"call": "norm"|"value", "limit": x} or absent,
 *             "accumulate": 1, "max_memory": B or absent}
 *            lr pieces: constant(base) step(base, gamma, every) multistep(base, gamma, at [..]) poly(base, power, to)
 *            cosine(base, to) exp(base, gamma, every) linear(base, to) inv(base, gamma, power, every)
 *            cyclic(base, to, every, gamma) plateau(base, gamma, on, patience) warmup(for, from): warmup runs for
 *            `for`, rising from `from` to the first value of the next piece; another piece may carry "for"; the last
 *            one runs until `stop`.
 *   eval:    {"metrics": ["top1","top5","per_class",{"call": "calibration", "bins": 15},...] or absent,
 *             "crops": 1 or 10, "batch": n or absent, "save_predictions": path or absent,
 *             "size": [h,w] or absent; with it "resize" and "crop", if input has them, in place of those}
 *   deploy:  {"weights": "fp32"|"fp16", "outputs": ["scores"], "batches": [1, 8], "march": "x86-64-v3,x86-64-v4",
 *             "max_memory": B}
 *            weights: fully connected weights as `infer` keeps them; parameters are f32 all the same. The
 *            others are absent unless the file has them, and the compiler has acted on them; bench times "batches"
 *   test:    {"gradients": "none"|"all", "golden": path or absent, "tolerance": 1e-4}
 *   require: [{"figure": "top1"|"top5"|"latency"|"throughput", "order": "<"|"<="|">"|">=", "limit": x}, ...], no
 *            names of sections; shares as parts of 1, latency in seconds, throughput in pictures a second
 *
 * Dropout draws from Philox keyed by run.key; see rng.h. */
#ifndef CNNC_RUNTIME_ABI_H
#define CNNC_RUNTIME_ABI_H

#include <stdint.h>

enum { CNNC_ABI = 1 };

/* What a kernel may know of the call besides its arguments. */
typedef struct CnncRun {
    int64_t n;            /* pictures in this call */
    uint32_t key[2];      /* Philox key of this step: seed and step number */
    char *scratch;        /* of the thread that runs the tasks, aligned to 64 bytes; shared by nobody, kept by nobody */
    int64_t scratch_bytes; /* of one thread: that of thread i begins i times as far on */
} CnncRun;

/* Runs tasks begin <= t < end of a step. arg: addresses in the order of the step's "args". */
typedef void CnncKernel(void *const *arg, const CnncRun *run, int64_t begin, int64_t end);

/* c[m,n] += a[m,k] * b[k,n] for kernels of programs that -fblas gives OpenBLAS to; only these are linked with it.
 * Element (r, s) of a matrix x is x[r * x_row + s * x_column], one of which is 1; c_column is 1. By one thread, so that
 * the result depends on nothing but the numbers, and on the processor. */
void cnnc_sgemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t a_row, int64_t a_column, const float *b,
                int64_t b_row, int64_t b_column, float *c, int64_t c_row);

typedef struct CnncVariant {
    const char *isa;      /* what CNNC_ISA= calls it: "v3" */
    const char *features; /* "+avx2,+fma": what the processor must have, by LLVM's names; "-" in front: not used */
    const char *plan, *training;
    CnncKernel *const *kernel;
    int64_t n_kernel;
} CnncVariant;

extern const char cnnc_model[];
extern const CnncVariant cnnc_variant[]; /* the most able first */
extern const int32_t cnnc_n_variant;

/* Uniform numbers of dropout and everything else: Philox4x32-10 (Salmon et al. 2011) with key = run.key and counter =
 * {index low, index high, site, 0}; the first output word's upper 24 bits times 2^-24. */

/* ---- memory, as the runtime takes it and the compiler foresees it ---- */

/* What a block of that size takes: whole pages, and one for itself. Large pages are for as much as fills them. */
static inline int64_t cnnc_block_bytes(int64_t bytes) {
    int64_t page = 4096;
    return (bytes + page - 1) / page * page + page;
}

/* Pictures, of so many bytes and labels each, sample numbers and errors of the batches that a loader holds, each with
 * room for a multiple of 16 pictures. */
enum { CNNC_ERROR_BYTES = 516 };
static inline int64_t cnnc_loader_bytes(int64_t picture, int64_t labels, int64_t batch, int64_t prefetch) {
    return (prefetch + 1) * ((batch + 15) / 16 * 16) * (picture + 4 * labels + 4 + CNNC_ERROR_BYTES);
}

/* Pictures of a call in evaluation if section eval does not say: enough to read each weight once for many; more only
 * cost memory, `bytes` each. */
static inline int64_t cnnc_eval_pictures(int64_t bytes) {
    int64_t n = 32;
    while (n > 1 && n * bytes > (int64_t)1 << 30) n /= 2;
    return n;
}

/* What inference takes of each kind, by its plan. */
typedef struct CnncInference {
    int64_t param, released; /* of REGION_PARAM; of it what the once-steps give back */
    int64_t fixed, once;     /* REGION_FIXED; the most of both regions at a time while once-steps run */
    int64_t picture, image;  /* of a picture: in REGION_BATCH; as it is put in */
    int64_t scratch;         /* of a thread */
    int64_t steps;
} CnncInference;

enum { CNNC_SCALAR_BYTES = 64 };

/* Scratch of each thread is on pages of its own. */
static inline int64_t cnnc_scratch_bytes(int64_t scratch) { return (scratch + 4095) / 4096 * 4096; }

/* Blocks of an instance for calls of n pictures that has its own parameters: what once-steps release is theirs before
 * the batch is touched, and not there afterwards. INT64_MAX if that is no number. */
static inline int64_t cnnc_instance_bytes(const CnncInference *p, int64_t n, int64_t threads) {
    int64_t batch, others = cnnc_block_bytes(CNNC_SCALAR_BYTES) + cnnc_block_bytes(threads * cnnc_scratch_bytes(p->scratch));
    if (__builtin_mul_overflow(p->picture, n, &batch) || batch > INT64_MAX / 4) return INT64_MAX;
    int64_t after = cnnc_block_bytes(p->param) - p->released + cnnc_block_bytes(p->fixed) + cnnc_block_bytes(batch);
    int64_t once = cnnc_block_bytes(p->once);
    return others + (once > after ? once : after);
}

/* The process of a prediction but for these blocks: libraries, code that runs, the plan, stacks, a picture being read.
 * Fitted to what `tests/bench/bench.sh cost` measures, for nets of 17 to 417 steps. */
enum { CNNC_OWN_BYTES = 4200 << 10, CNNC_OWN_STEP = 17 << 10 };

/* All that a process takes which predicts n pictures at a time. THE figure of memory: the program's `info` prints it,
 * and the compiler wherever it speaks of memory. */
static inline int64_t cnnc_infer_bytes(const CnncInference *p, int64_t n, int64_t threads) {
    int64_t instance = cnnc_instance_bytes(p, n, threads);
    return instance == INT64_MAX ? instance : instance + n * p->image + CNNC_OWN_BYTES + CNNC_OWN_STEP * p->steps;
}

enum { CNNC_PREFETCH = 3 }; /* batches, if section data does not say */

#endif
