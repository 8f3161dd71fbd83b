/* Smaller nets like a given one: for test_random_nets.c, which keeps those that still fail. Whether a smaller net is
 * one at all is for the front end to say. */
#ifndef CNNC_TESTS_UNIT_NET_SHRINK_H
#define CNNC_TESTS_UNIT_NET_SHRINK_H

#include <stdlib.h>

#include "net_gen.h"

/* Drops values that no output needs. */
static inline void shrink_prune(GenNet *net) {
    bool needed[GEN_VALUES] = {true};
    int32_t to[GEN_VALUES] = {0}, n = 0;
    for (int32_t i = net->n - 1; i >= 0; i--) {
        needed[i] = needed[i] || net->value[i].output;
        for (int32_t k = 0; k < net->value[i].n_in; k++) needed[net->value[i].in[k]] |= needed[i];
    }
    for (int32_t i = 0; i < net->n; i++) {
        if (!needed[i]) continue;
        GenValue v = net->value[i];
        for (int32_t k = 0; k < v.n_in; k++) v.in[k] = to[v.in[k]];
        to[i] = n;
        net->value[n++] = v;
    }
    net->n = n;
}

/* Each shrink_* makes change number k of its kind, false if there are not so many. */

static inline bool shrink_outputs(GenNet *net, int32_t k) {
    if (k >= net->n) return false;
    for (int32_t i = 0; i < net->n; i++) net->value[i].output = i == k;
    return true;
}

static inline bool shrink_bypass(GenNet *net, int32_t k) {
    if (k + 1 >= net->n) return false;
    GenValue *gone = &net->value[k + 1];
    for (int32_t i = k + 2; i < net->n; i++)
        for (int32_t j = 0; j < net->value[i].n_in; j++)
            if (net->value[i].in[j] == k + 1) net->value[i].in[j] = gone->in[0];
    if (gone->output) net->value[gone->in[0]].output = true;
    gone->output = false;
    return true;
}

/* Argument number k of all: where it begins, at its comma. Commas inside brackets part nothing. */
static inline char *shrink_argument(GenNet *net, int32_t k) {
    for (int32_t i = 1; i < net->n; i++) {
        int depth = 0;
        for (char *c = net->value[i].args; *c; c++) {
            depth += (*c == '[') - (*c == ']');
            if (*c == ',' && depth == 0 && k-- == 0) return c;
        }
    }
    return NULL;
}

static inline size_t shrink_length(const char *argument) {
    size_t n = 1;
    for (int depth = 0; argument[n] && (depth || argument[n] != ','); n++)
        depth += (argument[n] == '[') - (argument[n] == ']');
    return n;
}

static inline bool shrink_drop_argument(GenNet *net, int32_t k) {
    char *at = shrink_argument(net, k);
    if (at) memmove(at, at + shrink_length(at), strlen(at + shrink_length(at)) + 1);
    return at != NULL;
}

static inline int32_t shrink_less(int32_t x, int32_t how) { return how == 0 ? 1 : how == 1 ? x / 2 : x - 1; }

/* Number k / 3 of the arguments becomes 1, half, or one less. */
static inline bool shrink_number(GenNet *net, int32_t k) {
    int32_t number = k / 3;
    for (int32_t i = 1; i < net->n; i++)
        for (char *c = net->value[i].args, *end; *c; c = end) {
            end = c + 1;
            if (*c < '0' || *c > '9') continue;
            long x = strtol(c, &end, 10);
            if (number-- > 0) continue;
            char rest[GEN_ARGS];
            snprintf(rest, sizeof rest, "%d%s", shrink_less((int32_t)x, k % 3), end);
            snprintf(c, (size_t)(net->value[i].args + GEN_ARGS - c), "%s", rest);
            return true;
        }
    return false;
}

static inline bool shrink_picture(GenNet *net, int32_t k) {
    GenShape *p = &net->value[0].shape;
    int32_t *what[] = {&p->c, &p->h, &p->w};
    if (k >= 9) return false;
    if (k / 3 == 0 && k > 0) return true; /* three colours or one */
    *what[k / 3] = shrink_less(*what[k / 3], k % 3);
    return true;
}

/* Change number k of *net: 1 made, 0 there is no such change, -1 it changes nothing or is no net. */
static inline int shrink_change(GenNet *net, int32_t k) {
    typedef bool Shrink(GenNet * net, int32_t k);
    static Shrink *const kinds[] = {shrink_outputs, shrink_bypass, shrink_drop_argument, shrink_picture, shrink_number};
    GenNet before = *net;
    for (int i = 0; i < ARRAY_LEN(kinds); i++) {
        int32_t count = 0;
        for (GenNet copy = before; kinds[i](&copy, count); copy = before) count++;
        if (k >= count) {
            k -= count;
            continue;
        }
        kinds[i](net, k);
        shrink_prune(net);
        shrink_prune(&before);
        Arena *a = arena_new();
        Str was = STR(a), now = STR(a);
        gen_print(&was, &before);
        gen_print(&now, net);
        bool same = !strcmp(str_text(&was), str_text(&now));
        arena_free(a);
        return same ? -1 : 1;
    }
    return 0;
}

#endif
