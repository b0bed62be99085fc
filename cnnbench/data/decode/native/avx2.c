/* The same for x86-64 processors with AVX2 and BMI2, chosen at run time. What is computed stands in portable.c. */
#include "jpeg.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

bool avx2_is_here(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"); }

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt")
#endif

static inline void clear_block(int16_t *block) {
  for (int i = 0; i < 64; i += 16) _mm256_storeu_si256((void *)(block + i), _mm256_setzero_si256());
}

#include "walk.h"

/* Two 16-bit numbers in turn. */
#define PAIR(a, b) _mm256_set1_epi32((int)((uint32_t)(uint16_t)(int16_t)(b) << 16 | (uint16_t)(int16_t)(a)))

INLINE __m256i low16(__m256i a, __m256i b) { return _mm256_unpacklo_epi16(a, b); }
INLINE __m256i high16(__m256i a, __m256i b) { return _mm256_unpackhi_epi16(a, b); }

/* 16 pixels at a time. 1.402 = 1 + 26345 / 65536, 1.772 = 2 - 14942 / 65536, -0.71414 = 18734 / 65536 - 1. */
static void colours(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, int count, uint8_t *out) {
  const __m256i middle = _mm256_set1_epi16(128), one = _mm256_set1_epi16(1), zero = _mm256_setzero_si256();
  const __m256i most = _mm256_set1_epi16(255), half = _mm256_set1_epi32(32768), of_red = _mm256_set1_epi16(26345);
  const __m256i of_blue = _mm256_set1_epi16(-7471), of_green = PAIR(-22554, 18734);
  for (int i = 0; i < count; i += 16, out += 64) {
    __m256i luma = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(y + i)));
    __m256i blue = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(cb + i))), middle);
    __m256i red = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(cr + i))), middle);
    __m256i share = _mm256_add_epi16(_mm256_mulhi_epi16(_mm256_add_epi16(red, red), of_red), one);
    __m256i r = _mm256_add_epi16(_mm256_add_epi16(luma, red), _mm256_srai_epi16(share, 1));
    __m256i b = _mm256_add_epi16(_mm256_add_epi16(luma, _mm256_add_epi16(blue, blue)), _mm256_mulhrs_epi16(blue, of_blue));
    __m256i low = _mm256_madd_epi16(low16(blue, red), of_green), high = _mm256_madd_epi16(high16(blue, red), of_green);
    low = _mm256_srai_epi32(_mm256_add_epi32(low, half), 16);
    high = _mm256_srai_epi32(_mm256_add_epi32(high, half), 16);
    __m256i g = _mm256_sub_epi16(_mm256_add_epi16(luma, _mm256_packs_epi32(low, high)), red);
    r = _mm256_min_epi16(_mm256_max_epi16(r, zero), most);
    g = _mm256_min_epi16(_mm256_max_epi16(g, zero), most);
    b = _mm256_min_epi16(_mm256_max_epi16(b, zero), most);
    __m256i rg = _mm256_or_si256(r, _mm256_slli_epi16(g, 8));
    low = low16(rg, b);
    high = high16(rg, b);
    _mm256_storeu_si256((void *)out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((void *)(out + 32), _mm256_permute2x128_si256(low, high, 0x31));
  }
}

#include "rows.h"

/* One axis of the inverse DCT for half of the columns, from inputs that are interleaved in pairs. */
struct half {
  __m256i even[4], odd[4];
};

INLINE struct half half_of_axis(__m256i v04, __m256i v04_less, __m256i v26, __m256i v71, __m256i v53, __m256i z, int shift) {
  const __m256i round = _mm256_set1_epi32(1 << (shift - 1));
  __m256i e0 = _mm256_add_epi32(_mm256_srai_epi32(v04, 3), round);
  __m256i e1 = _mm256_add_epi32(_mm256_srai_epi32(v04_less, 3), round);
  __m256i e2 = _mm256_madd_epi16(v26, PAIR(4433, -10704)), e3 = _mm256_madd_epi16(v26, PAIR(10703, 4433));
  __m256i z3 = _mm256_madd_epi16(z, PAIR(-6436, 9633)), z4 = _mm256_madd_epi16(z, PAIR(9633, 6437));
  return (struct half){{_mm256_add_epi32(e0, e3), _mm256_add_epi32(e1, e2), _mm256_sub_epi32(e1, e2), _mm256_sub_epi32(e0, e3)},
                       {_mm256_add_epi32(_mm256_madd_epi16(v71, PAIR(-7373, 4926)), z4),
                        _mm256_add_epi32(_mm256_madd_epi16(v53, PAIR(-20995, 4177)), z3),
                        _mm256_add_epi32(_mm256_madd_epi16(v53, PAIR(-4176, -20995)), z4),
                        _mm256_add_epi32(_mm256_madd_epi16(v71, PAIR(-4927, -7373)), z3)}};
}

