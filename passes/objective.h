/* What training minimises and how it steps: the loss at one end of the training graph, the updates at the other. */
#ifndef CNNC_PASSES_OBJECTIVE_H
#define CNNC_PASSES_OBJECTIVE_H

#include "../ir/unit.h"

/* Appends the loss of each picture, the sum of the terms of u->train.loss[], each times its weight, of type f32 [N]; of
 * pictures that are mixed, shares of the losses of both labels. The graph's outputs, which are the logits of these
 * terms in order, become "loss" and "logits" (the first term's). Returns 0 after reporting if the logits are not scores
 * of classes. */
Ref objective_loss(Unit *u, Graph *g);
/* The gradient of the batch's mean loss with respect to each picture's: 1/N. Where gradients are kept
 * (u->train.gathers), of the sum: 1. */
Ref objective_seed(const Unit *u, Graph *g, Ref loss);
/* Appends the optimiser's effect for each trained weight among the first n nodes that has a gradient, with its state;
 * and sums that keep the gradients until then, where u->train.gathers says so: grad then holds these. */
void objective_updates(const Unit *u, Graph *g, Ref *grad, int32_t n);

#endif
