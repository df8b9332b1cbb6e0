/**
 * A device in memory for tests of the application: flash of the simulator, a clock that only goes
 * when it is asked, and an engine whose models add their first byte to what comes in.
 */
#ifndef TEST_APP_DEVICE_H
#define TEST_APP_DEVICE_H

#include <string.h>

#include "../boards/device.h"
#include "../boot/sim/sim_flash.h"
#include "../boot/sim/sim_images.h"
#include "model_engine.h"

#define TEST_SECTOR_BYTES 512u
#define TEST_TENSORS 2u
/** Of the inputs as of the outputs; the second has one more. */
#define TEST_TENSOR_BYTES 5u
#define TEST_IO_BYTES (TEST_TENSORS * TEST_TENSOR_BYTES + 1u)

const char device_board[] = "test";
const char device_target[] = "none";
const char model_engine_name[] = "test";

static struct sim_flash test_flash;
static uint64_t test_now_us;
static const uint8_t *test_payload;
static int8_t test_inputs[TEST_IO_BYTES], test_outputs[TEST_IO_BYTES];
/** What the next opening or run answers. */
static enum model_status test_open_status, test_run_status;

static inline const struct boot_device *test_device_start(void) {
  static const struct boot_geometry areas[BOOT_AREAS] = {
      [BOOT_PRIMARY] = {16u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
      [BOOT_SECONDARY] = {15u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
      [BOOT_MODEL_0] = {3u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
      [BOOT_MODEL_1] = {3u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
      [BOOT_COUNTERS] = {2u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
      [BOOT_RESETS] = {2u * TEST_SECTOR_BYTES, TEST_SECTOR_BYTES},
  };
  static struct boot_device device;
  sim_flash_start(&test_flash, 4, areas);
  device = (struct boot_device){&test_flash.flash, sim_keys, SIM_KEY_COUNT};
  test_payload = NULL;
  test_open_status = MODEL_OK;
  test_run_status = MODEL_OK;
  return &device;
}

const uint8_t *device_flash_at(enum boot_area area) { return test_flash.bytes[area]; }

uint8_t *device_arena(uint32_t *size_bytes) {
  static uint8_t arena[64];
  *size_bytes = sizeof arena;
  return arena;
}

void device_feed_watchdog(void) {}

uint64_t device_microseconds(void) { return test_now_us += 10; }

uint32_t device_cycles(void) { return 0; }

uint32_t device_stack_bytes(void) { return 0; }

enum device_cause device_cause(void) { return DEVICE_SOFTWARE; }

uint32_t model_engine_format(void) { return 1; }

enum model_status model_open(const uint8_t *payload, uint32_t size_bytes, uint8_t *arena,
                             uint32_t arena_bytes) {
  (void)arena;
  (void)arena_bytes;
  if (size_bytes == 0) return MODEL_BROKEN;
  if (test_open_status == MODEL_OK) test_payload = payload;
  return test_open_status;
}

void model_close(void) { test_payload = NULL; }

uint32_t model_arena_bytes(void) { return 48; }

uint32_t model_input_count(void) { return TEST_TENSORS; }

uint32_t model_output_count(void) { return TEST_TENSORS; }

static struct model_tensor test_tensor(int8_t *values, uint32_t index) {
  return (struct model_tensor){values + index * TEST_TENSOR_BYTES, TEST_TENSOR_BYTES + index};
}

struct model_tensor model_input(uint32_t index) {
  return test_tensor(test_inputs, index);
}

struct model_tensor model_output(uint32_t index) {
  return test_tensor(test_outputs, index);
}

static inline int8_t test_add(int8_t value, uint8_t key) { return (int8_t)(uint8_t)(value + key); }

enum model_status model_run(void) {
  if (test_run_status != MODEL_OK) return test_run_status;
  for (uint32_t index = 0; index < TEST_IO_BYTES; index++) {
    test_outputs[index] = test_add(test_inputs[index], test_payload[0]);
  }
  return MODEL_OK;
}

#endif
