#include "../test.h"
#include "kernels.h"

static uint32_t extent(const uint32_t *shape, const uint32_t *steps) {
  uint32_t size = 1;
  for (uint32_t axis = 0; axis < 4; axis++) size += (shape[axis] - 1u) * steps[axis];
  return size;
}

/** Dense, with gaps, repeated, or anything. */
static void random_steps(const uint32_t *shape, uint32_t *steps) {
  uint32_t next = 1;
  for (uint32_t axis = 4; axis-- > 0;) {
    steps[axis] = next;
    if (test_chance(6)) steps[axis] += test_size(1, 4);
    if (test_chance(20)) steps[axis] = test_size(0, 3);
    /* Nothing is ever taken from there. */
    if (shape[axis] == 1 && test_chance(4))
      steps[axis] = UINT32_MAX;
    else
      next = steps[axis] * shape[axis];
  }
}

/** One element after the other: what a later one overwrites, and reads of what was written, too. */
static void naive(const struct plan_copy_step *step, const int8_t *from, int8_t *to) {
  const uint32_t *shape = step->shape;
  for (uint32_t at = 0; at < shape[0] * shape[1] * shape[2] * shape[3]; at++) {
    const uint32_t place[] = {at / shape[3] / shape[2] / shape[1],
                              at / shape[3] / shape[2] % shape[1], at / shape[3] % shape[2],
                              at % shape[3]};
    uint32_t source = 0, target = 0;
    for (uint32_t axis = 0; axis < 4; axis++) {
      source += place[axis] * step->input_steps[axis];
      target += place[axis] * step->output_steps[axis];
    }
    to[target] = from[source];
  }
}

static void check(struct plan_copy_step *step, bool constant, bool apart) {
  const uint32_t input_bytes = extent(step->shape, step->input_steps);
  const uint32_t output_bytes = extent(step->shape, step->output_steps);
  const uint32_t arena_bytes = input_bytes + output_bytes;
  int8_t *plan = test_values(input_bytes);
  int8_t *arena = test_values(arena_bytes);
  int8_t *expected = test_copy(arena, arena_bytes);
  const struct engine engine = {.plan = (uint8_t *)plan, .arena = (uint8_t *)arena};
  step->input = constant ? PLAN_PLACE_CONSTANT : 0;
  step->output = apart ? input_bytes : test_size(0, input_bytes);
  kernel_copy(&engine, step);
  naive(step, constant ? plan : expected, expected + step->output);
  EXPECT(test_differences(arena, expected, arena_bytes) == 0);
  free(plan);
  free(arena);
  free(expected);
}

int main(void) {
  for (uint32_t round = 0; round < 20000; round++) {
    struct plan_copy_step step = {.shape = {1, 1, 1, 1}};
    for (uint32_t axis = 0; axis < 4; axis++) step.shape[axis] = test_size(1, axis == 3 ? 20 : 3);
    random_steps(step.shape, step.input_steps);
    random_steps(step.shape, step.output_steps);
    check(&step, test_chance(3), test_chance(2));
  }
  return test_result();
}
