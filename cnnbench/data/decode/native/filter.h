/* One axis of an antialiased resize (filter.c). */
#ifndef CNNBENCH_FILTER_H
#define CNNBENCH_FILTER_H
#include "jpeg.h"

/* `inputs` pixels at `scale` input pixels per output pixel; outputs first .. first + count - 1 are wanted. */
struct axis {
  int inputs, first, count;
  double scale;
  bool cubic;
};

bool make_filter(struct filter *filter, const struct axis *axis, bool backwards);
#endif
