/** The decoder's rules once more, with a buffer for the line, as src/mcu/smp/console-framing.ts. */
#ifndef TEST_FRAME_H
#define TEST_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "frame.h"

#define REFERENCE_MAX_BYTES 4096u
#define REFERENCE_LINE_CHARACTERS 124u

struct reference {
  uint32_t capacity_bytes;
  uint8_t previous;
  bool in_line, is_first;
  uint32_t line_bytes;
  char line[REFERENCE_LINE_CHARACTERS + 1u];
  /* Without the length; of packets that are begun, expected_bytes is not 0. */
  uint32_t expected_bytes, frame_bytes;
  uint8_t frame[REFERENCE_MAX_BYTES + REFERENCE_LINE_CHARACTERS];
  uint32_t damaged;
};

/** The buffers need no zeros. */
static inline void reference_init(struct reference *reference, uint32_t capacity_bytes) {
  reference->capacity_bytes = capacity_bytes;
  reference->previous = 0;
  reference->in_line = reference->is_first = false;
  reference->line_bytes = reference->expected_bytes = reference->frame_bytes = 0;
  reference->damaged = 0;
}

static inline uint32_t reference_damage(struct reference *reference) {
  reference->in_line = false;
  reference->expected_bytes = reference->frame_bytes = 0;
  reference->damaged++;
  return 0;
}

/** @return bytes, or UINT32_MAX if it is no base64 */
static inline uint32_t reference_base64(const char *text, uint32_t size, uint8_t *bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t padding = 0, bits = 0, count = 0;
  if (size % 4u != 0) return UINT32_MAX;
  while (padding < 2u && padding < size && text[size - 1u - padding] == '=') padding++;
  for (uint32_t index = 0; index < size; index++) {
    const bool is_padding = index >= size - padding;
    const char *digit = is_padding ? digits : memchr(digits, text[index], 64);
    if (digit == NULL) return UINT32_MAX;
    bits = bits << 6 | (uint32_t)(digit - digits);
    if (index % 4u != 3u) continue;
    for (uint32_t shift = 24; shift > 0;) bytes[count++] = (uint8_t)(bits >> (shift -= 8u));
  }
  return count - padding;
}

/** @return bytes of the whole packet that stands in reference->frame, or 0 */
static inline uint32_t reference_end_line(struct reference *reference) {
  uint8_t part[REFERENCE_LINE_CHARACTERS];
  uint32_t at = 0;
  const uint32_t bytes = reference_base64(reference->line, reference->line_bytes, part);
  reference->in_line = false;
  if (bytes == UINT32_MAX) return reference_damage(reference);
  if (reference->is_first) {
    if (bytes < 2u) return reference_damage(reference);
    const uint32_t expected_bytes = (uint32_t)part[0] << 8 | part[1];
    if (expected_bytes < 10u || expected_bytes > reference->capacity_bytes) {
      return reference_damage(reference);
    }
    reference->expected_bytes = expected_bytes;
    at = 2;
  }
  if (reference->expected_bytes == 0 || at == bytes) return reference_damage(reference);
  memcpy(reference->frame + reference->frame_bytes, part + at, bytes - at);
  reference->frame_bytes += bytes - at;
  if (reference->frame_bytes > reference->expected_bytes) return reference_damage(reference);
  if (reference->frame_bytes < reference->expected_bytes) return 0;
  const uint32_t packet_bytes = reference->expected_bytes - 2u;
  const uint8_t *sum = reference->frame + packet_bytes;
  if (((uint32_t)sum[0] << 8 | sum[1]) != frame_crc16(0, reference->frame, packet_bytes)) {
    return reference_damage(reference);
  }
  reference->expected_bytes = reference->frame_bytes = 0;
  return packet_bytes;
}

/**
 * As frame_take. One thing is not as in console-framing.ts, which has the line in a buffer: a
 * packet that was begun ends where another begins, not where that one's first line ends.
 */
static inline uint32_t reference_take(struct reference *reference, uint8_t byte) {
  const uint8_t previous = reference->previous;
  reference->previous = byte;
  const bool is_first = previous == 6u && byte == 9u;
  if (is_first || (previous == 4u && byte == 0x14u)) {
    if (is_first && reference->expected_bytes > 0) reference_damage(reference);
    reference->in_line = true;
    reference->is_first = is_first;
    reference->line_bytes = 0;
    return 0;
  }
  if (!reference->in_line) return 0;
  if (byte == '\n') return reference_end_line(reference);
  if (byte == '\r') return 0;
  if (reference->line_bytes == REFERENCE_LINE_CHARACTERS) return reference_damage(reference);
  reference->line[reference->line_bytes++] = (char)byte;
  return 0;
}

#endif
