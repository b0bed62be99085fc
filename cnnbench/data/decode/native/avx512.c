/* What x86-64 processors with AVX-512 do better than by avx2.c, chosen at run time. What is computed stands in portable.c. */
#include "jpeg.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,bmi,bmi2"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,bmi,bmi2")
#endif

#include "walk_lanes.h"

typedef __m512i vector;
#define V(name) _mm512_##name
#define ZERO _mm512_setzero_si512()
#define OR _mm512_or_si512
#define XOR _mm512_xor_si512
#define LOAD(from) _mm512_loadu_si512(from)
#define STORE(to, v) _mm512_storeu_si512(to, v)
#define ADD_PRODUCTS _mm512_dpwssd_epi32
#include "dct.h"

/* Rows 0 and 1 of four blocks in two vectors each, rows 2 and 3 behind them, -> a row of all of them in each vector. */
INLINE void rows_of_four(const vector two[4], vector row[4]) {
  vector a = _mm512_shuffle_i64x2(two[0], two[1], 0x44), a_behind = _mm512_shuffle_i64x2(two[0], two[1], 0xEE);
  vector b = _mm512_shuffle_i64x2(two[2], two[3], 0x44), b_behind = _mm512_shuffle_i64x2(two[2], two[3], 0xEE);
  row[0] = _mm512_shuffle_i64x2(a, b, 0x88);
  row[1] = _mm512_shuffle_i64x2(a, b, 0xDD);
  row[2] = _mm512_shuffle_i64x2(a_behind, b_behind, 0x88);
  row[3] = _mm512_shuffle_i64x2(a_behind, b_behind, 0xDD);
}

static bool inverse_dct(const struct blocks *blocks) {
  vector v[8], rows[4], half[2][AT_ONCE];
  __mmask32 beyond = 0;
#pragma GCC unroll 4
  for (int b = 0; b < AT_ONCE; b++)
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      vector c = _mm512_loadu_si512(blocks->block[b] + 32 * i);
      half[i][b] = _mm512_mullo_epi16(c, _mm512_loadu_si512(blocks->quantiser[b] + 32 * i));
      beyond |= _mm512_cmpgt_epu16_mask(_mm512_abs_epi16(c), _mm512_loadu_si512(blocks->limit[b] + 32 * i));
    }
  rows_of_four(half[0], v);
  rows_of_four(half[1], v + 4);
  inverse_dct_of(v, rows);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    store_rows(_mm512_castsi512_si128(rows[i]), blocks, 0, i);
    store_rows(_mm512_extracti32x4_epi32(rows[i], 1), blocks, 1, i);
    store_rows(_mm512_extracti32x4_epi32(rows[i], 2), blocks, 2, i);
    store_rows(_mm512_extracti32x4_epi32(rows[i], 3), blocks, 3, i);
  }
  return beyond;
}

/* Two vectors whose quarters lie in turn. */
INLINE void store_turned(vector low, vector high, uint8_t *out) {
  const vector first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  STORE(out, _mm512_permutex2var_epi64(low, first, high));
  STORE(out + 64, _mm512_permutex2var_epi64(low, second, high));
}

#include "colours.h"
#include "rows.h"

enum { TOGETHER = 16, WINDOW = 64 };
#define SELECT(v, bytes) _mm512_maskz_permutexvar_epi8(0x5555555555555555, bytes, v)

INLINE vector windows(const uint8_t *row, const uint32_t *first) { return LOAD(row + *first); }

INLINE void store_sums(vector a, vector b, uint8_t *to_a, uint8_t *to_b) {
  vector words = _mm512_packs_epi32(a, b), bytes = _mm512_packus_epi16(words, words);
  bytes = _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0), bytes);
  _mm_storeu_si128((void *)to_a, _mm512_castsi512_si128(bytes));
  _mm_storeu_si128((void *)to_b, _mm512_extracti32x4_epi32(bytes, 1));
}

#include "resample.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define HAS __builtin_cpu_supports

bool use_avx512(struct kernels *kernels) {
  if (!HAS("avx512bw") || !HAS("avx512dq") || !HAS("avx512vl") || !HAS("avx512vnni") || !HAS("avx512vbmi")) return false;
  if (HAS("avx512bf16")) { /* those before it have slow gathers, since they were made safe ("Downfall") */
    kernels->walks = MOST_WALKS;
    kernels->walk_all = walk_lanes;
  }
  kernels->inverse_dct = inverse_dct;
  kernels->row = row_of_area;
  kernels->prepare = prepare;
  kernels->horizontal = horizontal;
  kernels->vertical = vertical;
  return true;
}

#else
bool use_avx512(struct kernels *kernels) {
  (void)kernels;
  return false;
}
#endif
