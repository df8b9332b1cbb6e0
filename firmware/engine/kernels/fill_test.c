#include "../test.h"
#include "kernels.h"

int main(void) {
  for (uint32_t round = 0; round < 1000; round++) {
    int8_t *arena = test_values(64);
    int8_t *expected = test_copy(arena, 64);
    const struct engine engine = {.arena = (uint8_t *)arena};
    struct plan_fill_step step = {.output = test_size(0, 63), .value = test_int8()};
    step.size_bytes = test_size(1, 64 - step.output);
    kernel_fill(&engine, &step);
    for (uint32_t index = 0; index < step.size_bytes; index++) {
      expected[step.output + index] = (int8_t)step.value;
    }
    EXPECT(test_differences(arena, expected, 64) == 0);
    free(arena);
    free(expected);
  }
  return test_result();
}
