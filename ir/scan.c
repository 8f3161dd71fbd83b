#include "scan.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool scan_text(const char **p, const char *expected) {
    size_t n = strlen(expected);
    if (strncmp(*p, expected, n) != 0) return false;
    *p += n;
    return true;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

bool scan_one_of(const char **p, const char *const *name, int n, int *which) {
    size_t len = 0;
    while (is_word((*p)[len])) len++;
    for (int i = 0; i < n; i++) {
        if (!name[i] || strlen(name[i]) != len || memcmp(name[i], *p, len) != 0) continue;
        *p += len;
        *which = i;
        return true;
    }
    return false;
}

/* strtoll gives the nearest 64-bit number if there are too many digits: also out of range. */
bool scan_i32(const char **p, int32_t *out) {
    const char *digits = *p + (**p == '-');
    if (!isdigit((unsigned char)*digits) || (*digits == '0' && (digits > *p || isdigit((unsigned char)digits[1]))))
        return false;
    char *end;
    long long wide = strtoll(*p, &end, 10);
    if (wide < INT32_MIN || wide > INT32_MAX) return false;
    *p = end;
    *out = (int32_t)wide;
    return true;
}

/* strtod also takes blanks, hexadecimal, "inf" and "nan"; none of these starts as %g prints a finite number. */
bool scan_double(const char **p, double *out) {
    const char *digits = *p + (**p == '-');
    if (!isdigit((unsigned char)*digits) || (*digits == '0' && (digits[1] == 'x' || digits[1] == 'X'))) return false;
    char *end;
    *out = strtod(*p, &end);
    *p = end;
    return isfinite(*out);
}

/* The character after a backslash: \" \\ \n, or \u00XX for another control character. */
static bool scan_escape(const char **p, char *c) {
    static const char from[] = "\"\\n", to[] = "\"\\\n", hex[] = "0123456789abcdef";
    const char *simple = **p ? strchr(from, **p) : NULL;
    if (simple) {
        *c = to[simple - from];
        ++*p;
        return true;
    }
    if (!scan_text(p, "u00") || ((*p)[0] != '0' && (*p)[0] != '1') || !(*p)[1]) return false;
    const char *low = strchr(hex, (*p)[1]);
    if (!low) return false;
    *c = (char)(((*p)[0] - '0') * 16 + (low - hex));
    *p += 2;
    return *c != 0;
}

bool scan_json(Arena *a, const char **p, Name *out) {
    Str s = STR(a);
    if (!scan_text(p, "\"")) return false;
    while (!scan_text(p, "\"")) {
        char c = **p;
        if ((unsigned char)c < 0x20) return false;
        ++*p;
        if (c == '\\' && !scan_escape(p, &c)) return false;
        str_addn(&s, &c, 1);
    }
    *out = name_of(str_text(&s));
    return true;
}
