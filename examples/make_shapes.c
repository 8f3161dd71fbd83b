/* Makes the data set of the quick start: small JPEG pictures of twelve shapes.
 *
 *   make_shapes OUT [--train N] [--test N] [--classes N] [--size N] [--seed N]
 *
 * writes OUT/train/CLASS/NNNN.jpg, OUT/test/CLASS/NNNN.jpg (N pictures per class) and OUT/unseen/CLASS.jpg. The shape
 * varies in place, size, colour and a little in rotation; the background is a gradient with noise, blobs and strokes,
 * so that a net has to find the shape and random crops pay. Every picture has its own random stream, keyed by (seed,
 * split, class, number): more pictures of one class change no other, and equal arguments give equal bytes. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>

enum { MAX_SIDE = 512, PATH_BYTES = 4096, SUBSAMPLES = 4, CODE_USAGE = 64, CODE_CANTCREAT = 73 };

typedef struct Colour { float c[3]; } Colour;
typedef struct Point { float x, y; } Point;
typedef struct Picture {
    int width, height;
    float *rgb;                    /* [height][width][3], 0..255 */
} Picture;
typedef struct Options {
    const char *out;
    int64_t train, test, classes, size, seed;
} Options;

/* ---- random numbers: splitmix64 (Steele, Lea, Flood 2014) ---- */

static uint64_t random_state;

static uint64_t random_u64(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [lo, hi). */
static float random_in(float lo, float hi) { return lo + (hi - lo) * (float)(random_u64() >> 40) * 0x1p-24f; }

static void random_start(int64_t seed, int64_t split, int64_t class, int64_t number) {
    const int64_t key[] = {seed, split, class, number};
    random_state = 0;
    for (int i = 0; i < 4; i++) random_state = random_u64() ^ (uint64_t)key[i];
}

/* ---- shapes: is the point inside? Coordinates of about the unit disc, y downwards ---- */

static bool in_polygon(Point p, const Point *v, int n) {
    bool inside = false;
    for (int i = 0, j = n - 1; i < n; j = i++) {
        if ((v[i].y > p.y) == (v[j].y > p.y)) continue;
        if (p.x < (v[j].x - v[i].x) * (p.y - v[i].y) / (v[j].y - v[i].y) + v[i].x) inside = !inside;
    }
    return inside;
}

static bool in_box(Point p, float x, float y) { return fabsf(p.x) <= x && fabsf(p.y) <= y; }
static float radius(Point p) { return sqrtf(p.x * p.x + p.y * p.y); }

static bool in_arrow(Point p) {
    static const Point v[] = {{0, -1}, {0.75f, -0.1f}, {0.28f, -0.1f}, {0.28f, 0.95f}, {-0.28f, 0.95f},
                              {-0.28f, -0.1f}, {-0.75f, -0.1f}};
    return in_polygon(p, v, 7);
}

static bool in_circle(Point p) { return radius(p) <= 0.85f; }
static bool in_crescent(Point p) { return radius(p) <= 0.9f && radius((Point){p.x - 0.45f, p.y}) > 0.72f; }
static bool in_cross(Point p) { return in_box(p, 0.27f, 0.9f) || in_box(p, 0.9f, 0.27f); }
static bool in_frame(Point p) { return in_box(p, 0.8f, 0.8f) && !in_box(p, 0.45f, 0.45f); }

static bool in_heart(Point p) {
    float x = p.x * 1.2f, y = 0.15f - p.y * 1.2f, a = x * x + y * y - 1;
    return a * a * a - x * x * y * y * y <= 0;
}

static bool in_hourglass(Point p) { return fabsf(p.y) <= 0.9f && fabsf(p.x) <= 0.08f + 0.75f * fabsf(p.y); }
static bool in_ring(Point p) { return radius(p) <= 0.92f && radius(p) > 0.55f; }
static bool in_square(Point p) { return in_box(p, 0.75f, 0.75f); }

static bool in_star(Point p) {
    Point v[10];
    for (int i = 0; i < 10; i++) {
        float r = i % 2 ? 0.4f : 1, angle = (float)M_PI * (float)i / 5;
        v[i] = (Point){r * sinf(angle), -r * cosf(angle)};
    }
    return in_polygon(p, v, 10);
}

static bool in_stripes(Point p) { return in_box(p, 0.85f, 0.9f) && fabsf(fmodf(p.y + 1.2f, 0.7f) - 0.3f) <= 0.19f; }

static bool in_triangle(Point p) {
    static const Point v[] = {{0, -0.95f}, {0.9f, 0.7f}, {-0.9f, 0.7f}};
    return in_polygon(p, v, 3);
}

static const struct Shape {
    const char *name;
    bool (*inside)(Point p);
} shape[] = {
    {"arrow", in_arrow}, {"circle", in_circle}, {"crescent", in_crescent}, {"cross", in_cross},
    {"frame", in_frame}, {"heart", in_heart}, {"hourglass", in_hourglass}, {"ring", in_ring},
    {"square", in_square}, {"star", in_star}, {"stripes", in_stripes}, {"triangle", in_triangle},
};
enum { N_SHAPES = sizeof(shape) / sizeof(shape[0]) };

/* ---- painting ---- */

static Colour random_colour(void) {
    return (Colour){{random_in(0, 255), random_in(0, 255), random_in(0, 255)}};
}

static Colour mix(Colour a, Colour b, float t) {
    Colour r;
    for (int i = 0; i < 3; i++) r.c[i] = a.c[i] + (b.c[i] - a.c[i]) * t;
    return r;
}

static float distance(Colour a, Colour b) {
    float sum = 0;
    for (int i = 0; i < 3; i++) sum += (a.c[i] - b.c[i]) * (a.c[i] - b.c[i]);
    return sqrtf(sum);
}

/* A colour that stands out from the whole gradient a..b. */
static Colour contrasting_colour(Colour a, Colour b) {
    for (float least = 150;; least -= 1) {
        Colour c = random_colour();
        float near = INFINITY;
        for (int i = 0; i <= 4; i++) near = fminf(near, distance(c, mix(a, b, (float)i / 4)));
        if (near >= least) return c;
    }
}

static void blend(Picture *p, int x, int y, Colour colour, float alpha) {
    float *at = p->rgb + 3 * ((size_t)y * (size_t)p->width + (size_t)x);
    for (int i = 0; i < 3; i++) at[i] += (colour.c[i] - at[i]) * alpha;
}

static void paint_gradient(Picture *p, Colour a, Colour b) {
    float angle = random_in(0, 2 * (float)M_PI), dx = cosf(angle), dy = sinf(angle);
    float reach = 0.5f * (fabsf(dx) * (float)p->width + fabsf(dy) * (float)p->height);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            float along = dx * ((float)x - 0.5f * (float)p->width) + dy * ((float)y - 0.5f * (float)p->height);
            blend(p, x, y, mix(a, b, 0.5f + 0.5f * along / reach), 1);
        }
}

