#include "counters.h"

#include "../engine/memory.h"

#define RECORD_BYTES 16u
#define SECTORS 2u

struct record {
  uint32_t values[COUNTER_COUNT];
  uint32_t complements[COUNTER_COUNT];
};
_Static_assert(sizeof(struct record) == RECORD_BYTES, "a record's size is in the format");

/** The greatest of both sectors, the sector that has it, and each one's first place after all
 * that was ever written there. */
struct scan {
  struct counters greatest;
  uint32_t home;
  uint32_t free_at[SECTORS];
};

static bool is_erased(const struct record *record) {
  uint32_t both = ~0u;
  for (uint32_t index = 0; index < COUNTER_COUNT; index++) {
    both &= record->values[index] & record->complements[index];
  }
  return both == ~0u;
}

static bool is_valid(const struct record *record) {
  uint32_t wrong = 0;
  for (uint32_t index = 0; index < COUNTER_COUNT; index++) {
    wrong |= record->values[index] ^ ~record->complements[index];
  }
  return wrong == 0;
}

static bool scan(const struct boot_flash *flash, enum boot_area area, struct scan *found) {
  const uint32_t sector_bytes = flash->areas[area].sector_bytes;
  memset(found, 0, sizeof *found);
  for (uint32_t sector = 0; sector < SECTORS; sector++) {
    for (uint32_t at = 0; at + RECORD_BYTES <= sector_bytes; at += RECORD_BYTES) {
      struct record record;
      if (!flash_read(flash, area, sector * sector_bytes + at, &record, sizeof record)) {
        return false;
      }
      if (is_erased(&record)) continue;
      found->free_at[sector] = at + RECORD_BYTES;
      if (!is_valid(&record)) continue;
      for (uint32_t index = 0; index < COUNTER_COUNT; index++) {
        if (record.values[index] <= found->greatest.values[index]) continue;
        found->greatest.values[index] = record.values[index];
        found->home = sector;
      }
    }
  }
  return true;
}

bool counters_read(const struct boot_flash *flash, enum boot_area area, struct counters *counters) {
  struct scan found;
  if (!scan(flash, area, &found)) return false;
  *counters = found.greatest;
  return true;
}

/** After the last record; if the sector is full, at the start of the other, erased, one. */
bool counters_raise(const struct boot_flash *flash, enum boot_area area, enum counter counter,
                    uint32_t value) {
  struct scan found;
  if (!scan(flash, area, &found)) return false;
  if (value <= found.greatest.values[counter]) return true;
  found.greatest.values[counter] = value;

  const uint32_t sector_bytes = flash->areas[area].sector_bytes;
  uint32_t sector = found.home, at = found.free_at[sector];
  if (at + RECORD_BYTES > sector_bytes) {
    sector = SECTORS - 1u - sector;
    at = 0;
    if (!flash_erase(flash, area, sector * sector_bytes, sector_bytes)) return false;
  }
  struct record record;
  for (uint32_t index = 0; index < COUNTER_COUNT; index++) {
    record.values[index] = found.greatest.values[index];
    record.complements[index] = ~found.greatest.values[index];
  }
  return flash_write(flash, area, sector * sector_bytes + at, &record, sizeof record);
}
