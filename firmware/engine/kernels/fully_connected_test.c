#include "weighted_test.h"

static struct plan_window_step layer(uint8_t layout, uint32_t most_inputs) {
  struct plan_window_step step = {
      .step = {.kind = PLAN_FULLY_CONNECTED},
      .layout = layout,
      .batches = (uint16_t)test_size(1, 3),
      .in_h = 1,
      .in_w = 1,
      .in_c = (uint16_t)test_size(1, most_inputs),
      .out_h = 1,
      .out_w = 1,
      .out_c = (uint16_t)test_size(1, 13),
      .kernel_h = 1,
      .kernel_w = 1,
      .stride_h = 1,
      .stride_w = 1,
      .dilation_h = 1,
      .dilation_w = 1,
  };
  return step;
}

int main(void) {
  for (uint32_t run = 0; run < 3000; run++) {
    /* Some have more inputs than the sum of a high channel's lane holds. */
    struct plan_window_step step = layer((uint8_t)(run % 3u), run % 20u < 3u ? 1500 : 40);
    struct weighted_test test = weighted_make(step);
    EXPECT(weighted_differences(&test, kernel_fully_connected) == 0);
    weighted_free(&test);
  }
  return test_result();
}
