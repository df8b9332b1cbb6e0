#include "weighted_test.h"

/** Channel multipliers, and bands of rows from one to all. */
static void test_windows(void) {
  for (uint32_t run = 0; run < 2000; run++) {
    struct plan_window_step step = weighted_window(PLAN_DEPTHWISE_CONV_2D, PLAN_DENSE);
    step.out_c = (uint16_t)(step.in_c * test_size(1, 3));
    step.band_rows = (uint16_t)test_size(1, step.out_h);
    struct weighted_test test = weighted_make(step);
    EXPECT(weighted_differences(&test, kernel_depthwise_conv_2d) == 0);
    weighted_free(&test);
  }
}

/** In place: each channel is read wholly before it is written. */
static void test_in_place(void) {
  for (uint32_t run = 0; run < 300; run++) {
    struct plan_window_step step = weighted_window(PLAN_DEPTHWISE_CONV_2D, PLAN_DENSE);
    step.batches = 1;
    step.out_h = (uint16_t)test_size(1, step.in_h);
    step.out_w = (uint16_t)test_size(1, step.in_w);
    step.out_c = step.in_c;
    step.band_rows = step.out_h;
    struct weighted_test test = weighted_make(step);
    int8_t *input = test_copy(test.arena, test.input_bytes);
    step = test.step;
    step.output = step.input;
    const struct engine engine = {.plan = test.plan, .arena = (uint8_t *)test.arena};
    kernel_depthwise_conv_2d(&engine, &step);
    const int8_t *output = test.arena;
    uint32_t differences = 0;
    for (uint32_t y = 0; y < step.out_h; y++) {
      for (uint32_t x = 0; x < step.out_w; x++) {
        for (uint32_t channel = 0; channel < step.out_c; channel++) {
          differences += *output++ != weighted_naive(&test, input, y, x, channel);
        }
      }
    }
    EXPECT(differences == 0);
    free(input);
    weighted_free(&test);
  }
}

int main(void) {
  test_windows();
  test_in_place();
  return test_result();
}
