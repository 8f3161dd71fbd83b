/* What the files of the page share: its parts, and texts as HTML. */
#ifndef CNNC_BACKENDS_PAGE_PARTS_H
#define CNNC_BACKENDS_PAGE_PARTS_H

#include "page.h"

/* A layer's buffers and kernels in the plan of inference. */
typedef struct PageUse {
    int64_t bytes;           /* of its buffers for one picture */
    int32_t born, dies;      /* kernels at which they live; -1: it has none; dies INT32_MAX: to the end */
    int32_t first, last;     /* kernels that compute it; -1: none */
} PageUse;

typedef struct Page {
    Arena *arena;
    const PageNet *net;
    const Outline *o;
    const Program *infer, *train;   /* train: NULL without training */
    int32_t start, end;      /* kernels of a call of inference */
    PageUse *use;            /* of each layer */
    int32_t *by_name;        /* layers by the address of their names, for page_layer */
} Page;

/* Text of an element or of an attribute in quotes: markup is escaped, what is no UTF-8 and no text becomes U+FFFD. */
void page_text(Str *s, const char *text);
/* At most `most` characters of it, "..." as one character at its end if there were more. */
void page_text_cut(Str *s, const char *text, int32_t most);
/* The layer of that name, or -1. */
int32_t page_layer(const Page *p, Name name);
/* "sum", "window", "norm", "join", "element" or "shape": what family a layer belongs to, which has one colour. */
const char *page_family(const Layer *l);

void page_picture(Str *s, Page *p);                     /* <svg> of the graph */
void page_chart(Str *s, Page *p, const Program *of);    /* <svg> of where and when buffers live */

#endif
