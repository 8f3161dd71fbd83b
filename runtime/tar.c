#include "tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 512, NAME_MOST = 4096, RECORDS_MOST = 1 << 20, PADDING_MOST = 1 << 20 };

typedef struct Header {
    char name[100], mode[8], user_id[8], group_id[8], size[12], time[12], sum[8], kind, link[100], magic[8], user[32],
        group[32], device[16], prefix[155], rest[12];
} Header;
_Static_assert(sizeof(Header) == BLOCK, "a header is a block");

typedef struct Walk {
    TarPart part;
    uint64_t at; /* of the next header */
    Header h;
    uint64_t size;        /* of the member, as its header says */
    bool named, sized;    /* headers before it said: */
    uint64_t long_size;   /* its size */
    char *name, *records; /* its name; what a pax header holds */
    size_t name_room, records_room;
    size_t *passed_over;
    TarVisit *visit;
    void *context;
} Walk;

static bool spoilt(const Walk *w, const char *what, RtError *err) {
    return !rt_fail(err, RT_DATA, "%s: at byte %llu: %s", w->part.name, (unsigned long long)w->at, what);
}

bool tar_bytes(int fd, const char *name, uint64_t at, void *to, size_t n, RtError *err) {
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return !rt_fail(err, RT_NO_INPUT, "%s: at byte %llu: %m", name, (unsigned long long)at);
        if (got == 0)
            return !rt_fail(err, RT_DATA, "%s: the archive ends at byte %llu; it was longer", name,
                            (unsigned long long)(at + done));
        done += (size_t)got;
    }
    return true;
}

/* ---- headers ---- */

/* Octal digits between blanks and zero bytes, or, with the highest bit of the first byte, a big-endian number: GNU's
 * for what 11 digits cannot say. False if it is neither, negative or 2^63 and more. */
static bool read_number(const char *field, size_t n, uint64_t *out) {
    uint64_t value = (uint8_t)field[0] & 0x3f;
    size_t i = 1;
    if ((uint8_t)field[0] & 0x80) {
        if (field[0] & 0x40) return false;
        for (; i < n && value < (uint64_t)1 << 55; i++) value = value << 8 | (uint8_t)field[i];
        *out = value;
        return i == n;
    }
    for (i = 0; i < n && field[i] == ' ';) i++;
    size_t first = i;
    for (value = 0; i < n && field[i] >= '0' && field[i] <= '7'; i++) value = value << 3 | (uint64_t)(field[i] - '0');
    *out = value;
    return i > first && (i == n || field[i] == ' ' || field[i] == 0);
}

/* The sum of all bytes, blanks for itself; once upon a time they were added as signed ones. */
static bool sum_fits(const Header *h) {
    const char *byte = (const char *)h;
    uint64_t said;
    int64_t plain = 0, with_sign = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        bool own = i >= offsetof(Header, sum) && i < offsetof(Header, sum) + sizeof h->sum;
        plain += own ? ' ' : (uint8_t)byte[i];
        with_sign += own ? ' ' : (int8_t)byte[i];
    }
    return read_number(h->sum, sizeof h->sum, &said) && ((int64_t)said == plain || (int64_t)said == with_sign);
}

static bool all_zero(const char *byte, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (byte[i]) return false;
    return true;
}

/* Archives that were packed as a whole have no places of members. */
static const struct Packed {
    const char *bytes;
    size_t n;
    const char *what;
} packed[] = {
    {"\037\213", 2, "gzip"},
    {"\375"
     "7zXZ",
     5, "xz"},
    {"(\265/\375", 4, "zstd"},
    {"BZh", 3, "bzip2"},
};

static bool wrong_sum(const Walk *w, RtError *err) {
    for (size_t i = 0; w->at == w->part.begin && i < sizeof packed / sizeof packed[0]; i++)
        if (!memcmp(&w->h, packed[i].bytes, packed[i].n))
            return !rt_fail(err, RT_DATA,
                            "%s: an archive packed by %s, which cannot be read in any order; unpack it to a plain .tar",
                            w->part.name, packed[i].what);
    return spoilt(w, "the sum of a header is wrong; this is no tar archive or a damaged one", err);
}

