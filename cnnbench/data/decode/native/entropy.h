/* Entropy decoding (T.81, F.2): one symbol of each of up to three runs in turn, since one waits for its own last symbol.
   Included by each instruction set's file, behind its `clear_block`. */
#include "bits.h"
#include "entry_bits.h"

/* Four symbols of the common path take AC_BITS each at most: one refill is enough, and the others refill themselves. */
#define SYMBOLS 4
_Static_assert(SYMBOLS * AC_BITS <= 56, "one refill for all");

struct stream {
  struct lane lane;
  struct run *run;
  const struct part *part;
  const struct unit *unit; /* of the block */
  int left, step;          /* blocks of the part; from block to block, 0 where they are thrown away */
  uint32_t prediction[3];  /* int32: unsigned, as hostile differences may overflow it */
};

/* Field by field: as one copy it would be read back in other pieces than it was written in, for which processors wait. */
INLINE void save(struct lane *kept, const struct lane *lane) {
  kept->bits = lane->bits;
  kept->next = lane->next;
  kept->valid = lane->valid;
  kept->place = lane->place;
}

INLINE void restore(struct lane *lane, const struct lane *kept) { save(lane, kept); }

static uint32_t position(const struct stream *stream, const struct work *work) {
  return (uint32_t)(stream->lane.next - work->scan->bytes) * 8 - (stream->lane.valid & 63);
}

static void begin_part(struct stream *stream, const struct work *work) {
  stream->left = stream->part->mcus * work->frame->units;
  stream->step = stream->part->out ? 64 : 0;
  stream->lane.block = stream->part->out ? stream->part->out - 64 : work->waste;
  stream->unit = work->frame->unit + work->frame->units - 1;
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
  return true;
}

static void end_run(struct stream *stream, struct work *work) {
  struct run *run = stream->run;
  run->entry.position = position(stream, work);
  for (int i = 0; i < 3; i++) run->entry.dc[i] = (int16_t)stream->prediction[i];
  work->damaged |= run->entry.position > run->end;
}

/* The next part, of this run or of the next one; false if nothing is left. */
APART bool next_part(struct stream *stream, struct work *work) {
  if (stream->part + 1 == work->parts + stream->run->first_part + stream->run->parts) {
    end_run(stream, work);
    return begin_run(stream, work);
  }
  stream->part++;
  begin_part(stream, work);
  return true;
}

/* The DC code that the table does not have; the size of its value. */
APART unsigned long_dc(struct lane *lane, const struct unit *unit, struct work *work) {
  int size = find_code(unit->dc, lane);
  if (size >= 0) return (unsigned)size;
  work->damaged = true;
  return 0;
}

/* The next block, up to its DC coefficient; false if nothing is left. */
INLINE bool next_block(struct lane *lane, struct stream *stream, struct work *work) {
  if (RARE(stream->left == 0)) {
    save(&stream->lane, lane);
    if (!next_part(stream, work)) return false;
    restore(lane, &stream->lane);
    lane->block = stream->lane.block;
  }
  if (RARE(lane->next > work->end)) { /* zeros are read from here on */
    work->damaged = true;
    lane->next = work->end;
  }
  const struct unit *unit = stream->unit = stream->unit->next;
  stream->left--;
  refill(lane);
  uint32_t entry = unit->dc->pairs[lane->bits >> (64 - PAIR_BITS)];
  unsigned size = entry >> 8;
  if (RARE(!entry)) {
    save(&stream->lane, lane);
    size = long_dc(&stream->lane, unit, work);
    restore(lane, &stream->lane);
  } else drop(lane, entry);
  uint32_t value = stream->prediction[unit->component] += (uint32_t)take_value(lane, size);
  work->damaged |= (value + 0x8000) >> 16 != 0;
  lane->block += stream->step;
  clear_block(lane->block);
  lane->block[0] = (int16_t)value;
  lane->table = unit->ac->table;
  lane->place = 0;
  if (RARE((lane->valid & 63) < (SYMBOLS - 1) * AC_BITS)) refill(lane);
  return true;
}

/* A code, or its value, longer than the table looks up, of the block of `unit`; whether the block ended. */
APART bool long_symbol(struct lane *lane, int16_t *block, const struct unit *unit, bool *damaged, uint32_t entry) {
  unsigned length = entry >> 16 & 255, size = entry >> 24, step = entry >> 8 & 127;
  refill(lane);
  if (length) {
    drop(lane, length);
  } else {
    int symbol = find_code(unit->ac, lane);
    if (symbol < 0) {
      *damaged = true;
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
    *damaged = true;
    return true;
  }
  block[zigzag[lane->place]] = (int16_t)value;
  return lane->place == 63;
}

/* The entry that ends a block, but for a code of the end behind the last place: what looks like it belongs to the next
   block. */
INLINE uint32_t last_entry(const uint32_t *table, uint32_t entry, uint32_t place) {
  return place == (ENDS | 63) && entry >> 16 ? entry - table[1 << AC_BITS] : entry;
}

/* One symbol; false if nothing is left. What leaves the common path for long goes through the stream in memory. */
INLINE bool next_symbol(struct lane *lane, struct stream *stream, struct work *work) {
  uint32_t entry = lane->table[lane->bits >> (64 - AC_BITS)];
  uint32_t place = lane->place + AC_STEP(entry);
  if (COMMON(place < 63)) {
    drop(lane, entry);
    lane->block[zigzag[place]] = (int16_t)(entry >> 16);
    lane->place = place;
    return true;
  }
  if (RARE(AC_STEP(entry) & SLOW)) {
    save(&stream->lane, lane);
    bool ended = long_symbol(&stream->lane, lane->block, stream->unit, &work->damaged, entry);
    restore(lane, &stream->lane);
    return ended ? next_block(lane, stream, work) : true;
  }
  drop(lane, last_entry(lane->table, entry, place));
  place -= AC_STEP(entry) & ENDS;
  work->damaged |= place > 63;
  lane->block[zigzag[place & 63]] = (int16_t)(entry >> 16);
  return next_block(lane, stream, work);
}

#define FOUR_TIMES(symbols) symbols symbols symbols symbols
#define THREE_TIMES(symbols) symbols symbols symbols

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
  stream[0].lane = a;
  stream[1].lane = b;
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
  stream[0].lane = a;
  stream[1].lane = b;
  stream[2].lane = c;
  return over;
}

/* All runs of `work`, up to `ways` (3 at most) in turn. */
static void decode_runs(struct work *work, int ways) {
  struct stream streams[3];
  int live = 0;
  while (live < ways && begin_run(streams + live, work)) {
    struct lane lane = streams[live].lane;
    next_block(&lane, streams + live, work);
    streams[live++].lane = lane;
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
