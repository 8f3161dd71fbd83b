/* Mutations that know what a word and a line are, for libFuzzer: bytes alone seldom lead from one net to another. Half
 * of the time, libFuzzer's own. */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

typedef struct Piece {
    size_t from, to;
} Piece;

typedef struct Text {
    uint8_t *byte;
    size_t n, max;
    uint64_t random;
} Text;

static size_t below(Text *t, size_t n) {
    t->random = t->random * 6364136223846793005u + 1442695040888963407u;
    return n ? (size_t)(t->random >> 33) % n : 0;
}

/* Replaces the piece. */
static void put(Text *t, Piece p, const uint8_t *with, size_t n) {
    uint8_t *copy = malloc(n + 1);
    if (!copy || t->n - (p.to - p.from) + n > t->max) {
        free(copy);
        return;
    }
    memcpy(copy, with, n); /* it may be a part of the text */
    memmove(t->byte + p.from + n, t->byte + p.to, t->n - p.to);
    memcpy(t->byte + p.from, copy, n);
    t->n = t->n - (p.to - p.from) + n;
    free(copy);
}

static bool is_word(uint8_t c) { return isalnum(c) || c == '_' || c == '.'; }

/* The word or sign around a random byte. */
static Piece any_word(Text *t) {
    Piece p = {below(t, t->n), 0};
    p.to = p.from + 1;
    if (!is_word(t->byte[p.from])) return p;
    while (p.from > 0 && is_word(t->byte[p.from - 1])) p.from--;
    while (p.to < t->n && is_word(t->byte[p.to])) p.to++;
    return p;
}

static Piece any_line(Text *t) {
    Piece p = {below(t, t->n), 0};
    p.to = p.from;
    while (p.from > 0 && t->byte[p.from - 1] != '\n') p.from--;
    while (p.to < t->n && t->byte[p.to++] != '\n') continue;
    return p;
}

/* From an opening bracket to its closing one; a word if there is none behind a random byte. */
static Piece any_group(Text *t) {
    size_t from = below(t, t->n), depth = 0;
    while (from < t->n && !strchr("([{", t->byte[from])) from++;
    for (size_t i = from; i < t->n; i++) {
        if (t->byte[i] && strchr("([{", t->byte[i])) depth++;
        if (t->byte[i] && strchr(")]}", t->byte[i]) && --depth == 0) return (Piece){from, i + 1};
    }
    return any_word(t);
}

static void change_number(Text *t) {
    static const char *const number[] = {"0",
                                         "1",
                                         "2",
                                         "3",
                                         "7",
                                         "8",
                                         "16",
                                         "255",
                                         "1000",
                                         "65535",
                                         "100000",
                                         "1000001",
                                         "2147483647",
                                         "2147483648",
                                         "4611686018427387904",
                                         "9223372036854775807",
                                         "-1",
                                         "0.5",
                                         "0.0",
                                         "1e-30",
                                         "1e300",
                                         "1.7e308",
                                         "1/3",
                                         "(-7)",
                                         "1x1",
                                         "2147483647x1",
                                         "[1, 2]",
                                         "[0, 1, 2, 3]",
                                         "0..4",
                                         "5 epochs",
                                         "3 steps",
                                         "2 GiB",
                                         "true",
                                         "false"};
    Piece p = any_word(t);
    for (int i = 0; i < 16 && !isdigit(t->byte[p.from]); i++) p = any_word(t);
    const char *with = number[below(t, sizeof number / sizeof *number)];
    put(t, p, (const uint8_t *)with, strlen(with));
}

/* A word changed by libFuzzer, which knows the dictionary. */
static void change_word(Text *t) {
    uint8_t word[256];
    Piece p = any_word(t);
    size_t n = p.to - p.from;
    if (n > 64) return;
    memcpy(word, t->byte + p.from, n);
    n = LLVMFuzzerMutate(word, n, sizeof word);
    put(t, p, word, n);
}

static void copy_piece(Text *t, Piece (*choose)(Text *), bool replace) {
    Piece from = choose(t), to = choose(t);
    if (!replace) to.to = to.from;
    put(t, to, t->byte + from.from, from.to - from.from);
}

static void step(Text *t) {
    switch (below(t, 8)) {
    case 0:
    case 1: change_number(t); break;
    case 2: change_word(t); break;
    case 3: copy_piece(t, any_word, true); break;
    case 4: copy_piece(t, any_line, below(t, 2)); break;
    case 5: copy_piece(t, any_group, true); break;
    case 6: put(t, any_line(t), t->byte, 0); break;
    default: put(t, below(t, 2) ? any_word(t) : any_group(t), t->byte, 0); break;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
    Text t = {data, size, max, seed};
    below(&t, 1);
    if (size == 0 || below(&t, 2)) return LLVMFuzzerMutate(data, size, max);
    for (size_t i = 1 + below(&t, 4); i > 0 && t.n > 0; i--) step(&t);
    return t.n > 0 ? t.n : LLVMFuzzerMutate(data, size, max);
}
