/* From a file, or pixels, to the finished crop: decoded in bands of MCU rows, coloured and resized row by row. */
#include "crop.h"
#include <stdlib.h>
#include <string.h>
#include "entries.h"
#include "filter.h"
#include "pixels.h"
#include "scan.h"
#include "sweep.h"

enum {
  WAYS = 3,              /* runs in turn; a fourth brought nothing */
  BAND_BYTES = 256 << 10 /* of coefficients that are decoded before their pixels are made: they stay in the cache */
};

struct memory {
  void *bytes;
  size_t room;
};

struct decoder {
  struct kernels kernels;
  struct frame frame;
  struct scan scan;
  struct plan plan;
  struct sweep sweep;
  struct planes planes;
  struct filter across, down;
  struct memory coefficients, rows, between;
};

/* The best that are here, of `most` at most; which ones. */
static int choose_kernels(struct kernels *kernels, int most) {
  *kernels = portable_kernels;
  if (most < AVX2 || !use_avx2(kernels)) return PORTABLE;
  return most >= AVX512 && use_avx512(kernels) ? AVX512 : AVX2;
}

struct decoder *cnnbench_new(int most) {
  struct decoder *decoder = calloc(1, sizeof *decoder);
  if (decoder) choose_kernels(&decoder->kernels, most);
  return decoder;
}

static void free_filter(struct filter *filter) {
  free(filter->start);
  free(filter->length);
  free(filter->weights);
  free(filter->spread);
  free(filter->exact);
}

void cnnbench_free(struct decoder *decoder) {
  if (!decoder) return;
  free(decoder->scan.bytes);
  free(decoder->scan.restarts);
  free(decoder->sweep.log);
  free(decoder->plan.runs);
  free(decoder->plan.parts);
  free(decoder->planes.memory);
  free_filter(&decoder->across);
  free_filter(&decoder->down);
  free(decoder->coefficients.bytes);
  free(decoder->rows.bytes);
  free(decoder->between.bytes);
  free(decoder);
}

int cnnbench_instructions(int most) {
  struct kernels kernels;
  return choose_kernels(&kernels, most);
}

static enum result open_file(struct decoder *decoder, const uint8_t *content, size_t length) {
  size_t codes;
  enum result result = read_frame(&decoder->frame, content, length, &codes);
  return result ? result : unstuff(&decoder->scan, &decoder->kernels, content + codes, length - codes);
}

static enum result run_plan(struct decoder *decoder) {
  struct plan *plan = &decoder->plan;
  int16_t waste[64];
  const uint8_t *end = decoder->scan.bytes + decoder->scan.length + 16;
  struct work work = {&decoder->frame, &decoder->scan, plan->runs, plan->parts, 0, plan->run_count, waste, end, false};
  decoder->kernels.decode(&work, WAYS);
  plan_done(plan);
  return work.damaged ? DAMAGED : DONE;
}

/* Find where the MCUs 0 .. `until` begin. */
static enum result sweep(struct decoder *decoder, long until) {
  struct frame *frame = &decoder->frame;
  for (int i = 0; i < 4; i++)
    if (frame->ac[i].present) make_pairs(frame->ac + i);
  struct place place = {&decoder->kernels, frame, &decoder->scan};
  return sweep_to(&decoder->sweep, &place, until);
}

/* A row of MCUs in pieces that the index lets begin, or whole. */
static enum result plan_row(struct decoder *decoder, const struct area *area, const struct index *index, int row,
                            bool whole, int16_t *out) {
  const struct frame *frame = &decoder->frame;
  int piece = frame->mcu_columns;
  if (!whole && index->kept.every) piece = index->kept.every / frame->across;
  if (!whole && index->all) piece = (area->last_column - area->first_column) / WAYS + 1;
  for (int x = area->first_column, stop; x <= area->last_column; x = stop) {
    stop = x - x % piece + piece;
    if (stop > area->last_column) stop = area->last_column + 1;
    long first = (long)row * frame->mcu_columns;
    enum result result = plan_add(&decoder->plan, frame, &decoder->scan, index, first + x, first + stop, out);
    if (result) return result;
    out += (size_t)(stop - x) * (size_t)frame->units * 64;
  }
  return DONE;
}

/* The planes of an area, in bands. */
static enum result decode_area(struct decoder *decoder, const struct area *area, struct index *index) {
  const struct frame *frame = &decoder->frame;
  if (!index->kept.every && !frame->restart) {
    enum result result = sweep(decoder, (long)area->last_row * frame->mcu_columns + area->last_column);
    if (result) return result;
    index->all = decoder->sweep.log;
  }
  struct memory *memory = &decoder->coefficients;
  size_t columns = (size_t)(area->last_column - area->first_column + 1), of_row = columns * (size_t)frame->units * 64;
  int band = (int)(BAND_BYTES / sizeof(int16_t) / of_row) / WAYS * WAYS; /* MCU rows: so that none is decoded alone */
  if (band < WAYS) band = WAYS;
  if (!grow(&memory->bytes, &memory->room, (size_t)band * of_row * sizeof(int16_t))) return NO_MEMORY;
  plan_start(&decoder->plan);
  for (int row = area->first_row; row <= area->last_row; row += band) {
    int rows = area->last_row - row + 1 < band ? area->last_row - row + 1 : band;
    int16_t *out = memory->bytes;
    for (int y = 0; y < rows; y++, out += of_row) { /* rows that are left over are cut, so that they, too, take turns */
      enum result result = plan_row(decoder, area, index, row + y, y < rows - rows % WAYS, out);
      if (result) return result;
    }
    enum result result = run_plan(decoder);
    if (result) return result;
    if (fill_planes(area, &decoder->planes, &decoder->kernels, memory->bytes, row, rows)) return DAMAGED;
  }
  repeat_edges(area);
  return DONE;
}

