#include "image_group.h"

#include <string.h>

#include "../boot/test_device.h"
#include "test_smp.h"

#define FLASH_ERROR 12u

static struct boot_device device;
static struct image_group images;
static struct smp smp;

static void start(uint32_t write_bytes) {
  static const struct smp_command commands[] = {
      {IMAGE_GROUP, IMAGE_STATE, false, image_group_state, &images},
      {IMAGE_GROUP, IMAGE_STATE, true, image_group_change_state, &images},
      {IMAGE_GROUP, IMAGE_UPLOAD, true, image_group_upload, &images},
      {IMAGE_GROUP, IMAGE_ERASE, true, image_group_erase, &images},
      {IMAGE_GROUP, IMAGE_SLOT_INFO, false, image_group_slot_info, &images},
  };
  const struct boot_geometry areas[BOOT_AREAS] = {
      [BOOT_PRIMARY] = {16u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
      [BOOT_SECONDARY] = {15u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
      [BOOT_COUNTERS] = {2u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
  };
  sim_flash_start(&test_flash, write_bytes, areas);
  device = (struct boot_device){&test_flash.flash, sim_keys, SIM_KEY_COUNT};
  images = (struct image_group){.device = &device, .runs = true};
  smp_start(&smp, commands, sizeof commands / sizeof *commands, test_receive, NULL);
}

/** All of an image in chunks of random sizes, as no client of ours sends them. */
static void upload_all(const struct sim_image *image, const uint8_t *sha) {
  for (uint32_t offset = 0; offset < image->size_bytes;) {
    const uint32_t left = image->size_bytes - offset, some = test_size(1, 40);
    const uint32_t count = some < left ? some : left;
    test_upload(&smp, IMAGE_GROUP, offset, image->bytes + offset, count, image->size_bytes, sha);
    EXPECT(test_number("off") == offset + count);
    offset += count;
  }
}

static bool stands(enum boot_area area, const struct sim_image *image) {
  return memcmp(test_flash.bytes[area], image->bytes, image->size_bytes) == 0;
}

static void digest_of(const struct sim_image *image, uint8_t digest[BOOT_DIGEST_BYTES]) {
  struct sha256 sha;
  sha256_start(&sha);
  sha256_add(&sha, image->bytes, image->size_bytes);
  sha256_end(&sha, digest);
}

static void test_upload_in_odd_chunks(void) {
  uint8_t digest[BOOT_DIGEST_BYTES];
  digest_of(&sim_firmware_2, digest);
  for (uint32_t write_bytes = 1; write_bytes <= 8; write_bytes *= 2) {
    for (uint32_t round = 0; round < 10; round++) {
      start(write_bytes);
      upload_all(&sim_firmware_2, round % 2 == 0 ? digest : NULL);
      EXPECT(stands(BOOT_SECONDARY, &sim_firmware_2));
      EXPECT(test_flag("match") == (round % 2 == 0));
      EXPECT(test_flash.fault == NULL);
    }
  }
  digest[0] ^= 1;
  start(4);
  upload_all(&sim_firmware_2, digest);
  EXPECT(test_number("off") == sim_firmware_2.size_bytes && !test_flag("match"));
  test_upload(&smp, IMAGE_GROUP, 0, sim_firmware_2.bytes, 40, sim_firmware_2.size_bytes, digest);
  EXPECT(test_number("off") == 40); /* the same again, but from the start */
}

static void test_device_says_where_to_go_on(void) {
  uint8_t digest[BOOT_DIGEST_BYTES];
  const uint8_t *bytes = sim_firmware_2.bytes;
  const uint32_t all = sim_firmware_2.size_bytes;
  digest_of(&sim_firmware_2, digest);
  start(4);
  test_upload(&smp, IMAGE_GROUP, 40, bytes + 40, 10, all, NULL); /* nothing was begun */
  EXPECT(test_number("off") == 0);
  test_upload(&smp, IMAGE_GROUP, 0, bytes, 50, all, digest);
  test_upload(&smp, IMAGE_GROUP, 60, bytes + 60, 10, all, NULL);
  EXPECT(test_number("off") == 50);
  test_upload(&smp, IMAGE_GROUP, 40, bytes + 40, 10, all, NULL);
  EXPECT(test_number("off") == 50);
  test_upload(&smp, IMAGE_GROUP, 0, bytes, 50, all, digest); /* the same file: it goes on */
  EXPECT(test_number("off") == 50);
  test_upload(&smp, IMAGE_GROUP, 50, bytes + 50, all - 50, all, NULL);
  EXPECT(test_number("off") == all && test_flag("match"));
  test_upload(&smp, IMAGE_GROUP, 50, bytes + 50, all - 50, all, NULL); /* the answer was lost */
  EXPECT(test_number("off") == all && test_flag("match"));
  EXPECT(stands(BOOT_SECONDARY, &sim_firmware_2));
  test_upload(&smp, IMAGE_GROUP, 0, bytes, 20, all, NULL); /* without a digest: from the start */
  EXPECT(test_number("off") == 20);
}

static void test_refusals(void) {
  const uint8_t *bytes = sim_firmware_2.bytes;
  start(4);
  test_upload(&smp, IMAGE_GROUP, 0, bytes, 50, boot_capacity(&device, BOOT_SECONDARY) + 1u, NULL);
  EXPECT(test_is_error(IMAGE_GROUP, 30));
  test_upload(&smp, IMAGE_GROUP, 0, bytes, 50, 0, NULL);
  EXPECT(test_is_error(IMAGE_GROUP, 21));
  struct cbor_writer map = test_map(1);
  cbor_text(&map, "off");
  cbor_uint(&map, 0);
  test_ask(&smp, true, IMAGE_GROUP, IMAGE_UPLOAD, &map);
  EXPECT(test_is_error(IMAGE_GROUP, 20));
  map = test_map(1);
  cbor_text(&map, "slot");
  cbor_uint(&map, 0);
  test_ask(&smp, true, IMAGE_GROUP, IMAGE_ERASE, &map);
  EXPECT(test_is_error(IMAGE_GROUP, 14));

  test_upload(&smp, IMAGE_GROUP, 0, bytes, 48, 100, NULL);
  sim_flash_cut(&test_flash, 0, SIM_PART); /* the flash refuses from now on */
  test_upload(&smp, IMAGE_GROUP, 48, bytes + 48, 48, 100, NULL);
  EXPECT(test_is_error(IMAGE_GROUP, FLASH_ERROR));
  sim_flash_power_on(&test_flash);
  test_upload(&smp, IMAGE_GROUP, 48, bytes + 48, 48, 100, NULL);
  EXPECT(test_number("off") == 0);
}

/** @param image NULL: no hash */
static void change(const struct sim_image *image, bool confirm) {
  struct boot_image described;
  const bool second = boot_describe(&device, BOOT_SECONDARY, &described) == BOOT_OK &&
                      image != NULL && described.version[0] == image->major;
  if (image != NULL && !second) (void)boot_describe(&device, BOOT_PRIMARY, &described);
  struct cbor_writer map = test_map(image != NULL ? 2 : 1);
  cbor_text(&map, "confirm");
  cbor_bool(&map, confirm);
  if (image != NULL) {
    cbor_text(&map, "hash");
    cbor_bytes_of(&map, described.digest, BOOT_DIGEST_BYTES);
  }
  test_ask(&smp, true, IMAGE_GROUP, IMAGE_STATE, &map);
}

static enum boot_swap next(void) {
  enum boot_swap swap = BOOT_SWAP_NONE;
  EXPECT(boot_next_swap(&device, &swap) == BOOT_OK);
  return swap;
}

static void test_states(void) {
  struct boot_firmware firmware;
  start(4);
  test_put(BOOT_PRIMARY, &sim_firmware_1);
  EXPECT(boot_start(&device, &firmware) == BOOT_OK);
  upload_all(&sim_firmware_2, NULL);
  change(&sim_firmware_2, false);
  EXPECT(test_number("rc") == UINT32_MAX && next() == BOOT_SWAP_TEST);
  test_upload(&smp, IMAGE_GROUP, 0, sim_firmware_3.bytes, 50, 500, NULL); /* another waits */
  EXPECT(test_is_error(IMAGE_GROUP, 28));
  EXPECT(boot_start(&device, &firmware) == BOOT_OK && firmware.swapped == BOOT_SWAP_TEST);
  EXPECT(next() == BOOT_SWAP_REVERT);
  test_upload(&smp, IMAGE_GROUP, 0, sim_firmware_3.bytes, 50, 500, NULL); /* the way back */
  EXPECT(test_is_error(64, 15));
  change(&sim_firmware_2, false);
  EXPECT(test_is_error(IMAGE_GROUP, 33));
  change(NULL, true);
  EXPECT(next() == BOOT_SWAP_NONE);
  EXPECT(boot_start(&device, &firmware) == BOOT_OK && firmware.confirmed);

  upload_all(&sim_firmware_old, NULL);
  change(&sim_firmware_old, false);
  EXPECT(test_is_error(64, 7));
  upload_all(&sim_firmware_forged, NULL);
  change(&sim_firmware_forged, true);
  EXPECT(test_is_error(64, 6));
  upload_all(&sim_firmware_3, NULL);
  change(&sim_firmware_3, true);
  EXPECT(next() == BOOT_SWAP_PERMANENT);
  change(NULL, false);
  EXPECT(test_number("rc") == SMP_INVALID);
}

int main(void) {
  test_upload_in_odd_chunks();
  test_device_says_where_to_go_on();
  test_refusals();
  test_states();
  return test_result();
}
