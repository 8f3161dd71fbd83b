/* Makes a small data set for segmentation: PNG pictures of discs and squares on noise, and their masks.
 *
 *   make_discs OUT TRAIN TEST
 *
 * writes OUT/images/train/NNNN.png, OUT/masks/train/NNNN.png and the same for test: 64 x 64 pixels; in the masks 0 is
 * the background, 1 a disc, 2 a square, 255 the line between them. Shapes vary in place, size and colour; discs are
 * reddish and squares bluish, so that a small net learns them within seconds. Equal arguments give equal bytes. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <png.h>

enum { SIDE = 64, SHAPES = 3, NONE = 255, CODE_USAGE = 64, CODE_CANTCREAT = 73 };

static uint64_t random_state;

/* splitmix64 (Steele, Lea, Flood 2014) */
static double random_in(double lo, double hi) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return lo + (hi - lo) * (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

typedef struct Shape {
    int class; /* 1 or 2 */
    double x, y, radius, colour[3];
} Shape;

typedef struct Scene {
    uint8_t rgb[SIDE * SIDE * 3], mask[SIDE * SIDE];
} Scene;

/* Below 0 inside, above 0 outside: the distance from the outline, roughly. */
static double outside(const Shape *s, double x, double y) {
    double dx = fabs(x - s->x), dy = fabs(y - s->y);
    return (s->class == 1 ? sqrt(dx * dx + dy * dy) : 1.1 * fmax(dx, dy)) - s->radius;
}

static void draw(Scene *scene, const Shape *s) {
    for (int i = 0; i < SIDE * SIDE; i++) {
        double away = outside(s, i % SIDE + 0.5, i / SIDE + 0.5);
        if (away < 0.5) scene->mask[i] = away < -0.5 ? (uint8_t)s->class : NONE;
        for (int c = 0; away < 0 && c < 3; c++)
            scene->rgb[3 * i + c] = (uint8_t)fmin(255, fmax(0, s->colour[c] + random_in(-25, 25)));
    }
}

static void make_scene(Scene *scene) {
    memset(scene->mask, 0, sizeof scene->mask);
    for (size_t i = 0; i < sizeof scene->rgb; i++) scene->rgb[i] = (uint8_t)random_in(0, 140);
    for (int k = 0; k < SHAPES; k++) {
        Shape s = {.class = 1 + (random_in(0, 1) < 0.5), .radius = random_in(7, 13)};
        s.x = random_in(8, SIDE - 8);
        s.y = random_in(8, SIDE - 8);
        for (int c = 0; c < 3; c++) s.colour[c] = random_in(60, 160);
        s.colour[s.class == 1 ? 0 : 2] = random_in(160, 240);
        draw(scene, &s);
    }
}

static void write_png(const char *path, const uint8_t *pixel, png_uint_32 format) {
    png_image image = {.version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = format};
    if (png_image_write_to_file(&image, path, 0, pixel, 0, NULL)) return;
    fprintf(stderr, "make_discs: %s: %s\n", path, image.message);
    exit(CODE_CANTCREAT);
}

static void make_part(const char *out, const char *part, int n) {
    static Scene scene;
    char path[4096];
    const char *kind[] = {"images", "masks"};
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s", out, kind[k]);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%s/%s", out, kind[k], part);
        mkdir(path, 0777);
    }
    for (int i = 0; i < n; i++) {
        random_state = (uint64_t)i * 2 + (part[1] == 'r');
        make_scene(&scene);
        snprintf(path, sizeof path, "%s/images/%s/%04d.png", out, part, i);
        write_png(path, scene.rgb, PNG_FORMAT_RGB);
        snprintf(path, sizeof path, "%s/masks/%s/%04d.png", out, part, i);
        write_png(path, scene.mask, PNG_FORMAT_GRAY);
    }
}

int main(int argc, char **argv) {
    char none[] = "", *end = none;
    long train = argc == 4 ? strtol(argv[2], &end, 10) : 0, test = argc == 4 && !*end ? strtol(argv[3], &end, 10) : 0;
    if (argc != 4 || *end || train < 1 || test < 1 || train > 9999 || test > 9999) {
        fputs("usage: make_discs OUT TRAIN TEST\n", stderr);
        return CODE_USAGE;
    }
    mkdir(argv[1], 0777);
    make_part(argv[1], "train", (int)train);
    make_part(argv[1], "test", (int)test);
    return 0;
}