/* Small ellipses and thin strokes of any colour: what a net must learn not to look at. */
static void paint_distractor(Picture *p) {
    Colour colour = random_colour();
    bool stroke = random_in(0, 1) < 0.3f;
    float cx = random_in(0, (float)p->width), cy = random_in(0, (float)p->height), angle = random_in(0, (float)M_PI);
    float long_axis = stroke ? random_in(8, 20) : random_in(1.5f, 5), short_axis = stroke ? 0.9f : random_in(1.5f, 5);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            float u = (float)x - cx, v = (float)y - cy;
            float s = (u * cosf(angle) + v * sinf(angle)) / long_axis;
            float t = (v * cosf(angle) - u * sinf(angle)) / short_axis;
            if (s * s + t * t <= 1) blend(p, x, y, colour, 0.7f);
        }
}

/* Share of the pixel (x, y) that the shape covers. */
static float coverage(const struct Shape *s, float x, float y, float scale, float sine, float cosine) {
    int hits = 0;
    for (int i = 0; i < SUBSAMPLES * SUBSAMPLES; i++) {
        float u = x + ((float)(i % SUBSAMPLES) + 0.5f) / SUBSAMPLES;
        float v = y + ((float)(i / SUBSAMPLES) + 0.5f) / SUBSAMPLES;
        hits += s->inside((Point){(u * cosine + v * sine) / scale, (v * cosine - u * sine) / scale});
    }
    return (float)hits / (SUBSAMPLES * SUBSAMPLES);
}

static void paint_shape(Picture *p, const struct Shape *s, Colour colour) {
    float side = (float)(p->width < p->height ? p->width : p->height);
    float scale = random_in(0.2f, 0.36f) * side, angle = random_in(-0.3f, 0.3f);
    float cx = random_in(scale, (float)p->width - scale), cy = random_in(scale, (float)p->height - scale);
    Colour shade = mix(colour, random_colour(), 0.15f);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            float alpha = coverage(s, (float)x - cx, (float)y - cy, scale, sinf(angle), cosf(angle));
            blend(p, x, y, mix(colour, shade, (float)y / (float)p->height), alpha);
        }
}

static void paint_noise(Picture *p) {
    float strength = random_in(2, 14);
    for (int64_t i = 0; i < (int64_t)p->width * p->height * 3; i++) p->rgb[i] += random_in(-strength, strength);
}

