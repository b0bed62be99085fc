/* Which MCUs are decoded for a box, and from where (scan.c). */
#ifndef CNNBENCH_SCAN_H
#define CNNBENCH_SCAN_H
#include "jpeg.h"

/* Runs and parts for one band of MCU rows; `last` is where the run before them ended, at MCU `at`. */
struct plan {
  struct run *runs;
  struct part *parts;
  int run_count, part_count;
  size_t run_room, part_room;
  struct entry last;
  long at; /* of the scan's MCUs; where the last part ends */
  bool open; /* whether a part may be added to the last run */
};

void plan_start(struct plan *plan);
/* Decode MCUs first .. end - 1 into `out` (NULL: nowhere). NO_MEMORY, or DAMAGED where restart marks are missing. */
enum result plan_add(struct plan *plan, const struct frame *frame, const struct scan *scan, const struct index *index,
                     long first, long end, int16_t *out);
/* The runs are done: the next band goes on from the last one. */
void plan_done(struct plan *plan);
#endif
