/* Walks over codes, as in walk.h, but 32 at once, one in each lane of two vectors that take turns. What a lane meets, the end
   of a block too, is arithmetic, so that no branch is guessed wrongly; what is rare waits for the end of a few steps.
   Included by avx512.c. */
#include "bits.h"
#include "entry_bits.h"

enum { LANES = 16, STEPS = 3, BEFORE_DC = 16 };
_Static_assert((STEPS - 1) * MOST_PASSED + 10 + 11 <= 57, "one window for all: the last one may be a DC code and its value");
_Static_assert(2 * LANES == MOST_WALKS, "two vectors");

struct lanes {
  __m512i position, place;
  __m512i even, odd; /* the next bits of every second lane, the first on top */
  __m512i state;     /* number of the block's unit, with BEFORE_DC at its beginning */
  __m512i pairs;     /* where the table lies that is looked up next */
  __m512i prediction[3];
  __mmask16 live, slow, begun, bad; /* slow: the next code waits; begun: an MCU is to be noted; bad: met what is no code */
};

/* What all lanes read. Vectors are by the number of the unit; tables are places in `frame`, counted in their entries. */
struct common {
  const struct frame *frame;
  const uint8_t *bytes;
  uint32_t end; /* in bits, a few zeros behind the scan: no lane goes further */
  __m512i next, ac_pairs, dc_pairs, ac_table, end_bits;
  __m512i component; /* 1 << its number */
};

INLINE __m512i same(int value) { return _mm512_set1_epi32(value); }

/* The next 25 bits of each lane, or more. */
INLINE __m512i bits_of(const struct lanes *lanes, const struct common *common) {
  const __m512i swap = _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
  __m512i words = _mm512_i32gather_epi32(_mm512_srli_epi32(lanes->position, 3), common->bytes, 1);
  return _mm512_sllv_epi32(_mm512_shuffle_epi8(words, swap), _mm512_and_si512(lanes->position, same(7)));
}

/* The next 57 bits at positions of 64 bits, or more. */
INLINE __m512i window(const struct common *common, __m512i position) {
  const __m512i swap = _mm512_broadcast_i32x4(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
  __m512i words = _mm512_i64gather_epi64(_mm512_srli_epi64(position, 3), common->bytes, 1);
  return _mm512_sllv_epi64(_mm512_shuffle_epi8(words, swap), _mm512_and_si512(position, _mm512_set1_epi64(7)));
}

INLINE void load_windows(struct lanes *lanes, const struct common *common) {
  lanes->position = _mm512_min_epu32(lanes->position, same((int)common->end));
  lanes->even = window(common, _mm512_and_si512(lanes->position, _mm512_set1_epi64(UINT32_MAX)));
  lanes->odd = window(common, _mm512_srli_epi64(lanes->position, 32));
}

/* The values of `size` bits on top (T.81, F.2.2.1). */
INLINE __m512i values_of(__m512i bits, __m512i size) {
  __mmask16 negative = (__mmask16)~_mm512_movepi32_mask(bits);
  __m512i value = _mm512_srlv_epi32(bits, _mm512_sub_epi32(same(32), size));
  return _mm512_mask_add_epi32(value, negative, value, _mm512_sub_epi32(same(1), _mm512_sllv_epi32(same(1), size)));
}

/* Blocks of the lanes `ended` are over. */
INLINE void next_blocks(struct lanes *lanes, const struct common *common, __mmask16 ended) {
  lanes->state = _mm512_mask_permutexvar_epi32(lanes->state, ended, lanes->state, common->next);
  lanes->begun |= _mm512_mask_cmpeq_epi32_mask(ended, lanes->state, same(BEFORE_DC)); /* the first unit of an MCU */
  lanes->pairs = _mm512_permutex2var_epi32(common->ac_pairs, lanes->state, common->dc_pairs);
}

/* One look-up of each lane that nothing holds up. */
INLINE void step(struct lanes *lanes, const struct common *common) {
  __mmask16 live = lanes->live & (__mmask16)~(lanes->slow | lanes->begun);
  __m512i bits = _mm512_mask_mov_epi32(_mm512_srli_epi64(lanes->even, 32), 0xAAAA, lanes->odd);
  __m512i index = _mm512_add_epi32(_mm512_srli_epi32(bits, 32 - PAIR_BITS), lanes->pairs);
  __m512i entry = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), live, index, common->frame, 2);
  __m512i taken = _mm512_and_si512(entry, same(63)), size = _mm512_and_si512(_mm512_srli_epi32(entry, 8), same(63));
  __mmask16 dc = _mm512_mask_test_epi32_mask(live, lanes->state, same(BEFORE_DC)), ac = live & (__mmask16)~dc;
  __m512i place = _mm512_add_epi32(lanes->place, size);
  __mmask16 slow = _mm512_mask_cmpge_epi32_mask(ac, place, same(63)) | _mm512_mask_testn_epi32_mask(dc, entry, same(0xFFFF));
  lanes->slow |= slow;
  dc &= (__mmask16)~slow;
  ac &= (__mmask16)~slow;
  __m512i value = values_of(_mm512_sllv_epi32(bits, taken), size);
  __m512i component = _mm512_permutexvar_epi32(lanes->state, common->component);
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    __mmask16 of = _mm512_mask_test_epi32_mask(dc, component, same(1 << i));
    lanes->prediction[i] = _mm512_mask_add_epi32(lanes->prediction[i], of, lanes->prediction[i], value);
  }
  taken = _mm512_mask_add_epi32(taken, dc, taken, size);
  lanes->even = _mm512_sllv_epi64(lanes->even, _mm512_and_si512(taken, _mm512_set1_epi64(UINT32_MAX)));
  lanes->odd = _mm512_sllv_epi64(lanes->odd, _mm512_srli_epi64(taken, 32));
  lanes->position = _mm512_mask_add_epi32(lanes->position, dc | ac, lanes->position, taken);
  lanes->place = _mm512_mask_mov_epi32(lanes->place, ac, place);
  lanes->place = _mm512_mask_mov_epi32(lanes->place, dc, _mm512_setzero_si512());
  lanes->state = _mm512_mask_and_epi32(lanes->state, dc, lanes->state, same(15));
  next_blocks(lanes, common, _mm512_mask_test_epi32_mask(ac, entry, same(ENDS << 8)));
}