/* The bytes behind the header are in the archive. */
static bool read_size(Walk *w, RtError *err) {
    if (!read_number(w->h.size, sizeof w->h.size, &w->size)) return spoilt(w, "the size of a member is no number", err);
    if (w->sized) w->size = w->long_size;
    if (w->size <= w->part.end - w->at - BLOCK) return true;
    return !rt_fail(err, RT_DATA, "%s: at byte %llu: a member of %llu bytes, and the archive ends at byte %llu",
                    w->part.name, (unsigned long long)w->at, (unsigned long long)w->size,
                    (unsigned long long)w->part.end);
}

static void skip(Walk *w) { w->at += BLOCK + (w->size + BLOCK - 1) / BLOCK * BLOCK; }

/* ---- what headers say of the next member ---- */

static bool keep_name(Walk *w, const char *name, size_t n, RtError *err) {
    if (memchr(name, 0, n)) return spoilt(w, "a name with a zero byte", err);
    if (n > NAME_MOST)
        return !rt_fail(err, RT_LIMIT, "%s: at byte %llu: a name of %zu bytes, over the limit of %d", w->part.name,
                        (unsigned long long)w->at, n, NAME_MOST);
    if (!rt_reserve(&w->name, &w->name_room, n + 1, 1, err)) return false;
    memcpy(w->name, name, n);
    w->name[n] = 0;
    return true;
}

/* What the header in w->h has behind it, and a zero byte. */
static bool read_records(Walk *w, RtError *err) {
    if (!read_size(w, err)) return false;
    if (w->size > RECORDS_MOST)
        return !rt_fail(err, RT_LIMIT, "%s: at byte %llu: a name or pax header of %llu bytes, over the limit of %d",
                        w->part.name, (unsigned long long)w->at, (unsigned long long)w->size, RECORDS_MOST);
    if (!rt_reserve(&w->records, &w->records_room, (size_t)w->size + 1, 1, err)) return false;
    w->records[w->size] = 0;
    return tar_bytes(w->part.fd, w->part.name, w->at + BLOCK, w->records, (size_t)w->size, err);
}

static bool take_long_name(Walk *w, RtError *err) {
    if (!read_records(w, err)) return false;
    size_t n = (size_t)w->size;
    while (n > 0 && w->records[n - 1] == 0) n--;
    w->named = true;
    if (!keep_name(w, w->records, n, err)) return false;
    skip(w);
    return true;
}

static bool read_decimal(const char *text, size_t n, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || value > INT64_MAX / 10 - 1) return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return n > 0;
}

static bool is_key(const char *key, size_t n, const char *word) { return n == strlen(word) && !memcmp(key, word, n); }

static bool take_record(Walk *w, const char *key, size_t n_key, const char *value, size_t n, RtError *err) {
    static const char sparse[] = "GNU.sparse.";
    if (n_key >= sizeof sparse - 1 && !memcmp(key, sparse, sizeof sparse - 1)) return spoilt(w, "a sparse member", err);
    if (is_key(key, n_key, "path")) {
        w->named = true;
        return keep_name(w, value, n, err);
    }
    if (!is_key(key, n_key, "size")) return true;
    w->sized = true;
    return read_decimal(value, n, &w->long_size) || spoilt(w, "the size in a pax header is no number", err);
}

/* Records "LENGTH KEY=VALUE\n", the length that of all of it. */
static bool take_pax(Walk *w, RtError *err) {
    if (!read_records(w, err)) return false;
    for (const char *p = w->records, *end = p + w->size; p < end;) {
        size_t digits = strspn(p, "0123456789");
        uint64_t length;
        if (!read_decimal(p, digits, &length) || length > (uint64_t)(end - p) || length < digits + 3 ||
            p[digits] != ' ' || p[length - 1] != '\n')
            return spoilt(w, "a pax header that is damaged", err);
        const char *key = p + digits + 1, *equals = memchr(key, '=', (size_t)length - digits - 2);
        p += length;
        if (!equals) return spoilt(w, "a pax header that is damaged", err);
        if (!take_record(w, key, (size_t)(equals - key), equals + 1, (size_t)(p - 1 - (equals + 1)), err)) return false;
    }
    skip(w);
    return true;
}

/* ---- members ---- */

static bool forget(Walk *w) {
    w->named = w->sized = false;
    return true;
}

