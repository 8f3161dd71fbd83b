/* What classes are called where people read it. A text has a line for each class, as ImageNet's words.txt: the name of
 * its folder, a blank or tab, and the name to show, up to the end of the line. Empty lines are passed over; lines about
 * other folders, too.
 *
 * Or it has the names alone, one a line in the order of the classes; then only the last lines may be empty. */
#ifndef CNNC_RUNTIME_SYNSETS_H
#define CNNC_RUNTIME_SYNSETS_H

#include "rt.h"

/* The names of n classes whose folders are `folder`, different ones, in that order: n texts and the array to be
 * released. NULL: RT_NO_INPUT, or RT_DATA where a class has no line or two, or a line no name. */
char **synsets_read(const char *path, char *const *folder, size_t n, RtError *err);

/* The names of a text of these, different ones: *n >= 1 texts and the array to be released. NULL: RT_NO_INPUT, RT_LIMIT
 * with more than a million, or RT_DATA where a name is there twice, none at all, or a line before the last name is
 * empty. */
char **labels_read(const char *path, size_t *n, RtError *err);

#endif
