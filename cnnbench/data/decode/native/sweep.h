/* Where every MCU of a scan begins (sweep.c). */
#ifndef CNNBENCH_SWEEP_H
#define CNNBENCH_SWEEP_H
#include "jpeg.h"

/* The MCUs that are known: where each of the first `count` begins. */
struct sweep {
  struct entry *log;
  size_t room;
  long count;
};

/* What is swept. */
struct place {
  const struct kernels *kernels;
  const struct frame *frame;
  const struct scan *scan;
};

/* Find the MCUs 0 .. `until` of a scan without restart marks; that behind the last one begins where the scan ends.
   NO_MEMORY, or DAMAGED where a code before that does not exist. */
enum result sweep_to(struct sweep *sweep, const struct place *place, long until);
#endif