/* The name in the header itself: in ustar with what stands before it. */
static bool take_name(Walk *w, RtError *err) {
    char name[sizeof w->h.prefix + 1 + sizeof w->h.name];
    size_t n = 0, tail = strnlen(w->h.name, sizeof w->h.name);
    if (!memcmp(w->h.magic, "ustar", 6) && w->h.prefix[0]) {
        n = strnlen(w->h.prefix, sizeof w->h.prefix);
        memcpy(name, w->h.prefix, n);
        name[n++] = '/';
    }
    memcpy(name + n, w->h.name, tail);
    return keep_name(w, name, n + tail, err);
}

static bool take_member(Walk *w, RtError *err) {
    if (!read_size(w, err) || (!w->named && !take_name(w, err))) return false;
    size_t n = strlen(w->name);
    bool folder = n > 0 && w->name[n - 1] == '/'; /* V7's way of saying it */
    if (!folder && !w->visit(w->context, w->name, w->at + BLOCK, w->size, err)) return false;
    skip(w);
    return forget(w);
}

static bool take_folder(Walk *w, RtError *err) {
    (void)err;
    w->at += BLOCK;
    return forget(w);
}

/* No bytes follow, whatever the size says: for links it is that of what they are links to. */
static bool take_link(Walk *w, RtError *err) {
    ++*w->passed_over;
    return take_folder(w, err);
}

static bool take_other(Walk *w, RtError *err) {
    if (!read_size(w, err)) return false;
    ++*w->passed_over;
    skip(w);
    return forget(w);
}

/* Long names of links, labels of volumes, pax headers for all that follow: nothing about where bytes are. */
static bool take_remark(Walk *w, RtError *err) {
    if (!read_size(w, err)) return false;
    skip(w);
    return true;
}

static bool refuse_sparse(Walk *w, RtError *err) { return spoilt(w, "a sparse member", err); }

/* ONE ROW PER KIND of header; any other is a member that is passed over. */
static const struct Kind {
    char letter;
    bool (*take)(Walk *w, RtError *err);
} kinds[] = {
    {'0', take_member},    {0, take_member},   {'7', take_member}, {'5', take_folder}, {'1', take_link},
    {'2', take_link},      {'3', take_link},   {'4', take_link},   {'6', take_link},   {'x', take_pax},
    {'L', take_long_name}, {'g', take_remark}, {'K', take_remark}, {'V', take_remark}, {'S', refuse_sparse},
};

static bool take(Walk *w, RtError *err) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].letter == w->h.kind) return kinds[i].take(w, err);
    return take_other(w, err);
}

/* Two blocks of zeros, and then nothing but zeros: archives are filled up to a whole number of large blocks. */
static bool check_end(Walk *w, RtError *err) {
    char block[BLOCK];
    uint64_t first = w->at;
    if (w->part.end - first < 2 * BLOCK) return spoilt(w, "the archive ends after one block of zeros, not two", err);
    if (w->part.end - first > PADDING_MOST) return spoilt(w, "the archive goes on behind its end", err);
    for (; w->at < w->part.end; w->at += BLOCK) {
        size_t n = w->part.end - w->at < BLOCK ? (size_t)(w->part.end - w->at) : BLOCK;
        if (!tar_bytes(w->part.fd, w->part.name, w->at, block, n, err)) return false;
        if (!all_zero(block, n)) return spoilt(w, "the archive goes on behind its end", err);
    }
    return true;
}

/* The next header; *end if it is the end. */
static bool read_header(Walk *w, bool *end, RtError *err) {
    if (w->at >= w->part.end)
        return spoilt(w, "the archive was cut: the two blocks of zeros at its end are missing", err);
    if (w->part.end - w->at < BLOCK) return spoilt(w, "the archive ends within a header", err);
    if (!tar_bytes(w->part.fd, w->part.name, w->at, &w->h, BLOCK, err)) return false;
    *end = all_zero((const char *)&w->h, BLOCK);
    return *end || sum_fits(&w->h) || wrong_sum(w, err);
}

bool tar_walk(const TarPart *part, TarVisit *visit, void *context, size_t *passed_over, RtError *err) {
    Walk w = {.part = *part, .at = part->begin, .visit = visit, .context = context, .passed_over = passed_over};
    bool end = false, good = true;
    while (good && !end) {
        good = read_header(&w, &end, err);
        if (good && !end) good = take(&w, err);
    }
    if (good) good = check_end(&w, err);
    free(w.name);
    free(w.records);
    return good;
}
