#include "image.h"

#include "test_device.h"

static struct boot_device device;
static struct boot_image image;

static enum boot_status check(enum boot_area area) { return image_check(&device, area, 0, &image); }

static void put(const struct sim_image *from) { test_put(BOOT_PRIMARY, from); }

static uint8_t *primary(uint32_t offset) { return test_flash.bytes[BOOT_PRIMARY] + offset; }

/** With one byte in place of another. */
static enum boot_status with(uint32_t offset, uint8_t value) {
  const uint8_t before = *primary(offset);
  *primary(offset) = value;
  const enum boot_status status = check(BOOT_PRIMARY);
  *primary(offset) = before;
  return status;
}

static void test_kinds(void) {
  put(&sim_firmware_1);
  EXPECT(check(BOOT_PRIMARY) == BOOT_OK);
  EXPECT(test_is(&image, &sim_firmware_1));
  EXPECT(image.header_bytes == 32 && image.payload_bytes == 300);
  EXPECT(image_check(&device, BOOT_PRIMARY, 3, &image) == BOOT_OK);
  EXPECT(image_check(&device, BOOT_PRIMARY, 4, &image) == BOOT_DOWNGRADE);
  put(&sim_firmware_forged);
  EXPECT(check(BOOT_PRIMARY) == BOOT_SIGNATURE);
  put(&sim_firmware_foreign);
  EXPECT(check(BOOT_PRIMARY) == BOOT_UNKNOWN_KEY);
  put(&sim_model_1);
  EXPECT(check(BOOT_PRIMARY) == BOOT_WRONG_KIND);
  test_put(BOOT_MODEL_1, &sim_model_1);
  EXPECT(check(BOOT_MODEL_1) == BOOT_OK);
  test_put(BOOT_MODEL_1, &sim_firmware_1);
  EXPECT(check(BOOT_MODEL_1) == BOOT_WRONG_KIND);
  EXPECT(check(BOOT_SECONDARY) == BOOT_NO_IMAGE);
  const struct boot_device without = {&test_flash.flash, sim_keys, 0};
  put(&sim_firmware_1);
  EXPECT(image_check(&without, BOOT_PRIMARY, 0, &image) == BOOT_UNKNOWN_KEY);
}

/** Header fields, at their offsets in it. */
static void test_header(void) {
  put(&sim_firmware_1);
  EXPECT(with(0, 0x3c) == BOOT_NO_IMAGE);
  EXPECT(with(4, 1) == BOOT_DIGEST);      /* load address */
  EXPECT(with(8, 28) == BOOT_BAD_HEADER); /* header size */
  EXPECT(with(8, 34) == BOOT_BAD_HEADER);
  EXPECT(with(9, 0xff) == BOOT_TOO_LARGE);
  EXPECT(with(10, 11) == BOOT_BAD_TLV); /* protected size */
  EXPECT(with(10, 0) == BOOT_BAD_TLV);
  EXPECT(with(11, 0xff) == BOOT_TOO_LARGE);
  EXPECT(with(13, 0x07) == BOOT_TRUNCATED); /* payload size, of erased flash after it */
  EXPECT(with(13, 0x08) == BOOT_TOO_LARGE);
  EXPECT(with(15, 0xff) == BOOT_TOO_LARGE);
  EXPECT(with(15, 0x80) == BOOT_TOO_LARGE);
  EXPECT(image.size_bytes == 0);
  for (uint32_t bit = 0; bit < 32u; bit++) { /* flags */
    const enum boot_status status = with(16u + bit / 8u, (uint8_t)(1u << bit % 8u));
    EXPECT(status == (bit == 4u ? BOOT_WRONG_KIND : BOOT_BAD_HEADER));
  }
  EXPECT(with(20, 2) == BOOT_DIGEST); /* version */
}

