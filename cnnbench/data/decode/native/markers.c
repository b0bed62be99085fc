/* From the bytes of a file to its frame (T.81, B.2).

   Taken are files whose only scan holds just the picture, to the end mark: of such a file any part can be decoded by
   itself, since no error can come behind it. Pillow and libjpeg pass over much that is refused here: of that the next
   engine decides. */
#include <string.h>
#include "jpeg.h"

enum {
  SOF0 = 0xC0, SOF1 = 0xC1, DHT = 0xC4, RST0 = 0xD0, RST7 = 0xD7, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DQT = 0xDB,
  DRI = 0xDD, APP0 = 0xE0, APP2 = 0xE2, APP14 = 0xEE, APP15 = 0xEF, COM = 0xFE
};

const uint8_t zigzag[64] = {
  0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
  41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
  30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63
};

/* A segment: its contents from `at` to `end`. */
struct segment {
  int mark;
  const uint8_t *at, *end;
};

static int two_bytes(const uint8_t *at) { return at[0] << 8 | at[1]; }

/* The segment at `place`, which then is behind it; false if there is none. */
static bool next_segment(const uint8_t *content, size_t length, size_t *place, struct segment *segment) {
  if (*place + 4 > length || content[*place] != 0xFF) return false;
  size_t size = (size_t)two_bytes(content + *place + 2);
  if (size < 2 || *place + 2 + size > length) return false;
  segment->mark = content[*place + 1];
  segment->at = content + *place + 4;
  segment->end = content + *place + 2 + size;
  *place += 2 + size;
  return true;
}

/* Others' own segments over which Pillow may stumble, as jpeg_structure.py (_is_odd) has them. */
static bool is_odd(const struct segment *segment) {
  size_t length = (size_t)(segment->end - segment->at);
  size_t shortest = segment->mark == APP0 || segment->mark == APP14 ? 7 : segment->mark == APP2 ? 14 : 0;
  return length < shortest || (length >= 4 && !memcmp(segment->at, "MPF\0", 4)) ||
         (length >= 6 && !memcmp(segment->end - 6, "8BIM", 4));
}

static bool read_quantisers(struct frame *frame, const struct segment *segment) {
  const uint8_t *at = segment->at;
  while (at < segment->end) {
    int wide = *at >> 4, number = *at & 15;
    at++;
    if (wide > 1 || number > 3 || segment->end - at < 64 << wide) return false;
    for (int i = 0; i < 64; i++, at += 1 + wide)
      frame->quantiser[number][zigzag[i]] = (uint16_t)(wide ? two_bytes(at) : *at);
    frame->quantiser_present[number] = true;
  }
  return true;
}

static bool read_huffman(struct frame *frame, const struct segment *segment) {
  const uint8_t *at = segment->at;
  while (at < segment->end) {
    if (segment->end - at < 17 || *at >> 4 > 1 || (*at & 15) > 3) return false;
    bool ac = *at >> 4;
    struct huffman *huffman = (ac ? frame->ac : frame->dc) + (*at & 15);
    int symbols = 0;
    for (int i = 0; i < 16; i++) symbols += huffman->count[i] = at[1 + i];
    at += 17;
    if (symbols > 256 || segment->end - at < symbols) return false;
    memcpy(huffman->symbol, at, (size_t)symbols);
    huffman->symbols = symbols;
    huffman->present = true;
    if (!make_huffman(huffman, ac)) return false;
    at += symbols;
  }
  return true;
}

/* Factors of one component alone mean nothing: an MCU is one block (T.81, A.2.2). */
static bool read_frame_header(struct frame *frame, const struct segment *segment) {
  const uint8_t *at = segment->at;
  if (frame->components || segment->end - at < 6 || at[0] != 8) return false;
  frame->height = two_bytes(at + 1);
  frame->width = two_bytes(at + 3);
  frame->components = at[5];
  if (!frame->height || !frame->width || (at[5] != 1 && at[5] != 3) || segment->end - at != 6 + 3 * at[5]) return false;
  frame->across = frame->down = 1;
  for (int i = 0; i < frame->components; i++) {
    const uint8_t *from = at + 6 + 3 * i;
    struct component *component = frame->component + i;
    component->id = from[0];
    component->across = frame->components == 1 ? 1 : from[1] >> 4;
    component->down = frame->components == 1 ? 1 : from[1] & 15;
    component->quantiser = from[2];
    if (from[2] > 3) return false;
    for (int j = 0; j < i; j++)
      if (frame->component[j].id == component->id) return false;
    if (i == 0) {
      frame->across = component->across;
      frame->down = component->down;
    }
  }
  return true;
}

/* Whether the sampling is 4:4:4, 4:2:2, 4:4:0, 4:2:0 or grey, and of a size that libjpeg-turbo smooths. */
static bool has_known_sampling(const struct frame *frame) {
  if (frame->across < 1 || frame->across > 2 || frame->down < 1 || frame->down > 2) return false;
  for (int i = 1; i < frame->components; i++)
    if (frame->component[i].across != 1 || frame->component[i].down != 1) return false;
  return frame->across == 1 || frame->width > 4;
}

