#include "weighted_test.h"

/** Layouts, strides, paddings and dilations by chance. */
static void test_windows(void) {
  for (uint32_t run = 0; run < 1500; run++) {
    struct plan_window_step step = weighted_window(PLAN_CONV_2D, (uint8_t)(run % 3u));
    step.out_c = (uint16_t)test_size(1, 9);
    struct weighted_test test = weighted_make(step);
    EXPECT(weighted_differences(&test, kernel_conv_2d) == 0);
    weighted_free(&test);
  }
}

/** Sums of more taps than a high channel's lane holds. */
static void test_many_taps(void) {
  for (uint32_t run = 0; run < 60; run++) {
    struct plan_window_step step = weighted_window(PLAN_CONV_2D, (uint8_t)(run % 3u));
    step.in_c = (uint16_t)test_size(100, 400);
    step.kernel_h = 3;
    step.out_h = step.out_w = 2;
    step.out_c = (uint16_t)test_size(1, 5);
    struct weighted_test test = weighted_make(step);
    EXPECT(weighted_differences(&test, kernel_conv_2d) == 0);
    weighted_free(&test);
  }
}

/** Convolutions of 1x1 go over the rows of an image. */
static void test_pointwise(void) {
  for (uint32_t run = 0; run < 300; run++) {
    struct plan_window_step step = weighted_window(PLAN_CONV_2D, (uint8_t)(run % 3u));
    step.kernel_h = step.kernel_w = step.stride_h = step.stride_w = 1;
    step.pad_top = step.pad_left = 0;
    step.out_h = step.in_h;
    step.out_w = step.in_w;
    step.in_c = (uint16_t)test_size(1, 20);
    step.out_c = (uint16_t)test_size(1, 20);
    struct weighted_test test = weighted_make(step);
    EXPECT(weighted_differences(&test, kernel_conv_2d) == 0);
    weighted_free(&test);
  }
}

int main(void) {
  test_windows();
  test_many_taps();
  test_pointwise();
  return test_result();
}
