/* Entries of the tables in tables.c, read in entropy.h.

   AC: byte 0 the bits taken, byte 1 the step to the next place of the block, the upper half the value. With ENDS the
   block ends behind it: the code for that is among the bits taken; that code alone steps to a place whose value is 0
   anyway. SLOW: byte 1 has the step in its lower bits, byte 2 the length of the code (0: longer than the table, or none)
   and byte 3 the size of the value.
   Pairs: of several AC codes, byte 0 the bits taken and byte 1 the steps together, with ENDS as above (the code alone
   steps by 0). NO_PAIR: the first one is to be looked up by itself.
   DC: byte 0 the length of the code, byte 1 the size of the value; 0: longer than the table, or none. */
#ifndef CNNBENCH_ENTRY_BITS_H
#define CNNBENCH_ENTRY_BITS_H
enum { ENDS = 64, SLOW = 128, NO_PAIR = 63 << 8, CODES_AT_ONCE = 2 };
#define AC_ENTRY(bits, step, value) ((uint32_t)(bits) | (uint32_t)(step) << 8 | (uint32_t)(value) << 16)
#define AC_SLOW(length, step, size) \
  ((uint32_t)(SLOW | (step)) << 8 | (uint32_t)(length) << 16 | (uint32_t)(size) << 24)
#define AC_STEP(entry) ((entry) >> 8 & 255)
#define DC_ENTRY(length, size) ((uint16_t)((length) | (size) << 8))
#endif
