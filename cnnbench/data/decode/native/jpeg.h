/* An own decoder of the usual JPEG files (ITU-T T.81: Huffman codes, 8 bits, sequential, one scan), which decodes the
   MCUs that a box needs and gives the pixels of libjpeg-turbo's decode of the whole picture, bit by bit.

   Bytes go one way, a file for each step:
     markers.c   bytes -> frame: sizes, quantisation and Huffman tables; what is not taken is told here
     tables.c    Huffman tables, made for looking up a code together with its value
     entries.c   where decoding can begin, as a side index has it
     scan.c      frame -> runs of MCUs to be decoded for the box, and where each begins
     sweep.c     where each MCU begins, if no index says so
     walk.h      what that is found by
     entropy.h   runs -> coefficients, of several runs in turn
     pixels.c    coefficients -> planes
     rows.h      planes -> rows of red, green and blue
     filter.c    weights of the antialiased resize
     crop.c      the functions that Python calls
     side_index.c  what is known of a file, and where its entry points lie
   Entropy decoding, and what works on many values at once (struct kernels), is compiled once for each instruction set:
   portable.c     plain C
   avx2.c         vectors of 32 bytes; dct.h, colours.h and resample.h are the same for it and
   avx512.c       vectors of 64 bytes, which replaces what it is better at
   bits.h         what all of them read bits by
   walk_lanes.h   avx512.c's walks, 32 at once

   Everything that is read here may be hostile. Sizes are checked in markers.c, positions in the scan at each block. */
#ifndef CNNBENCH_JPEG_H
#define CNNBENCH_JPEG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t up_to(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/* What a compiler is told of how to compile. */
#define COMMON(condition) __builtin_expect(!!(condition), 1)
#define RARE(condition) __builtin_expect(!!(condition), 0)
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))

enum result { DONE, NOT_TAKEN, DAMAGED, NO_MEMORY };

enum {
  MOST_WALKS = 32,       /* at once */
  AT_ONCE = 4,           /* blocks */
  MOST_UNITS = 10,       /* blocks of an MCU (T.81, B.2.3) */
  AC_BITS = 12,          /* looked up at once; 11 and 12 measured best */
  PAIR_BITS = 10,
  MOST_PASSED = 18,      /* bits that a look-up there takes */
  SCAN_PADDING = 1024,   /* zeros behind the scan: a block takes at most 64 symbols of 26 bits, 208 bytes */
  MOST_BYTES = 1 << 28,  /* of a file: positions in bits fit in 32 bits */
  GUARD = 64,            /* bytes around planes and rows that vectors may read */
  ROW_SLACK = 64         /* and write behind a row that has room for them */
};

struct huffman {
  uint8_t count[16], symbol[256]; /* codes of each length, and what they mean (T.81, B.2.4.2) */
  int symbols;
  bool present;
  int32_t last_code[17], offset[17]; /* of each length: the last code, -1: none; from a code to its place in symbol */
  uint16_t pairs[1 << PAIR_BITS];     /* DC codes, or AC codes to be passed over (make_pairs): see tables.c */
  uint32_t table[(1 << AC_BITS) + 1]; /* AC codes; the last one: the length of the code that ends a block */
};

struct component {
  int id, across, down, quantiser, first_unit; /* across, down: sampling factors */
};

/* A block of an MCU, what decodes it, and the block behind it, of this MCU or of the next. */
struct unit {
  int component;
  const struct huffman *dc, *ac;
  const struct unit *next;
};

struct frame {
  int width, height, components, across, down; /* the largest factors */
  int mcu_columns, mcu_rows, units, restart;   /* restart: MCUs between marks, 0: none */
  struct component component[3];
  struct unit unit[MOST_UNITS];
  bool quantiser_present[4];
  uint16_t quantiser[4][64]; /* in the order of a block, not of the file */
  struct huffman dc[4], ac[4];
};

/* The scan without its stuffing: bytes, and where each restart interval but the first begins. */
struct scan {
  uint8_t *bytes;
  size_t length, room;
  uint32_t *restarts;
  size_t restart_count, restart_room;
};

/* Where decoding can begin: a position in the scan, in bits, and the DC predictors; `damaged`: what walks met behind it. */
struct entry {
  uint32_t position;
  int16_t dc[3], damaged;
};

/* Where decoding of a file can begin: every `every` columns of blocks (8 pixels), an even number, in each row of MCUs, from
   its first; 0: nowhere. `bytes`, `length` of them, of any alignment: entries.c. */
struct entries {
  int32_t every, length;
  const uint8_t *bytes;
};

