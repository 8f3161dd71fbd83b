/* An instance of a program: its memory, its addresses, its run.
 *
 * All memory is taken in exec_new; running takes none. A run names n, the pictures and the labels; addresses are worked
 * out again only when one of those differs from the run before. Parameters belong to the caller or to the instance:
 * `infer` may overwrite them in its once-steps and so has its own copy, `train` updates the caller's. */
#ifndef CNNC_RUNTIME_EXEC_H
#define CNNC_RUNTIME_EXEC_H

#include "model.h"
#include "pool.h"

typedef struct Exec Exec;

/* Memory in whole pages, zeroed, in large pages where the kernel has them, with an unreadable page on either side.
 * NULL and RT_OS if there is none; bytes may be 0. block_free takes what block_alloc gave, or NULL. */
void *block_alloc(int64_t bytes, RtError *err);
void block_free(void *block);
/* What a block of that size really takes. */
int64_t block_bytes(int64_t bytes);

/* params NULL: the instance has its own, see exec_params. state may be NULL for a program that has none. max_n: largest
 * n of exec_run. Everything passed in must outlive the instance. */
Exec *exec_new(const ModelProgram *p, CnncKernel *const *kernel, Pool *pool, float *params,
               float *state, int64_t max_n, RtError *err);
/* One instance for n programs that take turns, of which the first is in use; its memory is that of the hungriest. They
 * share the parameters and the state. The array may go away. */
Exec *exec_new_several(const ModelProgram *const *p, int n, CnncKernel *const *kernel, Pool *pool,
                       float *params, float *state, int64_t max_n, RtError *err);
/* Takes another of them for the next runs; what the last one has put out is gone. */
void exec_use(Exec *e, const ModelProgram *p);
void exec_free(Exec *e);
/* What an instance of that program takes, for memory.h; without pictures, which are not its own. */
CnncInference exec_needs(const ModelProgram *p);
/* Bytes that exec_new takes for its own regions, params included, for a pool of so many threads. */
int64_t exec_bytes(const ModelProgram *p, int64_t max_n, int threads);
/* The same of exec_new_several, whose params are not its own. */
int64_t exec_bytes_several(const ModelProgram *const *p, int n, int64_t max_n, int threads);

/* The parameters in storage form. After writing all of them call exec_params_changed, so that the once-steps run again;
 * these may overwrite the instance's own and give the memory of some back, so what is there after a run is not to be
 * read. */
float *exec_params(Exec *e);
/* Bytes of them, where they are its own. */
int64_t exec_param_bytes(const Exec *e);
void exec_params_changed(Exec *e);

void exec_set_lr(Exec *e, float lr);
/* Whether the gradients of exec_gather join those that are there; at first they do not. */
void exec_set_again(Exec *e, bool again);
/* Region "gradient" of a program that has one: gradients of the sum of the pictures' losses, by which updates go as if
 * they were of the mean. */
float *exec_gradients(Exec *e);
/* Where mixed pictures' other labels and the weights of their own are to lie at each run, [max_n], aligned to 64 bytes;
 * for a train program. */
void exec_set_mix(Exec *e, const int32_t *partners, const float *shares);

/* Runs the program for n pictures, 1 <= n <= max_n. images: f32 [n][channels][height][width]; labels: i32 [n] or NULL
 * for a program that has none; both aligned to 64 bytes. key: see CnncRun. */
void exec_run(Exec *e, int64_t n, const float *images, const int32_t *labels, const uint32_t key[2]);

/* exec_run in two parts: all but the updates, and these, after any number of the former. A program without region
 * "gradient" has all in the first. */
void exec_gather(Exec *e, int64_t n, const float *images, const int32_t *labels, const uint32_t key[2]);
void exec_update(Exec *e);

/* One value of an output after exec_run: picture < n, channel, position in the plane. */
float exec_output(const Exec *e, const ModelOutput *o, int64_t picture, int64_t channel, int64_t position);
/* All values of one picture, logical order: out[channels * plane]. */
void exec_output_copy(const Exec *e, const ModelOutput *o, int64_t picture, float *out);

/* Turns timing on: seconds[n_step] grows by each step's time at every run. NULL turns it off. */
void exec_time_steps(Exec *e, double *seconds);

#endif
