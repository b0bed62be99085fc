/* Target of tools/fuzz_decoder.py for libFuzzer: a file of any bytes, decoded with vector code and without, with entry points
   of its own, of others, and without. What differs ends the process, as a report of a sanitizer does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "crop.h"

enum { HEAD = 12, SIDE = 300, ENTRIES = 4096 }; /* bytes that choose a box; the largest picture; room for an index */

static struct decoder *decoders[2];
static uint32_t positions[ENTRIES], foreign[ENTRIES];
static int16_t dc[3 * ENTRIES];
static uint8_t pixels[2][SIDE * SIDE * 3], crops[2][64 * 64 * 3];

static void must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

static int least(int a, int b) { return a < b ? a : b; }

/* The same box by both decoders: the same result, and the same pixels. */
static int by_both(const uint8_t *content, size_t length, const int box[4], int channels, int every,
                   const uint32_t *at, uint8_t *out) {
  size_t size = (size_t)box[2] * (size_t)box[3] * (size_t)channels;
  int results[2];
  for (int i = 0; i < 2; i++) {
    memset(pixels[i], 0, size);
    results[i] = cnnbench_region(decoders[i], content, length, box[0], box[1], box[2], box[3], every, at, dc, pixels[i]);
  }
  must(results[0] == results[1], "the result depends on the instruction set");
  must(results[0] || !memcmp(pixels[0], pixels[1], size), "pixels depend on the instruction set");
  memcpy(out, pixels[0], size);
  return results[0];
}

static void crop(const uint8_t *content, size_t length, const uint8_t *head, const int box[4], int channels) {
  int columns = 1 + head[8] % 64, rows = 1 + head[9] % 64;
  struct crop wanted = {box[2] / (double)columns, box[3] / (double)rows, box[0], box[1], box[2], box[3], 0, 0, columns, rows,
                        head[10] & 1, head[10] >> 1 & 1};
  int results[2];
  for (int i = 0; i < 2; i++) results[i] = cnnbench_crop(decoders[i], content, length, &wanted, 0, NULL, NULL, crops[i]);
  must(results[0] == results[1], "the result of a crop depends on the instruction set");
  size_t size = (size_t)columns * (size_t)rows * (size_t)channels;
  must(results[0] || !memcmp(crops[0], crops[1], size), "a crop depends on the instruction set");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  static uint8_t plain[SIDE * SIDE * 3], indexed[SIDE * SIDE * 3];
  if (!decoders[0])
    for (int i = 0; i < 2; i++) decoders[i] = cnnbench_new(i);
  if (length < HEAD) return 0;
  const uint8_t *head = data;
  /* a copy of its own, so that a sanitizer sees each byte too much */
  uint8_t *content = malloc(length - HEAD + 1);
  memcpy(content, data + HEAD, length -= HEAD);
  int32_t size[3];
  if (cnnbench_size(content, length, size) == 0 && size[0] <= SIDE && size[1] <= SIDE) {
    int left = head[0] * size[0] / 256, top = head[1] * size[1] / 256;
    int box[4] = {left, top, least(1 + head[2], size[0] - left), least(1 + head[3], size[1] - top)};
    int result = by_both(content, length, box, size[2], 0, NULL, plain);
    int every = 2 * (1 + head[4] % 16);
    int count = cnnbench_index(decoders[0], content, length, every, ENTRIES, positions, dc);
    if (count > 0) {
      must(result == 0 || result == DAMAGED, "a whole file is decoded, and a part of it is not");
      int again = by_both(content, length, box, size[2], every, positions, indexed);
      size_t bytes = (size_t)box[2] * (size_t)box[3] * (size_t)size[2];
      must(result || (!again && !memcmp(plain, indexed, bytes)), "entry points change pixels");
      for (int i = 0; i < count; i++) foreign[i] = positions[i] * (1u + head[5]) + head[6];
      by_both(content, length, box, size[2], every, foreign, indexed);
    }
    crop(content, length, head, box, size[2]);
  }
  free(content);
  return 0;
}
