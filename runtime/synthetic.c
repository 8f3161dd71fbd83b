#include "synthetic.h"

#include "rng.h"

enum { WAVES = 2, COLOURS = 3, TURN = 1 << 16, PEAK = TURN / 4, MOST_WAVES = 4, STRENGTH = 56, NOISE = 32 };

/* Which stream of random numbers: what a class looks like, and what is a picture's own. */
enum { OF_CLASS, OF_PICTURE };

/* A grating: how many waves fit across and down a picture, 0 to 2^16 for a whole one where it begins, and how much it
 * adds to each colour. */
typedef struct Wave {
    int32_t across, down, from, colour[COLOURS];
} Wave;

static int32_t between(Rng *r, int32_t low, int32_t high) {
    return low + (int32_t)rng_below(r, (uint32_t)(high - low + 1));
}

static Wave wave_of_class(Rng *r) {
    Wave w = {.across = between(r, 0, MOST_WAVES), .down = between(r, -MOST_WAVES, MOST_WAVES)};
    if (!w.across && !w.down) w.down = 1;
    w.from = between(r, 0, TURN - 1);
    for (int c = 0; c < COLOURS; c++) w.colour[c] = between(r, -STRENGTH, STRENGTH);
    return w;
}

/* A wave of straight lines: -PEAK to PEAK. */
static int32_t height_at(uint32_t phase) {
    int32_t x = (int32_t)(phase % TURN) - TURN / 2;
    return (x < 0 ? -x : x) - PEAK;
}

static uint8_t to_byte(int32_t x) { return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x); }

/* The phases at the beginning of a row, and what a pixel to the right adds to them. */
static void start_row(const Wave wave[WAVES], const Image *out, int32_t y, uint32_t phase[WAVES], uint32_t step[WAVES]) {
    for (int i = 0; i < WAVES; i++) {
        int64_t down = (int64_t)wave[i].down * y * TURN / out->height;
        phase[i] = (uint32_t)(int32_t)(wave[i].from + down);
        step[i] = (uint32_t)(wave[i].across * TURN / out->width);
    }
}

static void paint_pixel(const Wave wave[WAVES], const uint32_t phase[WAVES], int32_t grey, uint32_t noise, uint8_t *pixel) {
    for (int c = 0; c < COLOURS; c++, noise >>= 8) {
        int32_t sum = 0;
        for (int i = 0; i < WAVES; i++) sum += wave[i].colour[c] * height_at(phase[i]) / PEAK;
        pixel[c] = to_byte(grey + sum + (int32_t)(noise & 0xFF) * NOISE / 128 - NOISE);
    }
    pixel[COLOURS] = 0;
}

void synthetic_paint(uint64_t seed, uint32_t sample, int32_t label, Image *out) {
    Rng class = rng_stream(RNG_SYNTHETIC, 0, 0, (uint32_t)label, OF_CLASS);
    Rng own = rng_stream(RNG_SYNTHETIC, seed, 0, sample, OF_PICTURE);
    Wave wave[WAVES];
    uint32_t phase[WAVES], step[WAVES];
    int32_t contrast = between(&own, 60, 100), grey = between(&own, 108, 148);
    for (int i = 0; i < WAVES; i++) {
        wave[i] = wave_of_class(&class);
        wave[i].from += between(&own, -TURN / 6, TURN / 6);
        for (int c = 0; c < COLOURS; c++) wave[i].colour[c] = wave[i].colour[c] * contrast / 100;
    }
    uint8_t *pixel = out->pixel;
    for (int32_t y = 0; y < out->height; y++) {
        start_row(wave, out, y, phase, step);
        for (int32_t x = 0; x < out->width; x++, pixel += IMAGE_PIXEL_BYTES) {
            paint_pixel(wave, phase, grey, rng_u32(&own), pixel);
            for (int i = 0; i < WAVES; i++) phase[i] += step[i];
        }
    }
}
