/* The same for x86-64 processors with AVX2 and BMI2, chosen at run time. What is computed stands in portable.c. */
#include "jpeg.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt")
#endif

static const uint8_t *copy_codes(const uint8_t *codes, const uint8_t *end, uint8_t **out) {
  uint8_t *to = *out;
  while (end - codes >= 33) {
    __m256i v = _mm256_loadu_si256((const void *)codes);
    _mm256_storeu_si256((void *)to, v);
    unsigned marks = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(-1)));
    unsigned count = marks ? (unsigned)__builtin_ctz(marks) : 32;
    codes += count;
    to += count;
    if (!marks) continue;
    if (codes[1]) break;
    codes += 2;
    *to++ = 0xFF;
  }
  for (; end - codes >= 2 && (*codes != 0xFF || !codes[1]); codes += 1 + (*codes == 0xFF)) *to++ = *codes;
  if (end - codes == 1 && *codes != 0xFF) *to++ = *codes++;
  *out = to;
  return codes;
}

static inline void clear_block(int16_t *block) {
  for (int i = 0; i < 64; i += 16) _mm256_storeu_si256((void *)(block + i), _mm256_setzero_si256());
}

#include "walk.h"

typedef __m256i vector;
#define V(name) _mm256_##name
#define ZERO _mm256_setzero_si256()
#define OR _mm256_or_si256
#define XOR _mm256_xor_si256
#include "dct.h"

enum { PIXELS = 16 };
#define WORDS(from) _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(from)))

/* Pixels 0 .. 3 and 8 .. 11, and the others. */
INLINE void store_pixels(vector low, vector high, uint8_t *out) {
  _mm256_storeu_si256((void *)out, _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256((void *)(out + 32), _mm256_permute2x128_si256(low, high, 0x31));
}

#include "colours.h"
#include "rows.h"

#define ADD_PRODUCTS(sums, a, b) _mm256_add_epi32(sums, _mm256_madd_epi16(a, b))
#include "resample.h"

APART bool is_beyond(const struct blocks *blocks) {
  bool beyond = false;
  for (int b = 0; b < AT_ONCE; b++)
    for (int i = 0; i < 64; i++) {
      int c = blocks->block[b][i], limit = blocks->limit[b][i];
      beyond |= c > limit || c < -limit;
    }
  return beyond;
}

/* Two blocks, from number `at` on; true if a coefficient is beyond its limit. */
INLINE bool two_blocks(const struct blocks *blocks, int at) {
  const int16_t *const *block = blocks->block + at, *const *limit = blocks->limit + at;
  const uint16_t *const *quantiser = blocks->quantiser + at;
  vector v[8], rows[4], most = ZERO; /* of each column */
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    vector c = two_rows(block[0] + 8 * i, block[1] + 8 * i);
    most = _mm256_max_epu16(most, _mm256_abs_epi16(c));
    v[i] = _mm256_mullo_epi16(c, two_rows(quantiser[0] + 8 * i, quantiser[1] + 8 * i));
  }
  inverse_dct_of(v, rows);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    store_rows(_mm256_castsi256_si128(rows[i]), blocks, at, i);
    store_rows(_mm256_extracti128_si256(rows[i], 1), blocks, at + 1, i);
  }
  vector over = _mm256_subs_epu16(most, two_rows(limit[0] + 64, limit[1] + 64));
  return !_mm256_testz_si256(over, over);
}

static bool inverse_dct(const struct blocks *blocks) {
  bool first = two_blocks(blocks, 0), second = two_blocks(blocks, 2);
  return RARE(first || second) && is_beyond(blocks);
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

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

bool use_avx2(struct kernels *kernels) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2")) return false;
  *kernels = (struct kernels){copy_codes,  decode_runs, walk_alone, WALKS,   walk_in_turn, inverse_dct,
                              row_of_area, from_rgb,    to_rgb,     prepare, horizontal,   vertical};
  return true;
}

#else
bool use_avx2(struct kernels *kernels) {
  (void)kernels;
  return false;
}
#endif
