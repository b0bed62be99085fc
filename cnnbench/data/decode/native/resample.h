/* Both passes of the resize, for vectors of any length (dct.h). So many outputs TOGETHER lie in one WINDOW of bytes; `windows`
   loads as many as a vector holds, SELECT takes bytes of each, with a zero behind. Included by avx2.c and avx512.c. */
#include <string.h>
#include "jpeg.h"

enum { OUTPUTS = sizeof(vector) / 4, WIDE = 16 };

/* Those behind the last are the last one once more. */
INLINE int output_of(const struct filter *filter, int x) { return x < filter->count ? x : filter->count - 1; }

INLINE int start_of(const struct filter *filter, int x) { return filter->start[output_of(filter, x)]; }

INLINE const int16_t *weights_of(const struct filter *filter, int x) {
  return filter->weights + (size_t)output_of(filter, x) * (size_t)filter->taps;
}

/* For OUTPUTS outputs: where their windows begin, where in them taps 0 and 1, and 2 and 3, of a group of four are, and pairs of
   weights; false where a window is too small. */
static bool prepare_windows(const struct filter *filter) {
  uint32_t *to = filter->spread;
  for (int x = 0; x < filter->count; x += OUTPUTS, to += OUTPUTS * (3 + filter->taps / 2))
    for (int i = 0, first = 0; i < OUTPUTS; i++) {
      int start = start_of(filter, x + i), last = start_of(filter, x + i + TOGETHER - 1);
      if (i % TOGETHER == 0) {
        first = start < last ? start : last;
        if (start + last - 2 * first + 4 > WINDOW) return false;
        to[i / TOGETHER] = (uint32_t)first;
      }
      to[OUTPUTS + i] = 0xFF01FF00u + (uint32_t)(start - first) * 0x00010001u;
      to[2 * OUTPUTS + i] = to[OUTPUTS + i] + 0x00020002u;
      const int16_t *weights = weights_of(filter, x + i);
      for (int k = 0; k < filter->taps / 2; k++) memcpy(to + (3 + k) * OUTPUTS + i, weights + 2 * k, sizeof *to);
    }
  return true;
}

static int wide_taps(const struct filter *filter) { return (int)up_to((size_t)filter->taps, WIDE); }

static bool prepare(struct filter *filter) {
  int outputs = (int)up_to((size_t)filter->count, WIDE), taps = wide_taps(filter), of_output = 6 + taps;
  if (!grow(&filter->spread, &filter->spread_room, (size_t)outputs * (size_t)of_output * sizeof(int16_t))) return false;
  filter->wide = !prepare_windows(filter);
  if (!filter->wide) return true;
  memset(filter->spread, 0, (size_t)outputs * (size_t)taps * sizeof(int16_t));
  for (int x = 0; x < outputs; x++)
    memcpy((int16_t *)filter->spread + x * taps, weights_of(filter, x), (size_t)filter->taps * sizeof(int16_t));
  return true;
}

INLINE void horizontal_of(const struct filter *filter, int rows, const uint8_t *const *in, uint8_t *const *out, int pairs) {
  const vector half = V(set1_epi32)(1 << (filter->precision - 1));
  const __m128i shift = _mm_cvtsi32_si128(filter->precision);
  const uint32_t *at = filter->spread;
  for (int x = 0; x < filter->count; x += OUTPUTS, at += OUTPUTS * (3 + pairs)) {
    const vector taps[2] = {LOAD(at + OUTPUTS), LOAD(at + 2 * OUTPUTS)};
    for (int row = 0; row < rows; row += 2) {
      vector first = half, second = half, a = half, b = half;
      for (int k = 0; k < pairs; k++) {
        if (k % 2 == 0) {
          a = windows(in[row] + 2 * k, at);
          b = windows(in[row + 1] + 2 * k, at);
        }
        vector weights = LOAD(at + OUTPUTS * (3 + k));
        first = ADD_PRODUCTS(first, SELECT(a, taps[k % 2]), weights);
        second = ADD_PRODUCTS(second, SELECT(b, taps[k % 2]), weights);
      }
      store_sums(V(sra_epi32)(first, shift), V(sra_epi32)(second, shift), out[row] + x, out[row + 1] + x);
    }
  }
}

/* Outputs whose inputs lie far apart, one at a time. */
static void horizontal_wide(const struct filter *filter, const uint8_t *in, uint8_t *out) {
  const __m128i half = _mm_set1_epi32(1 << (filter->precision - 1)), shift = _mm_cvtsi32_si128(filter->precision);
  const int taps = wide_taps(filter);
  const int16_t *weights = filter->spread;
  for (int x = 0; x < filter->count; x += 4) {
    __m256i sums[4];
    for (int i = 0; i < 4; i++) {
      const uint8_t *from = in + start_of(filter, x + i);
      sums[i] = _mm256_setzero_si256();
      for (int k = 0; k < taps; k += WIDE, weights += WIDE) {
        __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(from + k)));
        sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(v, _mm256_loadu_si256((const void *)weights)));
      }
    }
    __m256i two = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
    four = _mm_sra_epi32(_mm_add_epi32(four, half), shift);
    four = _mm_packus_epi16(_mm_packs_epi32(four, four), four);
    int32_t bytes = _mm_cvtsi128_si32(four);
    memcpy(out + x, &bytes, sizeof bytes);
  }
}

static void horizontal(const struct filter *filter, int rows, const uint8_t *const *in, uint8_t *const *out) {
  if (filter->wide)
    for (int row = 0; row < rows; row++) horizontal_wide(filter, in[row], out[row]);
  else if (filter->taps == 4) horizontal_of(filter, rows, in, out, 2);
  else if (filter->taps == 6) horizontal_of(filter, rows, in, out, 3);
  else if (filter->taps == 8) horizontal_of(filter, rows, in, out, 4);
  else horizontal_of(filter, rows, in, out, filter->taps / 2);
}

/* The row behind the last one is read, with weight 0, where the taps are odd. */
static void vertical(const struct filter *filter, int row, const uint8_t *in, size_t stride, int count, uint8_t *out) {
  const int16_t *weights = filter->weights + (size_t)row * (size_t)filter->taps;
  const vector half = V(set1_epi32)(1 << (filter->precision - 1)), zero = ZERO;
  const __m128i shift = _mm_cvtsi32_si128(filter->precision);
  int length = filter->length[row];
  in += (size_t)filter->start[row] * stride;
  for (int x = 0; x < count; x += (int)sizeof(vector)) {
    vector sums[4] = {half, half, half, half};
    const uint8_t *from = in + x;
    for (int k = 0; k < length; k += 2, from += 2 * stride) {
      vector a = LOAD(from), b = LOAD(from + stride), low = low8(a, b), high = high8(a, b);
      int32_t pair;
      memcpy(&pair, weights + k, sizeof pair);
      vector both = V(set1_epi32)(pair);
      sums[0] = ADD_PRODUCTS(sums[0], low8(low, zero), both);
      sums[1] = ADD_PRODUCTS(sums[1], high8(low, zero), both);
      sums[2] = ADD_PRODUCTS(sums[2], low8(high, zero), both);
      sums[3] = ADD_PRODUCTS(sums[3], high8(high, zero), both);
    }
    for (int i = 0; i < 4; i++) sums[i] = V(sra_epi32)(sums[i], shift);
    STORE(out + x, V(packus_epi16)(V(packs_epi32)(sums[0], sums[1]), V(packs_epi32)(sums[2], sums[3])));
  }
}
