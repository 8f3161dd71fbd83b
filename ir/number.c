/* See number.h. */
#include "number.h"

#include <stdio.h>

const char *number_thousands(Arena *a, int64_t n) {
    char digits[24];
    Str s = STR(a);
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') str_add(&s, ",");
        str_addn(&s, digits + i, 1);
    }
    return str_text(&s);
}

const char *number_scaled(Arena *a, int64_t n) {
    static const struct {
        double least;
        const char *unit;
    } row[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}};
    for (int i = 0; i < ARRAY_LEN(row); i++)
        if ((double)n >= row[i].least)
            return arena_printf(a, "%.*f %s", i < 2 ? 2 : 1, (double)n / row[i].least, row[i].unit);
    return number_thousands(a, n);
}

const char *number_bytes(Arena *a, int64_t bytes) {
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    double x = (double)bytes / 1024;
    int i = 0;
    if (bytes < 1024) return arena_printf(a, "%d B", (int)bytes);
    for (; x >= 1000 && i < ARRAY_LEN(unit) - 1; i++) x /= 1024;
    return arena_printf(a, "%.1f %s", x, unit[i]);
}
