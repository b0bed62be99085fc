/* Reading bits, and codes that no table has. Included by each instruction set's file. */
#ifndef CNNBENCH_BITS_H
#define CNNBENCH_BITS_H
#include <string.h>
#include "jpeg.h"

/* What every symbol reads and writes: in registers while symbols are decoded.
   `bits`: the next bits, the first on top; `valid`: how many of them, in its lower six bits. */
struct lane {
  uint64_t bits;
  const uint8_t *next;
  uint32_t valid, place; /* place: of the last coefficient of the block */
  int16_t *block;
  const uint32_t *table;
  const uint16_t *pairs; /* walk.h */
};

/* 56 to 63 valid bits. */
INLINE void refill(struct lane *lane) {
  uint64_t word;
  memcpy(&word, lane->next, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  lane->bits |= word >> (lane->valid & 63);
  lane->next += ~lane->valid >> 3 & 7;
  lane->valid |= 56;
}

/* Only the lower six bits of `bits` and of `valid` count. */
INLINE void drop(struct lane *lane, uint32_t bits) {
  lane->bits <<= bits & 63;
  lane->valid -= bits;
}

/* The value of `size` bits, 0 to 11, on top (T.81, F.2.2.1). */
INLINE int32_t take_value(struct lane *lane, unsigned size) {
  int32_t value = (int32_t)(lane->bits >> 1 >> (63 - size)), negative = (int32_t)(~lane->bits >> 63);
  drop(lane, size);
  return value - (int32_t)((uint32_t)negative << size) + negative;
}

/* The symbol of a code, length by length; -1 if there is none. */
APART int find_code(const struct huffman *huffman, struct lane *lane) {
  for (int length = 1; length <= 16; length++) {
    int code = (int)(lane->bits >> (64 - length));
    if (code > huffman->last_code[length]) continue;
    int place = code + huffman->offset[length];
    if (place < 0 || place >= huffman->symbols) return -1;
    drop(lane, (unsigned)length);
    return huffman->symbol[place];
  }
  return -1;
}

/* A walk is over what is no code, in the MCU at which it is. */
static inline void note_error(struct walk *walk) {
  walk->log[walk->count - 1].damaged = true;
  walk->damaged = true;
}
#endif
