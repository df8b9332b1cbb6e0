/** What the bootloader's tests share: a device in memory, and images to put into it. */
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include <string.h>

#include "../engine/test.h"
#include "boot.h"
#include "sim/sim_flash.h"
#include "sim/sim_images.h"

#define TEST_SECTOR_BYTES 512u
#define TEST_PRIMARY_BYTES (6u * TEST_SECTOR_BYTES)
#define TEST_SECONDARY_BYTES (5u * TEST_SECTOR_BYTES)
#define TEST_MODEL_BYTES (2u * TEST_SECTOR_BYTES)

static struct sim_flash test_flash;

/** Erased flash, writes of one byte. */
static inline struct boot_device test_device(void) {
  const struct boot_geometry areas[BOOT_AREAS] = {
      {TEST_PRIMARY_BYTES, TEST_SECTOR_BYTES},
      {TEST_SECONDARY_BYTES, TEST_SECTOR_BYTES},
      {TEST_MODEL_BYTES, TEST_SECTOR_BYTES},
      {TEST_MODEL_BYTES, TEST_SECTOR_BYTES},
      {2u * 64u, 64u},
  };
  sim_flash_start(&test_flash, 1, areas);
  return (struct boot_device){&test_flash.flash, sim_keys, SIM_KEY_COUNT};
}

/** Over whatever was there, as if by a programmer. */
static inline void test_put(enum boot_area area, const struct sim_image *image) {
  memset(test_flash.bytes[area], 0xff, test_flash.flash.areas[area].size_bytes);
  memcpy(test_flash.bytes[area], image->bytes, image->size_bytes);
}

static inline bool test_is(const struct boot_image *image, const struct sim_image *expected) {
  return image->version[0] == expected->major && image->counter == expected->counter &&
         image->size_bytes == expected->size_bytes;
}

/** Of an area's end, where the trailer's fixed part is. */
static inline uint8_t *test_end(enum boot_area area) {
  return test_flash.bytes[area] + test_flash.flash.areas[area].size_bytes;
}

#endif
