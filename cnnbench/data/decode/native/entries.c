/* Entry points as they are kept: read for a box, and written. Each row of MCUs has as many, in `row_bytes`: the position of its
   first, 32 bits; then of each how many bits it lies behind the one before, 16, and the DC predictors, three times 12. */
#include "entries.h"

enum { START = 4, NIBBLES = 13, STEP_BITS = 16, DC_BITS = 12 };

size_t row_bytes(int of_row) { return START + ((size_t)of_row * NIBBLES + 1) / 2; }

/* `bytes` of entry `number` of a row, from its first bit on. */
static uint64_t read_bits(const uint8_t *row, int number, int bytes) {
  const uint8_t *at = row + START + (size_t)number * NIBBLES / 2;
  uint64_t word = 0;
  for (int i = 0; i < bytes; i++) word |= (uint64_t)at[i] << 8 * i;
  return word >> (number & 1 ? 4 : 0);
}

bool read_entry(const struct entries *kept, int of_row, long row, int number, struct entry *entry) {
  size_t bytes = row_bytes(of_row), at = (size_t)row * bytes;
  if (at + bytes > (size_t)kept->length) return false;
  const uint8_t *from = kept->bytes + at;
  entry->position = (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
  for (int i = 1; i <= number; i++) entry->position += (uint16_t)read_bits(from, i, 3);
  uint64_t word = read_bits(from, number, 7) >> STEP_BITS;
  for (int c = 0; c < 3; c++, word >>= DC_BITS) entry->dc[c] = (int16_t)((int16_t)(uint16_t)(word << 4) >> 4);
  return true;
}

bool write_entry(uint8_t *row, int number, const struct entry *entry, const struct entry *before) {
  uint32_t step = number ? entry->position - before->position : 0;
  uint64_t word = step;
  bool fits = step >> STEP_BITS == 0;
  for (int c = 0; c < 3; c++) {
    word |= (uint64_t)(entry->dc[c] & 0xFFF) << (STEP_BITS + DC_BITS * c);
    fits &= entry->dc[c] >= -2048 && entry->dc[c] < 2048;
  }
  if (!number)
    for (int i = 0; i < START; i++) row[i] = (uint8_t)(entry->position >> 8 * i);
  uint8_t *at = row + START + (size_t)number * NIBBLES / 2;
  if (number & 1) word = word << 4 | (at[0] & 15);
  for (int i = 0; i < 7; i++) at[i] = (uint8_t)(word >> 8 * i);
  return fits;
}
