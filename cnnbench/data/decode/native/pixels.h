/* Coefficients -> planes of an area (pixels.c). */
#ifndef CNNBENCH_PIXELS_H
#define CNNBENCH_PIXELS_H
#include "jpeg.h"

struct planes {
  uint8_t *memory;
  size_t room;
  int16_t limit[3][72]; /* of each component's coefficients, beyond which decoders differ; then the least of each column */
};

/* The area of a rectangle that lies within the picture, with room for its planes; false without memory. */
bool make_area(struct area *area, struct planes *planes, const struct frame *frame, int left, int top, int width, int height);
/* Blocks of MCU rows `row` .. + `rows` - 1, MCU by MCU, into the planes; true if one is beyond the limits. */
bool fill_planes(const struct area *area, const struct planes *planes, const struct kernels *kernels,
                 const int16_t *blocks, int row, int rows);
/* Of halved columns of chroma the outermost of the picture once more, beside them. */
void repeat_edges(const struct area *area);
#endif