/** From the protected TLVs on. */
static void test_tlvs(void) {
  put(&sim_firmware_1);
  const uint32_t at = 332, unsigned_at = at + 12u;
  EXPECT(with(at, 0x07) == BOOT_BAD_TLV);   /* magic */
  EXPECT(with(at + 2u, 3) == BOOT_BAD_TLV); /* total */
  EXPECT(with(at + 2u, 13) == BOOT_BAD_TLV);
  EXPECT(with(at + 3u, 0xff) == BOOT_TOO_LARGE);
  EXPECT(with(at + 4u, 0x51) == BOOT_BAD_TLV); /* no counter */
  EXPECT(with(at + 5u, 0x01) == BOOT_BAD_TLV);
  EXPECT(with(at + 6u, 3) == BOOT_BAD_TLV); /* its size */
  EXPECT(with(at + 7u, 0xff) == BOOT_BAD_TLV);
  EXPECT(with(at + 8u, 4) == BOOT_DIGEST); /* its value */
  EXPECT(with(unsigned_at, 0x08) == BOOT_BAD_TLV);
  EXPECT(with(unsigned_at + 2u, 0) == BOOT_BAD_TLV);
  EXPECT(with(unsigned_at + 3u, 0x10) == BOOT_TOO_LARGE);
  EXPECT(with(unsigned_at + 4u, 0x01) == BOOT_BAD_TLV); /* a key hash twice, no digest */
  EXPECT(with(unsigned_at + 4u, 0x50) == BOOT_BAD_TLV); /* a counter that is not signed */
  EXPECT(with(unsigned_at + 6u, 31) == BOOT_BAD_TLV);
  EXPECT(with(unsigned_at + 8u, (uint8_t) ~*primary(unsigned_at + 8u)) == BOOT_DIGEST);
  EXPECT(with(unsigned_at + 44u, (uint8_t) ~*primary(unsigned_at + 44u)) == BOOT_UNKNOWN_KEY);
  EXPECT(with(unsigned_at + 80u, (uint8_t) ~*primary(unsigned_at + 80u)) == BOOT_SIGNATURE);
}

/** Too many records, of no size each. */
static void test_many_tlvs(void) {
  put(&sim_firmware_1);
  const uint32_t at = 332, count = 40;
  memset(primary(at), 0, 4u + 4u * count);
  memcpy(primary(at), (const uint8_t[]){0x08, 0x69, 4u + 4u * count, 0}, 4);
  *primary(10) = 4u + 4u * count;
  EXPECT(check(BOOT_PRIMARY) == BOOT_BAD_TLV);
}

/** No changed byte passes, and no image that was cut off. */
static void test_every_byte(void) {
  put(&sim_firmware_1);
  for (uint32_t at = 0; at < sim_firmware_1.size_bytes; at++) {
    EXPECT(with(at, (uint8_t)(*primary(at) ^ (1u << test_random() % 8u))) != BOOT_OK);
  }
  for (uint32_t size = 0; size < sim_firmware_1.size_bytes; size++) {
    memset(primary(0), 0xff, sim_firmware_1.size_bytes);
    memcpy(primary(0), sim_firmware_1.bytes, size);
    const enum boot_status status = check(BOOT_PRIMARY);
    EXPECT(status != BOOT_OK || sim_firmware_1.bytes[size] == 0xff);
  }
}

/** Nothing is read outside the area, whatever sizes say. */
static void test_random_headers(void) {
  for (uint32_t round = 0; round < 20000u; round++) {
    put(&sim_firmware_1);
    for (uint32_t change = test_size(1, 4); change > 0; change--) {
      const uint32_t at = test_chance(2) ? test_size(8, 19) : test_size(332, 360);
      *primary(at) = test_chance(2) ? (uint8_t)test_random() : *primary(test_size(0, 480));
    }
    (void)check(BOOT_PRIMARY);
    EXPECT(image.size_bytes <= TEST_PRIMARY_BYTES);
  }
  EXPECT(test_flash.fault == NULL);
}

/** The largest that both slots can hold, and one byte more. */
static void test_room(void) {
  uint8_t header[32];
  memcpy(header, sim_firmware_1.bytes, sizeof header);
  memset(primary(0), 0xff, TEST_PRIMARY_BYTES);
  const uint32_t room = 4u * TEST_SECTOR_BYTES - sizeof header - 12u;
  for (uint32_t more = 0; more < 2u; more++) {
    header[12] = (uint8_t)(room + more);
    header[13] = (uint8_t)((room + more) >> 8);
    memcpy(primary(0), header, sizeof header);
    EXPECT(check(BOOT_PRIMARY) == (more == 0 ? BOOT_TRUNCATED : BOOT_TOO_LARGE));
  }
}

int main(void) {
  device = test_device();
  test_kinds();
  test_header();
  test_tlvs();
  test_many_tlvs();
  test_every_byte();
  test_random_headers();
  test_room();
  return test_result();
}
