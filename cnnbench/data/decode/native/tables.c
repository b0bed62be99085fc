/* Huffman tables (T.81, C and F.2.2.3) made for looking up a code together with the value behind it, and with the code
   that ends the block behind that. */
#include <string.h>
#include "entry_bits.h"
#include "jpeg.h"

/* A code, and how many bits it has. */
struct code {
  int bits, length;
};

/* `count` copies of `entry` from `at` on. */
static void fill(uint32_t *at, int count, uint32_t entry) {
  for (int i = 0; i < count; i++) at[i] = entry;
}

/* What a code of `length` bits for `symbol` means, at its place in the table of AC codes; `end`: the code that ends a
   block. */
static void fill_ac(uint32_t *at, int length, int symbol, struct code end) {
  int run = symbol >> 4, size = symbol & 15, room = 1 << (AC_BITS - length);
  if (size == 0) {
    fill(at, room, run == 15 ? AC_ENTRY(length, 16, 0) : AC_ENTRY(length, ENDS | 1, 0));
  } else if (length + size > AC_BITS) {
    fill(at, room, AC_SLOW(length, run + 1, size));
  } else {
    int same = 1 << (AC_BITS - length - size), behind = AC_BITS - length - size - end.length;
    for (int bits = 0; bits < 1 << size; bits++, at += same) {
      int value = bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits; /* T.81, F.2.2.1, EXTEND */
      fill(at, same, AC_ENTRY(length + size, run + 1, value));
      if (behind >= 0)
        fill(at + (end.bits << behind), 1 << behind, AC_ENTRY(length + size + end.length, ENDS | (run + 1), value));
    }
  }
}

/* The code for symbol 0; without one, or where codes do not fit, one that is longer than all. */
static struct code code_of_end(const struct huffman *huffman) {
  for (int length = 1, place = 0, code = 0; length <= 16; length++, code <<= 1)
    for (int i = 0; i < huffman->count[length - 1]; i++, place++, code++)
      if (huffman->symbol[place] == 0) return code < 1 << length ? (struct code){code, length} : (struct code){0, 17};
  return (struct code){0, 17};
}

/* False if the codes do not fit, or mean what files of 8 bits have no need of. */
bool make_huffman(struct huffman *huffman, bool ac) {
  int looked_up = ac ? AC_BITS : PAIR_BITS, place = 0, code = 0;
  struct code end = code_of_end(huffman);
  if (ac) fill(huffman->table, 1 << AC_BITS, AC_SLOW(0, 0, 0));
  else memset(huffman->pairs, 0, sizeof huffman->pairs);
  huffman->table[1 << AC_BITS] = (uint32_t)end.length;
  for (int length = 1; length <= 16; length++, code <<= 1) {
    huffman->offset[length] = place - code;
    for (int i = 0; i < huffman->count[length - 1]; i++, place++, code++) {
      int symbol = huffman->symbol[place];
      if (code >= 1 << length || (ac ? (symbol & 15) > 10 : symbol > 11)) return false;
      if (length > looked_up) continue;
      size_t at = (size_t)code << (looked_up - length), after = at + ((size_t)1 << (looked_up - length));
      if (ac) fill_ac(huffman->table + at, length, symbol, end);
      else
        while (at < after) huffman->pairs[at++] = DC_ENTRY(length, symbol);
    }
    huffman->last_code[length] = code - 1;
  }
  return true;
}

/* What an entry of AC codes says of a code: its bits, those of its value, the step; 0 bits: nothing. */
struct passed {
  unsigned code, value, step, end; /* end: bits of the code for the end of the block behind it */
};

static struct passed read_entry(uint32_t entry, unsigned end) {
  unsigned step = AC_STEP(entry), bits = entry & 255;
  int of = (int16_t)(entry >> 16);
  if (step & SLOW) return (struct passed){entry >> 16 & 255, entry >> 24, step & ~SLOW, 0};
  if (step & ENDS && of == 0) return (struct passed){0, 0, 0, bits};
  unsigned value = of ? 32 - (unsigned)__builtin_clz((unsigned)(of < 0 ? -of : of)) : 0;
  if (!(step & ENDS)) end = 0;
  return (struct passed){bits - end - value, value, step & ~ENDS, end};
}

/* Several codes at a look-up, from the table of single ones. A code has to lie within the bits that are looked up, but not
   what stands for its value. */
void make_pairs(struct huffman *huffman) {
  struct passed single[1 << PAIR_BITS];
  for (unsigned i = 0; i < 1 << PAIR_BITS; i++)
    single[i] = read_entry(huffman->table[i << (AC_BITS - PAIR_BITS)], huffman->table[1 << AC_BITS]);
  for (unsigned i = 0; i < 1 << PAIR_BITS; i++) {
    unsigned bits = 0, steps = 0;
    for (int codes = 0; codes < CODES_AT_ONCE && bits < PAIR_BITS; codes++) {
      struct passed next = single[i << bits & ((1 << PAIR_BITS) - 1)];
      unsigned most = bits + next.code + next.value;
      if (next.code + next.end == 0 || bits + next.code > PAIR_BITS || most > MOST_PASSED) break;
      bits = most;
      steps += next.step;
      if (next.end && bits + next.end <= PAIR_BITS) {
        bits += next.end;
        steps |= ENDS;
        break;
      }
      if (next.code == 0) break;
    }
    huffman->pairs[i] = (uint16_t)(bits ? bits | steps << 8 : NO_PAIR);
  }
}
