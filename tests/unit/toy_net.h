/* A net written by hand for tests of the runtime: a fully connected layer from a 3x4x4 picture to 3 classes, softmax,
 * cross entropy, SGD with momentum 0.9. It keeps the contract of runtime/abi.h: weight [3,48] in blocks of 4 outputs,
 * activations [n][3] padded to 16 floats a picture. */
#ifndef CNNC_TESTS_TOY_NET_H
#define CNNC_TESTS_TOY_NET_H

#include <math.h>
#include <string.h>

#include "runtime/abi.h"

enum { TOY_IN = 48, TOY_OUT = 3, TOY_BLOCK = 4, TOY_ROW = 16 }; /* TOY_ROW: floats of a picture's activations */

/* image [n][48], weight [48][4], bias [4] -> logits [n][16] */
static void toy_forward(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const float *image = arg[0], *weight = arg[1], *bias = arg[2];
    float *logits = arg[3];
    (void)run;
    for (int64_t n = begin; n < end; n++)
        for (int o = 0; o < TOY_ROW; o++) {
            float sum = o < TOY_OUT ? bias[o] : 0;
            for (int i = 0; o < TOY_OUT && i < TOY_IN; i++) sum += image[n * TOY_IN + i] * weight[i * TOY_BLOCK + o];
            logits[n * TOY_ROW + o] = sum;
        }
}

static void toy_softmax_row(const float *x, float *y) {
    float most = fmaxf(x[0], fmaxf(x[1], x[2])), sum = 0;
    for (int o = 0; o < TOY_OUT; o++) sum += y[o] = expf(x[o] - most);
    for (int o = 0; o < TOY_OUT; o++) y[o] /= sum;
}

/* logits -> scores */
static void toy_softmax(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    (void)run;
    for (int64_t n = begin; n < end; n++) toy_softmax_row((float *)arg[0] + n * TOY_ROW, (float *)arg[1] + n * TOY_ROW);
}

/* The key of the last run of toy_loss. */
static uint32_t toy_key[2];

/* logits, label -> gradient [n][16], loss [n][16] */
static void toy_loss(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const int32_t *label = arg[1];
    if (begin == 0) memcpy(toy_key, run->key, sizeof toy_key);
    for (int64_t n = begin; n < end; n++) {
        float *gradient = (float *)arg[2] + n * TOY_ROW, *loss = (float *)arg[3] + n * TOY_ROW;
        toy_softmax_row((float *)arg[0] + n * TOY_ROW, gradient);
        *loss = -logf(gradient[label[n]]);
        gradient[label[n]] -= 1;
        for (int o = 0; o < TOY_OUT; o++) gradient[o] /= (float)run->n;
    }
}

static void toy_sgd(float *w, float *momentum, float gradient, float lr) {
    *momentum = 0.9f * *momentum + gradient;
    *w -= lr * *momentum;
}

/* image, gradient, weight, bias, weight.momentum, bias.momentum, scalar; a task is an input, task 48 the bias */
static void toy_update(void *const *arg, const CnncRun *run, int64_t begin, int64_t end) {
    const float *image = arg[0], *gradient = arg[1], lr = *(const float *)arg[6];
    for (int64_t i = begin; i < end; i++)
        for (int o = 0; o < TOY_OUT; o++) {
            float sum = 0;
            for (int64_t n = 0; n < run->n; n++)
                sum += gradient[n * TOY_ROW + o] * (i < TOY_IN ? image[n * TOY_IN + i] : 1);
            if (i < TOY_IN)
                toy_sgd((float *)arg[2] + i * TOY_BLOCK + o, (float *)arg[4] + i * TOY_BLOCK + o, sum, lr);
            else
                toy_sgd((float *)arg[3] + o, (float *)arg[5] + o, sum, lr);
        }
}

static CnncKernel *const toy_kernel[] = {toy_forward, toy_softmax, toy_loss, toy_update};
enum { TOY_KERNELS = 4 };

/* Members of the model that tests replace one at a time by broken ones. */
#define TOY_PARAMS                                                                                                     \
    "[{\"name\": \"fc.weight\", \"role\": \"weight\", \"shape\": [3,48], \"block\": [4,1], \"offset\": 0, \"bytes\": " \
    "768,"                                                                                                             \
    "  \"init\": {\"kind\": \"he\", \"a\": 0, \"b\": 0}, \"frozen\": false},"                                          \
    " {\"name\": \"fc.bias\", \"role\": \"weight\", \"shape\": [3], \"block\": [4,1], \"offset\": 768, \"bytes\": 64," \
    "  \"init\": {\"kind\": \"constant\", \"a\": 0.25}, \"frozen\": false}]"
#define TOY_STATE                                                                                                      \
    "[{\"name\": \"fc.weight.momentum\", \"role\": \"momentum\", \"shape\": [3,48], \"block\": [4,1], \"offset\": 0,"  \
    "  \"bytes\": 768},"                                                                                               \
    " {\"name\": \"fc.bias.momentum\", \"role\": \"momentum\", \"shape\": [3], \"block\": [4,1], \"offset\": 768, "    \
    "\"bytes\": 64}]"
