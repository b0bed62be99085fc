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
  *out = to;
  return portable_kernels.copy_codes(codes, end, out);
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
#define LOAD(from) _mm256_loadu_si256((const void *)(from))
#define STORE(to, v) _mm256_storeu_si256((void *)(to), v)
#define ADD_PRODUCTS(sums, a, b) _mm256_add_epi32(sums, _mm256_madd_epi16(a, b))
#include "dct.h"

/* Two vectors whose halves lie in turn. */
INLINE void store_turned(vector low, vector high, uint8_t *out) {
  STORE(out, _mm256_permute2x128_si256(low, high, 0x20));
  STORE(out + 32, _mm256_permute2x128_si256(low, high, 0x31));
}

#include "colours.h"
#include "rows.h"

INLINE __m256i two_rows(const void *first, const void *second) {
  return _mm256_loadu2_m128i((const __m128i *)second, (const __m128i *)first);
}

enum { TOGETHER = 4, WINDOW = 16 };
#define SELECT _mm256_shuffle_epi8

INLINE vector windows(const uint8_t *row, const uint32_t *first) { return two_rows(row + first[0], row + first[1]); }

INLINE void store_sums(vector a, vector b, uint8_t *to_a, uint8_t *to_b) {
  vector words = _mm256_packs_epi32(a, b), bytes = _mm256_packus_epi16(words, words);
  bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
  _mm_storel_epi64((void *)to_a, _mm256_castsi256_si128(bytes));
  _mm_storeh_pd((void *)to_b, _mm_castsi128_pd(_mm256_castsi256_si128(bytes)));
}

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

/* 16 pixels of three bytes are three vectors: byte p of vector j is of channel (j + p) mod 3. So the bytes of one channel
   have different places in all of them, and after one shuffle the channels fit between each other. Byte p of channel c is of
   pixel 11 (p - c) mod 16, and pixel x is byte 3 x + c mod 16. */
static const uint8_t pixel_of_byte[3][16] = {{0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10, 5},
                                             {5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10},
                                             {10, 5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15}};
static const uint8_t byte_of_pixel[3][16] = {{0, 3, 6, 9, 12, 15, 2, 5, 8, 11, 14, 1, 4, 7, 10, 13},
                                             {1, 4, 7, 10, 13, 0, 3, 6, 9, 12, 15, 2, 5, 8, 11, 14},
                                             {2, 5, 8, 11, 14, 1, 4, 7, 10, 13, 0, 3, 6, 9, 12, 15}};

INLINE vector shuffled(vector v, const uint8_t places[16]) {
  return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)places)));
}

/* Byte p of a, b or c, by p mod 3. */
INLINE vector in_turn(vector a, vector b, vector c) {
  const __m128i second = _mm_setr_epi8(0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0);
  const __m128i third = _mm_setr_epi8(0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0);
  return _mm256_blendv_epi8(_mm256_blendv_epi8(a, b, _mm256_broadcastsi128_si256(second)), c, _mm256_broadcastsi128_si256(third));
}

static void from_rgb(const uint8_t *rgb, int count, uint8_t *const out[3]) {
  int i = 0;
  for (; i + 32 <= count; i += 32) {
    const uint8_t *from = rgb + 3 * i;
    vector a = two_rows(from, from + 48), b = two_rows(from + 16, from + 64), c = two_rows(from + 32, from + 80);
    STORE(out[0] + i, shuffled(in_turn(a, c, b), byte_of_pixel[0]));
    STORE(out[1] + i, shuffled(in_turn(b, a, c), byte_of_pixel[1]));
    STORE(out[2] + i, shuffled(in_turn(c, b, a), byte_of_pixel[2]));
  }
  for (; i < count; i++)
    for (int c = 0; c < 3; c++) out[c][i] = rgb[3 * i + c];
}

static void to_rgb(const uint8_t *const in[3], int count, uint8_t *rgb) {
  int i = 0;
  for (; i + 32 <= count; i += 32) {
    uint8_t *to = rgb + 3 * i;
    vector red = shuffled(LOAD(in[0] + i), pixel_of_byte[0]), green = shuffled(LOAD(in[1] + i), pixel_of_byte[1]);
    vector blue = shuffled(LOAD(in[2] + i), pixel_of_byte[2]);
    vector a = in_turn(red, green, blue), b = in_turn(green, blue, red), c = in_turn(blue, red, green);
    STORE(to, _mm256_permute2x128_si256(a, b, 0x20));
    STORE(to + 32, _mm256_blend_epi32(c, a, 0xF0));
    STORE(to + 64, _mm256_permute2x128_si256(b, c, 0x31));
  }
  for (; i < count; i++)
    for (int c = 0; c < 3; c++) rgb[3 * i + c] = in[c][i];
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
