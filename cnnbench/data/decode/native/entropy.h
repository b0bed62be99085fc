/* Entropy decoding (T.81, F.2): one symbol of each of up to three runs in turn, since one waits for its own last symbol.
   Included by each instruction set's file, behind its `clear_block`. */
#include <string.h>
#include "entry_bits.h"
#include "jpeg.h"

#define COMMON(condition) __builtin_expect(!!(condition), 1)
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))

/* What every symbol reads and writes: in registers while symbols are decoded.
   `bits`: the next bits, the first on top; `valid`: how many of them, in its lower six bits. */
struct lane {
  uint64_t bits;
  const uint8_t *next;
  uint32_t valid, place; /* place: of the last coefficient of the block */
  int16_t *block;
  const uint32_t *table;
};

struct stream {
  struct lane lane;
  struct run *run;
  const struct part *part;
  int unit, left, step; /* block of the MCU; MCUs of the part; from block to block, 0 where they are thrown away */
  uint32_t prediction[3]; /* int32: unsigned, as hostile differences may overflow it */
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
  uint64_t flip = lane->bits >> 63 ? 0 : ~(uint64_t)0; /* a value whose first bit is 0 is negative: its bits are turned */
  int32_t size_of_it = (int32_t)((lane->bits ^ flip) >> 1 >> (63 - size));
  drop(lane, size);
  return flip ? -size_of_it : size_of_it;
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

static uint32_t position(const struct stream *stream, const struct work *work) {
  return (uint32_t)(stream->lane.next - work->scan->bytes) * 8 - (stream->lane.valid & 63);
}

static void begin_part(struct stream *stream, const struct work *work) {
  stream->left = stream->part->mcus;
  stream->step = stream->part->out ? 64 : 0;
  stream->lane.block = stream->part->out ? stream->part->out - 64 : work->waste;
  stream->unit = work->frame->units - 1;
}

/* The next run; false if there is none. */
static bool begin_run(struct stream *stream, struct work *work) {
  if (work->next == work->count) return false;
  struct run *run = stream->run = work->runs + work->next++;
  stream->lane = (struct lane){.next = work->scan->bytes + (run->entry.position >> 3)};
  refill(&stream->lane);
  drop(&stream->lane, run->entry.position & 7);
  for (int i = 0; i < 3; i++) stream->prediction[i] = (uint32_t)run->entry.dc[i];
  stream->part = work->parts + run->first_part;
  begin_part(stream, work);
  stream->left++; /* the first block ends the MCU before it */
  return true;
}

static void end_run(struct stream *stream, struct work *work) {
  struct run *run = stream->run;
  run->entry.position = position(stream, work);
  for (int i = 0; i < 3; i++) run->entry.dc[i] = (int16_t)stream->prediction[i];
  work->damaged |= run->entry.position > run->end;
}

/* The next MCU, part or run; false if nothing is left. */
static bool next_mcu(struct stream *stream, struct work *work) {
  stream->unit = 0;
  if (--stream->left) return true;
  if (stream->part + 1 < work->parts + stream->run->first_part + stream->run->parts) {
    stream->part++;
    begin_part(stream, work);
  } else {
    end_run(stream, work);
    if (!begin_run(stream, work)) return false;
    stream->left--;
  }
  stream->unit = 0;
  return true;
}

/* The next block, up to its DC coefficient; false if nothing is left. */
APART bool next_block(struct stream *stream, struct work *work) {
  const struct frame *frame = work->frame;
  if (++stream->unit == frame->units && !next_mcu(stream, work)) return false;
  struct lane *lane = &stream->lane;
  const uint8_t *end = work->scan->bytes + work->scan->length + 16;
  if (lane->next > end) { /* zeros are read from here on */
    work->damaged = true;
    lane->next = end;
  }
  const struct unit *unit = frame->unit + stream->unit;
  refill(lane);
  uint32_t entry = unit->dc->table[lane->bits >> (64 - DC_BITS)];
  int size = (int)(entry >> 8);
  if (COMMON(entry)) drop(lane, entry);
  else size = find_code(unit->dc, lane);
  if (size < 0) {
    work->damaged = true;
    size = 0;
  }
  uint32_t value = stream->prediction[unit->component] += (uint32_t)take_value(lane, (unsigned)size);
  work->damaged |= (value + 0x8000) >> 16 != 0;
  lane->block += stream->step;
  if (stream->step) clear_block(lane->block);
  lane->block[0] = (int16_t)value;
  lane->table = unit->ac->table;
  lane->place = 0;
  refill(lane);
  return true;
}

/* A code, or its value, longer than the table looks up; whether the block ended. */
APART bool long_symbol(struct stream *stream, struct work *work, uint32_t entry) {
  struct lane *lane = &stream->lane;
  unsigned length = entry >> 16 & 255, size = entry >> 24, step = entry >> 8 & 127;
  refill(lane);
  if (length) {
    drop(lane, length);
  } else {
    int symbol = find_code(work->frame->unit[stream->unit].ac, lane);
    if (symbol < 0) {
      work->damaged = true;
      return true;
    }
    size = symbol & 15;
    step = (unsigned)(symbol >> 4) + 1;
    if (!size && step != 16) return true;
  }
  int32_t value = take_value(lane, size);
  refill(lane);
  lane->place += step;
  if (lane->place > 63) {
    work->damaged = true;
    return true;
  }
  lane->block[zigzag[lane->place]] = (int16_t)value;
  return lane->place == 63;
}

/* Field by field: as one copy it would be read back in other pieces than it was written in, for which processors wait. */
INLINE void save(struct stream *stream, const struct lane *lane) {
  stream->lane.bits = lane->bits;
  stream->lane.next = lane->next;
  stream->lane.valid = lane->valid;
  stream->lane.place = lane->place;
}

INLINE void restore(struct lane *lane, const struct stream *stream) {
  lane->bits = stream->lane.bits;
  lane->valid = stream->lane.valid;
  lane->place = stream->lane.place;
  lane->next = stream->lane.next;
  lane->block = stream->lane.block;
  lane->table = stream->lane.table;
}

/* One symbol; false if nothing is left. What leaves the common path goes through the stream in memory. */
INLINE bool next_symbol(struct lane *lane, struct stream *stream, struct work *work) {
  uint32_t entry = lane->table[lane->bits >> (64 - AC_BITS)];
  uint32_t place = lane->place + AC_STEP(entry);
  bool ended;
  if (COMMON(place < 63)) {
    drop(lane, entry);
    lane->block[zigzag[place]] = (int16_t)(entry >> 16);
    lane->place = place;
    return true;
  }
  if (place == 63) {
    drop(lane, entry);
    lane->block[63] = (int16_t)(entry >> 16);
    save(stream, lane);
    ended = true;
  } else if (AC_STEP(entry) & SLOW) {
    save(stream, lane);
    ended = long_symbol(stream, work, entry);
  } else {
    drop(lane, entry);
    save(stream, lane);
    work->damaged |= AC_STEP(entry) != END_OF_BLOCK;
    ended = true;
  }
  if (ended && !next_block(stream, work)) return false;
  restore(lane, stream);
  return true;
}

/* Four symbols of the common path take AC_BITS each at most: one refill is enough, and the others refill themselves. */
#define SYMBOLS 4
_Static_assert(SYMBOLS * AC_BITS <= 56, "one refill for all");

#define FOUR_TIMES(symbols) symbols symbols symbols symbols

static void decode_one(struct stream *stream, struct work *work) {
  struct lane a = stream->lane;
  for (;;) {
    refill(&a);
    FOUR_TIMES(if (!next_symbol(&a, stream, work)) return;)
  }
}

/* Until one of the streams has nothing left; the number of that one. */
static int decode_two(struct stream *stream, struct work *work) {
  struct lane a = stream[0].lane, b = stream[1].lane;
  int over;
  for (;;) {
    refill(&a);
    refill(&b);
    FOUR_TIMES(if (!next_symbol(&a, stream + (over = 0), work)) break;
               if (!next_symbol(&b, stream + (over = 1), work)) break;)
  }
  save(stream, &a);
  save(stream + 1, &b);
  return over;
}

static int decode_three(struct stream *stream, struct work *work) {
  struct lane a = stream[0].lane, b = stream[1].lane, c = stream[2].lane;
  int over;
  for (;;) {
    refill(&a);
    refill(&b);
    refill(&c);
    FOUR_TIMES(if (!next_symbol(&a, stream + (over = 0), work)) break;
               if (!next_symbol(&b, stream + (over = 1), work)) break;
               if (!next_symbol(&c, stream + (over = 2), work)) break;)
  }
  save(stream, &a);
  save(stream + 1, &b);
  save(stream + 2, &c);
  return over;
}

/* All runs of `work`, up to `ways` (3 at most) in turn. */
static void decode_runs(struct work *work, int ways) {
  struct stream streams[3];
  int live = 0;
  while (live < ways && begin_run(streams + live, work)) {
    if (next_block(streams + live, work)) live++;
  }
  while (live == 3) {
    int over = decode_three(streams, work);
    streams[over] = streams[--live];
  }
  while (live == 2) {
    int over = decode_two(streams, work);
    streams[over] = streams[--live];
  }
  if (live) decode_one(streams, work);
}
