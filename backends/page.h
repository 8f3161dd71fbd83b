/* A net as one page of HTML that stands for itself: no network, no font, nothing beside it. */
#ifndef CNNC_BACKENDS_PAGE_H
#define CNNC_BACKENDS_PAGE_H

#include "../ir/outline.h"
#include "../ir/unit.h"

typedef struct PageNet {
    const char *path;        /* of the file, as the author of the page named it */
    const Outline *outline;  /* of the net before any pass */
    const Unit *unit;        /* after all passes, for one processor */
    int64_t memory;          /* what inference at batch 1 takes */
} PageNet;

/* Picture, table of layers, memory plans and source. backends/page.html is the frame; texts are escaped, so that names
 * and paths are shown, whatever is in them. */
void page_print(Str *s, const PageNet *p);

#endif