/* Where rows come from: an area of a file, or pixels. */
struct source {
  struct area *area;
  const uint8_t *pixels;
  size_t stride;
  int channels, left, top, width;
};

/* Row `y` of the source's rectangle; how many pixels stand before it. */
static int source_row(const struct kernels *kernels, const struct source *source, int y, uint8_t *const out[3]) {
  if (source->area) return kernels->row(source->area, source->top + y, out);
  const uint8_t *from = source->pixels + (size_t)(source->top + y) * source->stride + source->left * source->channels;
  if (source->channels == 3) kernels->from_rgb(from, source->width, out);
  else memcpy(out[0], from, (size_t)source->width);
  return 0;
}

/* One row of each channel, `apart` bytes from each other. */
static void rows_in(uint8_t *memory, size_t apart, int channels, uint8_t **rows) {
  for (int c = 0; c < channels; c++) rows[c] = memory + (size_t)c * apart;
}

/* A row of each channel -> one of pixels. */
static void store_row(const struct kernels *kernels, const uint8_t *const *row, int channels, int count, uint8_t *out) {
  if (channels == 3) kernels->to_rgb(row, count, out);
  else memcpy(out, row[0], (size_t)count);
}

/* Both passes of the resize, the horizontal one while a row is still in the cache: -> uint8 (rows, columns, channels). */
static enum result resize(struct decoder *decoder, const struct source *source, uint8_t *out) {
  const struct kernels *kernels = &decoder->kernels;
  const struct filter *across = &decoder->across, *down = &decoder->down;
  int channels = source->channels, count = across->count;
  size_t wide = up_to((size_t)source->width + (size_t)across->taps, GUARD) + GUARD, apart = up_to((size_t)count, ROW_SLACK);
  size_t stride = apart * (size_t)channels;
  if (!grow(&decoder->rows.bytes, &decoder->rows.room, 6 * wide + stride)) return NO_MEMORY;
  if (!grow(&decoder->between.bytes, &decoder->between.room, ((size_t)down->inputs + 3) * stride)) return NO_MEMORY;
  uint8_t *row[6], *to[6], *between = decoder->between.bytes;
  rows_in(decoder->rows.bytes, wide, 2 * channels, row);
  for (int y = 0; y < down->inputs; y += 2) {
    const uint8_t *in[6];
    for (int i = 0; i < 2; i++) {
      int before = source_row(kernels, source, y + i < down->inputs ? y + i : y, row + i * channels);
      for (int c = 0; c < channels; c++) in[i * channels + c] = row[i * channels + c] + before;
    }
    rows_in(between + (size_t)y * stride, apart, 2 * channels, to);
    kernels->horizontal(across, 2 * channels, in, to);
  }
  uint8_t *done[3];
  rows_in((uint8_t *)decoder->rows.bytes + 6 * wide, apart, channels, done);
  for (int y = 0; y < down->count; y++, out += count * channels) {
    kernels->vertical(down, y, between, stride, (int)stride, done[0]);
    store_row(kernels, (const uint8_t *const *)done, channels, count, out);
  }
  return DONE;
}

static bool make_filters(struct decoder *decoder, const struct crop *crop) {
  struct axis across = {crop->width, crop->first_column, crop->columns, crop->across, crop->cubic};
  struct axis down = {crop->height, crop->first_row, crop->rows, crop->down, crop->cubic};
  return make_filter(&decoder->across, &across, crop->mirrored) && make_filter(&decoder->down, &down, false) &&
         decoder->kernels.prepare(&decoder->across);
}

static bool lies_within(int left, int top, int width, int height, const struct frame *frame) {
  return left >= 0 && top >= 0 && width >= 1 && height >= 1 && left <= frame->width - width && top <= frame->height - height;
}

/* `entries` where they are any. */
static struct index index_of(const struct entries *entries) {
  bool any = entries->every >= 2 && entries->every % 2 == 0;
  return (struct index){any ? *entries : (struct entries){0, 0, NULL}, NULL};
}

