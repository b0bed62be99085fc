/* Walks over codes without keeping what they say: where each MCU begins, and the DC predictors there (sweep.c says what
   for). Several symbols at a look-up, and a symbol of each of three walks in turn. Included by each instruction set's
   file, behind entropy.h. */
#include "entropy.h"

enum { WALKS = 3 };

struct walker {
  struct lane lane;
  struct walk *walk;
  const struct unit *unit; /* of the block */
  uint32_t prediction[3];
};

/* What all walks read. */
struct ground {
  const struct frame *frame;
  const struct scan *scan;
  const uint8_t *end; /* of the scan and a few of its zeros */
};

/* Note where the block of `unit` begins, for good if it begins an MCU; whether the walk goes on. Without a branch, as no
   processor guesses which of three walks begins an MCU when. */
INLINE bool note_block(const struct lane *lane, struct walker *walker, const struct ground *ground) {
  struct walk *walk = walker->walk;
  struct entry *entry = walk->log + walk->count;
  uint32_t position = (uint32_t)(lane->next - ground->scan->bytes) * 8 - (lane->valid & 63);
  bool first = walker->unit == ground->frame->unit;
  entry->position = position;
  entry->damaged = false;
  for (int i = 0; i < 3; i++) entry->dc[i] = (int16_t)walker->prediction[i];
  walk->count += first;
  return !(first & ((position >= walk->limit) | (walk->count >= walk->room)));
}

/* The DC code that the table does not have; the size of its value. */
APART unsigned walk_long_dc(struct lane *lane, struct walk *walk, const struct unit *unit) {
  int size = find_code(unit->dc, lane);
  if (size >= 0) return (unsigned)size;
  note_error(walk);
  drop(lane, 1);
  return 0;
}

/* The next block, up to its DC coefficient; false if the walk is over. */
INLINE bool walk_block(struct lane *lane, struct walker *walker, const struct ground *ground) {
  const struct unit *unit = walker->unit = walker->unit->next;
  if (RARE(!note_block(lane, walker, ground))) return false;
  if (RARE(lane->next > ground->end)) {
    note_error(walker->walk);
    lane->next = ground->end;
  }
  refill(lane);
  uint32_t entry = unit->dc->pairs[lane->bits >> (64 - PAIR_BITS)];
  unsigned size = entry >> 8;
  if (RARE(!entry)) {
    save(&walker->lane, lane);
    size = walk_long_dc(&walker->lane, walker->walk, unit);
    restore(lane, &walker->lane);
  } else drop(lane, entry);
  walker->prediction[unit->component] += (uint32_t)take_value(lane, size);
  lane->pairs = unit->ac->pairs;
  lane->place = 0;
  refill(lane);
  return true;
}

/* One symbol that is not in the table of pairs, or ends the block without a code; whether the block ended. */
APART bool walk_symbol_alone(struct lane *lane, struct walk *walk, const struct unit *unit) {
  int16_t waste[64];
  refill(lane);
  uint32_t entry = unit->ac->table[lane->bits >> (64 - AC_BITS)], place = lane->place + AC_STEP(entry);
  bool damaged = false, ended = true;
  if (AC_STEP(entry) & SLOW) {
    ended = long_symbol(lane, waste, unit, &damaged, entry);
  } else if (place < 63) {
    lane->place = place;
    drop(lane, entry);
    ended = false;
  } else {
    drop(lane, last_entry(unit->ac->table, entry, place));
    damaged = place - (AC_STEP(entry) & ENDS) > 63;
  }
  if (damaged) {
    note_error(walk);
    drop(lane, 1); /* so that a walk over what is no code gets on */
  }
  refill(lane);
  return ended;
}

/* One look-up; false if the walk is over. */
INLINE bool walk_symbols(struct lane *lane, struct walker *walker, const struct ground *ground) {
  uint32_t entry = lane->pairs[lane->bits >> (64 - PAIR_BITS)];
  uint32_t place = lane->place + AC_STEP(entry);
  if (COMMON(place < 63)) {
    drop(lane, entry);
    lane->place = place;
    return true;
  }
  if (COMMON(AC_STEP(entry) & ENDS && place < (ENDS | 63))) {
    drop(lane, entry);
    return walk_block(lane, walker, ground);
  }
  save(&walker->lane, lane);
  bool ended = walk_symbol_alone(&walker->lane, walker->walk, walker->unit);
  restore(lane, &walker->lane);
  return ended ? walk_block(lane, walker, ground) : true;
}

_Static_assert(3 * MOST_PASSED <= 56, "one refill for all");

static void walk_one(struct walker *walker, const struct ground *ground) {
  struct lane a = walker->lane;
  for (;;) {
    refill(&a);
    THREE_TIMES(if (!walk_symbols(&a, walker, ground)) return;)
  }
}

/* Until one of the walks is over; the number of that one. */
static int walk_three(struct walker *walker, const struct ground *ground) {
  struct lane a = walker[0].lane, b = walker[1].lane, c = walker[2].lane;
  int over;
  for (;;) {
    refill(&a);
    refill(&b);
    refill(&c);
    THREE_TIMES(if (!walk_symbols(&a, walker + (over = 0), ground)) break;
               if (!walk_symbols(&b, walker + (over = 1), ground)) break;
               if (!walk_symbols(&c, walker + (over = 2), ground)) break;)
  }
  walker[0].lane = a;
  walker[1].lane = b;
  walker[2].lane = c;
  return over;
}

static int walk_two(struct walker *walker, const struct ground *ground) {
  struct lane a = walker[0].lane, b = walker[1].lane;
  int over;
  for (;;) {
    refill(&a);
    refill(&b);
    THREE_TIMES(if (!walk_symbols(&a, walker + (over = 0), ground)) break;
               if (!walk_symbols(&b, walker + (over = 1), ground)) break;)
  }
  walker[0].lane = a;
  walker[1].lane = b;
  return over;
}

/* At the last MCU that the walk has noted; false if it is over there. */
static bool begin_walk(struct walker *walker, struct walk *walk, const struct ground *ground) {
  const struct frame *frame = ground->frame;
  struct entry from = walk->log[--walk->count]; /* which is noted again */
  *walker = (struct walker){.walk = walk, .unit = frame->unit + frame->units - 1};
  walker->lane.next = ground->scan->bytes + (from.position >> 3);
  for (int i = 0; i < 3; i++) walker->prediction[i] = (uint32_t)from.dc[i];
  struct lane lane = walker->lane;
  refill(&lane);
  drop(&lane, from.position & 7);
  bool begun = walk_block(&lane, walker, ground);
  walker->lane = lane;
  return begun;
}

static struct ground ground_of(const struct frame *frame, const struct scan *scan) {
  return (struct ground){frame, scan, scan->bytes + scan->length + 16};
}

static void walk_alone(const struct frame *frame, const struct scan *scan, struct walk *walk) {
  struct ground ground = ground_of(frame, scan);
  struct walker walker;
  if (begin_walk(&walker, walk, &ground)) walk_one(&walker, &ground);
}

/* WALKS, in turn. */
static void walk_in_turn(const struct frame *frame, const struct scan *scan, struct walk *walks) {
  struct ground ground = ground_of(frame, scan);
  struct walker walkers[WALKS];
  int live = 0;
  for (int i = 0; i < WALKS; i++) live += begin_walk(walkers + live, walks + i, &ground);
  while (live == 3) {
    int over = walk_three(walkers, &ground);
    walkers[over] = walkers[--live];
  }
  while (live == 2) {
    int over = walk_two(walkers, &ground);
    walkers[over] = walkers[--live];
  }
  if (live) walk_one(walkers, &ground);
}
