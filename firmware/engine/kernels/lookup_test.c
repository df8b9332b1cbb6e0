#include "../test.h"
#include "kernels.h"

int main(void) {
  for (uint32_t round = 0; round < 1000; round++) {
    const uint32_t count = test_size(1, 40);
    int8_t *plan = test_values(256 + 3);
    int8_t *arena = test_values(2 * count);
    int8_t *input = test_copy(arena, count);
    const struct engine engine = {.plan = (uint8_t *)plan, .arena = (uint8_t *)arena};
    const struct plan_lookup_step step = {
        .output = test_chance(2) ? 0 : count, .size_bytes = count, .table = 3};
    kernel_lookup(&engine, &step);
    for (uint32_t index = 0; index < count; index++) {
      EXPECT(arena[step.output + index] == plan[3 + 128 + input[index]]);
    }
    free(plan);
    free(arena);
    free(input);
  }
  return test_result();
}
