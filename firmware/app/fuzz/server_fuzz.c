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
#include "../../smp/image_group.h"
#include "../../smp/os_group.h"
#include "../../smp/test_smp.h"
#include "../model_group.h"
#include "../test_device.h"

#define HEAD_BYTES 4u
#define MAX_PACKETS 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct log log_lines;
static struct models models;
static struct smp smp;
static struct image_group images;
static struct os_group os;
static struct model_group group = {.models = &models, .smp = &smp};

static const struct smp_command commands[] = {
    {OS_GROUP, OS_ECHO, true, os_group_echo, &os},
    {OS_GROUP, OS_RESET, true, os_group_reset, &os},
    {OS_GROUP, OS_PARAMETERS, false, os_group_parameters, &os},
    {OS_GROUP, OS_INFO, false, os_group_info, &os},
    {OS_GROUP, OS_BOOTLOADER, false, os_group_bootloader, &os},
    {IMAGE_GROUP, IMAGE_STATE, false, image_group_state, &images},
    {IMAGE_GROUP, IMAGE_STATE, true, image_group_change_state, &images},
    {IMAGE_GROUP, IMAGE_UPLOAD, true, image_group_upload, &images},
    {IMAGE_GROUP, IMAGE_ERASE, true, image_group_erase, &images},
    {IMAGE_GROUP, IMAGE_SLOT_INFO, false, image_group_slot_info, &images},
    {MODEL_GROUP, MODEL_STATE, false, model_group_state, &group},
    {MODEL_GROUP, MODEL_STATE, true, model_group_change_state, &group},
    {MODEL_GROUP, MODEL_UPLOAD, true, model_group_upload, &group},
    {MODEL_GROUP, MODEL_SELF_TEST, true, model_group_self_test, &group},
    {MODEL_GROUP, MODEL_INFER, true, model_group_infer, &group},
    {MODEL_GROUP, MODEL_INFER, false, model_group_outputs, &group},
    {MODEL_GROUP, MODEL_STATISTICS, false, model_group_statistics, &group},
    {MODEL_GROUP, MODEL_ERASE, true, model_group_erase, &group},
    {MODEL_GROUP, MODEL_LOG, false, model_group_log, &group},
};
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
  test_ask(&smp, true, of_models ? MODEL_GROUP : IMAGE_GROUP, 0, &map);
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
  log_lines.next = 0;
  models_start(&models, device, &log_lines);
  images = (struct image_group){.device = device, .runs = true};
  os = (struct os_group){.board = "b", .buffer_count = 2};
  smp_start(&smp, commands, sizeof commands / sizeof *commands, test_receive, NULL);
  return device;
}

/** The model that a reset would leave running, by its version; 0 for none. */
static uint8_t confirmed(void) {
  return models.active && models.selected.confirmed ? models.selected.image.version[0] : 0;
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
      test_send(&smp, first | (data[0] >> 1 & 3u) * TEST_VERSION_2, groups[data[1] % sizeof groups],
                data[2], data + HEAD_BYTES, map_bytes);
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
  models_start(&models, device, &log_lines);
  if (confirmed() != kept || kept == 0) abort();
  return 0;
}
