/* The planes of an area: which MCUs they hold, and their inverse DCT. */
#include "pixels.h"

/* A coefficient times its quantiser beyond this gives sums in 16 bits that wrap in one decoder and saturate in another:
   four times as much as an 8-bit picture can have. */
enum { MOST_DEQUANTISED = 8191 };

static int least(int a, int b) { return a < b ? a : b; }

static void make_limits(struct planes *planes, const struct frame *frame) {
  for (int c = 0; c < frame->components; c++)
    for (int i = 0; i < 64; i++) {
      int quantiser = frame->quantiser[frame->component[c].quantiser][i];
      int16_t limit = quantiser ? (int16_t)(MOST_DEQUANTISED / quantiser) : INT16_MAX, *column = planes->limit[c] + 64 + i % 8;
      planes->limit[c][i] = limit;
      if (i < 8 || limit < *column) *column = limit;
    }
}

/* The rows and columns of chroma beside the rectangle, which its edges are smoothed with, are decoded too. */
bool make_area(struct area *area, struct planes *planes, const struct frame *frame, int left, int top, int width,
               int height) {
  int beside = frame->across > 1 ? 2 : 0, above = frame->down > 1 ? 2 : 0;
  int wide = 8 * frame->across, high = 8 * frame->down;
  area->frame = frame;
  area->left = left;
  area->top = top;
  area->width = width;
  area->height = height;
  area->first_column = left > beside ? (left - beside) / wide : 0;
  area->first_row = top > above ? (top - above) / high : 0;
  area->last_column = least((left + width - 1 + beside) / wide, frame->mcu_columns - 1);
  area->last_row = least((top + height - 1 + above) / high, frame->mcu_rows - 1);
  size_t columns = (size_t)(area->last_column - area->first_column + 1);
  size_t rows = (size_t)(area->last_row - area->first_row + 1), place = GUARD, offset[3] = {0};
  for (int c = 0; c < frame->components; c++) {
    area->stride[c] = up_to(columns * (size_t)frame->component[c].across * 8, GUARD) + GUARD;
    offset[c] = place;
    place += area->stride[c] * rows * (size_t)frame->component[c].down * 8 + GUARD;
  }
  size_t line = up_to(columns * (size_t)wide, GUARD) + 2 * GUARD;
  if (!grow(&planes->memory, &planes->room, place + 2 * line + GUARD)) return false;
  for (int c = 0; c < frame->components; c++) area->plane[c] = planes->memory + offset[c];
  for (int i = 0; i < 2; i++) area->chroma[i] = planes->memory + place + (size_t)i * line;
  make_limits(planes, frame);
  return true;
}

/* Where the blocks of one row of MCUs go: one place for each unit, which moves on from MCU to MCU. */
static void begin_row(const struct area *area, int row, uint8_t *out[MOST_UNITS]) {
  for (int unit = 0; unit < area->frame->units; unit++) {
    int c = area->frame->unit[unit].component;
    const struct component *component = area->frame->component + c;
    int within = unit - component->first_unit;
    size_t down = (size_t)(row * component->down + within / component->across);
    out[unit] = area->plane[c] + 8 * down * area->stride[c] + 8 * (size_t)(within % component->across);
  }
}

void repeat_edges(const struct area *area) {
  const struct frame *frame = area->frame;
  int columns = (frame->width + 1) / 2 - 8 * area->first_column;
  for (int c = 1; c < frame->components && frame->across == 2; c++)
    for (int y = 0; y < 8 * (area->last_row - area->first_row + 1); y++) {
      uint8_t *row = area->plane[c] + (size_t)y * area->stride[c];
      if (area->first_column == 0) row[-1] = row[0];
      if (area->last_column == frame->mcu_columns - 1) row[columns] = row[columns - 1];
    }
}

bool fill_planes(const struct area *area, const struct planes *planes, const struct kernels *kernels,
                 const int16_t *blocks, int row, int rows) {
  const struct frame *frame = area->frame;
  struct blocks some;
  uint8_t *out[MOST_UNITS], waste[64];
  int waiting = 0;
  bool beyond = false;
  for (int y = row - area->first_row; y < row - area->first_row + rows; y++) {
    begin_row(area, y, out);
    for (int x = 0; x <= area->last_column - area->first_column; x++)
      for (int unit = 0; unit < frame->units; unit++, blocks += 64) {
        int c = frame->unit[unit].component;
        some.block[waiting] = blocks;
        some.limit[waiting] = planes->limit[c];
        some.quantiser[waiting] = frame->quantiser[frame->component[c].quantiser];
        some.stride[waiting] = area->stride[c];
        some.out[waiting] = out[unit];
        out[unit] += 8 * frame->component[c].across;
        if (++waiting < AT_ONCE) continue;
        beyond |= kernels->inverse_dct(&some);
        waiting = 0;
      }
  }
  if (!waiting) return beyond;
  for (int i = waiting; i < AT_ONCE; i++) { /* the first one once more, and nowhere */
    some.block[i] = some.block[0];
    some.limit[i] = some.limit[0];
    some.quantiser[i] = some.quantiser[0];
    some.out[i] = waste;
    some.stride[i] = 8;
  }
  return kernels->inverse_dct(&some) || beyond;
}
