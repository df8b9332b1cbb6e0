#include "counters.h"
#include "test_device.h"
#include "trailer.h"

static struct boot_device device;
static struct boot_model model;

static bool selects(enum boot_moment moment, const struct sim_image *expected, uint32_t slot,
                    bool confirmed) {
  return boot_model_select(&device, moment, &model) == BOOT_OK && test_is(&model.image, expected) &&
         model.slot == slot && model.confirmed == confirmed;
}

static uint32_t counter(void) {
  struct counters counters;
  EXPECT(counters_read(&test_flash.flash, BOOT_COUNTERS, &counters));
  return counters.values[COUNTER_MODEL];
}

/** model_1 in slot 0, confirmed; `next` in slot 1. */
static void begin(const struct sim_image *next) {
  device = test_device();
  EXPECT(boot_model_select(&device, BOOT_AT_START, &model) == BOOT_NO_IMAGE);
  test_put(BOOT_MODEL_0, &sim_model_1);
  EXPECT(boot_model_select(&device, BOOT_AT_START, &model) == BOOT_NO_IMAGE);
  EXPECT(boot_model_request(&device, 0, true) == BOOT_OK);
  EXPECT(selects(BOOT_AT_START, &sim_model_1, 0, true));
  EXPECT(counter() == 1);
  test_put(BOOT_MODEL_1, next);
}

static void test_confirm(void) {
  begin(&sim_model_2);
  EXPECT(selects(BOOT_RUNNING, &sim_model_1, 0, true));
  EXPECT(boot_model_request(&device, 1, false) == BOOT_OK);
  EXPECT(selects(BOOT_RUNNING, &sim_model_2, 1, false));
  EXPECT(selects(BOOT_RUNNING, &sim_model_2, 1, false));
  EXPECT(boot_model_clear(&device, 0) == BOOT_IN_USE);
  EXPECT(boot_model_clear(&device, 1) == BOOT_IN_USE);
  EXPECT(counter() == 1);
  EXPECT(boot_model_confirm(&device) == BOOT_OK);
  EXPECT(boot_model_confirm(&device) == BOOT_NOT_ON_TEST);
  EXPECT(selects(BOOT_RUNNING, &sim_model_2, 1, true));
  EXPECT(counter() == 4);
  EXPECT(boot_model_request(&device, 0, false) == BOOT_DOWNGRADE);
  EXPECT(boot_model_clear(&device, 1) == BOOT_IN_USE);
  EXPECT(boot_model_clear(&device, 0) == BOOT_OK);
  test_put(BOOT_MODEL_0, &sim_model_2);
  EXPECT(boot_model_request(&device, 0, false) == BOOT_OK);
  EXPECT(selects(BOOT_RUNNING, &sim_model_2, 0, false));
  EXPECT(boot_model_confirm(&device) == BOOT_OK);
  EXPECT(selects(BOOT_AT_START, &sim_model_2, 0, true));
}

static void test_revert(void) {
  begin(&sim_model_2);
  EXPECT(boot_model_revert(&device) == BOOT_NOT_ON_TEST);
  for (uint32_t round = 0; round < 2u; round++) {
    EXPECT(boot_model_request(&device, 1, false) == BOOT_OK);
    EXPECT(selects(BOOT_RUNNING, &sim_model_2, 1, false));
    if (round == 0) EXPECT(boot_model_revert(&device) == BOOT_OK);
    EXPECT(selects(round == 0 ? BOOT_RUNNING : BOOT_AT_START, &sim_model_1, 0, true));
    EXPECT(counter() == 1);
  }
}

static void test_refused(void) {
  begin(&sim_model_old);
  EXPECT(boot_model_request(&device, 1, true) == BOOT_DOWNGRADE);
  test_put(BOOT_MODEL_1, &sim_firmware_1);
  EXPECT(boot_model_request(&device, 1, true) == BOOT_WRONG_KIND);
  EXPECT(boot_model_request(&device, 2, true) == BOOT_LAYOUT);
  EXPECT(boot_model_request(&device, 0, true) == BOOT_IN_USE);
  test_put(BOOT_MODEL_1, &sim_model_forged);
  EXPECT(trailer_write(&test_flash.flash, BOOT_MODEL_1, &(struct trailer){0}));
  EXPECT(selects(BOOT_RUNNING, &sim_model_1, 0, true));
  EXPECT(model.refused == BOOT_SIGNATURE);
  EXPECT(selects(BOOT_RUNNING, &sim_model_1, 0, true));
  EXPECT(model.refused == BOOT_OK);
}

/** The confirmed one of before, if its counter still lets it. */
static void test_fallback(void) {
  begin(&sim_model_1);
  EXPECT(boot_model_request(&device, 1, true) == BOOT_OK);
  EXPECT(selects(BOOT_AT_START, &sim_model_1, 1, true));
  test_flash.bytes[BOOT_MODEL_1][77] ^= 1;
  EXPECT(selects(BOOT_AT_START, &sim_model_1, 0, true));
  test_put(BOOT_MODEL_1, &sim_model_2);
  EXPECT(boot_model_request(&device, 1, true) == BOOT_OK);
  EXPECT(selects(BOOT_AT_START, &sim_model_2, 1, true));
  test_flash.bytes[BOOT_MODEL_1][77] ^= 1;
  EXPECT(boot_model_select(&device, BOOT_AT_START, &model) == BOOT_NO_IMAGE);
}

static void test_hostile(void) {
  for (uint32_t round = 0; round < 10000u; round++) {
    begin(&sim_model_2);
    EXPECT(trailer_write(&test_flash.flash, BOOT_MODEL_1,
                         &(struct trailer){.swap_size = test_random()}));
    for (uint32_t change = test_size(0, 4); change > 0; change--) {
      const enum boot_area area = test_chance(2) ? BOOT_MODEL_0 : BOOT_MODEL_1;
      uint8_t *at = test_chance(2) ? test_end(area) - test_size(1, 48)
                                   : test_flash.bytes[area] + test_size(0, 40);
      *at = test_chance(2) ? 1 : (uint8_t)test_random();
    }
    const enum boot_status status =
        boot_model_select(&device, test_chance(2) ? BOOT_AT_START : BOOT_RUNNING, &model);
    EXPECT(status == BOOT_NO_IMAGE || status == BOOT_OK);
    EXPECT(status != BOOT_OK || test_is(&model.image, &sim_model_1) ||
           test_is(&model.image, &sim_model_2));
    EXPECT(test_flash.fault == NULL);
  }
}

static void test_without_slots(void) {
  begin(&sim_model_2);
  test_flash.flash.areas[BOOT_MODEL_1].size_bytes = 0;
  EXPECT(boot_model_select(&device, BOOT_AT_START, &model) == BOOT_LAYOUT);
  EXPECT(boot_model_clear(&device, 1) == BOOT_LAYOUT);
}

int main(void) {
  test_confirm();
  test_revert();
  test_refused();
  test_fallback();
  test_hostile();
  test_without_slots();
  return test_result();
}
