/**
 * The one seam between the bootloader and a board: flash by area and offset, as NOR flash is.
 * Erased bytes are 0xff; a write only clears bits, and may come again over bytes that it clears
 * further or leaves as they are; an operation that loses power may have done any part of its bits.
 */
#ifndef BOOT_FLASH_H
#define BOOT_FLASH_H

#include <stdbool.h>
#include <stdint.h>

enum boot_area {
  BOOT_PRIMARY = 0, /* what runs */
  BOOT_SECONDARY,   /* what comes next, or was before */
  BOOT_MODEL_0,
  BOOT_MODEL_1,
  BOOT_COUNTERS, /* two sectors */
  BOOT_RESETS,   /* two sectors, or none: how often the device has started */
  BOOT_AREAS,
};

/** Sectors of one size; none for an area that a board does not have. */
struct boot_geometry {
  uint32_t size_bytes;
  uint32_t sector_bytes;
};

/**
 * Writes start at and are of multiples of write_bytes (1, 2, 4 or 8), erasures of whole sectors,
 * reads of anything; all stay within their area. Each answers whether it was done.
 */
struct boot_flash {
  void *context;
  uint32_t write_bytes;
  struct boot_geometry areas[BOOT_AREAS];
  bool (*read)(void *context, enum boot_area area, uint32_t offset, void *to, uint32_t size_bytes);
  bool (*write)(void *context, enum boot_area area, uint32_t offset, const void *from,
                uint32_t size_bytes);
  bool (*erase)(void *context, enum boot_area area, uint32_t offset, uint32_t size_bytes);
};

static inline bool flash_read(const struct boot_flash *flash, enum boot_area area, uint32_t offset,
                              void *to, uint32_t size_bytes) {
  return flash->read(flash->context, area, offset, to, size_bytes);
}

static inline bool flash_write(const struct boot_flash *flash, enum boot_area area, uint32_t offset,
                               const void *from, uint32_t size_bytes) {
  return flash->write(flash->context, area, offset, from, size_bytes);
}

static inline bool flash_erase(const struct boot_flash *flash, enum boot_area area, uint32_t offset,
                               uint32_t size_bytes) {
  return flash->erase(flash->context, area, offset, size_bytes);
}

#endif
