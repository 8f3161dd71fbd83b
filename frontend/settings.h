/* Sections (input, data, augment, train, eval, deploy): checked against tables, defaults filled in, printed as the JSON
 * that runtime/abi.h documents. The keys of a section and the parameters of a call in one are signatures, the same as
 * those of layers, so unknown names, missing and repeated arguments are found by the same code (bind.c). */
#ifndef CNNC_FRONTEND_SETTINGS_H
#define CNNC_FRONTEND_SETTINGS_H

#include "eval.h"

typedef struct SectionKind {
    const char *name;
    const char *keys;            /* signature; NULL: a list of steps instead, calls of the group of the same name, or clauses */
    bool train;                  /* says how the net is trained; may hold group PATTERN { } */
    bool deploy;                 /* says how the net is deployed */
    bool contract;               /* clauses that compare figures, see contract.h */
    bool compiled;               /* decides what is compiled: one section of the kind holds, chosen by cnnc */
} SectionKind;

/* NULL: this version has no such section. */
const SectionKind *section_find(const char *name);
/* The i-th kind of section, NULL behind the last. */
const SectionKind *section_at(int i);

/* The section as V_RECORD, or V_LIST of V_RECORDs for steps; V_ERROR if anything was reported. */
Value section_eval(Elab *e, const SectionKind *kind, const SettingList *list, Span at);
/* The signature of `group PATTERN { }`, evaluated. */
Value group_eval(Elab *e, const SettingList *list, Span at);
/* What stands behind `key =`, NULL if nothing does. */
const AstExpr *settings_value(const SettingList *list, const char *key);
/* Types that exist only in settings; NULL if there is no such type. */
const ParamType *settings_type_find(const char *name, size_t n);
/* A call of group `group` named `name`, or NULL. */
const Function *settings_call_find(const char *group, const char *name);
/* Does the language have the name there, but not this version? See later.def. */
bool settings_is_later(const char *where, const char *name);
int settings_call_names(const char *group, const char **out, int cap);

#endif
