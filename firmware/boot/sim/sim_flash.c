#include "sim_flash.h"

#include <stddef.h>
#include <string.h>

#define PART_BYTES 256u
#define WORD_BYTES 8u

static uint32_t next_random(struct sim_flash *sim) {
  sim->random ^= sim->random << 13;
  sim->random ^= sim->random >> 17;
  sim->random ^= sim->random << 5;
  return sim->random;
}

static bool fault(struct sim_flash *sim, const char *what) {
  if (sim->fault == NULL) sim->fault = what;
  return false;
}

static bool within(struct sim_flash *sim, enum boot_area area, uint32_t offset,
                   uint32_t size_bytes) {
  const uint32_t room = sim->flash.areas[area].size_bytes;
  return size_bytes <= room && offset <= room - size_bytes;
}

/** One operation that makes `at` into `to`, or as much of it as power is left for. */
static bool change(struct sim_flash *sim, uint8_t *at, const uint8_t *to, uint32_t size_bytes) {
  const uint32_t operation = sim->operations++;
  if (operation != sim->cut_at) {
    memcpy(at, to, size_bytes);
    return true;
  }
  sim->off = true;
  if (sim->tear == SIM_WORDS) {
    for (uint32_t word = 0; word < size_bytes; word += WORD_BYTES) {
      const uint32_t left = size_bytes - word;
      if ((next_random(sim) >> 9 & 1u) != 0) continue;
      memcpy(at + word, to + word, left < WORD_BYTES ? left : WORD_BYTES);
    }
  } else if (sim->tear == SIM_SCATTERED) {
    for (uint32_t index = 0; index < size_bytes; index++) {
      at[index] ^= (uint8_t)((at[index] ^ to[index]) & (next_random(sim) >> 9));
    }
  } else {
    memcpy(at, to, sim->tear == SIM_PART ? (size_bytes + 1u) / 2u : size_bytes);
  }
  return false;
}

static bool sim_read(void *context, enum boot_area area, uint32_t offset, void *to,
                     uint32_t size_bytes) {
  struct sim_flash *sim = context;
  if (sim->off) return false;
  if (!within(sim, area, offset, size_bytes)) return fault(sim, "read outside the area");
  memcpy(to, sim->bytes[area] + offset, size_bytes);
  return true;
}

static bool sim_write(void *context, enum boot_area area, uint32_t offset, const void *from,
                      uint32_t size_bytes) {
  struct sim_flash *sim = context;
  if (sim->off) return false;
  if (!within(sim, area, offset, size_bytes)) return fault(sim, "write outside the area");
  if ((offset | size_bytes) % sim->flash.write_bytes != 0) return fault(sim, "unaligned write");
  uint8_t *at = sim->bytes[area] + offset;
  const uint8_t *bytes = from;
  for (uint32_t index = 0; index < size_bytes; index++) {
    if ((bytes[index] & ~at[index]) != 0) return fault(sim, "a write would set a bit");
  }
  return change(sim, at, bytes, size_bytes);
}

static bool sim_erase(void *context, enum boot_area area, uint32_t offset, uint32_t size_bytes) {
  static uint8_t erased[SIM_MAX_AREA_BYTES];
  struct sim_flash *sim = context;
  if (sim->off) return false;
  if (!within(sim, area, offset, size_bytes)) return fault(sim, "erasure outside the area");
  if ((offset | size_bytes) % sim->flash.areas[area].sector_bytes != 0) {
    return fault(sim, "unaligned erasure");
  }
  memset(erased, 0xff, size_bytes);
  return change(sim, sim->bytes[area] + offset, erased, size_bytes);
}

void sim_flash_start(struct sim_flash *sim, uint32_t write_bytes,
                     const struct boot_geometry areas[BOOT_AREAS]) {
  memset(sim, 0xff, sizeof *sim);
  sim->flash = (struct boot_flash){.context = sim,

                                   .write_bytes = write_bytes,
                                   .read = sim_read,
                                   .write = sim_write,
                                   .erase = sim_erase};
  memcpy(sim->flash.areas, areas, sizeof sim->flash.areas);
  sim->operations = 0;
  sim->cut_at = SIM_NEVER;
  sim->off = false;
  sim->fault = NULL;
  sim->random = 0x2545f491u;
}

void sim_flash_copy(struct sim_flash *to, const struct sim_flash *from) {
  memcpy(to, from, offsetof(struct sim_flash, bytes));
  to->flash.context = to;
  for (uint32_t area = 0; area < BOOT_AREAS; area++) {
    memcpy(to->bytes[area], from->bytes[area], from->flash.areas[area].size_bytes);
  }
}

void sim_flash_cut(struct sim_flash *sim, uint32_t after, enum sim_tear tear) {
  sim->cut_at = after == SIM_NEVER ? SIM_NEVER : sim->operations + after;
  sim->tear = tear;
}

void sim_flash_power_on(struct sim_flash *sim) {
  sim->off = false;
  sim->cut_at = SIM_NEVER;
}

bool sim_flash_upload(struct sim_flash *sim, enum boot_area area, const uint8_t *bytes,
                      uint32_t size_bytes) {
  uint8_t part[PART_BYTES];
  for (uint32_t at = 0; at < size_bytes; at += PART_BYTES) {
    const uint32_t left = size_bytes - at, count = left < PART_BYTES ? left : PART_BYTES;
    const uint32_t align = sim->flash.write_bytes - 1u;
    memset(part, 0xff, sizeof part);
    memcpy(part, bytes + at, count);
    if (!sim_write(sim, area, at, part, (count + align) & ~align)) return false;
  }
  return true;
}
