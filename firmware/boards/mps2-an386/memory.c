/** What the engine and the compiler ask of libc. Words need not be aligned: a Cortex-M4 reads and
 * writes them anywhere. */
#include "../../engine/memory.h"

#include <stdint.h>

struct word {
  uint32_t value;
} __attribute__((packed, may_alias));

#define BLOCK_WORDS 4u
#define BLOCK_BYTES (BLOCK_WORDS * sizeof(struct word))

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes) {
  uint8_t *target = to;
  const uint8_t *source = from;
  for (; size_bytes >= BLOCK_BYTES; size_bytes -= BLOCK_BYTES) {
    const struct word *read = (const struct word *)source;
    struct word *write = (struct word *)target;
    const uint32_t a = read[0].value, b = read[1].value, c = read[2].value, d = read[3].value;
    write[0].value = a;
    write[1].value = b;
    write[2].value = c;
    write[3].value = d;
    source += BLOCK_BYTES;
    target += BLOCK_BYTES;
  }
  for (; size_bytes >= sizeof(struct word); size_bytes -= sizeof(struct word)) {
    ((struct word *)target)->value = ((const struct word *)source)->value;
    source += sizeof(struct word);
    target += sizeof(struct word);
  }
  for (; size_bytes > 0; size_bytes--) *target++ = *source++;
  return to;
}

void *memset(void *to, int value, size_t size_bytes) {
  uint8_t *target = to;
  const uint32_t filling = (uint8_t)value * 0x01010101u;
  for (; size_bytes >= BLOCK_BYTES; size_bytes -= BLOCK_BYTES) {
    struct word *write = (struct word *)target;
    for (uint32_t index = 0; index < BLOCK_WORDS; index++) write[index].value = filling;
    target += BLOCK_BYTES;
  }
  for (; size_bytes > 0; size_bytes--) *target++ = (uint8_t)filling;
  return to;
}
