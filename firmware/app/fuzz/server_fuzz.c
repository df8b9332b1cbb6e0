/**
 * Requests in any order to a device with firmware and a model: whatever they are, nothing is read
 * or written outside its buffers, flash is only written as NOR flash can be, every answer is a
 * well-formed map, and the confirmed model stays the one that runs after a reset.
 *
 * Input: packets, each of 4 bytes (write, group, id, bytes of the map) and the map; those whose
 * group has bit 6 ask to test or confirm what stands in a slot, by its hash, which nobody would
 * guess.
 */
#include "../../smp/boot_error.h"
#include "../../smp/test_smp.h"
#include "../app.h"
#include "../test_device.h"

#define HEAD_BYTES 4u
#define MAX_PACKETS 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct app app;
static const uint8_t groups[] = {OS_GROUP, IMAGE_GROUP, MODEL_GROUP, 9};

#define BY_HASH 0x40u

/** @param choice bit 0: the second slot; bit 1: to confirm; bit 2: of models */
static void send_by_hash(const struct boot_device *device, uint32_t choice) {
  const bool second = (choice & 1u) != 0, of_models = (choice & 4u) != 0;
  const enum boot_area area =
      of_models ? (second ? BOOT_MODEL_1 : BOOT_MODEL_0) : (second ? BOOT_SECONDARY : BOOT_PRIMARY);
  struct boot_image image = {0};
  (void)boot_describe(device, area, &image);
  struct cbor_writer map = test_map(2);
  cbor_text(&map, "hash");
  cbor_bytes_of(&map, image.digest, BOOT_DIGEST_BYTES);
  cbor_text(&map, "confirm");
  cbor_bool(&map, (choice & 2u) != 0);
  test_ask(&app.smp, true, of_models ? MODEL_GROUP : IMAGE_GROUP, 0, &map);
}

/** Firmware that runs; a model that is confirmed, another one stored, firmware in the other slot.
 */
static const struct boot_device *start(void) {
  const struct boot_device *device = test_device_start();
  memcpy(test_flash.bytes[BOOT_PRIMARY], sim_firmware_1.bytes, sim_firmware_1.size_bytes);
  memcpy(test_flash.bytes[BOOT_SECONDARY], sim_firmware_2.bytes, sim_firmware_2.size_bytes);
  memcpy(test_flash.bytes[BOOT_MODEL_0], sim_model_1.bytes, sim_model_1.size_bytes);
  memcpy(test_flash.bytes[BOOT_MODEL_1], sim_model_2.bytes, sim_model_2.size_bytes);
  if (boot_model_request(device, 0, true) != BOOT_OK) abort();
  app_start(&app, device, test_receive, NULL);
  return device;
}

/** The model that a reset would leave running, by its version; 0 for none. */
static uint8_t confirmed(void) {
  return app.models.active && app.models.selected.confirmed ? app.models.selected.image.version[0]
                                                            : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct boot_device *device = start();
  uint8_t kept = confirmed();
  for (uint32_t packet = 0; packet < MAX_PACKETS && size >= HEAD_BYTES; packet++) {
    const uint32_t left = (uint32_t)size - HEAD_BYTES;
    const uint32_t map_bytes = data[3] < left ? data[3] : left;
    const uint32_t first = (data[0] & 1u) != 0 ? TEST_WRITE : TEST_READ;
    if ((data[1] & BY_HASH) != 0) {
      send_by_hash(device, data[2]);
    } else {
      test_send(&app.smp, first | (data[0] >> 1 & 3u) * TEST_VERSION_2,
                groups[data[1] % sizeof groups], data[2], data + HEAD_BYTES, map_bytes);
    }
    if (test_answer_bytes < SMP_HEADER_BYTES ||
        !cbor_map_valid(test_answer + SMP_HEADER_BYTES, test_answer_bytes - SMP_HEADER_BYTES)) {
      abort();
    }
    if (test_flash.fault != NULL) abort();
    if (confirmed() != 0) kept = confirmed();
    data += HEAD_BYTES + map_bytes;
    size -= HEAD_BYTES + map_bytes;
  }
  app_start(&app, device, test_receive, NULL);
  if (confirmed() != kept || kept == 0) abort();
  return 0;
}
