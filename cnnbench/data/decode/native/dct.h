/* The inverse DCT of one block in each 128 bits of a vector, the same for vectors of any length: `vector` is their type,
   V(name) what an operation on them is called, ZERO one of zeros, ADD_PRODUCTS(sums, a, b), of 32 bits each, a sum and the
   products of two pairs of 16. Included by avx2.c and avx512.c. */
#include "jpeg.h"

/* Two 16-bit numbers in turn. */
#define PAIR(a, b) V(set1_epi32)((int)((uint32_t)(uint16_t)(int16_t)(b) << 16 | (uint16_t)(int16_t)(a)))

INLINE vector low8(vector a, vector b) { return V(unpacklo_epi8)(a, b); }
INLINE vector high8(vector a, vector b) { return V(unpackhi_epi8)(a, b); }
INLINE vector low16(vector a, vector b) { return V(unpacklo_epi16)(a, b); }
INLINE vector high16(vector a, vector b) { return V(unpackhi_epi16)(a, b); }

/* One axis of the inverse DCT for half of the columns, from inputs that are interleaved in pairs. */
struct half {
  vector even[4], odd[4];
};

INLINE struct half half_of_axis(vector v04, vector v04_less, vector v26, vector v71, vector v53, vector z, int shift) {
  const vector round = V(set1_epi32)(1 << (shift - 1));
  vector e0 = ADD_PRODUCTS(round, v04, PAIR(0, 8192)), e1 = ADD_PRODUCTS(round, v04_less, PAIR(0, 8192));
  vector e2 = V(madd_epi16)(v26, PAIR(4433, -10704)), e3 = V(madd_epi16)(v26, PAIR(10703, 4433));
  vector z3 = V(madd_epi16)(z, PAIR(-6436, 9633)), z4 = V(madd_epi16)(z, PAIR(9633, 6437));
  return (struct half){{V(add_epi32)(e0, e3), V(add_epi32)(e1, e2), V(sub_epi32)(e1, e2), V(sub_epi32)(e0, e3)},
                       {ADD_PRODUCTS(z4, v71, PAIR(-7373, 4926)), ADD_PRODUCTS(z3, v53, PAIR(-20995, 4177)),
                        ADD_PRODUCTS(z4, v53, PAIR(-4176, -20995)), ADD_PRODUCTS(z3, v71, PAIR(-4927, -7373))}};
}

/* One axis of two blocks, one in each half of the vectors. */
INLINE void inverse_dct_axis(vector v[8], int shift) {
  const vector zero = ZERO;
  vector z3 = V(add_epi16)(v[7], v[3]), z4 = V(add_epi16)(v[5], v[1]);
  vector sum = V(add_epi16)(v[0], v[4]), less = V(sub_epi16)(v[0], v[4]);
  struct half low = half_of_axis(low16(zero, sum), low16(zero, less), low16(v[2], v[6]), low16(v[7], v[1]),
                                 low16(v[5], v[3]), low16(z3, z4), shift);
  struct half high = half_of_axis(high16(zero, sum), high16(zero, less), high16(v[2], v[6]), high16(v[7], v[1]),
                                  high16(v[5], v[3]), high16(z3, z4), shift);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    v[i] = V(packs_epi32)(V(srai_epi32)(V(add_epi32)(low.even[i], low.odd[i]), shift),
                              V(srai_epi32)(V(add_epi32)(high.even[i], high.odd[i]), shift));
    v[7 - i] = V(packs_epi32)(V(srai_epi32)(V(sub_epi32)(low.even[i], low.odd[i]), shift),
                                  V(srai_epi32)(V(sub_epi32)(high.even[i], high.odd[i]), shift));
  }
}

INLINE void transpose(vector v[8]) {
  vector a0 = low16(v[0], v[1]), a1 = high16(v[0], v[1]), b0 = low16(v[2], v[3]), b1 = high16(v[2], v[3]);
  vector c0 = low16(v[4], v[5]), c1 = high16(v[4], v[5]), d0 = low16(v[6], v[7]), d1 = high16(v[6], v[7]);
  vector left[4] = {V(unpacklo_epi32)(a0, b0), V(unpackhi_epi32)(a0, b0), V(unpacklo_epi32)(a1, b1),
                     V(unpackhi_epi32)(a1, b1)};
  vector right[4] = {V(unpacklo_epi32)(c0, d0), V(unpackhi_epi32)(c0, d0), V(unpacklo_epi32)(c1, d1),
                      V(unpackhi_epi32)(c1, d1)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    v[2 * i] = V(unpacklo_epi64)(left[i], right[i]);
    v[2 * i + 1] = V(unpackhi_epi64)(left[i], right[i]);
  }
}


/* Columns -> bytes, turned back into rows, two of each block in each vector. */
INLINE void pack_rows(const vector v[8], vector rows[4]) {
  vector p0 = V(packs_epi16)(v[0], v[1]), p1 = V(packs_epi16)(v[2], v[3]);
  vector p2 = V(packs_epi16)(v[4], v[5]), p3 = V(packs_epi16)(v[6], v[7]);
  vector a0 = V(unpacklo_epi8)(p0, p1), a1 = V(unpackhi_epi8)(p0, p1);
  vector b0 = V(unpacklo_epi8)(p2, p3), b1 = V(unpackhi_epi8)(p2, p3);
  vector c0 = V(unpacklo_epi8)(a0, a1), c1 = V(unpackhi_epi8)(a0, a1);
  vector d0 = V(unpacklo_epi8)(b0, b1), d1 = V(unpackhi_epi8)(b0, b1);
  const vector middle = V(set1_epi32)((int)0x80808080);
  rows[0] = XOR(V(unpacklo_epi32)(c0, d0), middle);
  rows[1] = XOR(V(unpackhi_epi32)(c0, d0), middle);
  rows[2] = XOR(V(unpacklo_epi32)(c1, d1), middle);
  rows[3] = XOR(V(unpackhi_epi32)(c1, d1), middle);
}

/* Dequantised coefficients -> pixels. */
INLINE void inverse_dct_of(vector v[8], vector rows[4]) {
  inverse_dct_axis(v, 11);
  transpose(v);
  inverse_dct_axis(v, 18);
  pack_rows(v, rows);
}

/* Rows 2 `pair` and 2 `pair` + 1 of block `at`. */
INLINE void store_rows(__m128i two, const struct blocks *blocks, int at, int pair) {
  uint8_t *out = blocks->out[at] + 2 * (size_t)pair * blocks->stride[at];
  _mm_storel_epi64((void *)out, two);
  _mm_storeh_pi((void *)(out + blocks->stride[at]), _mm_castsi128_ps(two));
}
