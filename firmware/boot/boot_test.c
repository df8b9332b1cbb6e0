#include "test_device.h"
#include "trailer.h"

static struct boot_device device;
static struct boot_firmware firmware;

/** firmware_1 in the primary slot, confirmed; `next` in the secondary. */
static void begin(const struct sim_image *next) {
  device = test_device();
  test_put(BOOT_PRIMARY, &sim_firmware_1);
  EXPECT(boot_confirm(&device) == BOOT_OK);
  EXPECT(boot_start(&device, &firmware) == BOOT_OK);
  EXPECT(firmware.confirmed && firmware.swapped == BOOT_SWAP_NONE);
  if (next != NULL) test_put(BOOT_SECONDARY, next);
}

static bool starts(const struct sim_image *expected, enum boot_swap swapped, bool confirmed) {
  const enum boot_status status = boot_start(&device, &firmware);
  return status == BOOT_OK && test_is(&firmware.image, expected) && firmware.swapped == swapped &&
         firmware.confirmed == confirmed;
}

static enum boot_swap next_swap(void) {
  enum boot_swap swap = BOOT_SWAP_NONE;
  EXPECT(boot_next_swap(&device, &swap) == BOOT_OK);
  return swap;
}

static void test_confirm(void) {
  begin(&sim_firmware_3);
  EXPECT(boot_request(&device, false) == BOOT_OK);
  EXPECT(next_swap() == BOOT_SWAP_TEST);
  EXPECT(starts(&sim_firmware_3, BOOT_SWAP_TEST, false));
  EXPECT(next_swap() == BOOT_SWAP_REVERT);
  EXPECT(boot_clear(&device) == BOOT_IN_USE);
  EXPECT(boot_confirm(&device) == BOOT_OK);
  EXPECT(next_swap() == BOOT_SWAP_NONE);
  EXPECT(starts(&sim_firmware_3, BOOT_SWAP_NONE, true));
  EXPECT(boot_confirm(&device) == BOOT_OK);
  EXPECT(boot_request(&device, false) == BOOT_DOWNGRADE); /* back to the counter of before */
  EXPECT(boot_clear(&device) == BOOT_OK);
  EXPECT(boot_request(&device, false) == BOOT_NO_IMAGE);
}

static void test_revert(void) {
  begin(&sim_firmware_3);
  EXPECT(boot_request(&device, false) == BOOT_OK);
  EXPECT(starts(&sim_firmware_3, BOOT_SWAP_TEST, false));
  EXPECT(starts(&sim_firmware_1, BOOT_SWAP_REVERT, true));
  EXPECT(starts(&sim_firmware_1, BOOT_SWAP_NONE, true));
  EXPECT(boot_request(&device, true) == BOOT_OK);
  EXPECT(next_swap() == BOOT_SWAP_PERMANENT);
  EXPECT(starts(&sim_firmware_3, BOOT_SWAP_PERMANENT, true));
  EXPECT(starts(&sim_firmware_3, BOOT_SWAP_NONE, true));
}

/** A test whose old image is gone goes on, and an upload may follow. */
static void test_nothing_to_revert_to(void) {
  begin(&sim_firmware_2);
  EXPECT(boot_request(&device, false) == BOOT_OK);
  EXPECT(starts(&sim_firmware_2, BOOT_SWAP_TEST, false));
  test_flash.bytes[BOOT_SECONDARY][100] ^= 1;
  EXPECT(starts(&sim_firmware_2, BOOT_SWAP_NONE, false));
  EXPECT(firmware.refused == BOOT_DIGEST);
  EXPECT(boot_clear(&device) == BOOT_OK);
  EXPECT(starts(&sim_firmware_2, BOOT_SWAP_NONE, false));
  EXPECT(firmware.refused == BOOT_NO_IMAGE);
}

/** What is asked for and refused is asked for no more. */
static void test_refused(void) {
  const struct sim_image *images[] = {&sim_firmware_forged, &sim_firmware_old, &sim_model_1};
  const enum boot_status expected[] = {BOOT_SIGNATURE, BOOT_DOWNGRADE, BOOT_WRONG_KIND};
  for (uint32_t index = 0; index < 3u; index++) {
    begin(images[index]);
    EXPECT(boot_request(&device, true) == expected[index]);
    EXPECT(trailer_write(&test_flash.flash, BOOT_SECONDARY, &(struct trailer){.image_ok = true}));
    EXPECT(starts(&sim_firmware_1, BOOT_SWAP_NONE, true));
    EXPECT(firmware.refused == expected[index]);
    EXPECT(next_swap() == BOOT_SWAP_NONE);
  }
}

