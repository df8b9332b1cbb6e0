/** The flash of both devices of ours: where each area is, from the flash's start. */
#ifndef FLASH_MAP_H
#define FLASH_MAP_H

#include "device.h"

#define FLASH_MAP_WRITE_BYTES 4u

/** An image of 128 sectors, one to move it by, and the trailer. */
#define FLASH_MAP_PRIMARY_BYTES (130u * DEVICE_SECTOR_BYTES)
#define FLASH_MAP_SLOT_BYTES (129u * DEVICE_SECTOR_BYTES)
#define FLASH_MAP_COUNTERS_BYTES (2u * DEVICE_SECTOR_BYTES)

#define FLASH_MAP_AREAS                                                \
  {                                                                    \
    [BOOT_PRIMARY] = {FLASH_MAP_PRIMARY_BYTES, DEVICE_SECTOR_BYTES},   \
    [BOOT_SECONDARY] = {FLASH_MAP_SLOT_BYTES, DEVICE_SECTOR_BYTES},    \
    [BOOT_MODEL_0] = {FLASH_MAP_SLOT_BYTES, DEVICE_SECTOR_BYTES},      \
    [BOOT_MODEL_1] = {FLASH_MAP_SLOT_BYTES, DEVICE_SECTOR_BYTES},      \
    [BOOT_COUNTERS] = {FLASH_MAP_COUNTERS_BYTES, DEVICE_SECTOR_BYTES}, \
    [BOOT_RESETS] = {FLASH_MAP_COUNTERS_BYTES, DEVICE_SECTOR_BYTES},   \
  }

static const struct boot_geometry flash_map_geometry[BOOT_AREAS] = FLASH_MAP_AREAS;

#define FLASH_MAP_BYTES \
  (FLASH_MAP_PRIMARY_BYTES + 3u * FLASH_MAP_SLOT_BYTES + 2u * FLASH_MAP_COUNTERS_BYTES)

/** One area follows the other in the order of enum boot_area. */
static inline uint32_t flash_map_offset(enum boot_area area) {
  uint32_t offset = 0;
  for (enum boot_area before = BOOT_PRIMARY; before < area; before++) {
    offset += flash_map_geometry[before].size_bytes;
  }
  return offset;
}

#endif
