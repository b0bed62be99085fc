/* Colours, for vectors of any length (dct.h): PIXELS have room in one as words; WORDS(from) are so many bytes as words. Included
   by avx2.c and avx512.c, behind their `store_pixels`. */
#include "jpeg.h"

/* PIXELS at a time. 1.402 = 1 + 26345 / 65536, 1.772 = 2 - 14942 / 65536, -0.71414 = 18734 / 65536 - 1. */
static void colours(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, int count, uint8_t *out) {
  const vector middle = V(set1_epi16)(128), one = V(set1_epi16)(1), zero = ZERO;
  const vector most = V(set1_epi16)(255), half = V(set1_epi32)(32768), of_red = V(set1_epi16)(26345);
  const vector of_blue = V(set1_epi16)(-7471), of_green = PAIR(-22554, 18734);
  for (int i = 0; i < count; i += PIXELS, out += 4 * PIXELS) {
    vector luma = WORDS(y + i);
    vector blue = V(sub_epi16)(WORDS(cb + i), middle);
    vector red = V(sub_epi16)(WORDS(cr + i), middle);
    vector share = V(add_epi16)(V(mulhi_epi16)(V(add_epi16)(red, red), of_red), one);
    vector r = V(add_epi16)(V(add_epi16)(luma, red), V(srai_epi16)(share, 1));
    vector b = V(add_epi16)(V(add_epi16)(luma, V(add_epi16)(blue, blue)), V(mulhrs_epi16)(blue, of_blue));
    vector low = V(madd_epi16)(low16(blue, red), of_green), high = V(madd_epi16)(high16(blue, red), of_green);
    low = V(srai_epi32)(V(add_epi32)(low, half), 16);
    high = V(srai_epi32)(V(add_epi32)(high, half), 16);
    vector g = V(sub_epi16)(V(add_epi16)(luma, V(packs_epi32)(low, high)), red);
    r = V(min_epi16)(V(max_epi16)(r, zero), most);
    g = V(min_epi16)(V(max_epi16)(g, zero), most);
    b = V(min_epi16)(V(max_epi16)(b, zero), most);
    vector rg = OR(r, V(slli_epi16)(g, 8));
    low = low16(rg, b);
    high = high16(rg, b);
    store_pixels(low, high, out);
  }
}