/** Firmware that has gone bad is replaced by whatever may run; nothing else runs. */
static void test_rescue(void) {
  begin(&sim_firmware_2);
  test_flash.bytes[BOOT_PRIMARY][50] ^= 1;
  EXPECT(starts(&sim_firmware_2, BOOT_SWAP_PERMANENT, true));
  test_flash.bytes[BOOT_PRIMARY][50] ^= 1;
  EXPECT(boot_start(&device, &firmware) == BOOT_DIGEST);
  device = test_device();
  EXPECT(boot_start(&device, &firmware) == BOOT_NO_IMAGE);
  test_put(BOOT_SECONDARY, &sim_firmware_forged);
  EXPECT(boot_start(&device, &firmware) == BOOT_NO_IMAGE);
  test_put(BOOT_SECONDARY, &sim_firmware_1);
  EXPECT(starts(&sim_firmware_1, BOOT_SWAP_PERMANENT, true));
}

/** Flash that fails without a word: the image that came in does not hold, the old one comes back.
 */
static void test_bad_copy(void) {
  begin(&sim_firmware_2);
  EXPECT(boot_request(&device, false) == BOOT_OK);
  sim_flash_cut(&test_flash, 12, SIM_WHOLE); /* the sector is in its place */
  EXPECT(boot_start(&device, &firmware) == BOOT_FLASH);
  sim_flash_power_on(&test_flash);
  EXPECT(memcmp(test_flash.bytes[BOOT_PRIMARY], sim_firmware_2.bytes, 256) == 0);
  test_flash.bytes[BOOT_PRIMARY][200] ^= 1;
  EXPECT(starts(&sim_firmware_1, BOOT_SWAP_REVERT, true));
}

/** imgtool's --pad and --pad --confirm: a trailer of whoever has programmed the device. */
static void test_programmed(void) {
  for (uint32_t confirmed = 0; confirmed < 2u; confirmed++) {
    device = test_device();
    test_put(BOOT_PRIMARY, &sim_firmware_1);
    const struct trailer trailer = {
        .image_ok = confirmed != 0, .swap_info = UINT8_MAX, .swap_size = UINT32_MAX};
    EXPECT(trailer_write(&test_flash.flash, BOOT_PRIMARY, &trailer));
    EXPECT(starts(&sim_firmware_1, BOOT_SWAP_NONE, confirmed != 0));
    test_put(BOOT_SECONDARY, &sim_firmware_old);
    EXPECT(boot_request(&device, false) == (confirmed != 0 ? BOOT_DOWNGRADE : BOOT_OK));
  }
}

/** Any bytes in headers and trailers: no fault, no firmware that is not ours, and an end. */
static void test_hostile(void) {
  for (uint32_t round = 0; round < 10000u; round++) {
    begin(&sim_firmware_2);
    EXPECT(trailer_write(&test_flash.flash, BOOT_PRIMARY,
                         &(struct trailer){.swap_info = (uint8_t)test_size(0, 6),
                                           .swap_size = test_random() >> test_size(0, 31)}));
    for (uint32_t change = test_size(0, 6); change > 0; change--) {
      const enum boot_area area = test_chance(2) ? BOOT_PRIMARY : BOOT_SECONDARY;
      uint8_t *at = test_chance(2) ? test_end(area) - test_size(1, 440)
                                   : test_flash.bytes[area] + test_size(0, 40);
      *at = test_chance(2) ? 1 : (uint8_t)test_random();
    }
    for (uint32_t start = 0; start < 3u; start++) {
      const enum boot_status status = boot_start(&device, &firmware);
      EXPECT(status != BOOT_FLASH && status != BOOT_LAYOUT);
      EXPECT(status != BOOT_OK || test_is(&firmware.image, &sim_firmware_1) ||
             test_is(&firmware.image, &sim_firmware_2));
    }
    EXPECT(test_flash.fault == NULL);
  }
}

static void test_layout(void) {
  begin(NULL);
  test_flash.flash.areas[BOOT_PRIMARY].size_bytes += 1u;
  EXPECT(boot_start(&device, &firmware) == BOOT_LAYOUT);
  EXPECT(boot_request(&device, true) == BOOT_LAYOUT);
  EXPECT(boot_confirm(&device) == BOOT_LAYOUT);
  EXPECT(boot_clear(&device) == BOOT_LAYOUT);
  EXPECT(boot_check(&device, BOOT_COUNTERS, &firmware.image) == BOOT_LAYOUT);
}

int main(void) {
  test_confirm();
  test_revert();
  test_nothing_to_revert_to();
  test_refused();
  test_rescue();
  test_bad_copy();
  test_programmed();
  test_hostile();
  test_layout();
  return test_result();
}
