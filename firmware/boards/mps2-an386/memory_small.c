/** What the compiler asks of libc, in as little flash as can be: for the bootloader, which does not
 * wait for it. */
#include <stdint.h>

#include "../../engine/memory.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes) {
  uint8_t *target = to;
  const uint8_t *source = from;
  while (size_bytes-- > 0) *target++ = *source++;
  return to;
}

void *memset(void *to, int value, size_t size_bytes) {
  uint8_t *target = to;
  while (size_bytes-- > 0) *target++ = (uint8_t)value;
  return to;
}
