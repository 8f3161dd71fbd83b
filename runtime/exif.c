#include "exif.h"

#include <stdbool.h>
#include <string.h>

enum { SOS = 0xDA, APP1 = 0xE1, TAG = 0x0112, SHORT = 3, ENTRY = 12 };

/* The TIFF structure in a segment: offsets count from its start. */
typedef struct Tiff {
    const uint8_t *data;
    size_t size;
    bool big; /* the most significant byte first */
} Tiff;

/* n bytes at `at` as a number; 0 if they are not there. */
static uint32_t number(const Tiff *t, size_t at, size_t n) {
    uint32_t x = 0;
    if (at > t->size || n > t->size - at) return 0;
    for (size_t i = 0; i < n; i++) x = x << 8 | t->data[at + (t->big ? i : n - 1 - i)];
    return x;
}

/* The first directory's entry for the tag. */
static int orientation_of(const Tiff *t) {
    size_t at = number(t, 4, 4);
    uint32_t entries = number(t, at, 2);
    at += 2;
    for (uint32_t i = 0; i < entries && at < t->size; i++, at += ENTRY) {
        if (number(t, at, 2) != TAG) continue;
        uint32_t value = number(t, at + 8, 2);
        return number(t, at + 2, 2) == SHORT && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* A segment without its length; 0: no EXIF. */
static int segment_orientation(const uint8_t *p, size_t size) {
    static const uint8_t head[6] = {'E', 'x', 'i', 'f', 0, 0};
    if (size < sizeof head + 8 || memcmp(p, head, sizeof head) != 0) return 0;
    Tiff t = {p + sizeof head, size - sizeof head, p[sizeof head] == 'M'};
    bool known = number(&t, 0, 2) == (t.big ? 0x4D4D : 0x4949) && number(&t, 2, 2) == 42;
    return known ? orientation_of(&t) : 1;
}

int exif_orientation(const uint8_t *jpeg, size_t size) {
    size_t at = 2;
    while (at + 4 <= size && jpeg[at] == 0xFF) {
        uint8_t marker = jpeg[at + 1];
        size_t length = (size_t)jpeg[at + 2] << 8 | jpeg[at + 3];
        if (marker == 0xFF) { /* padding before a marker */
            at++;
            continue;
        }
        if (marker == SOS || length < 2 || length > size - at - 2) break;
        int found = marker == APP1 ? segment_orientation(jpeg + at + 4, length - 2) : 0;
        if (found) return found;
        at += 2 + length;
    }
    return 1;
}
