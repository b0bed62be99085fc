/* Where every MCU begins, of a scan that has no index and no restart marks, found by one thread in three places at once.

   One walk begins where codes begin. Two more begin anywhere, a third and two thirds ahead. They read nonsense at first;
   but such codes fall into step by themselves, mostly after a few MCUs. When the first walk comes to where the second
   has been, both at the beginning of an MCU at the same bit, all that is behind that is the same for both, and what the
   second noted is taken over: its MCUs get their numbers, and its predictors the difference. Where two walks never meet,
   the first one goes all the way. */
#include "sweep.h"
#include <string.h>

#ifndef CNNBENCH_WORTH
#define CNNBENCH_WORTH 65536 /* bits: less is walked in one go */
#endif

enum { WALKS = 3, WORTH = CNNBENCH_WORTH };

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
    place->kernels->walk(place->frame, place->scan, &on, 1);
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

enum result sweep_to(struct sweep *sweep, const struct place *place, long until) {
  size_t room = (size_t)until + 2;
  if (!grow(&sweep->log, &sweep->room, WALKS * room * sizeof *sweep->log)) return NO_MEMORY;
  memset(sweep->log, 0, sizeof *sweep->log);
  sweep->count = 1;
  while (sweep->count <= until) {
    uint32_t from = sweep->log[sweep->count - 1].position, bits = guess(sweep, place, until);
    int count = bits < WORTH ? 1 : WALKS;
    struct walk walks[WALKS] = {{sweep->log, sweep->count, until + 1, count == 1 ? UINT32_MAX : from + bits / WALKS, false}};
    for (int i = 1; i < count; i++) {
      uint32_t third = bits / WALKS, at = from + (uint32_t)i * third;
      walks[i] = (struct walk){sweep->log + (size_t)i * room, 1, until + 1, at + third, false};
      walks[i].log[0] = (struct entry){at & ~7u, {0, 0, 0}, 0};
    }
    place->kernels->walk(place->frame, place->scan, walks, count);
    sweep->count = walks[0].count;
    if (walks[0].damaged) return DAMAGED;
    for (int i = 1; i < count; i++)
      if (!meet(sweep, place, walks + i, until)) return DAMAGED;
  }
  return sweep->log[until].position > place->scan->length * 8 ? DAMAGED : DONE;
}
