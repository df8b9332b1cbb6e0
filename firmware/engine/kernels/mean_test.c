#include "../test.h"
#include "kernels.h"

static int8_t naive(const struct plan_mean_step *step, const int8_t *input, uint32_t outer,
                    uint32_t inner) {
  int64_t sum = 0;
  for (uint32_t index = 0; index < step->reduced; index++) {
    sum += input[(outer * step->reduced + index) * step->inner + inner] - step->input_zero;
  }
  const int32_t scaled = test_multiply((int32_t)sum, step->multiplier, step->shift);
  const int32_t result = (int32_t)((uint32_t)scaled + (uint32_t)(int32_t)step->output_zero);
  return test_clamp(result, -128, 127);
}

static void check(struct plan_mean_step *step) {
  const uint32_t output_bytes = step->outer * step->inner;
  const uint32_t input_bytes = output_bytes * step->reduced;
  int8_t *arena = test_values(input_bytes + output_bytes);
  const struct engine engine = {.arena = (uint8_t *)arena};
  step->output = input_bytes;
  kernel_mean(&engine, step);
  for (uint32_t outer = 0; outer < step->outer; outer++) {
    for (uint32_t inner = 0; inner < step->inner; inner++) {
      EXPECT(arena[input_bytes + outer * step->inner + inner] == naive(step, arena, outer, inner));
    }
  }
  free(arena);
}

int main(void) {
  for (uint32_t round = 0; round < 5000; round++) {
    struct plan_mean_step step = {
        .outer = test_size(1, 4),
        .reduced = test_size(1, test_chance(50) ? 5000 : 30),
        .inner = test_size(1, 6),
        .multiplier = test_multiplier(),
        .shift = test_shift(-8, 1),
        .input_zero = test_int8(),
        .output_zero = test_int8(),
    };
    check(&step);
  }
  return test_result();
}
