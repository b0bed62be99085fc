/* The functions that Python calls (library.py), and the fuzzer. */
#ifndef CNNBENCH_CROP_H
#define CNNBENCH_CROP_H
#include "jpeg.h"

struct decoder; /* memory of one thread, which grows with the largest picture */

/* A domain of the picture (left, top, width, height) is resized at `across` and `down` input pixels per output pixel;
   of the result columns first_column .. and rows first_row .. are wanted; `mirrored`: left to right. */
struct crop {
  int32_t left, top, width, height;
  double across, down;
  int32_t first_column, first_row, columns, rows, cubic, mirrored;
};

/* The entry points of `files` files, by their keys, which are sorted: where those of each lie, how many bytes they are, the key of
   these bytes, and the columns of blocks between them, 0: another decoder is to be asked. */
struct side_index {
  uint64_t files;
  const uint64_t *keys, *places, *sums;
  const uint32_t *lengths;
  const uint16_t *spacings;
};

/* What is known of a file before it is decoded; `key`: 0 without an index. */
struct look {
  int32_t width, height, components;
  uint64_t key;
  struct entries entries;
};

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

enum instructions { PORTABLE, AVX2, AVX512 };

/* With vector code of `most`, an enum instructions, where the processor has it. NULL without memory. */
PUBLIC struct decoder *cnnbench_new(int most);
PUBLIC void cnnbench_free(struct decoder *decoder);
/* What such a decoder works with. */
PUBLIC int cnnbench_instructions(int most);

/* Looks at a file that may be taken, which has one scan, and for it into `index`, or NULL; an enum result. */
PUBLIC int cnnbench_look(const struct side_index *index, const uint8_t *content, size_t length, struct look *look);
/* 64 bits that tell a file from others (side_index.c). */
PUBLIC uint64_t cnnbench_key(const uint8_t *content, size_t length);
/* `out`: uint8 (rows, columns, components). */
PUBLIC int cnnbench_crop(struct decoder *decoder, const uint8_t *content, size_t length, const struct entries *entries,
                         const struct crop *crop, uint8_t *out);
/* The rectangle itself, uint8 (height, width, components). */
PUBLIC int cnnbench_region(struct decoder *decoder, const uint8_t *content, size_t length, const struct entries *entries,
                           int left, int top, int width, int height, uint8_t *out);
/* The entry points of the whole file, written as struct entries has them to `out`, with room for so many bytes. Their length,
   or minus an enum result. */
PUBLIC int cnnbench_index(struct decoder *decoder, const uint8_t *content, size_t length, int every, int room, uint8_t *out);
/* The same crop of pixels uint8 (H, W, `channels`, 1 or 3) whose rows lie `stride` bytes apart. */
PUBLIC int cnnbench_resize(struct decoder *decoder, const uint8_t *pixels, size_t stride, int channels,
                           const struct crop *crop, uint8_t *out);
#endif