struct index {
  struct entries kept;
  const struct entry *all; /* of every MCU that may be asked for, instead; or NULL */
};

/* A walk over the codes from MCU to MCU, on from the last one in its log. It ends with an MCU that begins at `limit`, in
   bits, or behind it, or when the log has as many MCUs as it has room for. */
struct walk {
  struct entry *log;
  long count, room;
  uint32_t limit;
  bool damaged; /* any of the MCUs */
};

struct part {
  int mcus;
  int16_t *out; /* blocks of 64 coefficients, MCU by MCU; NULL: they are thrown away */
};

/* Parts that are decoded one after the other from an entry on; `entry` is where it stopped afterwards. */
struct run {
  struct entry entry;
  uint32_t end; /* of its restart interval, in bits */
  int first_part, parts;
};

struct work {
  const struct frame *frame;
  const struct scan *scan;
  struct run *runs;
  const struct part *parts;
  int next, count;    /* runs */
  int16_t *waste;     /* 64: where coefficients that nobody wants go */
  const uint8_t *end; /* of the scan and a few of its zeros */
  bool damaged;
};

/* A rectangle of the picture, and the planes of the MCUs that it needs: columns first_column .. last_column, ... */
struct area {
  const struct frame *frame;
  int left, top, width, height;
  int first_column, last_column, first_row, last_row;
  uint8_t *plane[3];
  size_t stride[3];
  uint8_t *chroma[2]; /* rows of the full width */
};

/* Weights of some outputs of a resize along one axis (filter.c). */
struct filter {
  int count, taps, precision;
  int first, inputs;   /* the inputs that any output needs */
  int *start, *length; /* of each output: its first input, counted from `first`, and how many */
  int16_t *weights;    /* (count, taps): taps is even, zeros behind the length */
  void *spread;        /* for vectors, by kernels.prepare */
  bool wide;           /* inputs lie further apart than `windows` of resample.h are long */
  double *exact;
  size_t start_room, length_room, weights_room, spread_room, exact_room;
};

/* Coefficients of some blocks, whatever components they are of, and where their pixels go; `limit`: pixels.h. */
struct blocks {
  const int16_t *block[AT_ONCE], *limit[AT_ONCE];
  const uint16_t *quantiser[AT_ONCE];
  uint8_t *out[AT_ONCE];
  size_t stride[AT_ONCE];
};

/* What is compiled once for each instruction set. A row is one of each channel: red, green and blue, or grey. */
struct kernels {
  /* Bytes up to a mark, or to the end: FF00 -> FF. Where the mark is; `out` moves on, and has 64 bytes more room. */
  const uint8_t *(*copy_codes)(const uint8_t *codes, const uint8_t *end, uint8_t **out);
  void (*decode)(struct work *work, int ways);
  void (*walk)(const struct frame *frame, const struct scan *scan, struct walk *walk);
  int walks; /* at once, MOST_WALKS at most, by the next */
  void (*walk_all)(const struct frame *frame, const struct scan *scan, struct walk *walks);
  /* True if a coefficient is beyond its limit. */
  bool (*inverse_dct)(const struct blocks *blocks);
  /* Row `y` of the picture; the number of pixels before the area's first, 0 or 1. */
  int (*row)(struct area *area, int y, uint8_t *const out[3]);
  void (*from_rgb)(const uint8_t *rgb, int count, uint8_t *const out[3]);
  void (*to_rgb)(const uint8_t *const in[3], int count, uint8_t *rgb);
  bool (*prepare)(struct filter *filter); /* for `horizontal`; false without memory */
  /* Two rows, one of each channel: 2 or 6. */
  void (*horizontal)(const struct filter *filter, int rows, const uint8_t *const *in, uint8_t *const *out);
  /* Row `row` of the output, `count` bytes, of rows that lie `stride` apart. */
  void (*vertical)(const struct filter *filter, int row, const uint8_t *in, size_t stride, int count, uint8_t *out);
};

extern const struct kernels portable_kernels;

/* Kernels of instructions that not every processor has replace what they are better at; false where they are not here. */
bool use_avx2(struct kernels *kernels);
bool use_avx512(struct kernels *kernels);

extern const uint8_t zigzag[64];

enum result read_frame(struct frame *frame, const uint8_t *content, size_t length, size_t *codes);
enum result read_size(const uint8_t *content, size_t length, int32_t size[3]);
bool make_huffman(struct huffman *huffman, bool ac);
void make_pairs(struct huffman *huffman);

enum result unstuff(struct scan *scan, const struct kernels *kernels, const uint8_t *codes, size_t length);
bool grow(void *memory, size_t *room, size_t need);
#endif
