/* Section input: the picture that the net is given. */
#ifndef CNNC_FRONTEND_NET_INPUT_H
#define CNNC_FRONTEND_NET_INPUT_H

#include "settings.h"

/* Appends the input node f32 [N,C,H,W] of the evaluated section; 0 if it contradicts itself (reported). The record is
 * completed in place: mean and std for every channel, filter and antialias beside resize, as runtime/abi.h has them. */
Ref net_input(Elab *e, Record *r, Name name, Span at);
/* The input node alone, for pictures of that size; completed as above. */
Ref net_image(Elab *e, const Record *r, int32_t h, int32_t w, Name name, Span at);
/* The evaluated section eval: where it says a size, what the input's resize and crop are at that, in proportion,
 * becomes `resize` and `crop` of `eval`. */
void input_at_size(Elab *e, const Record *input, Record *eval);
/* Where the first step stands that mixes pictures; NULL: there is none. */
const Span *augment_mixes(const SettingList *list, const Value *steps);
/* Does the training pipeline end with pictures of the input's size, or of several? Reports if not. */
void check_augment(Elab *e, const SettingList *list, const Value *steps, const Record *input);

#endif
