#include "../smp/test_smp.h"
#include "app.h"
/* After EXPECT. */
#include "../smp/boot_error.h"
#include "test_device.h"

static struct app app;

/** As after a reset: the flash stays. */
static void restart(const struct boot_device *device) {
  app_start(&app, device, test_receive, NULL);
}

static const struct boot_device *start(void) {
  const struct boot_device *device = test_device_start();
  restart(device);
  return device;
}

static void upload(const struct sim_image *image) {
  for (uint32_t offset = 0; offset < image->size_bytes;) {
    const uint32_t left = image->size_bytes - offset, count = left < 50 ? left : 50;
    test_upload(&app.smp, MODEL_GROUP, offset, image->bytes + offset, count, image->size_bytes,
                NULL);
    if (test_number("off") != offset + count) return;
    offset += count;
  }
}

/** By the digest that the image says it has: it is the first record of the last area. */
static void change(const struct sim_image *image, bool confirm) {
  struct cbor_writer map = test_map(2);
  cbor_text(&map, "hash");
  cbor_bytes_of(&map, image->bytes + image->size_bytes - (4 + 32) - (4 + 64) - 32, 32);
  cbor_text(&map, "confirm");
  cbor_bool(&map, confirm);
  test_ask(&app.smp, true, MODEL_GROUP, MODEL_STATE, &map);
}

static void ask(bool write, uint8_t id) {
  const struct cbor_writer empty = test_map(0);
  test_ask(&app.smp, write, MODEL_GROUP, id, &empty);
}

/** @param off_by what is added to the expected outputs; 0 for the right ones */
static void self_test(uint32_t vector, uint32_t count, uint32_t part_bytes, uint8_t off_by) {
  uint8_t bytes[2 * TEST_IO_BYTES];
  for (uint32_t index = 0; index < TEST_IO_BYTES; index++) {
    bytes[index] = (uint8_t)(index * 20u + vector);
    bytes[TEST_IO_BYTES + index] =
        (uint8_t)test_add((int8_t)bytes[index], (uint8_t)(test_payload[0] + off_by));
  }
  for (uint32_t offset = 0; offset < sizeof bytes;) {
    const uint32_t left = (uint32_t)sizeof bytes - offset;
    const uint32_t some = left < part_bytes ? left : part_bytes;
    for (uint32_t time = 0; time < 2; time++) { /* every chunk twice: an answer was lost */
      struct cbor_writer map = test_map(4);
      cbor_text(&map, "n");
      cbor_uint(&map, vector);
      cbor_text(&map, "of");
      cbor_uint(&map, count);
      cbor_text(&map, "off");
      cbor_uint(&map, offset);
      cbor_text(&map, "data");
      cbor_bytes_of(&map, bytes + offset, some);
      test_ask(&app.smp, true, MODEL_GROUP, MODEL_SELF_TEST, &map);
      EXPECT(test_number("off") == offset + some);
    }
    offset += some;
  }
  EXPECT(test_flag("equal") == (off_by == 0));
  EXPECT(test_number("differ") == (off_by == 0 ? 0 : TEST_IO_BYTES));
}

static void install(const struct sim_image *image) {
  upload(image);
  change(image, false);
  self_test(0, 1, 50, 0);
  change(image, true);
  EXPECT(app.models.active && app.models.selected.confirmed);
  EXPECT(app.models.selected.image.version[0] == image->major);
}

static void test_life_of_a_model(void) {
  const struct boot_device *device = start();
  EXPECT(!app.models.active);
  upload(&sim_model_1);
  EXPECT(!app.models.active);
  change(&sim_model_1, true);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NOT_TESTED));
  change(&sim_model_1, false);
  EXPECT(app.models.active && !app.models.selected.confirmed && test_number("in") == TEST_IO_BYTES);
  change(&sim_model_1, true);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NOT_TESTED));
  for (uint32_t vector = 0; vector < 3; vector++) {
    EXPECT(!app.models.tested);
    self_test(vector, 3, 1u + vector * 7u, 0);
  }
  EXPECT(app.models.tested);
  self_test(1, 3, 50, 1);
  EXPECT(!app.models.tested);
  change(&sim_model_1, true);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NOT_TESTED));
  self_test(1, 3, 50, 0); /* not the first: does not begin anew */
  self_test(2, 3, 50, 0);
  EXPECT(!app.models.tested);
  for (uint32_t vector = 0; vector < 3; vector++) self_test(vector, 3, 50, 0);
  change(&sim_model_1, true);
  EXPECT(app.models.selected.confirmed && test_number("arena") == 64);
  restart(device);
  EXPECT(app.models.active && app.models.selected.confirmed);
}

