/* The form of entry points (entries.c). */
#ifndef CNNBENCH_ENTRIES_H
#define CNNBENCH_ENTRIES_H
#include "jpeg.h"

size_t row_bytes(int of_row);

/* Entry `number` of a row of MCUs, of `of_row`; false if it is not there. */
bool read_entry(const struct entries *kept, int of_row, long row, int number, struct entry *entry);

/* The same into a row whose entries so far are there; `before`: the one before it. False if its numbers are too large. */
bool write_entry(uint8_t *row, int number, const struct entry *entry, const struct entry *before);
#endif
