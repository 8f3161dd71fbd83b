/* require { }: what a net may cost and has to reach, as clauses that compare a figure with a number. Parameters and
 * multiply-adds are known when the net is built, memory when it is planned, sizes when the program is there; the
 * program itself measures the rest. */
#ifndef CNNC_FRONTEND_CONTRACT_H
#define CNNC_FRONTEND_CONTRACT_H

#include "../ir/unit.h"
#include "eval.h"

/* Reads the clauses of a section into u->clause; mistakes are reported. */
void contract_read(Elab *e, Unit *u, const SettingList *list);
/* Compares all clauses about that figure with its value; one that does not hold is E0420. */
void contract_check(const Unit *u, Figure figure, int64_t value);
/* Is there a clause about it? */
bool contract_mentions(const Unit *u, Figure figure);
/* The clauses that the program checks, as runtime/abi.h has them, with commas between. */
void contract_json(Str *s, const Unit *u);

#endif
