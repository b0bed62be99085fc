/* The functions that Python calls (native_engine.py), and the fuzzer. */
#ifndef CNNBENCH_CROP_H
#define CNNBENCH_CROP_H
#include "jpeg.h"

struct decoder; /* memory of one thread, which grows with the largest picture */

/* A domain of the picture (left, top, width, height) is resized at `across` and `down` input pixels per output pixel;
   of the result columns first_column .. and rows first_row .. are wanted; `mirrored`: left to right. */
struct crop {
  double across, down;
  int32_t left, top, width, height, first_column, first_row, columns, rows, cubic, mirrored;
};

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

/* `portable`: without vector code. NULL without memory. */
PUBLIC struct decoder *cnnbench_new(int portable);
PUBLIC void cnnbench_free(struct decoder *decoder);
/* Whether the processor has what the vector code needs. */
PUBLIC int cnnbench_vector(void);

/* Width, height and components of a file that may be taken; an enum result. */
PUBLIC int cnnbench_size(const uint8_t *content, size_t length, int32_t size[3]);
/* 64 bits that tell a file from others (key.c). */
PUBLIC uint64_t cnnbench_key(const uint8_t *content, size_t length);
/* `out`: uint8 (rows, columns, components). `positions` and `dc` as in struct index, or `every` = 0. */
PUBLIC int cnnbench_crop(struct decoder *decoder, const uint8_t *content, size_t length, const struct crop *crop, int every,
                         const uint32_t *positions, const int16_t *dc, uint8_t *out);
/* The rectangle itself, uint8 (height, width, components). */
PUBLIC int cnnbench_region(struct decoder *decoder, const uint8_t *content, size_t length, int left, int top, int width,
                           int height, int every, const uint32_t *positions, const int16_t *dc, uint8_t *out);
/* An index of the whole file; `room`: entries at `positions`. The number of entries, or minus an enum result. */
PUBLIC int cnnbench_index(struct decoder *decoder, const uint8_t *content, size_t length, int every, int room,
                          uint32_t *positions, int16_t *dc);
/* The same crop of pixels uint8 (H, W, `channels`, 1 or 3) whose rows lie `stride` bytes apart. */
PUBLIC int cnnbench_resize(struct decoder *decoder, const uint8_t *pixels, size_t stride, int channels,
                           const struct crop *crop, uint8_t *out);
#endif