static void test_trials_end(void) {
  const struct boot_device *device = start();
  install(&sim_model_1);
  upload(&sim_model_2);
  change(&sim_model_2, false);
  EXPECT(app.models.selected.image.version[0] == 2);
  restart(device);
  EXPECT(app.models.selected.image.version[0] == 1 && app.models.selected.confirmed);

  change(&sim_model_2, false);
  EXPECT(app.models.selected.image.version[0] == 2);
  ask(true, MODEL_ERASE);
  EXPECT(test_is_empty() && app.models.selected.image.version[0] == 1);
  EXPECT(app.models.statistics.reverts == 1);
  change(&sim_model_2, false);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NOT_FOUND));

  upload(&sim_model_2);
  test_open_status = MODEL_TOO_LARGE;
  change(&sim_model_2, false);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_TOO_LARGE));
  test_open_status = MODEL_OK;
  restart(device);
  EXPECT(app.models.active && app.models.selected.image.version[0] == 1);

  upload(&sim_model_2);
  change(&sim_model_2, false);
  upload(&sim_model_2); /* over the one on trial: that ends */
  EXPECT(app.models.selected.image.version[0] == 1);
}

/** What the firmware before has confirmed, and this one cannot open: another one's format. */
static void test_replaces_what_cannot_be_opened(void) {
  const struct boot_device *device = start();
  install(&sim_model_1);
  EXPECT(app.models.selected.slot == 0);
  test_open_status = MODEL_WRONG_KIND;
  restart(device);
  EXPECT(!app.models.active);
  upload(&sim_model_2);
  EXPECT(test_number("off") == sim_model_2.size_bytes);
  change(&sim_model_2, false);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_KIND) && !app.models.active);
  ask(true, MODEL_ERASE);
  EXPECT(test_is_empty());
  upload(&sim_model_2);
  test_open_status = MODEL_OK;
  change(&sim_model_2, false);
  self_test(0, 1, 50, 0);
  change(&sim_model_2, true);
  EXPECT(app.models.active && app.models.selected.confirmed && app.models.selected.slot == 1);
  restart(device);
  EXPECT(app.models.active && app.models.selected.image.version[0] == 2);
}

static void test_refusals(void) {
  start();
  ask(true, MODEL_ERASE);
  EXPECT(test_is_empty()); /* nothing there: nothing to do */
  install(&sim_model_2);
  upload(&sim_model_old);
  change(&sim_model_old, false);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_DOWNGRADE));
  upload(&sim_model_forged);
  change(&sim_model_forged, false);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_SIGNATURE));
  upload(&sim_firmware_2);
  EXPECT(test_number("off") == sim_firmware_2.size_bytes);
  change(&sim_firmware_2, false);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NOT_FOUND));
  struct cbor_writer map = test_map(1);
  cbor_text(&map, "slot");
  cbor_uint(&map, app.models.selected.slot);
  test_ask(&app.smp, true, MODEL_GROUP, MODEL_ERASE, &map);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NOT_FOUND));
  test_upload(&app.smp, MODEL_GROUP, 0, sim_model_1.bytes, 50, 3u * TEST_SECTOR_BYTES, NULL);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_TOO_LARGE));
  EXPECT(app.models.active && app.models.selected.image.version[0] == 2);
}

static void infer(uint32_t offset, uint32_t size_bytes) {
  uint8_t bytes[TEST_IO_BYTES + 1];
  for (uint32_t index = 0; index < sizeof bytes; index++) bytes[index] = (uint8_t)(index * 3u);
  struct cbor_writer map = test_map(2);
  cbor_text(&map, "off");
  cbor_uint(&map, offset);
  cbor_text(&map, "data");
  cbor_bytes_of(&map, bytes, size_bytes);
  test_ask(&app.smp, true, MODEL_GROUP, MODEL_INFER, &map);
}

static void more(uint32_t offset) {
  struct cbor_writer map = test_map(1);
  cbor_text(&map, "off");
  cbor_uint(&map, offset);
  test_ask(&app.smp, false, MODEL_GROUP, MODEL_INFER, &map);
}

