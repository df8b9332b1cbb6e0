#include "flash_nor.h"

#include <stddef.h>

#include "../engine/memory.h"

#define ERASED 0xff

/** Whoever works on the flash is alive: to check two images that fill their slots takes longer than
 * the watchdog waits, and a bootloader that it resets there would never come further.
 * @return where it is; NULL outside the area or its alignment */
static uint8_t *find(enum boot_area area, uint32_t offset, uint32_t size_bytes, uint32_t align) {
  device_feed_watchdog();
  if (area >= BOOT_AREAS) return NULL;
  const struct boot_geometry *geometry = &flash_map_geometry[area];
  if (offset > geometry->size_bytes || size_bytes > geometry->size_bytes - offset) return NULL;
  if ((offset | size_bytes) % align != 0) return NULL;
  return flash_nor_start() + flash_map_offset(area) + offset;
}

static bool read_flash(void *context, enum boot_area area, uint32_t offset, void *to,
                       uint32_t size_bytes) {
  (void)context;
  const uint8_t *from = find(area, offset, size_bytes, 1);
  if (from == NULL) return false;
  memcpy(to, from, size_bytes);
  return true;
}

/** Bits go from 1 to 0 alone. */
static bool write_flash(void *context, enum boot_area area, uint32_t offset, const void *from,
                        uint32_t size_bytes) {
  (void)context;
  uint8_t *to = find(area, offset, size_bytes, FLASH_MAP_WRITE_BYTES);
  if (to == NULL) return false;
  const uint8_t *bytes = from;
  for (uint32_t index = 0; index < size_bytes; index++) {
    if ((to[index] & bytes[index]) != bytes[index]) return false;
  }
  memcpy(to, bytes, size_bytes);
  return true;
}

static bool erase_flash(void *context, enum boot_area area, uint32_t offset, uint32_t size_bytes) {
  (void)context;
  uint8_t *to = find(area, offset, size_bytes, DEVICE_SECTOR_BYTES);
  if (to == NULL) return false;
  memset(to, ERASED, size_bytes);
  return true;
}

const struct boot_flash flash_nor = {
    .write_bytes = FLASH_MAP_WRITE_BYTES,
    .areas = FLASH_MAP_AREAS,
    .read = read_flash,
    .write = write_flash,
    .erase = erase_flash,
};

const uint8_t *device_flash_at(enum boot_area area) {
  return flash_nor_start() + flash_map_offset(area);
}
