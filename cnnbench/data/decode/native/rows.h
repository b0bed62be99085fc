/* Planes -> rows of red, green and blue: triangle upsampling ("fancy" in libjpeg) and colours. Included by each instruction
   set's file, behind its `smooth` and its `colours`. */
#include <string.h>
#include "jpeg.h"

/* 3/4 of the near row and 1/4 of the far one. */
static void smooth_down(const uint8_t *near, const uint8_t *far, int bias, int count, uint8_t *out) {
  for (int i = 0; i < count; i++) out[i] = (uint8_t)((3 * near[i] + far[i] + bias) >> 2);
}

/* Row `y` of chroma plane `number`, from column `left` (even where columns are halved) on, `count` columns. */
static const uint8_t *chroma_row(struct area *area, int number, int y, int left, int count) {
  const struct frame *frame = area->frame;
  size_t stride = area->stride[number];
  int top = area->first_row * 8, row = y / frame->down, rows = (frame->height + frame->down - 1) / frame->down;
  const uint8_t *plane = area->plane[number] + (left / frame->across - area->first_column * 8);
  const uint8_t *near = plane + (size_t)(row - top) * stride, *far = near;
  if (frame->down == 2) {
    int other = y & 1 ? row + 1 : row - 1;
    other = other < 0 ? 0 : other >= rows ? rows - 1 : other;
    far = plane + (size_t)(other - top) * stride;
  }
  uint8_t *out = area->chroma[number - 1];
  if (frame->across == 2) smooth(near, far, (count + 1) / 2, frame->down == 2 ? 8 : 4, frame->down == 2 ? 7 : 8, out);
  else if (frame->down == 2) smooth_down(near, far, y & 1 ? 2 : 1, count, out);
  else return near;
  return out;
}

static int row_of_area(struct area *area, int y, uint8_t *const out[3]) {
  const struct frame *frame = area->frame;
  int left = area->left & -frame->across, count = area->left + area->width - left;
  const uint8_t *luma = area->plane[0] + (size_t)(y - area->first_row * 8 * frame->down) * area->stride[0] +
                        (left - area->first_column * 8 * frame->across);
  if (frame->components == 1) memcpy(out[0], luma, (size_t)count);
  else {
    const uint8_t *blue = chroma_row(area, 1, y, left, count), *red = chroma_row(area, 2, y, left, count);
    colours(luma, blue, red, count, out);
  }
  return area->left - left;
}