/* Draws with the stream that random_start chose. The sides vary by a tenth around `size`. */
static void paint(Picture *p, const struct Shape *s, int64_t size) {
    p->width = (int)lrintf((float)size * random_in(0.9f, 1.1f));
    p->height = (int)lrintf((float)size * random_in(0.9f, 1.1f));
    Colour a = random_colour(), b = mix(a, random_colour(), 0.6f);
    paint_gradient(p, a, b);
    for (int n = (int)random_in(2, 9); n > 0; n--) paint_distractor(p);
    paint_shape(p, s, contrasting_colour(a, b));
    paint_noise(p);
}

/* ---- files ---- */

static void fail(const char *path) {
    fprintf(stderr, "make_shapes: %s: %s\n", path, strerror(errno));
    exit(CODE_CANTCREAT);
}

static void make_folder(const char *path) {
    if (mkdir(path, 0777) != 0 && errno != EEXIST) fail(path);
}

static void write_jpeg(const Picture *p, const char *path) {
    FILE *f = fopen(path, "wb");
    if (!f) fail(path);
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct c = {.err = jpeg_std_error(&errors)};
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, f);
    c.image_width = (JDIMENSION)p->width;
    c.image_height = (JDIMENSION)p->height;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 92, TRUE);
    jpeg_start_compress(&c, TRUE);
    JSAMPLE line[3 * (MAX_SIDE + MAX_SIDE / 10 + 1)];
    for (int y = 0; y < p->height; y++) {
        for (int i = 0; i < 3 * p->width; i++)
            line[i] = (JSAMPLE)lrintf(fminf(fmaxf(p->rgb[y * p->width * 3 + i], 0), 255));
        JSAMPROW row = line;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    if (fclose(f) != 0) fail(path);
}

/* Pictures 0..count of every class of one split; count 1 of "unseen" has no class folders. */
static void make_split(const Options *o, Picture *p, int64_t split, const char *name, int64_t count) {
    char folder[PATH_BYTES], path[PATH_BYTES + 64];
    bool flat = strcmp(name, "unseen") == 0;
    snprintf(folder, sizeof folder, "%s/%s", o->out, name);
    make_folder(folder);
    for (int64_t class = 0; class < o->classes; class++) {
        snprintf(path, sizeof path, "%s/%s", folder, shape[class].name);
        if (!flat) make_folder(path);
        for (int64_t i = 0; i < count; i++) {
            random_start(o->seed, split, class, i);
            paint(p, &shape[class], o->size);
            if (flat) snprintf(path, sizeof path, "%s/%s.jpg", folder, shape[class].name);
            else snprintf(path, sizeof path, "%s/%s/%04d.jpg", folder, shape[class].name, (int)i);
            write_jpeg(p, path);
        }
    }
}

static void usage(const char *why, const char *what) {
    fprintf(stderr, "make_shapes: %s%s\n"
            "usage: make_shapes OUT [--train N] [--test N] [--classes 1..%d] [--size 16..%d] [--seed N]\n",
            why, what, N_SHAPES, MAX_SIDE);
    exit(CODE_USAGE);
}

static Options parse_options(int argc, char **argv) {
    Options o = {.train = 250, .test = 50, .classes = N_SHAPES, .size = 72, .seed = 1};
    const struct { const char *name; int64_t *value, lo, hi; } known[] = {
        {"--train", &o.train, 0, 9999}, {"--test", &o.test, 0, 9999}, {"--classes", &o.classes, 1, N_SHAPES},
        {"--size", &o.size, 16, MAX_SIDE}, {"--seed", &o.seed, 0, INT64_MAX}};
    if (argc < 2 || argv[1][0] == '-') usage("the output folder is missing", "");
    o.out = argv[1];
    if (strlen(o.out) > PATH_BYTES - 16) usage("the path is too long: ", o.out);
    for (int i = 2; i < argc; i += 2) {
        size_t k = 0, n = sizeof known / sizeof known[0];
        while (k < n && strcmp(known[k].name, argv[i]) != 0) k++;
        if (k == n || i + 1 == argc) usage("unknown or incomplete option: ", argv[i]);
        char *end;
        errno = 0;
        *known[k].value = strtoll(argv[i + 1], &end, 10);
        if (errno || *end || !isdigit((unsigned char)argv[i + 1][0]) || *known[k].value < known[k].lo ||
            *known[k].value > known[k].hi)
            usage("not a number in range: ", argv[i + 1]);
    }
    return o;
}

int main(int argc, char **argv) {
    Options o = parse_options(argc, argv);
    size_t side = MAX_SIDE + MAX_SIDE / 10 + 1;
    Picture p = {.rgb = calloc(side * side * 3, sizeof(float))};
    if (!p.rgb) fail("memory");
    make_folder(o.out);
    make_split(&o, &p, 0, "train", o.train);
    make_split(&o, &p, 1, "test", o.test);
    make_split(&o, &p, 2, "unseen", 1);
    free(p.rgb);
    return 0;
}
