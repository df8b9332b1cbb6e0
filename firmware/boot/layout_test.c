#include "layout.h"

#include "test_device.h"
#include "trailer.h"

static struct boot_flash *flash;

/** With an area of another size, and sectors of another size. */
static bool with(enum boot_area area, uint32_t size_bytes, uint32_t sector_bytes) {
  const struct boot_geometry before = flash->areas[area];
  flash->areas[area] = (struct boot_geometry){size_bytes, sector_bytes};
  const bool valid = layout_valid(flash);
  flash->areas[area] = before;
  return valid;
}

static void test_geometry(void) {
  EXPECT(layout_valid(flash));
  EXPECT(!with(BOOT_PRIMARY, 6u * 512u, 0));
  EXPECT(!with(BOOT_PRIMARY, 6u * 512u + 1u, 512));
  EXPECT(!with(BOOT_PRIMARY, 6u * 1024u, 1024)); /* other sectors than the secondary slot's */
  EXPECT(!with(BOOT_PRIMARY, 0, 512));
  EXPECT(!with(BOOT_PRIMARY, 2u * 512u, 512)); /* nothing but spare sector and trailer */
  EXPECT(with(BOOT_PRIMARY, 3u * 512u, 512));
  EXPECT(!with(BOOT_PRIMARY, 0x80000000u, 512));
  EXPECT(!with(BOOT_SECONDARY, 512, 512));
  EXPECT(!with(BOOT_SECONDARY, UINT32_MAX - 511u, 512));
  EXPECT(with(BOOT_MODEL_0, 0, 0));
  EXPECT(!with(BOOT_MODEL_0, 512, 512));
  EXPECT(!with(BOOT_MODEL_0, 64, 32));
  EXPECT(!with(BOOT_COUNTERS, 512, 512));
  EXPECT(!with(BOOT_COUNTERS, 3u * 512u, 512));
  for (uint32_t write_bytes = 0; write_bytes < 20u; write_bytes++) {
    flash->write_bytes = write_bytes;
    EXPECT(layout_valid(flash) == (write_bytes == 1u || write_bytes == 2u || write_bytes == 4u));
  }
  flash->write_bytes = 1;
}

/** 48 bytes, and 3 records of every one of 128 sectors. */
static void test_sizes(void) {
  EXPECT(layout_trailer_bytes(flash, BOOT_PRIMARY) == 432);
  EXPECT(layout_trailer_bytes(flash, BOOT_MODEL_0) == 48);
  EXPECT(layout_trailer_start(flash, BOOT_PRIMARY) == 5u * 512u);
  EXPECT(layout_trailer_start(flash, BOOT_SECONDARY) == 4u * 512u);
  EXPECT(layout_capacity(flash, BOOT_PRIMARY) == 4u * 512u);
  EXPECT(layout_capacity(flash, BOOT_SECONDARY) == 4u * 512u);
  EXPECT(layout_capacity(flash, BOOT_MODEL_1) == 512);
  flash->areas[BOOT_SECONDARY].size_bytes = 7u * 512u;
  EXPECT(layout_capacity(flash, BOOT_SECONDARY) == 4u * 512u);
  flash->areas[BOOT_SECONDARY].size_bytes = 3u * 512u;
  EXPECT(layout_capacity(flash, BOOT_PRIMARY) == 2u * 512u);
  flash->areas[BOOT_PRIMARY].size_bytes = flash->areas[BOOT_SECONDARY].size_bytes = 512u * 512u;
  EXPECT(layout_valid(flash));
  EXPECT(layout_capacity(flash, BOOT_PRIMARY) == BOOT_MAX_SECTORS * 512u);
}

int main(void) {
  (void)test_device();
  flash = &test_flash.flash;
  test_geometry();
  test_sizes();
  return test_result();
}
