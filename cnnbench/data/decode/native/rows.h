/* Planes -> rows of RGBX: triangle upsampling ("fancy" in libjpeg) and colours. Included by each instruction set's file,
   behind its `colours`. */
#include <string.h>
#include "jpeg.h"

/* 3/4 of the near row and 1/4 of the far one. */
static void smooth_down(const uint8_t *near, const uint8_t *far, int bias, int count, uint8_t *out) {
  for (int i = 0; i < count; i++) out[i] = (uint8_t)((3 * near[i] + far[i] + bias) >> 2);
}

/* Sums of `count` columns, and of one before and one behind. */
static void sum_rows(const uint8_t *near, const uint8_t *far, int count, uint16_t *out) {
  if (far)
    for (int i = -1; i <= count; i++) out[i] = (uint16_t)(3 * near[i] + far[i]);
  else
    for (int i = -1; i <= count; i++) out[i] = near[i];
}

/* Each column gives two: 3/4 of itself and 1/4 of its neighbour. */
static void smooth_across(const uint16_t *in, int count, int shift, int even, int odd, uint8_t *out) {
  for (int i = 0; i < count; i++) {
    out[2 * i] = (uint8_t)((3 * in[i] + in[i - 1] + even) >> shift);
    out[2 * i + 1] = (uint8_t)((3 * in[i] + in[i + 1] + odd) >> shift);
  }
}

/* Row `y` of chroma plane `number`, from column `left` (even where columns are halved) on, `count` columns. */
static const uint8_t *chroma_row(struct area *area, int number, int y, int left, int count) {
  const struct frame *frame = area->frame;
  size_t stride = area->stride[number];
  int top = area->first_row * 8, row = y / frame->down, rows = (frame->height + frame->down - 1) / frame->down;
  const uint8_t *plane = area->plane[number] + (left / frame->across - area->first_column * 8);
  const uint8_t *near = plane + (size_t)(row - top) * stride, *far = NULL;
  if (frame->down == 2) {
    int other = y & 1 ? row + 1 : row - 1;
    other = other < 0 ? 0 : other >= rows ? rows - 1 : other;
    far = plane + (size_t)(other - top) * stride;
  }
  uint8_t *out = area->chroma[number - 1];
  if (frame->across == 1) {
    if (!far) return near;
    smooth_down(near, far, y & 1 ? 2 : 1, count, out);
    return out;
  }
  int columns = (frame->width + 1) / 2, first = left / 2, wanted = (count + 1) / 2;
  uint16_t *sums = area->sums;
  sum_rows(near, far, wanted, sums);
  if (first == 0) sums[-1] = sums[0];
  if (first + wanted >= columns) sums[columns - first] = sums[columns - first - 1];
  if (far) smooth_across(sums, wanted, 4, 8, 7, out);
  else smooth_across(sums, wanted, 2, 1, 2, out);
  return out;
}

static int row_of_area(struct area *area, int y, uint8_t *out) {
  const struct frame *frame = area->frame;
  int left = area->left & -frame->across, count = area->left + area->width - left;
  const uint8_t *luma = area->plane[0] + (size_t)(y - area->first_row * 8 * frame->down) * area->stride[0] +
                        (left - area->first_column * 8 * frame->across);
  if (frame->components == 1)
    for (int i = 0; i < count; i++) memset(out + 4 * i, luma[i], 4);
  else {
    const uint8_t *blue = chroma_row(area, 1, y, left, count), *red = chroma_row(area, 2, y, left, count);
    colours(luma, blue, red, count, out);
  }
  return area->left - left;
}
