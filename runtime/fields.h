/* Reading the members of a JSON object that must have a certain type.
 *
 * The functions return the value, or a harmless one (lo, "", NULL) after setting err; errors stick (rt.h), so a parser
 * may read all its fields and look at err->code once. `where` names the object in the message. */
#ifndef CNNC_RUNTIME_FIELDS_H
#define CNNC_RUNTIME_FIELDS_H

#include <jansson.h>

#include "rt.h"

/* A member that must be there. Integers must be written as integers and lie in lo..hi. */
int64_t field_int(const json_t *object, const char *key, int64_t lo, int64_t hi, const char *where, RtError *err);
double field_number(const json_t *object, const char *key, const char *where, RtError *err);
const char *field_text(const json_t *object, const char *key, const char *where, RtError *err);
const json_t *field_array(const json_t *object, const char *key, const char *where, RtError *err);
const json_t *field_object(const json_t *object, const char *key, const char *where, RtError *err);

/* A member that may be absent (or null); then `otherwise`. Of the wrong type it is still an error. */
double field_number_or(const json_t *object, const char *key, double otherwise, const char *where, RtError *err);
bool field_bool_or(const json_t *object, const char *key, bool otherwise, const char *where, RtError *err);
int64_t field_int_or(const json_t *object, const char *key, int64_t otherwise, int64_t lo, int64_t hi,
                     const char *where, RtError *err);

/* A path, from the folder `base` on if it is relative and base not NULL; to be released. NULL if there is none. */
char *field_path(const json_t *object, const char *key, const char *base, RtError *err);

/* A list of at most `most` integers in lo..hi; returns their number and fills out[]. */
int field_ints(const json_t *object, const char *key, int64_t lo, int64_t hi, int64_t *out, int most, const char *where,
               RtError *err);

/* For writing: a number, or null if it is not finite, for which JSON has none. */
json_t *field_real(double x);

#endif
