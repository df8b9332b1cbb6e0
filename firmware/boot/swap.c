#include "swap.h"

#include "decide.h"
#include "layout.h"
#include "trailer.h"

struct place {
  enum boot_area area;
  uint32_t sector;
};

static bool copy_sector(const struct boot_flash *flash, struct place from, struct place to) {
  const uint32_t sector_bytes = flash->areas[BOOT_PRIMARY].sector_bytes;
  const uint32_t from_at = from.sector * sector_bytes, to_at = to.sector * sector_bytes;
  uint8_t part[LAYOUT_PART_BYTES];
  if (!flash_erase(flash, to.area, to_at, sector_bytes)) return false;
  for (uint32_t at = 0; at < sector_bytes;) {
    const uint32_t left = sector_bytes - at, count = left < sizeof part ? left : sizeof part;
    if (!flash_read(flash, from.area, from_at + at, part, count) ||
        !flash_write(flash, to.area, to_at + at, part, count)) {
      return false;
    }
    at += count;
  }
  return true;
}

/** Steps 0 to count - 1 move, the last sector first; then two each swap a pair, the first first. */
static bool step(const struct boot_flash *flash, uint32_t index, uint32_t count) {
  if (index < count) {
    const uint32_t sector = count - 1u - index;
    return copy_sector(flash, (struct place){BOOT_PRIMARY, sector},
                       (struct place){BOOT_PRIMARY, sector + 1u});
  }
  const uint32_t sector = (index - count) / 2u;
  if ((index - count) % 2u == 0) {
    return copy_sector(flash, (struct place){BOOT_SECONDARY, sector},
                       (struct place){BOOT_PRIMARY, sector});
  }
  return copy_sector(flash, (struct place){BOOT_PRIMARY, sector + 1u},
                     (struct place){BOOT_SECONDARY, sector});
}

static uint32_t sectors_of(const struct boot_flash *flash, uint32_t size_bytes) {
  const uint32_t sector_bytes = flash->areas[BOOT_PRIMARY].sector_bytes;
  return (size_bytes + sector_bytes - 1u) / sector_bytes;
}

/** From step `index` to the end. */
static bool run(const struct boot_flash *flash, uint32_t index, uint32_t count) {
  for (; index < 3u * count; index++) {
    if (!step(flash, index, count) || !trailer_set_record(flash, index)) return false;
  }
  return trailer_clear(flash, BOOT_SECONDARY) &&
         trailer_set(flash, BOOT_PRIMARY, TRAILER_COPY_DONE);
}

bool swap_start(const struct boot_flash *flash, enum boot_swap swap, uint32_t size_bytes) {
  const struct trailer trailer = {
      .image_ok = swap != BOOT_SWAP_TEST,
      .swap_info = (uint8_t)swap,
      .swap_size = size_bytes,
  };
  return trailer_write(flash, BOOT_PRIMARY, &trailer) &&
         run(flash, 0, sectors_of(flash, size_bytes));
}

/** The last record there is written once more, lest bits that power has left between 0 and 1 read
 * otherwise after the next step. */
bool swap_resume(const struct boot_flash *flash, enum boot_swap *swap) {
  struct trailer primary;
  uint32_t index;
  bool sane;
  *swap = BOOT_SWAP_NONE;
  if (!trailer_read(flash, BOOT_PRIMARY, &primary)) return false;
  if (!decide_interrupted(&primary, layout_capacity(flash, BOOT_PRIMARY))) return true;
  const uint32_t count = sectors_of(flash, primary.swap_size);
  if (!trailer_read_records(flash, 3u * count, &index, &sane)) return false;
  if (!sane) return true;
  *swap = (enum boot_swap)primary.swap_info;
  if (index > 0 && !trailer_set_record(flash, index - 1u)) return false;
  return run(flash, index, count);
}
