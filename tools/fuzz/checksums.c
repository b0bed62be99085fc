/* For tools/check_arm64.py: sums of the pixels of files, of a few boxes and crops of each, line by line. */
#include <stdio.h>
#include <stdlib.h>
#include "crop.h"

static uint64_t sum(const uint8_t *bytes, size_t count) { /* FNV-1a */
  uint64_t value = 14695981039346656037u;
  for (size_t i = 0; i < count; i++) value = (value ^ bytes[i]) * 1099511628211u;
  return value;
}

int main(int count, char **names) {
  struct decoder *decoder = cnnbench_new(AVX512);
  static const struct entries none;
  static uint8_t content[1 << 24], pixels[1 << 26];
  for (int i = 1; i < count; i++) {
    FILE *file = fopen(names[i], "rb");
    struct look look;
    size_t length = file ? fread(content, 1, sizeof content, file) : 0;
    if (file) fclose(file);
    if (cnnbench_look(NULL, content, length, &look)) {
      printf("%d not taken\n", i);
      continue;
    }
    for (int k = 0; k < 4; k++) {
      int left = look.width * k / 7, top = look.height * k / 9, width = look.width - 2 * left, height = look.height - 2 * top;
      int result = cnnbench_region(decoder, content, length, &none, left, top, width, height, pixels);
      printf("%d %d %d %016llx", i, k, result, (unsigned long long)sum(pixels, (size_t)(width * height * look.components)));
      struct crop crop = {left, top, width, height, width / 224.0, height / 224.0, 0, 0, 224, 224, k & 1, k >> 1};
      result = cnnbench_crop(decoder, content, length, &none, &crop, pixels);
      printf(" %d %016llx\n", result, (unsigned long long)sum(pixels, (size_t)(224 * 224 * look.components)));
    }
  }
  cnnbench_free(decoder);
  return 0;
}