/* One axis of two blocks, one in each half of the vectors. */
INLINE void inverse_dct_axis(__m256i v[8], int shift) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i z3 = _mm256_add_epi16(v[7], v[3]), z4 = _mm256_add_epi16(v[5], v[1]);
  __m256i sum = _mm256_add_epi16(v[0], v[4]), less = _mm256_sub_epi16(v[0], v[4]);
  struct half low = half_of_axis(low16(zero, sum), low16(zero, less), low16(v[2], v[6]), low16(v[7], v[1]),
                                 low16(v[5], v[3]), low16(z3, z4), shift);
  struct half high = half_of_axis(high16(zero, sum), high16(zero, less), high16(v[2], v[6]), high16(v[7], v[1]),
                                  high16(v[5], v[3]), high16(z3, z4), shift);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    v[i] = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low.even[i], low.odd[i]), shift),
                              _mm256_srai_epi32(_mm256_add_epi32(high.even[i], high.odd[i]), shift));
    v[7 - i] = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_sub_epi32(low.even[i], low.odd[i]), shift),
                                  _mm256_srai_epi32(_mm256_sub_epi32(high.even[i], high.odd[i]), shift));
  }
}

INLINE void transpose(__m256i v[8]) {
  __m256i a0 = low16(v[0], v[1]), a1 = high16(v[0], v[1]), b0 = low16(v[2], v[3]), b1 = high16(v[2], v[3]);
  __m256i c0 = low16(v[4], v[5]), c1 = high16(v[4], v[5]), d0 = low16(v[6], v[7]), d1 = high16(v[6], v[7]);
  __m256i left[4] = {_mm256_unpacklo_epi32(a0, b0), _mm256_unpackhi_epi32(a0, b0), _mm256_unpacklo_epi32(a1, b1),
                     _mm256_unpackhi_epi32(a1, b1)};
  __m256i right[4] = {_mm256_unpacklo_epi32(c0, d0), _mm256_unpackhi_epi32(c0, d0), _mm256_unpacklo_epi32(c1, d1),
                      _mm256_unpackhi_epi32(c1, d1)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    v[2 * i] = _mm256_unpacklo_epi64(left[i], right[i]);
    v[2 * i + 1] = _mm256_unpackhi_epi64(left[i], right[i]);
  }
}

/* Columns -> bytes, turned back into rows, and stored. */
INLINE void store_blocks(const __m256i v[8], uint8_t *const out[2], const size_t stride[2]) {
  __m256i p0 = _mm256_packs_epi16(v[0], v[1]), p1 = _mm256_packs_epi16(v[2], v[3]);
  __m256i p2 = _mm256_packs_epi16(v[4], v[5]), p3 = _mm256_packs_epi16(v[6], v[7]);
  __m256i a0 = _mm256_unpacklo_epi8(p0, p1), a1 = _mm256_unpackhi_epi8(p0, p1);
  __m256i b0 = _mm256_unpacklo_epi8(p2, p3), b1 = _mm256_unpackhi_epi8(p2, p3);
  __m256i c0 = _mm256_unpacklo_epi8(a0, a1), c1 = _mm256_unpackhi_epi8(a0, a1);
  __m256i d0 = _mm256_unpacklo_epi8(b0, b1), d1 = _mm256_unpackhi_epi8(b0, b1);
  __m256i rows[4] = {_mm256_unpacklo_epi32(c0, d0), _mm256_unpackhi_epi32(c0, d0), _mm256_unpacklo_epi32(c1, d1),
                     _mm256_unpackhi_epi32(c1, d1)};
  const __m256i middle = _mm256_set1_epi8(-128);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    __m256i two = _mm256_xor_si256(rows[i], middle);
    __m128i first = _mm256_castsi256_si128(two), second = _mm256_extracti128_si256(two, 1);
    size_t row = 2 * (size_t)i;
    _mm_storel_epi64((void *)(out[0] + row * stride[0]), first);
    _mm_storeh_pi((void *)(out[0] + (row + 1) * stride[0]), _mm_castsi128_ps(first));
    _mm_storel_epi64((void *)(out[1] + row * stride[1]), second);
    _mm_storeh_pi((void *)(out[1] + (row + 1) * stride[1]), _mm_castsi128_ps(second));
  }
}

