/* The words of ir/acts.def and ir/losses.def, as expressions of a kernel: for functions with `Lower *l` and `Ref node`. */
#ifndef CNNC_PASSES_LOWER_WORDS_H
#define CNNC_PASSES_LOWER_WORDS_H

#include "lower.h"

#define K(number) num(l, number)
#define NEG(a) ex2(l->k, EX_mul, num(l, -1), a)
#define ADD(a, b) ex2(l->k, EX_add, a, b)
#define SUB(a, b) ex2(l->k, EX_sub, a, b)
#define MUL(a, b) ex2(l->k, EX_mul, a, b)
#define DIV(a, b) ex2(l->k, EX_div, a, b)
#define MIN(a, b) ex2(l->k, EX_min, a, b)
#define MAX(a, b) ex2(l->k, EX_max, a, b)
#define EXP(a) ex1(l->k, EX_exp, a)
#define EXPM1(a) ex1(l->k, EX_expm1, a)
#define LOG(a) ex1(l->k, EX_log, a)
#define SIGMOID(a) ex1(l->k, EX_sigmoid, a)
#define TANH(a) ex1(l->k, EX_tanh, a)
#define ERF(a) ex1(l->k, EX_erf, a)
#define LT(a, b) ex2(l->k, EX_lt, a, b)
#define AND(a, b) ex2(l->k, EX_and, a, b)
#define IF(condition, yes, no) ex3(l->k, EX_select, condition, yes, no)
#define LO num(l, graph_node(l->g, node)->attr.clip.lo)
#define HI num(l, graph_node(l->g, node)->attr.clip.hi)
#define SLOPE num(l, graph_node(l->g, node)->attr.slope.slope)
#define POWER num(l, graph_node(l->g, node)->attr.focal.power)
#define HIT num(l, graph_node(l->g, node)->attr.focal.hit)
#define MISS num(l, graph_node(l->g, node)->attr.focal.miss)

#endif
