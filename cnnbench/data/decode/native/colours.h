/* YCbCr -> RGB, and RGB pixel by pixel from and to a row of each, for vectors of any length (dct.h). Included by avx2.c and
   avx512.c. */
#include "jpeg.h"

struct rgb {
  vector red, green, blue; /* 16 bits each, beyond a byte where the file is */
};

/* 1.402 = 1 + 26345 / 65536, 1.772 = 2 - 14942 / 65536, -0.71414 = 18734 / 65536 - 1. */
INLINE struct rgb rgb_of(vector luma, vector blue, vector red) {
  const vector middle = V(set1_epi16)(128), one = V(set1_epi16)(1), half = V(set1_epi32)(32768);
  blue = V(sub_epi16)(blue, middle);
  red = V(sub_epi16)(red, middle);
  vector share = V(add_epi16)(V(mulhi_epi16)(V(add_epi16)(red, red), V(set1_epi16)(26345)), one);
  vector low = ADD_PRODUCTS(half, low16(blue, red), PAIR(-22554, 18734));
  vector high = ADD_PRODUCTS(half, high16(blue, red), PAIR(-22554, 18734));
  vector less = V(packs_epi32)(V(srai_epi32)(low, 16), V(srai_epi32)(high, 16));
  return (struct rgb){
      V(add_epi16)(V(add_epi16)(luma, red), V(srai_epi16)(share, 1)), V(sub_epi16)(V(add_epi16)(luma, less), red),
      V(add_epi16)(V(add_epi16)(luma, V(add_epi16)(blue, blue)), V(mulhrs_epi16)(blue, V(set1_epi16)(-7471)))};
}

/* Two columns of chroma from each, of rows `near` and `far`, beside one that lies `aside`. */
INLINE vector smoothed(vector here, vector aside, vector bias) {
  const vector most = V(set1_epi16)(3 << 8 | 9), least = V(set1_epi16)(1 << 8 | 3);
  vector sum = V(add_epi16)(V(maddubs_epi16)(here, most), V(maddubs_epi16)(aside, least));
  return V(srli_epi16)(V(add_epi16)(sum, bias), 4);
}

static void smooth(const uint8_t *near, const uint8_t *far, int count, int even, int odd, uint8_t *out) {
  const vector of_even = V(set1_epi16)((short)even), of_odd = V(set1_epi16)((short)odd);
  for (int i = 0; i < count; i += (int)sizeof(vector), near += sizeof(vector), far += sizeof(vector)) {
    vector here = LOAD(near), below = LOAD(far), left = LOAD(near - 1), left_below = LOAD(far - 1);
    vector right = LOAD(near + 1), right_below = LOAD(far + 1);
    vector low = low8(here, below), high = high8(here, below);
    vector low_even = smoothed(low, low8(left, left_below), of_even), low_odd = smoothed(low, low8(right, right_below), of_odd);
    vector high_even = smoothed(high, high8(left, left_below), of_even);
    vector high_odd = smoothed(high, high8(right, right_below), of_odd);
    store_turned(OR(low_even, V(slli_epi16)(low_odd, 8)), OR(high_even, V(slli_epi16)(high_odd, 8)), out + 2 * i);
  }
}

static void colours(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, int count, uint8_t *const out[3]) {
  const vector zero = ZERO;
  for (int i = 0; i < count; i += (int)sizeof(vector)) {
    vector luma = LOAD(y + i), blue = LOAD(cb + i), red = LOAD(cr + i);
    struct rgb low = rgb_of(low8(luma, zero), low8(blue, zero), low8(red, zero));
    struct rgb high = rgb_of(high8(luma, zero), high8(blue, zero), high8(red, zero));
    STORE(out[0] + i, V(packus_epi16)(low.red, high.red));
    STORE(out[1] + i, V(packus_epi16)(low.green, high.green));
    STORE(out[2] + i, V(packus_epi16)(low.blue, high.blue));
  }
}