/* A code that no table has, of lane `i`, which is at `position` and so on. */
static void find_one(struct lanes *lanes, const struct common *common, int i, uint32_t position, uint32_t state, int place) {
  __mmask16 here = (__mmask16)(1 << i), ended = 0;
  const struct unit *unit = common->frame->unit + (state & 15);
  struct lane lane = {.next = common->bytes + (position >> 3)};
  refill(&lane);
  drop(&lane, position & 7);
  uint32_t before = lane.valid;
  int symbol = find_code(state & BEFORE_DC ? unit->dc : unit->ac, &lane);
  if (symbol < 0) {
    lanes->bad |= here;
    drop(&lane, 1); /* so that a walk over what is no code gets on */
  }
  if (state & BEFORE_DC) {
    int32_t value = take_value(&lane, symbol < 0 ? 0 : (unsigned)symbol);
    __m512i *prediction = lanes->prediction + unit->component;
    *prediction = _mm512_mask_add_epi32(*prediction, here, *prediction, same(value));
    lanes->state = _mm512_mask_set1_epi32(lanes->state, here, (int)(state & 15));
    lanes->place = _mm512_mask_set1_epi32(lanes->place, here, 0);
  } else if (symbol < 0 || ((symbol & 15) == 0 && symbol >> 4 != 15)) ended = here;
  else {
    drop(&lane, (unsigned)symbol & 15);
    place += (symbol >> 4) + 1;
    if (place > 63) lanes->bad |= here;
    if (place >= 63) ended = here;
    lanes->place = _mm512_mask_set1_epi32(lanes->place, here, place);
  }
  lanes->position = _mm512_mask_set1_epi32(lanes->position, here, (int)(position + ((before - lane.valid) & 63)));
  next_blocks(lanes, common, ended);
}

APART void find_codes(struct lanes *lanes, const struct common *common, __mmask16 which) {
  uint32_t position[LANES], state[LANES], place[LANES];
  _mm512_storeu_si512(position, lanes->position);
  _mm512_storeu_si512(state, lanes->state);
  _mm512_storeu_si512(place, lanes->place);
  for (uint32_t left = which; left; left &= left - 1) {
    int i = __builtin_ctz(left);
    find_one(lanes, common, i, position[i], state[i], (int)place[i]);
  }
}

/* One code of each lane that is slow, by the table of single ones. */
INLINE void slow_step(struct lanes *lanes, const struct common *common) {
  __mmask16 dc = _mm512_mask_test_epi32_mask(lanes->slow, lanes->state, same(BEFORE_DC)), ac = lanes->slow & (__mmask16)~dc;
  __m512i index = _mm512_srli_epi32(bits_of(lanes, common), 32 - AC_BITS);
  index = _mm512_add_epi32(index, _mm512_permutexvar_epi32(lanes->state, common->ac_table));
  __m512i entry = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), ac, index, common->frame, 4);
  __m512i upper = _mm512_srli_epi32(entry, 16), length = _mm512_and_si512(upper, same(255));
  __mmask16 long_value = _mm512_mask_test_epi32_mask(ac, entry, same(SLOW << 8));
  __mmask16 unknown = dc | _mm512_mask_testn_epi32_mask(long_value, length, length);
  ac &= (__mmask16)~unknown;
  __m512i taken = _mm512_and_si512(entry, same(63));
  taken = _mm512_mask_add_epi32(taken, long_value, length, _mm512_srli_epi32(entry, 24));
  __m512i place = _mm512_add_epi32(lanes->place, _mm512_and_si512(_mm512_srli_epi32(entry, 8), same(63)));
  __mmask16 ends = _mm512_mask_test_epi32_mask(ac, entry, same(ENDS << 8));
  __mmask16 last = _mm512_mask_cmpge_epi32_mask(ac, place, same(63));
  lanes->bad |= _mm512_mask_cmpgt_epi32_mask(ac, place, same(63));
  /* An end behind the last place belongs to the next block. */
  __mmask16 too_far = _mm512_mask_test_epi32_mask(ends & last, upper, upper);
  taken = _mm512_mask_sub_epi32(taken, too_far, taken, _mm512_permutexvar_epi32(lanes->state, common->end_bits));
  lanes->position = _mm512_mask_add_epi32(lanes->position, ac, lanes->position, taken);
  lanes->place = _mm512_mask_mov_epi32(lanes->place, ac, place);
  next_blocks(lanes, common, ends | last);
  lanes->slow = 0;
  if (RARE(unknown)) find_codes(lanes, common, unknown);
}