INLINE __m256i two_rows(const void *first, const void *second) {
  return _mm256_loadu2_m128i((const __m128i *)second, (const __m128i *)first);
}

/* Whether a coefficient is beyond its limit. */
APART bool is_beyond(const int16_t *const block[2], const int16_t *const limit[2]) {
  bool beyond = false;
  for (int b = 0; b < 2; b++)
    for (int i = 0; i < 64; i++) beyond |= block[b][i] > limit[b][i] || block[b][i] < -limit[b][i];
  return beyond;
}

static bool inverse_dct(const int16_t *const block[2], const uint16_t *const quantiser[2], const int16_t *const limit[2],
                        uint8_t *const out[2], const size_t stride[2]) {
  __m256i v[8], most = _mm256_setzero_si256(); /* of each column */
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    __m256i c = two_rows(block[0] + 8 * i, block[1] + 8 * i);
    most = _mm256_max_epu16(most, _mm256_abs_epi16(c));
    v[i] = _mm256_mullo_epi16(c, two_rows(quantiser[0] + 8 * i, quantiser[1] + 8 * i));
  }
  inverse_dct_axis(v, 11);
  transpose(v);
  inverse_dct_axis(v, 18);
  store_blocks(v, out, stride);
  __m256i over = _mm256_subs_epu16(most, two_rows(limit[0] + 64, limit[1] + 64));
  return RARE(!_mm256_testz_si256(over, over)) && is_beyond(block, limit);
}

/* Reads up to 20 bytes behind the row. */
static void from_rgb(const uint8_t *rgb, int count, uint8_t *out) {
  const __m256i spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 0, 1, 2, -1, 3, 4, 5, -1, 6,
                                          7, 8, -1, 9, 10, 11, -1);
  int i = 0;
  for (; i + 10 <= count; i += 8) {
    __m256i v = two_rows(rgb + 3 * i, rgb + 3 * i + 12);
    _mm256_storeu_si256((void *)(out + 4 * i), _mm256_shuffle_epi8(v, spread));
  }
  for (; i < count; i++)
    for (int c = 0; c < 3; c++) out[4 * i + c] = rgb[3 * i + c];
}

static void to_rgb(const uint8_t *rgbx, int count, uint8_t *out) {
  const __m128i packed = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  int i = 0;
  for (; i + 6 <= count; i += 4) /* 16 bytes are written for 12 */
    _mm_storeu_si128((void *)(out + 3 * i), _mm_shuffle_epi8(_mm_loadu_si128((const void *)(rgbx + 4 * i)), packed));
  for (; i < count; i++)
    for (int c = 0; c < 3; c++) out[3 * i + c] = rgbx[4 * i + c];
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
  const __m256i pairs = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15));
  const __m256i zero = _mm256_setzero_si256();
  __m256i sum = half;
  for (int k = 0; k < groups; k++, start += 4, weights += 2) {
    __m256i v = _mm256_shuffle_epi8(two_rows(in[0] + 4 * start, in[1] + 4 * start), pairs);
    __m256i first = _mm256_madd_epi16(_mm256_unpacklo_epi8(v, zero), _mm256_loadu_si256(weights));
    __m256i second = _mm256_madd_epi16(_mm256_unpackhi_epi8(v, zero), _mm256_loadu_si256(weights + 1));
    sum = _mm256_add_epi32(sum, _mm256_add_epi32(first, second));
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
      low = _mm256_add_epi32(low, _mm256_madd_epi16(low16(a, b), both));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(high16(a, b), both));
    }
    __m256i words = _mm256_packs_epi32(_mm256_sra_epi32(low, shift), _mm256_sra_epi32(high, shift));
    words = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0xD8);
    _mm_storeu_si128((void *)(out + x), _mm256_castsi256_si128(words));
  }
}

const struct kernels avx2_kernels = {decode_runs, walk_codes, inverse_dct, row_of_area, from_rgb, to_rgb, prepare, horizontal, vertical};

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else
bool avx2_is_here(void) { return false; }

const struct kernels avx2_kernels = {0};
#endif