static void test_inference(void) {
  start();
  infer(0, 1);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NO_MODEL));
  more(0);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NO_MODEL));
  install(&sim_model_1);
  infer(0, TEST_IO_BYTES + 1);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_TOO_MUCH));
  infer(3, 4);
  EXPECT(test_number("off") == 0);
  infer(0, 3);
  EXPECT(test_number("off") == 3 && test_number("len") == UINT32_MAX);
  more(0);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NO_MODEL)); /* nothing has come out yet */
  const uint32_t runs = app.models.statistics.runs;
  infer(3, TEST_IO_BYTES - 3);
  EXPECT(test_number("len") == TEST_IO_BYTES && app.models.statistics.runs == runs + 1);
  infer(3, TEST_IO_BYTES - 3);
  EXPECT(test_number("len") == TEST_IO_BYTES && app.models.statistics.runs == runs + 1);
  more(TEST_IO_BYTES - 2);
  struct cbor_bytes out;
  EXPECT(cbor_find_bytes(test_answer + SMP_HEADER_BYTES, test_answer_bytes - SMP_HEADER_BYTES,
                         "out", &out) &&
         out.size_bytes == 2);
  EXPECT((int8_t)out.bytes[1] == test_outputs[TEST_IO_BYTES - 1]);
  more(TEST_IO_BYTES + 1);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_TOO_MUCH));
  test_run_status = MODEL_FAILED;
  infer(0, TEST_IO_BYTES);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_UNKNOWN) && app.models.statistics.failures == 1);
  test_run_status = MODEL_OK;
  ask(false, MODEL_STATISTICS);
  EXPECT(test_number("runs") == runs + 1 && test_number("failures") == 1);
  EXPECT(test_number("trials") == 1 && test_number("usmin") == 10);
}

/** All of vector 0's expected bytes, which are those of the last run. */
static void expect_last_outputs(void) {
  struct cbor_writer map = test_map(4);
  cbor_text(&map, "n");
  cbor_uint(&map, 0);
  cbor_text(&map, "of");
  cbor_uint(&map, 1);
  cbor_text(&map, "off");
  cbor_uint(&map, TEST_IO_BYTES);
  cbor_text(&map, "data");
  cbor_bytes_of(&map, test_outputs, TEST_IO_BYTES);
  test_ask(&app.smp, true, MODEL_GROUP, MODEL_SELF_TEST, &map);
}

static void test_failed_run_is_no_self_test(void) {
  start();
  upload(&sim_model_1);
  change(&sim_model_1, false);
  self_test(0, 2, 50, 0);
  test_run_status = MODEL_FAILED;
  struct cbor_writer map = test_map(4);
  cbor_text(&map, "n");
  cbor_uint(&map, 0);
  cbor_text(&map, "of");
  cbor_uint(&map, 1);
  cbor_text(&map, "off");
  cbor_uint(&map, 0);
  cbor_text(&map, "data");
  cbor_bytes_of(&map, test_inputs, TEST_IO_BYTES);
  test_ask(&app.smp, true, MODEL_GROUP, MODEL_SELF_TEST, &map);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_UNKNOWN));
  expect_last_outputs();
  EXPECT(test_number("off") == 0 && !app.models.tested);
  change(&sim_model_1, true);
  EXPECT(test_is_error(MODEL_GROUP, MODEL_ERROR_NOT_TESTED));
}

static void test_log(void) {
  start();
  for (uint32_t line = 0; line < 100; line++) {
    log_add_number(&app.log, LOG_DEBUGGING, "a line that is longer than any line may be, by far ",
                   4000000000u + line);
  }
  uint32_t since = 0, rounds = 0;
  for (; since < 100 && rounds < 10; rounds++) {
    struct cbor_writer map = test_map(1);
    cbor_text(&map, "since");
    cbor_uint(&map, since);
    test_ask(&app.smp, false, MODEL_GROUP, MODEL_LOG, &map);
    EXPECT(test_number("lost") == (since == 0 ? app.log.next - LOG_LINES : 0));
    EXPECT(test_number("next") > since);
    since = test_number("next");
  }
  EXPECT(since == app.log.next && rounds > 1);
}

int main(void) {
  test_life_of_a_model();
  test_trials_end();
  test_replaces_what_cannot_be_opened();
  test_refusals();
  test_inference();
  test_failed_run_is_no_self_test();
  test_log();
  EXPECT(test_flash.fault == NULL);
  return test_result();
}
