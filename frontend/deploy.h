/* Section deploy, as far as the compiler needs it: what the program keeps and what it is made for. */
#ifndef CNNC_FRONTEND_DEPLOY_H
#define CNNC_FRONTEND_DEPLOY_H

#include "../ir/unit.h"
#include "settings.h"

/* Fills u->deploy from the evaluated section `r` and its text, and takes outputs that `outputs` does not name out of
 * what is deployed: those of `graph`, which may be NULL if there is no net. */
void deploy_build(Elab *e, Unit *u, Graph *graph, const SettingList *list, const Record *r);

#endif