int cnnbench_crop(struct decoder *decoder, const uint8_t *content, size_t length, const struct entries *entries,
                  const struct crop *crop, uint8_t *out) {
  enum result result = open_file(decoder, content, length);
  if (result) return result;
  if (!lies_within(crop->left, crop->top, crop->width, crop->height, &decoder->frame)) return NOT_TAKEN;
  if (!make_filters(decoder, crop)) return NO_MEMORY;
  const struct filter *across = &decoder->across, *down = &decoder->down;
  int left = crop->left + across->first, top = crop->top + down->first;
  struct area area;
  if (!make_area(&area, &decoder->planes, &decoder->frame, left, top, across->inputs, down->inputs)) return NO_MEMORY;
  struct index index = index_of(entries);
  result = decode_area(decoder, &area, &index);
  if (result) return result;
  struct source source = {&area, NULL, 0, decoder->frame.components, left, top, across->inputs};
  return resize(decoder, &source, out);
}

int cnnbench_region(struct decoder *decoder, const uint8_t *content, size_t length, const struct entries *entries, int left,
                    int top, int width, int height, uint8_t *out) {
  enum result result = open_file(decoder, content, length);
  if (result) return result;
  if (!lies_within(left, top, width, height, &decoder->frame)) return NOT_TAKEN;
  struct area area;
  struct index index = index_of(entries);
  size_t wide = up_to((size_t)width, GUARD) + GUARD;
  if (!make_area(&area, &decoder->planes, &decoder->frame, left, top, width, height)) return NO_MEMORY;
  if (!grow(&decoder->rows.bytes, &decoder->rows.room, 3 * wide)) return NO_MEMORY;
  result = decode_area(decoder, &area, &index);
  if (result) return result;
  uint8_t *row[3];
  rows_in(decoder->rows.bytes, wide, 3, row);
  int channels = decoder->frame.components;
  for (int y = 0; y < height; y++, out += width * channels) {
    int before = decoder->kernels.row(&area, top + y, row);
    const uint8_t *from[3] = {row[0] + before, row[1] + before, row[2] + before};
    store_row(&decoder->kernels, from, channels, width, out);
  }
  return DONE;
}

/* Where MCU `mcu` begins, of a scan with restart marks, of which all before are decoded and thrown away. */
static enum result walk_to(struct decoder *decoder, long mcu, struct entry *entry) {
  const struct frame *frame = &decoder->frame;
  const struct index none = {{0, 0, NULL}, NULL};
  enum result result = DONE;
  if (mcu > decoder->plan.at)
    result = plan_add(&decoder->plan, frame, &decoder->scan, &none, decoder->plan.at, mcu, NULL);
  if (!result) result = run_plan(decoder);
  *entry = decoder->plan.last;
  if (result || mcu == 0 || mcu % frame->restart || mcu == (long)frame->mcu_rows * frame->mcu_columns) return result;
  if ((size_t)(mcu / frame->restart) > decoder->scan.restart_count) return DAMAGED;
  *entry = (struct entry){decoder->scan.restarts[mcu / frame->restart - 1] * 8, {0, 0, 0}, 0};
  return DONE;
}

/* Where MCU `mcu` begins, all before having been asked for. */
static enum result find_mcu(struct decoder *decoder, long mcu, struct entry *entry) {
  if (decoder->frame.restart) return walk_to(decoder, mcu, entry);
  *entry = decoder->sweep.log[mcu];
  return DONE;
}

int cnnbench_index(struct decoder *decoder, const uint8_t *content, size_t length, int every, int room, uint8_t *out) {
  enum result result = open_file(decoder, content, length);
  const struct frame *frame = &decoder->frame;
  if (result) return -(int)result;
  long mcus = (long)frame->mcu_rows * frame->mcu_columns;
  every /= frame->across; /* in MCUs */
  int of_row = (frame->mcu_columns + every - 1) / every;
  size_t bytes = row_bytes(of_row);
  if ((size_t)room / bytes < (size_t)frame->mcu_rows) return -NO_MEMORY;
  if (!frame->restart && (result = sweep(decoder, mcus))) return -(int)result;
  plan_start(&decoder->plan);
  struct entry entry, before = {0};
  for (int row = 0; row < frame->mcu_rows; row++, out += bytes)
    for (int number = 0; number < of_row; number++, before = entry) {
      result = find_mcu(decoder, (long)row * frame->mcu_columns + number * every, &entry);
      if (!result && !write_entry(out, number, &entry, &before)) result = NOT_TAKEN;
      if (result) return -(int)result;
    }
  result = find_mcu(decoder, mcus, &entry);
  return result ? -(int)result : (int)bytes * frame->mcu_rows;
}

int cnnbench_resize(struct decoder *decoder, const uint8_t *pixels, size_t stride, int channels, const struct crop *crop,
                    uint8_t *out) {
  if (crop->left < 0 || crop->top < 0 || crop->width < 1 || crop->height < 1) return NOT_TAKEN;
  if (!make_filters(decoder, crop)) return NO_MEMORY;
  int left = crop->left + decoder->across.first, top = crop->top + decoder->down.first;
  struct source source = {NULL, pixels, stride, channels, left, top, decoder->across.inputs};
  return resize(decoder, &source, out);
}
