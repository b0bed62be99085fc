/* Both passes of the resize. ADD_PRODUCTS(sums, a, b): of 32 bits each, a sum and the products of two pairs of 16. Included by
   avx2.c and avx512.c. */
#include <string.h>
#include "jpeg.h"

INLINE __m256i two_rows(const void *first, const void *second) {
  return _mm256_loadu2_m128i((const __m128i *)second, (const __m128i *)first);
}

/* Weights of four taps as two vectors: taps 0 and 1, taps 2 and 3, each pair for all channels; for three outputs more
   than there are, since `horizontal` makes four at a time. */
static bool prepare(struct filter *filter) {
  int groups = filter->taps / 4, count = filter->count;
  if (!grow(&filter->spread, &filter->spread_room, (size_t)(count + 3) * (size_t)groups * 64)) return false;
  __m256i *to = (__m256i *)filter->spread;
  for (int x = 0; x < count + 3; x++) {
    const int16_t *from = filter->weights + (size_t)(x < count ? x : count - 1) * (size_t)filter->taps;
    for (int k = 0; k < 2 * groups; k++, from += 2) {
      int32_t pair;
      memcpy(&pair, from, sizeof pair);
      _mm256_storeu_si256(to++, _mm256_set1_epi32(pair));
    }
  }
  return true;
}

/* One output of two rows, each in its half of the vector. */
INLINE __m256i output(const uint8_t *const in[2], int start, const __m256i *weights, int groups, __m256i half) {
  const __m256i taps01 = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1));
  const __m256i taps23 = _mm256_broadcastsi128_si256(_mm_setr_epi8(8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1));
  __m256i sum = half;
  for (int k = 0; k < groups; k++, start += 4, weights += 2) {
    __m256i v = two_rows(in[0] + 4 * start, in[1] + 4 * start);
    sum = ADD_PRODUCTS(sum, _mm256_shuffle_epi8(v, taps01), _mm256_loadu_si256(weights));
    sum = ADD_PRODUCTS(sum, _mm256_shuffle_epi8(v, taps23), _mm256_loadu_si256(weights + 1));
  }
  return sum;
}

INLINE void horizontal_of(const struct filter *filter, const uint8_t *const in[2], uint8_t *const out[2], int groups) {
  const __m256i rgb = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const __m256i half = _mm256_set1_epi32(1 << (filter->precision - 1));
  const __m128i shift = _mm_cvtsi32_si128(filter->precision);
  const __m256i *weights = (const __m256i *)filter->spread;
  const int *start = filter->start;
  for (int x = 0, last = filter->count - 1; x < filter->count; x += 4, weights += 8 * groups) {
    __m256i four[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      int from = start[x + i < last ? x + i : last];
      four[i] = _mm256_sra_epi32(output(in, from, weights + 2 * groups * i, groups, half), shift);
    }
    __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(four[0], four[1]), _mm256_packs_epi32(four[2], four[3]));
    bytes = _mm256_shuffle_epi8(bytes, rgb);
    _mm_storeu_si128((void *)(out[0] + 3 * x), _mm256_castsi256_si128(bytes));
    _mm_storeu_si128((void *)(out[1] + 3 * x), _mm256_extracti128_si256(bytes, 1));
  }
}

static void horizontal(const struct filter *filter, const uint8_t *const in[2], uint8_t *const out[2]) {
  if (filter->taps == 4) horizontal_of(filter, in, out, 1);
  else if (filter->taps == 8) horizontal_of(filter, in, out, 2);
  else horizontal_of(filter, in, out, filter->taps / 4);
}

/* 16 bytes of a row; the row behind the last one is read, with weight 0, where the taps are odd. */
static void vertical(const struct filter *filter, int row, const uint8_t *in, size_t stride, int count, uint8_t *out) {
  const int16_t *weights = filter->weights + (size_t)row * (size_t)filter->taps;
  const __m256i half = _mm256_set1_epi32(1 << (filter->precision - 1));
  const __m128i shift = _mm_cvtsi32_si128(filter->precision);
  int length = filter->length[row];
  in += (size_t)filter->start[row] * stride;
  for (int x = 0; x < count; x += 16) {
    __m256i low = half, high = half;
    const uint8_t *from = in + x;
    for (int k = 0; k < length; k += 2, from += 2 * stride) {
      __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)from));
      __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(from + stride)));
      int32_t pair;
      memcpy(&pair, weights + k, sizeof pair);
      __m256i both = _mm256_set1_epi32(pair);
      low = ADD_PRODUCTS(low, _mm256_unpacklo_epi16(a, b), both);
      high = ADD_PRODUCTS(high, _mm256_unpackhi_epi16(a, b), both);
    }
    __m256i words = _mm256_packs_epi32(_mm256_sra_epi32(low, shift), _mm256_sra_epi32(high, shift));
    words = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0xD8);
    _mm_storeu_si128((void *)(out + x), _mm256_castsi256_si128(words));
  }
}