#define TOY_FORWARD                                                                                                    \
    "{\"kernel\": 0, \"args\": [[\"image\",0],[\"param\",0],[\"param\",768],[\"batch\",0]], \"tasks\": 1, "            \
    "\"per_picture\": true,"                                                                                           \
    " \"layer\": \"fc\", \"what\": \"fc\", \"macs\": 144, \"line\": 3}"
#define TOY_OUTPUT(at) "{\"region\": \"batch\", \"offset\": " #at ", \"shape\": [3], \"block\": [1,16], \"stride\": 64, \"softmax\": true}"
#define TOY_INFER                                                                                                      \
    "{\"batch_bytes\": 128, \"fixed_bytes\": 0, \"lower_bound\": 128, \"once\": 0, \"steps\": [" TOY_FORWARD ","       \
    "  {\"kernel\": 1, \"args\": [[\"batch\",0],[\"batch\",64]], \"tasks\": 1, \"per_picture\": true, \"layer\": "     \
    "\"softmax\"}],"                                                                                                   \
    " \"outputs\": {\"scores\": " TOY_OUTPUT(64) "}}"
#define TOY_TRAIN                                                                                                      \
    "{\"batch_bytes\": 192, \"fixed_bytes\": 0, \"lower_bound\": 192, \"once\": 0, \"steps\": [" TOY_FORWARD ","       \
    "  {\"kernel\": 2, \"args\": [[\"batch\",0],[\"label\",0],[\"batch\",64],[\"batch\",128]], \"tasks\": 1, "         \
    "\"per_picture\": true,"                                                                                           \
    "   \"layer\": \"loss\"},"                                                                                         \
    "  {\"kernel\": 3, \"args\": "                                                                                     \
    "[[\"image\",0],[\"batch\",64],[\"param\",0],[\"param\",768],[\"state\",0],[\"state\",768],"                       \
    "   [\"scalar\",0]], \"tasks\": 49, \"per_picture\": false, \"layer\": \"fc\"}],"                                  \
    " \"outputs\": {\"loss\": {\"region\": \"batch\", \"offset\": 128, \"shape\": [], \"block\": [1,1], \"stride\": "  \
    "64},"                                                                                                             \
    "               \"logits\": " TOY_OUTPUT(0) "}}"
#define TOY_SETTINGS                                                                                                   \
    "{\"input\": {\"colour\": \"rgb\", \"size\": [4,4], \"resize\": {\"call\": \"exact\", \"size\": [4,4]}, "          \
    "\"filter\": \"bilinear\", \"antialias\": true,"                                                                   \
    "   \"mean\": [0.5,0.5,0.5], \"std\": [0.25,0.25,0.25]},"                                                          \
    " \"augment\": {\"\": [{\"call\": \"random_crop\", \"size\": [4,4], \"pad\": 1}, {\"call\": \"hflip\", \"p\": "    \
    "0.5}]},"                                                                                                          \
    " \"train\": {\"\": {\"batch\": 4, \"optimizer\": {\"call\": \"sgd\", \"momentum\": 0.9, \"nesterov\": false,"     \
    "   \"weight_decay\": 0}, \"lr\": [{\"call\": \"cosine\", \"base\": 0.05, \"to\": 0}],"                            \
    "   \"stop\": {\"value\": 3, \"unit\": \"epochs\"}, \"evaluate\": {\"value\": 1, \"unit\": \"epochs\"}, "          \
    "\"seed\": 7,"                                                                                                     \
    "   \"drop_last\": false}}}"
#define TOY_MODEL(params, state, infer, train, settings)                                                               \
    "{\"abi\": 1, \"version\": \"0.1.0\", \"name\": \"toy\", \"file\": \"toy.net\", \"source\": \"net toy\\n\","       \
    " \"options\": {}, \"target\": {\"cpu\": \"any\", \"features\": \"\", \"lanes\": 1}, \"max_batch\": 8,"            \
    " \"input\": {\"channels\": 3, \"height\": 4, \"width\": 4}, \"classes\": 3, \"params_total\": 147, "              \
    "\"macs_total\": 144,"                                                                                             \
    " \"layers\": [{\"name\": \"fc\", \"op\": \"fc\", \"shape\": [3], \"params\": 147, \"macs\": 144, \"line\": 3},"   \
    "              {\"name\": \"softmax\", \"op\": \"softmax\", \"shape\": [3], \"params\": 0, \"macs\": 0, "          \
    "\"line\": 4}],"                                                                                                   \
    " \"param_bytes\": 832, \"state_bytes\": 832, \"params\": " params ", \"state\": " state ","                       \
    " \"programs\": {\"infer\": " infer ", \"train\": " train "}, \"settings\": " settings "}"

static const char toy_model[] = TOY_MODEL(TOY_PARAMS, TOY_STATE, TOY_INFER, TOY_TRAIN, TOY_SETTINGS);

#endif