/* Note the MCUs that have begun; a walk ends with one that begins at its limit or behind, or when its log is full. */
static void note_mcus(struct lanes *lanes, const struct common *common, struct walk *walks) {
  uint32_t position[LANES], prediction[3][LANES];
  _mm512_storeu_si512(position, lanes->position);
  for (int c = 0; c < 3; c++) _mm512_storeu_si512(prediction[c], lanes->prediction[c]);
  for (uint32_t left = lanes->begun; left; left &= left - 1) {
    int i = __builtin_ctz(left);
    struct walk *walk = walks + i;
    if (position[i] >= common->end) note_error(walk);
    struct entry *entry = walk->log + walk->count++;
    *entry = (struct entry){.position = position[i]};
    for (int c = 0; c < 3; c++) entry->dc[c] = (int16_t)prediction[c][i];
    if (position[i] >= walk->limit || walk->count >= walk->room) lanes->live &= (__mmask16)~(1 << i);
  }
  lanes->begun = 0;
}

/* What is left for the end of a few steps. */
INLINE void settle(struct lanes *lanes, const struct common *common, struct walk *walks) {
  if (lanes->slow) slow_step(lanes, common);
  for (uint32_t left = lanes->bad; RARE(left); left &= left - 1) note_error(walks + __builtin_ctz(left));
  lanes->bad = 0;
  if (lanes->begun) note_mcus(lanes, common, walks);
}

static __m512i loaded(const int32_t values[LANES]) { return _mm512_loadu_si512(values); }

static struct common common_of(const struct frame *frame, const struct scan *scan) {
  int32_t next[LANES] = {0}, ac[LANES] = {0}, dc[LANES] = {0}, table[LANES] = {0}, end[LANES] = {0}, component[LANES] = {0};
  for (int i = 0; i < frame->units; i++) {
    const struct unit *unit = frame->unit + i;
    next[i] = BEFORE_DC | (i + 1) % frame->units;
    ac[i] = (int32_t)(unit->ac->pairs - (const uint16_t *)(const void *)frame);
    dc[i] = (int32_t)(unit->dc->pairs - (const uint16_t *)(const void *)frame);
    table[i] = (int32_t)(unit->ac->table - (const uint32_t *)(const void *)frame);
    end[i] = (int32_t)unit->ac->table[1 << AC_BITS];
    component[i] = 1 << unit->component;
  }
  return (struct common){
      frame, scan->bytes, (uint32_t)(scan->length + 16) * 8, loaded(next), loaded(ac), loaded(dc), loaded(table), loaded(end),
      loaded(component)};
}

/* LANES walks, each from the last MCU that it has noted. */
static struct lanes begin_lanes(const struct common *common, const struct walk *walks) {
  int32_t position[LANES], prediction[3][LANES];
  for (int i = 0; i < LANES; i++) {
    const struct entry *from = walks[i].log + walks[i].count - 1;
    position[i] = (int32_t)from->position;
    for (int c = 0; c < 3; c++) prediction[c][i] = from->dc[c];
  }
  struct lanes lanes = {.position = loaded(position), .state = same(BEFORE_DC), .live = 0xFFFF};
  for (int c = 0; c < 3; c++) lanes.prediction[c] = loaded(prediction[c]);
  lanes.pairs = _mm512_permutexvar_epi32(_mm512_setzero_si512(), common->dc_pairs);
  return lanes;
}

static void walk_lanes(const struct frame *frame, const struct scan *scan, struct walk *walks) {
  struct common common = common_of(frame, scan);
  struct lanes a = begin_lanes(&common, walks), b = begin_lanes(&common, walks + LANES);
  while (a.live | b.live) {
    load_windows(&a, &common);
    load_windows(&b, &common);
#pragma GCC unroll 3
    for (int i = 0; i < STEPS; i++) {
      step(&a, &common);
      step(&b, &common);
    }
    settle(&a, &common, walks);
    settle(&b, &common, walks + LANES);
  }
}
