#include "../fixed_point.h"
#include "kernels.h"

/** Of `count` values that lie `stride` apart. */
static int32_t mean_sum(const int8_t *values, uint32_t count, uint32_t stride) {
  int32_t sum = 0;
  for (uint32_t at = 0; count > 0; count--, at += stride) sum = fixed_add(sum, values[at]);
  return sum;
}

/** QuantizedMeanOrSum of tensorflow/lite/kernels/internal/reference/reduce.h. */
void kernel_mean(const struct engine *engine, const struct plan_mean_step *step) {
  const int8_t *input = kernel_read(engine, step->input);
  int8_t *output = kernel_write(engine, step->output);
  const uint32_t inner = step->inner;
  const int32_t zero = (int32_t)((uint32_t)step->input_zero * step->reduced);
  for (uint32_t outer = step->outer; outer > 0; outer--, input += step->reduced * inner) {
    for (uint32_t index = 0; index < inner; index++) {
      const int32_t steps = fixed_subtract(mean_sum(input + index, step->reduced, inner), zero);
      const int32_t scaled = fixed_multiply(steps, step->multiplier, step->shift);
      *output++ = (int8_t)fixed_clamp(fixed_add(scaled, step->output_zero), -128, 127);
    }
  }
}
