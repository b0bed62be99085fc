/* The scan: without its stuffing, and where decoding of a part of it can begin.

   Decoding begins at the entry nearest before the first MCU wanted: where the run before ended, at a restart mark, or at
   an entry of the index. MCUs between are decoded and thrown away. */
#include "scan.h"
#include <stdlib.h>
#include <string.h>
#include "entries.h"

enum { RST0 = 0xD0, EOI = 0xD9 };

/* Room for `need` bytes at `*memory`, any pointer, whose contents are lost if it grows; zeros at first. It begins where a
   vector may, as loads and stores across a line of the cache count twice. */
bool grow(void *memory, size_t *room, size_t need) {
  if (need <= *room) return true;
  void *bytes;
  memcpy(&bytes, memory, sizeof bytes);
  free(bytes);
  need = up_to(need + need / 4, GUARD);
  bytes = aligned_alloc(GUARD, need);
  if (bytes) memset(bytes, 0, need);
  memcpy(memory, &bytes, sizeof bytes);
  *room = bytes ? need : 0;
  return bytes != NULL;
}

/* The same, contents kept. */
static bool extend(void *memory, size_t *room, size_t need) {
  if (need <= *room) return true;
  void *bytes;
  memcpy(&bytes, memory, sizeof bytes);
  bytes = realloc(bytes, need += need / 2 + 64);
  if (!bytes) return false;
  memcpy(memory, &bytes, sizeof bytes);
  *room = need;
  return true;
}

static bool add_restart(struct scan *scan, size_t position) {
  if (!extend(&scan->restarts, &scan->restart_room, (scan->restart_count + 1) * sizeof *scan->restarts)) return false;
  scan->restarts[scan->restart_count++] = (uint32_t)position;
  return true;
}

/* FF00 -> FF; restart marks, which must count up, are left out and their places kept; the first other mark must be the
   end of the image. Behind the scan lie SCAN_PADDING zeros. */
enum result unstuff(struct scan *scan, const struct kernels *kernels, const uint8_t *codes, size_t length) {
  if (!grow(&scan->bytes, &scan->room, length + SCAN_PADDING)) return NO_MEMORY;
  const uint8_t *end = codes + length;
  uint8_t *out = scan->bytes;
  scan->restart_count = 0;
  for (;; codes += 2) {
    codes = kernels->copy_codes(codes, end, &out);
    if (codes + 1 >= end) return NOT_TAKEN;
    if (codes[1] == EOI) break;
    if (codes[1] != RST0 + (scan->restart_count & 7)) return NOT_TAKEN;
    if (!add_restart(scan, (size_t)(out - scan->bytes))) return NO_MEMORY;
  }
  scan->length = (size_t)(out - scan->bytes);
  memset(out, 0, SCAN_PADDING);
  return DONE;
}

void plan_start(struct plan *plan) {
  memset(&plan->last, 0, sizeof plan->last);
  plan->run_count = plan->part_count = 0;
  plan->at = 0;
  plan->open = false;
}

/* The last MCU at or before `mcu` at which decoding can begin, but for where the last run ended. */
static long nearest(const struct frame *frame, const struct scan *scan, const struct index *index, long mcu,
                    struct entry *entry) {
  long restart = 0, indexed = -1;
  if (index->all) {
    *entry = index->all[mcu];
    return mcu;
  }
  memset(entry, 0, sizeof *entry);
  if (frame->restart) restart = mcu - mcu % frame->restart;
  int every = index->kept.every / frame->across; /* in MCUs */
  if (every) indexed = mcu - mcu % frame->mcu_columns % every;
  if (indexed > restart) {
    int of_row = (frame->mcu_columns + every - 1) / every, number = (int)(indexed % frame->mcu_columns) / every;
    if (read_entry(&index->kept, of_row, indexed / frame->mcu_columns, number, entry)) return indexed;
  }
  if (restart) entry->position = scan->restarts[restart / frame->restart - 1] * 8;
  return restart;
}

static enum result add_run(struct plan *plan, const struct frame *frame, const struct scan *scan, struct entry entry) {
  if (!extend(&plan->runs, &plan->run_room, (size_t)(plan->run_count + 1) * sizeof *plan->runs)) return NO_MEMORY;
  size_t interval = frame->restart ? (size_t)(plan->at / frame->restart) : 0;
  size_t end = interval < scan->restart_count ? scan->restarts[interval] : scan->length;
  if (entry.position > end * 8) return DAMAGED; /* an index of another file */
  plan->runs[plan->run_count++] = (struct run){entry, (uint32_t)end * 8, plan->part_count, 0};
  plan->open = true;
  return DONE;
}

static enum result add_part(struct plan *plan, int mcus, int16_t *out) {
  if (!extend(&plan->parts, &plan->part_room, (size_t)(plan->part_count + 1) * sizeof *plan->parts)) return NO_MEMORY;
  plan->parts[plan->part_count++] = (struct part){mcus, out};
  plan->runs[plan->run_count - 1].parts++;
  plan->at += mcus;
  return DONE;
}

/* Goes on to MCU `end`, cut where restart intervals begin. */
static enum result add_parts(struct plan *plan, const struct frame *frame, const struct scan *scan, long end,
                             int16_t *out) {
  while (plan->at < end) {
    if (frame->restart && plan->at % frame->restart == 0 && plan->runs[plan->run_count - 1].parts) {
      struct entry entry = {scan->restarts[plan->at / frame->restart - 1] * 8, {0, 0, 0}, 0};
      enum result result = add_run(plan, frame, scan, entry);
      if (result) return result;
    }
    long stop = end, next = frame->restart ? plan->at - plan->at % frame->restart + frame->restart : end;
    if (next < stop) stop = next;
    int mcus = (int)(stop - plan->at);
    enum result result = add_part(plan, mcus, out);
    if (result) return result;
    if (out) out += (size_t)mcus * (size_t)frame->units * 64;
  }
  return DONE;
}

enum result plan_add(struct plan *plan, const struct frame *frame, const struct scan *scan, const struct index *index,
                     long first, long end, int16_t *out) {
  if (frame->restart && (size_t)((end - 1) / frame->restart) > scan->restart_count) return DAMAGED;
  struct entry entry;
  long from = nearest(frame, scan, index, first, &entry);
  enum result result = DONE;
  if (from >= plan->at || first < plan->at) {
    plan->at = from;
    result = add_run(plan, frame, scan, entry);
  } else if (!plan->open) {
    result = add_run(plan, frame, scan, plan->last);
  }
  if (!result) result = add_parts(plan, frame, scan, first, NULL);
  if (!result) result = add_parts(plan, frame, scan, end, out);
  return result;
}

void plan_done(struct plan *plan) {
  if (plan->run_count) plan->last = plan->runs[plan->run_count - 1].entry;
  plan->run_count = plan->part_count = 0;
  plan->open = false;
}
