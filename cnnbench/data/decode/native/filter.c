/* Weights of the antialiased resize of bytes, as torch computes them (UpSampleKernel.cpp): a triangle, or a cubic with
   a = -0.5, as wide as the picture shrinks; summing to 1; rounded to 16 bits with as much precision as the largest of
   them leaves. */
#include "filter.h"
#include <math.h>
#include <string.h>

static double triangle(double x) { return x < 1 ? 1 - x : 0; }

static double cubic(double x) {
  const double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/* The weights of output `number` into `out`; its first input and their number. */
static void weigh(const struct axis *axis, int number, double *out, int *start, int *length) {
  double support = axis->cubic ? 2 : 1, stretch = axis->scale >= 1 ? axis->scale : 1, reach = support * stretch;
  double centre = axis->scale * (number + 0.5), sum = 0, narrow = axis->scale >= 1 ? 1 / axis->scale : 1;
  int first = (int)(centre - reach + 0.5), end = (int)(centre + reach + 0.5);
  if (first < 0) first = 0;
  if (end > axis->inputs) end = axis->inputs;
  for (int k = 0; k < end - first; k++) {
    double distance = fabs((k + first - centre + 0.5) * narrow);
    sum += out[k] = axis->cubic ? cubic(distance) : triangle(distance);
  }
  for (int k = 0; k < end - first; k++) out[k] = sum != 0 ? out[k] / sum : out[k];
  *start = first;
  *length = end - first;
}

/* The most bits behind the point with which `most`, the largest weight, stays below 2^15; at most 22. */
static int precision_of(double most) {
  int precision = 0;
  while (precision < 22 && (int)(0.5 + most * (1 << (precision + 1))) < 1 << 15) precision++;
  return precision;
}

static bool make_room(struct filter *filter, int count, int widest) {
  size_t outputs = (size_t)count;
  return grow(&filter->start, &filter->start_room, outputs * sizeof *filter->start) &&
         grow(&filter->length, &filter->length_room, outputs * sizeof *filter->length) &&
         grow(&filter->exact, &filter->exact_room, (outputs + 1) * (size_t)widest * sizeof *filter->exact);
}

static void round_weights(struct filter *filter, int widest) {
  memset(filter->weights, 0, (size_t)filter->count * (size_t)filter->taps * sizeof *filter->weights);
  for (int x = 0; x < filter->count; x++)
    for (int k = 0; k < filter->length[x]; k++) {
      double weight = filter->exact[(size_t)x * (size_t)widest + (size_t)k] * (1 << filter->precision);
      filter->weights[(size_t)x * (size_t)filter->taps + (size_t)k] = (int16_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
}

/* The weights of outputs axis->first .. + axis->count - 1; `backwards`: the last one first. */
bool make_filter(struct filter *filter, const struct axis *axis, bool backwards) {
  double reach = (axis->cubic ? 2 : 1) * (axis->scale >= 1 ? axis->scale : 1), most = 0;
  int widest = 2 * (int)ceil(reach) + 1, taps = 1, low = axis->inputs, high = 0;
  if (!make_room(filter, axis->count, widest)) return false;
  double *spare = filter->exact + (size_t)axis->count * (size_t)widest;
  for (int number = 0; number < axis->first + axis->count; number++) {
    int place = number - axis->first, start, length;
    if (backwards) place = axis->count - 1 - place;
    double *out = number < axis->first ? spare : filter->exact + (size_t)place * (size_t)widest;
    weigh(axis, number, out, &start, &length);
    for (int k = 0; k < length; k++)
      if (out[k] > most) most = out[k]; /* of those before the first as well, as torch makes them all */
    if (number < axis->first) continue;
    filter->start[place] = start;
    filter->length[place] = length;
    if (length > taps) taps = length;
    if (start < low) low = start;
    if (start + length > high) high = start + length;
  }
  filter->count = axis->count;
  filter->taps = (taps + 1) & ~1;
  filter->precision = precision_of(most);
  filter->first = low;
  filter->inputs = high - low;
  for (int x = 0; x < axis->count; x++) filter->start[x] -= low;
  size_t room = ((size_t)filter->count * (size_t)filter->taps + GUARD) * sizeof *filter->weights;
  if (filter->precision < 1 || filter->inputs < 1 || !grow(&filter->weights, &filter->weights_room, room)) return false;
  round_weights(filter, widest);
  return true;
}
