/* Target of tools/fuzz_decoder.py for libFuzzer: a file of any bytes, decoded by each instruction set that is here, with entry points
   of its own, of others, and without. What differs ends the process, as a report of a sanitizer does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "crop.h"

enum { HEAD = 12, SIDE = 300, ROOM = 1 << 15 }; /* bytes that choose a box; the largest picture; bytes of an index */

static struct decoder *decoders[AVX512 + 1];
static int last; /* of them */
static uint8_t own[ROOM];
static uint8_t pixels[AVX512 + 1][SIDE * SIDE * 3], crops[AVX512 + 1][64 * 64 * 3];

static const struct entries none;

static void must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

static int least(int a, int b) { return a < b ? a : b; }

/* The same box by all decoders: the same result, and the same pixels. */
static int by_all(const uint8_t *content, size_t length, const int box[4], int channels, const struct entries *entries,
                   uint8_t *out) {
  size_t size = (size_t)box[2] * (size_t)box[3] * (size_t)channels;
  int results[AVX512 + 1];
  for (int i = 0; i <= last; i++) {
    memset(pixels[i], 0, size);
    results[i] = cnnbench_region(decoders[i], content, length, entries, box[0], box[1], box[2], box[3], pixels[i]);
    must(results[i] == results[0], "the result depends on the instruction set");
    must(results[i] || !memcmp(pixels[i], pixels[0], size), "pixels depend on the instruction set");
  }
  memcpy(out, pixels[0], size);
  return results[0];
}

static void crop(const uint8_t *content, size_t length, const uint8_t *head, const int box[4], int channels) {
  int columns = 1 + head[8] % 64, rows = 1 + head[9] % 64;
  struct crop wanted = {box[0], box[1], box[2], box[3], box[2] / (double)columns, box[3] / (double)rows, 0, 0, columns, rows,
                        head[10] & 1, head[10] >> 1 & 1};
  int results[AVX512 + 1];
  size_t size = (size_t)columns * (size_t)rows * (size_t)channels;
  for (int i = 0; i <= last; i++) {
    results[i] = cnnbench_crop(decoders[i], content, length, &none, &wanted, crops[i]);
    must(results[i] == results[0], "the result of a crop depends on the instruction set");
    must(results[i] || !memcmp(crops[i], crops[0], size), "a crop depends on the instruction set");
  }
}

/* What a side index of this file alone says of it. The entries are a copy of their own, which is returned. */
static uint8_t *indexed_look(const uint8_t *content, size_t length, int every, int bytes, struct entries *entries) {
  uint8_t *copy = malloc((size_t)bytes);
  memcpy(copy, own, (size_t)bytes);
  uint64_t key = cnnbench_key(content, length), place = (uintptr_t)copy, sum = cnnbench_key(copy, (size_t)bytes);
  uint32_t lengths = (uint32_t)bytes;
  uint16_t spacing = (uint16_t)every;
  struct side_index index = {1, &key, &place, &sum, &lengths, &spacing};
  struct look look;
  must(cnnbench_look(&index, content, length, &look) == 0 && look.entries.bytes == copy, "entry points are not found");
  *entries = look.entries;
  return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  static uint8_t plain[SIDE * SIDE * 3], indexed[SIDE * SIDE * 3];
  if (!decoders[0]) {
    last = cnnbench_instructions(AVX512);
    for (int i = 0; i <= last; i++) decoders[i] = cnnbench_new(i);
  }
  if (length < HEAD) return 0;
  const uint8_t *head = data;
  /* a copy of its own, so that a sanitizer sees each byte too much */
  uint8_t *content = malloc(length - HEAD + 1);
  memcpy(content, data + HEAD, length -= HEAD);
  struct look look;
  if (cnnbench_look(NULL, content, length, &look) == 0 && look.width <= SIDE && look.height <= SIDE) {
    int left = head[0] * look.width / 256, top = head[1] * look.height / 256, channels = look.components;
    int box[4] = {left, top, least(1 + head[2], look.width - left), least(1 + head[3], look.height - top)};
    int result = by_all(content, length, box, channels, &none, plain);
    int every = 2 * (1 + head[4] % 16);
    int entry_bytes = cnnbench_index(decoders[last], content, length, every, ROOM, own);
    if (entry_bytes > 0) {
      must(result == 0 || result == DAMAGED, "a whole file is decoded, and a part of it is not");
      struct entries entries;
      uint8_t *copy = indexed_look(content, length, every, entry_bytes, &entries);
      int again = by_all(content, length, box, channels, &entries, indexed);
      size_t bytes = (size_t)box[2] * (size_t)box[3] * (size_t)channels;
      must(result || (!again && !memcmp(plain, indexed, bytes)), "entry points change pixels");
      for (int i = 0; i < entry_bytes; i++) copy[i] = (uint8_t)(copy[i] * (1u + head[5]) + head[6]);
      by_all(content, length, box, channels, &entries, indexed);
      entries.length = entry_bytes * head[7] / 256; /* too few */
      entries.every = head[7];
      by_all(content, length, box, channels, &entries, indexed);
      free(copy);
    }
    crop(content, length, head, box, channels);
  }
  free(content);
  return 0;
}
