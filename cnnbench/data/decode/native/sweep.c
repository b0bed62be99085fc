/* Where every MCU begins, of a scan that has no index and no restart marks, found by one thread in 3 places at once, or 32.

   One walk begins where codes begin. The others begin anywhere, evenly apart. They read nonsense at first; but such codes
   fall into step by themselves, mostly after a few MCUs. When the first walk comes to where the second has been, both at
   the beginning of an MCU at the same bit, all that is behind that is the same for both, and what the second noted is
   taken over: its MCUs get their numbers, and its predictors the difference. Where two walks never meet, the first one
   goes on to the next. */
#include "sweep.h"
#include <string.h>

#ifndef CNNBENCH_WORTH
#define CNNBENCH_WORTH 65536 /* bits: less is walked in one go */
#endif

enum { WORTH = CNNBENCH_WORTH };

/* MCUs that a walk which begins ahead has room for, of `count` walks: four times its share. */
static long ahead_room(long until, int count) {
  long room = until * 4 / count + 64;
  return room < until + 1 ? room : until + 1;
}

/* Take over the MCUs of `ahead` from `met` on, the number in its log of the one that the `sweep` has come to, too; false
   if one of them is damaged. */
static bool take_over(struct sweep *sweep, const struct walk *ahead, long met, long until) {
  const struct entry *here = sweep->log + sweep->count - 1, *there = ahead->log + met;
  int16_t more[3];
  for (int i = 0; i < 3; i++) more[i] = (int16_t)(here->dc[i] - there->dc[i]);
  for (long at = met + 1; at < ahead->count && sweep->count <= until; at++) {
    struct entry entry = ahead->log[at];
    if (ahead->log[at - 1].damaged) return false;
    for (int i = 0; i < 3; i++) entry.dc[i] = (int16_t)(entry.dc[i] + more[i]);
    sweep->log[sweep->count++] = entry;
  }
  return true;
}

/* Walk on until the walk `ahead` is met, or is behind; false if what was walked over is damaged. */
static bool meet(struct sweep *sweep, const struct place *place, const struct walk *ahead, long until) {
  long at = 0;
  while (sweep->count <= until) {
    uint32_t position = sweep->log[sweep->count - 1].position;
    while (at < ahead->count && ahead->log[at].position < position) at++;
    if (at == ahead->count) return true;
    if (ahead->log[at].position == position) return take_over(sweep, ahead, at, until);
    struct walk on = {sweep->log, sweep->count, until + 1, ahead->log[at].position, false};
    place->kernels->walk(place->frame, place->scan, &on);
    sweep->count = on.count;
    if (on.damaged) return false;
  }
  return true;
}

/* How many bits the MCUs that are left to walk over have, if they are like all that follow. */
static uint32_t guess(const struct sweep *sweep, const struct place *place, long until) {
  const struct frame *frame = place->frame;
  uint64_t position = sweep->log[sweep->count - 1].position, length = (uint64_t)place->scan->length * 8;
  uint64_t bits = length > position ? length - position : 0;
  uint64_t mcus = (uint64_t)frame->mcu_columns * (uint64_t)frame->mcu_rows - (uint64_t)(sweep->count - 1);
  return (uint32_t)(bits * (uint64_t)(until - sweep->count + 1) / (mcus ? mcus : 1));
}

/* The first walk goes on from the sweep's last MCU, the others begin that far apart, in bits. They have logs of their own, with
   room for more MCUs than are likely there. */
static void begin_walks(struct sweep *sweep, struct walk *walks, int count, uint32_t apart, long until) {
  uint32_t from = sweep->log[sweep->count - 1].position;
  long room = ahead_room(until, count);
  walks[0] = (struct walk){sweep->log, sweep->count, until + 1, from + apart, false};
  for (int i = 1; i < count; i++) {
    uint32_t at = from + (uint32_t)i * apart;
    walks[i] = (struct walk){sweep->log + until + 2 + (i - 1) * room, 1, room, at + apart, false};
    walks[i].log[0] = (struct entry){at & ~7u, {0, 0, 0}, 0};
  }
}

enum result sweep_to(struct sweep *sweep, const struct place *place, long until) {
  const struct kernels *kernels = place->kernels;
  size_t entries = (size_t)(until + 2 + (kernels->walks - 1) * ahead_room(until, kernels->walks));
  if (!grow(&sweep->log, &sweep->room, entries * sizeof *sweep->log)) return NO_MEMORY;
  memset(sweep->log, 0, sizeof *sweep->log);
  sweep->count = 1;
  while (sweep->count <= until) {
    uint32_t bits = guess(sweep, place, until);
    struct walk walks[MOST_WALKS] = {{sweep->log, sweep->count, until + 1, UINT32_MAX, false}};
    int count = bits < WORTH ? 1 : kernels->walks;
    if (count == 1) kernels->walk(place->frame, place->scan, walks);
    else {
      begin_walks(sweep, walks, count, bits / (uint32_t)count, until);
      kernels->walk_all(place->frame, place->scan, walks);
    }
    sweep->count = walks[0].count;
    if (walks[0].damaged) return DAMAGED;
    for (int i = 1; i < count; i++)
      if (!meet(sweep, place, walks + i, until)) return DAMAGED;
  }
  return sweep->log[until].position > place->scan->length * 8 ? DAMAGED : DONE;
}
