#include "counters.h"

#include "test_device.h"

#define RECORDS_OF_A_SECTOR 4u

static struct counters read_counters(void) {
  struct counters counters;
  EXPECT(counters_read(&test_flash.flash, BOOT_COUNTERS, &counters));
  return counters;
}

/** Both in turn, through both sectors several times. */
static void test_raise(void) {
  (void)test_device();
  EXPECT(read_counters().values[COUNTER_FIRMWARE] == 0);
  for (uint32_t value = 1; value < 50u; value++) {
    EXPECT(counters_raise(&test_flash.flash, BOOT_COUNTERS, COUNTER_FIRMWARE, value));
    EXPECT(counters_raise(&test_flash.flash, BOOT_COUNTERS, COUNTER_MODEL, 7u * value));
    EXPECT(read_counters().values[COUNTER_FIRMWARE] == value);
    EXPECT(read_counters().values[COUNTER_MODEL] == 7u * value);
  }
  const uint32_t operations = test_flash.operations;
  EXPECT(counters_raise(&test_flash.flash, BOOT_COUNTERS, COUNTER_FIRMWARE, 49));
  EXPECT(counters_raise(&test_flash.flash, BOOT_COUNTERS, COUNTER_FIRMWARE, 3));
  EXPECT(test_flash.operations == operations);
  EXPECT(counters_raise(&test_flash.flash, BOOT_COUNTERS, COUNTER_FIRMWARE, UINT32_MAX));
  EXPECT(read_counters().values[COUNTER_FIRMWARE] == UINT32_MAX);
  EXPECT(read_counters().values[COUNTER_MODEL] == 7u * 49u);
  EXPECT(test_flash.fault == NULL);
}

/** Power fails in any operation, again and again: what is read is the number before or after. */
static void test_cuts(void) {
  (void)test_device();
  uint32_t least = 0;
  for (uint32_t round = 0; round < 20000u; round++) {
    const uint32_t value = least + test_size(1, 3);
    sim_flash_cut(&test_flash, test_size(0, 2), (enum sim_tear)test_size(0, SIM_TEARS - 1));
    const bool done = counters_raise(&test_flash.flash, BOOT_COUNTERS, COUNTER_MODEL, value);
    sim_flash_power_on(&test_flash);
    const uint32_t now = read_counters().values[COUNTER_MODEL];
    EXPECT(now == value || (now == least && !done));
    least = now;
  }
  EXPECT(least > 1000u);
  EXPECT(test_flash.fault == NULL);
}

/** Whatever else stands there is no record, and is not written over. */
static void test_garbage(void) {
  for (uint32_t round = 0; round < 200u; round++) {
    (void)test_device();
    for (uint32_t at = 0; at < 128u; at++) {
      if (test_chance(3)) test_flash.bytes[BOOT_COUNTERS][at] = (uint8_t)test_random();
    }
    const struct counters before = read_counters();
    EXPECT(before.values[COUNTER_FIRMWARE] == 0);
    for (uint32_t value = 1; value < 3u * RECORDS_OF_A_SECTOR; value++) {
      EXPECT(counters_raise(&test_flash.flash, BOOT_COUNTERS, COUNTER_FIRMWARE, value));
      EXPECT(read_counters().values[COUNTER_FIRMWARE] == value);
    }
    EXPECT(test_flash.fault == NULL);
  }
}

int main(void) {
  test_raise();
  test_cuts();
  test_garbage();
  return test_result();
}
