/* Everything that has vector code elsewhere, in plain C: what is computed is to be read here. */
#include <string.h>
#include "jpeg.h"

static const uint8_t *copy_codes(const uint8_t *codes, const uint8_t *end, uint8_t **out) {
  for (;; codes += 2, *(*out)++ = 0xFF) {
    const uint8_t *mark = memchr(codes, 0xFF, (size_t)(end - codes)), *stop = mark ? mark : end;
    memcpy(*out, codes, (size_t)(stop - codes));
    *out += stop - codes;
    codes = stop;
    if (end - codes < 2 || codes[1]) return codes;
  }
}

static void clear_block(int16_t *block) { memset(block, 0, 64 * sizeof *block); }

#include "walk.h"

static int clamp(int value, int least, int most) { return value < least ? least : value > most ? most : value; }

/* JFIF's YCbCr -> RGB with 16 bits behind the point, as libjpeg rounds it. */
static void colours(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, int count, uint8_t *const out[3]) {
  for (int i = 0; i < count; i++) {
    int blue = cb[i] - 128, red = cr[i] - 128, half = 1 << 15;
    out[0][i] = (uint8_t)clamp(y[i] + ((91881 * red + half) >> 16), 0, 255);
    out[1][i] = (uint8_t)clamp(y[i] + ((-22554 * blue - 46802 * red + half) >> 16), 0, 255);
    out[2][i] = (uint8_t)clamp(y[i] + ((116130 * blue + half) >> 16), 0, 255);
  }
}

/* Each column of chroma gives two: 3/4 of itself and 1/4 of its neighbour, and of rows the same, each bias in 16ths. */
static void smooth(const uint8_t *near, const uint8_t *far, int count, int even, int odd, uint8_t *out) {
  for (int i = 0; i < count; i++) {
    int here = 9 * near[i] + 3 * far[i];
    out[2 * i] = (uint8_t)((here + 3 * near[i - 1] + far[i - 1] + even) >> 4);
    out[2 * i + 1] = (uint8_t)((here + 3 * near[i + 1] + far[i + 1] + odd) >> 4);
  }
}

#include "rows.h"

/* libjpeg's "islow" inverse DCT (Loeffler, Ligtenberg and Moschytz 1989; 13 bits behind the point) of eight values that
   lie `step` apart, in place, rounded to `shift` bits less. Sums of two inputs wrap and results saturate at 16 bits, as
   in libjpeg-turbo's vector code. */
static void inverse_dct_line(int16_t *value, int step, int shift) {
  int v0 = value[0], v1 = value[step], v2 = value[2 * step], v3 = value[3 * step];
  int v4 = value[4 * step], v5 = value[5 * step], v6 = value[6 * step], v7 = value[7 * step];
  int z3 = (int16_t)(v7 + v3), z4 = (int16_t)(v5 + v1), round = 1 << (shift - 1);
  int z3_turned = z3 * -6436 + z4 * 9633, z4_turned = z3 * 9633 + z4 * 6437;
  int e0 = (int16_t)(v0 + v4) * 8192 + round, e1 = (int16_t)(v0 - v4) * 8192 + round;
  int e2 = v2 * 4433 - v6 * 10704, e3 = v2 * 10703 + v6 * 4433;
  int even[4] = {e0 + e3, e1 + e2, e1 - e2, e0 - e3};
  int odd[4] = {v7 * -7373 + v1 * 4926 + z4_turned, v5 * -20995 + v3 * 4177 + z3_turned,
                v5 * -4176 + v3 * -20995 + z4_turned, v7 * -4927 + v1 * -7373 + z3_turned};
  for (int i = 0; i < 4; i++) {
    value[i * step] = (int16_t)clamp((even[i] + odd[i]) >> shift, -32768, 32767);
    value[(7 - i) * step] = (int16_t)clamp((even[i] - odd[i]) >> shift, -32768, 32767);
  }
}

static bool inverse_dct(const struct blocks *blocks) {
  bool beyond = false;
  for (int b = 0; b < AT_ONCE; b++) {
    const int16_t *block = blocks->block[b], *limit = blocks->limit[b];
    int16_t value[64];
    for (int i = 0; i < 64; i++) {
      beyond |= block[i] > limit[i] || block[i] < -limit[i];
      value[i] = (int16_t)(uint16_t)((uint32_t)block[i] * blocks->quantiser[b][i]);
    }
    for (int x = 0; x < 8; x++) inverse_dct_line(value + x, 8, 11);
    for (int y = 0; y < 8; y++) inverse_dct_line(value + 8 * y, 1, 18);
    for (int i = 0; i < 64; i++) blocks->out[b][i / 8 * blocks->stride[b] + i % 8] = (uint8_t)(clamp(value[i], -128, 127) + 128);
  }
  return beyond;
}

static void from_rgb(const uint8_t *rgb, int count, uint8_t *const out[3]) {
  for (int i = 0; i < count; i++)
    for (int c = 0; c < 3; c++) out[c][i] = rgb[3 * i + c];
}

static void to_rgb(const uint8_t *const in[3], int count, uint8_t *rgb) {
  for (int i = 0; i < count; i++)
    for (int c = 0; c < 3; c++) rgb[3 * i + c] = in[c][i];
}

static bool prepare(struct filter *filter) {
  (void)filter;
  return true;
}

INLINE void horizontal_of(const struct filter *filter, int rows, const uint8_t *const *in, uint8_t *const *out) {
  for (int x = 0; x < filter->count; x++) {
    const int16_t *weight = filter->weights + (size_t)x * (size_t)filter->taps;
    int start = filter->start[x], sums[6];
    for (int row = 0; row < rows; row++) sums[row] = 1 << (filter->precision - 1);
    for (int k = 0; k < filter->length[x]; k++)
      for (int row = 0; row < rows; row++) sums[row] += in[row][start + k] * weight[k];
    for (int row = 0; row < rows; row++) out[row][x] = (uint8_t)clamp(sums[row] >> filter->precision, 0, 255);
  }
}

static void horizontal(const struct filter *filter, int rows, const uint8_t *const *in, uint8_t *const *out) {
  if (rows == 6) horizontal_of(filter, 6, in, out);
  else horizontal_of(filter, 2, in, out);
}

static void vertical(const struct filter *filter, int row, const uint8_t *in, size_t stride, int count, uint8_t *out) {
  enum { TOGETHER = 16 };
  const int16_t *weight = filter->weights + (size_t)row * (size_t)filter->taps;
  in += (size_t)filter->start[row] * stride;
  for (int x = 0; x < count; x += TOGETHER) {
    int sums[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) sums[i] = 1 << (filter->precision - 1);
    for (int k = 0; k < filter->length[row]; k++)
      for (int i = 0; i < TOGETHER; i++) sums[i] += in[(size_t)k * stride + (size_t)(x + i)] * weight[k];
    for (int i = 0; i < TOGETHER; i++) out[x + i] = (uint8_t)clamp(sums[i] >> filter->precision, 0, 255);
  }
}

const struct kernels portable_kernels = {copy_codes,  decode_runs, walk_alone, WALKS,   walk_in_turn, inverse_dct,
                                         row_of_area, from_rgb,    to_rgb,     prepare, horizontal,   vertical};
