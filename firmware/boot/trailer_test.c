#include "trailer.h"

#include "test_device.h"

static const struct boot_flash *flash;

static struct trailer read_trailer(enum boot_area area) {
  struct trailer trailer;
  EXPECT(trailer_read(flash, area, &trailer));
  return trailer;
}

/** To the byte as MCUboot has it, so that its clients read ours. */
static void test_bytes(void) {
  static const uint8_t expected[] = {
      0x78, 0x56, 0x34, 0x12, 0xff, 0xff, 0xff, 0xff, 0x03, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x77, 0xc2, 0x95, 0xf3,
      0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80,
  };
  for (uint32_t write_bytes = 1; write_bytes <= 8u; write_bytes *= 2u) {
    (void)test_device();
    test_flash.flash.write_bytes = write_bytes;
    if (write_bytes > 2u) test_flash.flash.areas[BOOT_PRIMARY].size_bytes = 8192;
    const struct trailer trailer = {.image_ok = true, .swap_info = 3, .swap_size = 0x12345678};
    EXPECT(trailer_write(flash, BOOT_PRIMARY, &trailer));
    EXPECT(!read_trailer(BOOT_PRIMARY).copy_done);
    EXPECT(trailer_set(flash, BOOT_PRIMARY, TRAILER_COPY_DONE));
    EXPECT(memcmp(test_end(BOOT_PRIMARY) - sizeof expected, expected, sizeof expected) == 0);
    const struct trailer back = read_trailer(BOOT_PRIMARY);
    EXPECT(back.magic && back.copy_done && back.image_ok);
    EXPECT(back.swap_info == 3 && back.swap_size == 0x12345678);
    EXPECT(test_flash.fault == NULL);
  }
}

/** A flag is set at exactly 0x01, a magic at every byte. */
static void test_marks(void) {
  (void)test_device();
  EXPECT(trailer_write(flash, BOOT_SECONDARY, &(struct trailer){.image_ok = true}));
  for (uint32_t value = 0; value < 256u; value++) {
    test_end(BOOT_SECONDARY)[-24] = (uint8_t)value;
    const struct trailer trailer = read_trailer(BOOT_SECONDARY);
    EXPECT(trailer.image_ok == (value == 1u));
    EXPECT(!trailer.copy_done && trailer.magic == (value % 2u == 1u));
  }
  test_end(BOOT_SECONDARY)[-24] = 0xff;
  for (uint32_t at = 1; at <= 16u; at++) {
    *(test_end(BOOT_SECONDARY) - at) ^= 0x10;
    EXPECT(!read_trailer(BOOT_SECONDARY).magic);
    *(test_end(BOOT_SECONDARY) - at) ^= 0x10;
    EXPECT(read_trailer(BOOT_SECONDARY).magic);
  }
}

/** At every cut of a write over an old trailer it is none, or the old or the new one as a whole. */
static void test_cuts(void) {
  for (uint32_t round = 0; round < 3000u; round++) {
    (void)test_device();
    test_flash.random = test_random() | 1u;
    const struct trailer old = {.swap_info = 2, .swap_size = 1}, new = {.image_ok = true};
    EXPECT(trailer_write(flash, BOOT_PRIMARY, &old));
    for (uint32_t record = 0; record < 90u; record++) EXPECT(trailer_set_record(flash, record));
    EXPECT(trailer_set(flash, BOOT_PRIMARY, TRAILER_COPY_DONE));
    for (uint32_t cuts = 0; cuts < 4u; cuts++) {
      const uint8_t *sector = test_end(BOOT_PRIMARY) - TEST_SECTOR_BYTES;
      uint8_t before[TEST_SECTOR_BYTES];
      memcpy(before, sector, sizeof before);
      sim_flash_cut(&test_flash, test_size(0, 6), (enum sim_tear)test_size(0, SIM_TEARS - 1));
      const bool done = trailer_write(flash, BOOT_PRIMARY, &new);
      sim_flash_power_on(&test_flash);
      const struct trailer now = read_trailer(BOOT_PRIMARY);
      const bool is_new = now.magic && now.image_ok && now.swap_info == 0 && now.swap_size == 0;
      EXPECT(is_new || !now.magic || memcmp(before, sector, sizeof before) == 0);
      EXPECT(is_new || !done);
    }
  }
  EXPECT(test_flash.fault == NULL);
}

static void test_records(void) {
  uint32_t count;
  bool sane;
  (void)test_device();
  EXPECT(trailer_write(flash, BOOT_PRIMARY, &(struct trailer){.swap_info = 2}));
  for (uint32_t index = 0; index < TRAILER_MAX_RECORDS; index++) {
    EXPECT(trailer_read_records(flash, TRAILER_MAX_RECORDS, &count, &sane));
    EXPECT(count == index && sane);
    EXPECT(trailer_set_record(flash, index));
  }
  EXPECT(trailer_read_records(flash, TRAILER_MAX_RECORDS, &count, &sane));
  EXPECT(count == TRAILER_MAX_RECORDS && sane);
  EXPECT(trailer_read_records(flash, 7, &count, &sane) && count == 7);
  uint8_t *record = test_end(BOOT_PRIMARY) - 432 + 5;
  *record = 0x83;
  EXPECT(trailer_read_records(flash, 7, &count, &sane) && count == 5 && sane);
  *record = 0x82;
  EXPECT(trailer_read_records(flash, 7, &count, &sane) && count == 5 && !sane);
  EXPECT(read_trailer(BOOT_PRIMARY).swap_size == 0);
  EXPECT(test_flash.fault == NULL);
}

int main(void) {
  flash = &test_flash.flash;
  test_bytes();
  test_marks();
  test_cuts();
  test_records();
  return test_result();
}