static bool read_scan_header(struct frame *frame, const struct segment *segment) {
  const uint8_t *at = segment->at;
  int count = frame->components;
  if (!count || segment->end - at != 4 + 2 * count || at[0] != count) return false;
  if (at[1 + 2 * count] != 0 || at[2 + 2 * count] != 63 || at[3 + 2 * count] != 0) return false;
  frame->units = 0;
  for (int i = 0; i < count; i++) {
    struct component *component = frame->component + i;
    int dc = at[2 + 2 * i] >> 4, ac = at[2 + 2 * i] & 15;
    if (at[1 + 2 * i] != component->id || dc > 3 || ac > 3 || !frame->dc[dc].present || !frame->ac[ac].present) return false;
    if (!frame->quantiser_present[component->quantiser]) return false;
    component->first_unit = frame->units;
    for (int k = 0; k < component->across * component->down; k++)
      frame->unit[frame->units++] = (struct unit){i, frame->dc + dc, frame->ac + ac, NULL};
  }
  for (int i = 0; i < frame->units; i++) frame->unit[i].next = frame->unit + (i + 1) % frame->units;
  frame->mcu_columns = (frame->width + 8 * frame->across - 1) / (8 * frame->across);
  frame->mcu_rows = (frame->height + 8 * frame->down - 1) / (8 * frame->down);
  return true;
}

/* What libjpeg takes for RGB, in which nothing is smoothed. */
static bool is_rgb(const struct frame *frame, int transform) {
  return frame->components == 3 &&
         (transform == 0 || (transform < 0 && frame->component[0].id == 'R' && frame->component[1].id == 'G'));
}

/* The frame of a file, and where the codes of its scan begin. Tables may be left from the file before, not present. */
enum result read_frame(struct frame *frame, const uint8_t *content, size_t length, size_t *codes) {
  if (length < 4 || length > MOST_BYTES || content[0] != 0xFF || content[1] != SOI) return NOT_TAKEN;
  frame->components = frame->restart = 0;
  for (int i = 0; i < 4; i++) frame->dc[i].present = frame->ac[i].present = frame->quantiser_present[i] = false;
  int transform = -1; /* as Adobe's segment states it: 0 is RGB */
  struct segment segment;
  *codes = 2;
  while (next_segment(content, length, codes, &segment)) {
    bool right = true;
    if (segment.mark == DQT) right = read_quantisers(frame, &segment);
    else if (segment.mark == DHT) right = read_huffman(frame, &segment);
    else if (segment.mark == SOF0 || segment.mark == SOF1)
      right = read_frame_header(frame, &segment) && has_known_sampling(frame);
    else if (segment.mark == DRI) {
      right = segment.end - segment.at == 2;
      if (right) frame->restart = two_bytes(segment.at);
    } else if (segment.mark == SOS)
      return read_scan_header(frame, &segment) && !is_rgb(frame, transform) ? DONE : NOT_TAKEN;
    else if (segment.mark >= APP0 && segment.mark <= APP15) {
      right = !is_odd(&segment);
      if (segment.mark == APP14 && segment.end - segment.at >= 12 && !memcmp(segment.at, "Adobe", 5))
        transform = segment.at[11];
    } else right = segment.mark == COM;
    if (!right) return NOT_TAKEN;
  }
  return NOT_TAKEN;
}

/* Whether a segment before the scan, of tables or of others, says nothing of what kind of file it is. */
static bool is_passed_over(const struct segment *segment) {
  int mark = segment->mark;
  if (mark >= APP0 && mark <= APP15) return !is_odd(segment);
  return mark == DQT || mark == DHT || mark == DRI || mark == COM;
}

/* Width, height and components of what may be taken, which has one scan; read_frame decides. */
enum result read_size(const uint8_t *content, size_t length, int32_t size[3]) {
  if (length < 4 || length > MOST_BYTES || content[0] != 0xFF || content[1] != SOI) return NOT_TAKEN;
  struct segment segment;
  size_t place = 2;
  size[2] = 0;
  while (next_segment(content, length, &place, &segment)) {
    if (segment.mark == SOS) return size[2] && segment.at < segment.end && segment.at[0] == size[2] ? DONE : NOT_TAKEN;
    if (segment.mark == SOF0 || segment.mark == SOF1) {
      if (size[2] || segment.end - segment.at < 6) return NOT_TAKEN;
      size[1] = two_bytes(segment.at + 1);
      size[0] = two_bytes(segment.at + 3);
      size[2] = segment.at[5];
      if (!size[0] || !size[1] || (size[2] != 1 && size[2] != 3)) return NOT_TAKEN;
    } else if (!is_passed_over(&segment)) return NOT_TAKEN;
  }
  return NOT_TAKEN;
}
