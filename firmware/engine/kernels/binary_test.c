#include "../test.h"
#include "kernels.h"

static int32_t wrap(int64_t value) { return (int32_t)(uint32_t)(uint64_t)value; }

static int8_t naive(const struct plan_binary_step *step, int8_t a, int8_t b) {
  const int32_t left = a - step->a_zero;
  const int32_t right = b - step->b_zero;
  int32_t value;
  if (step->step.kind == PLAN_MUL) {
    value = left * right;
  } else {
    const int64_t x = test_multiply(left * (1 << 20), step->a_multiplier, step->a_shift);
    const int64_t y = test_multiply(right * (1 << 20), step->b_multiplier, step->b_shift);
    value = wrap(step->step.kind == PLAN_ADD ? x + y : x - y);
  }
  const int32_t scaled = test_multiply(value, step->output_multiplier, step->output_shift);
  return test_clamp(wrap((int64_t)scaled + step->output_zero), step->min, step->max);
}

static uint32_t extent(const uint32_t *shape, const uint32_t *steps) {
  uint32_t size = 1;
  for (uint32_t axis = 0; axis < 4; axis++) size += (shape[axis] - 1u) * steps[axis];
  return size;
}

/** Row-major, repeated along some dimensions, or with anything between the elements. */
static void random_steps(const uint32_t *shape, uint32_t *steps, bool repeated) {
  uint32_t next = 1;
  for (uint32_t axis = 4; axis-- > 0;) {
    steps[axis] = repeated && test_chance(3) ? 0 : next;
    if (test_chance(20)) steps[axis] = test_size(0, 5);
    if (steps[axis] != 0) next *= shape[axis];
  }
}

static void swap_factors(struct plan_binary_step *step) {
  const int32_t multiplier = step->a_multiplier;
  const int8_t shift = step->a_shift;
  step->a_multiplier = step->b_multiplier;
  step->a_shift = step->b_shift;
  step->b_multiplier = multiplier;
  step->b_shift = shift;
}

/** As add_common.cc: the factor of the greater scale is 1/2. */
static void random_factors(struct plan_binary_step *step) {
  step->a_multiplier = 1 << 30;
  step->b_multiplier = test_between(1 << 30, INT32_MAX);
  step->b_shift = (int8_t)test_between(-12, -1);
  if (test_chance(3)) {
    step->b_multiplier = 1 << 30;
    step->b_shift = 0;
  }
  if (test_chance(2)) swap_factors(step);
  if (test_chance(5)) {
    step->a_multiplier = test_multiplier();
    step->a_shift = test_shift(-8, 2);
    step->b_shift = test_shift(-8, 2);
  }
}

/** Factors so small that the last bit of a rescaled operand is seen in the output. */
static void fine_factors(struct plan_binary_step *step) {
  step->a_multiplier = 1 << 30;
  step->a_shift = 0;
  step->b_multiplier = test_between(1 << 30, INT32_MAX);
  step->b_shift = (int8_t)test_between(-27, -18);
  if (test_chance(4)) {
    step->b_multiplier = test_between(0, 3000);
    step->b_shift = (int8_t)test_between(-2, 0);
  }
  step->output_multiplier = test_between(1 << 30, INT32_MAX);
  step->output_shift = (int8_t)test_between(-2, -1);
}

static struct plan_binary_step random_step(void) {
  static const uint8_t kinds[] = {PLAN_ADD, PLAN_SUB, PLAN_MUL};
  struct plan_binary_step step = {.step = {.kind = kinds[test_size(0, 2)]}};
  for (uint32_t axis = 0; axis < 4; axis++) step.shape[axis] = test_size(1, axis == 3 ? 20 : 3);
  random_steps(step.shape, step.a_steps, test_chance(3));
  random_steps(step.shape, step.b_steps, test_chance(2));
  random_factors(&step);
  const int32_t most = step.step.kind == PLAN_MUL ? -5 : -16;
  step.output_multiplier = test_multiplier();
  step.output_shift = test_shift(most - 4, most + 2);
  step.a_zero = test_int8();
  step.b_zero = test_int8();
  step.output_zero = test_int8();
  step.min = -128;
  step.max = 127;
  if (test_chance(3)) {
    step.min = test_int8();
    step.max = (int8_t)test_between(step.min, 127);
  }
  return step;
}

static void run(const struct engine *engine, const struct plan_binary_step *step) {
  if (step->step.kind == PLAN_ADD) kernel_add(engine, step);
  if (step->step.kind == PLAN_SUB) kernel_sub(engine, step);
  if (step->step.kind == PLAN_MUL) kernel_mul(engine, step);
}

static void compare(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                    const int8_t *output) {
  const uint32_t *shape = step->shape;
  for (uint32_t at = 0; at < shape[0] * shape[1] * shape[2] * shape[3]; at++) {
    const uint32_t place[] = {at / shape[3] / shape[2] / shape[1],
                              at / shape[3] / shape[2] % shape[1], at / shape[3] % shape[2],
                              at % shape[3]};
    uint32_t from_a = 0, from_b = 0;
    for (uint32_t axis = 0; axis < 4; axis++) {
      from_a += place[axis] * step->a_steps[axis];
      from_b += place[axis] * step->b_steps[axis];
    }
    EXPECT(output[at] == naive(step, a[from_a], b[from_b]));
  }
}

/** The operands in the arena or constants; the output by itself, or on an operand of its size. */
static void check(struct plan_binary_step *step) {
  const uint32_t count = step->shape[0] * step->shape[1] * step->shape[2] * step->shape[3];
  const uint32_t a_bytes = extent(step->shape, step->a_steps);
  const uint32_t b_bytes = extent(step->shape, step->b_steps);
  int8_t *arena = test_values(a_bytes + b_bytes + count);
  int8_t *plan = test_values(b_bytes);
  if (test_chance(4)) {
    fine_factors(step);
    for (uint32_t index = 0; index < a_bytes; index++) arena[index] = step->a_zero;
    if (test_chance(2)) {
      swap_factors(step);
      for (uint32_t index = 0; index < a_bytes; index++) arena[index] = test_int8();
      for (uint32_t index = 0; index < b_bytes; index++) plan[index] = step->b_zero;
      for (uint32_t index = 0; index < b_bytes; index++) arena[a_bytes + index] = step->b_zero;
    }
  }
  int8_t *before = test_copy(arena, a_bytes + b_bytes);
  const struct engine engine = {.plan = (uint8_t *)plan, .arena = (uint8_t *)arena};
  const bool constant = test_chance(2);
  step->a = 0;
  step->b = constant ? PLAN_PLACE_CONSTANT : a_bytes;
  step->output = a_bytes + b_bytes;
  /* Only row-major operands lie as the output does. */
  const bool a_in_place = a_bytes == count && step->a_steps[3] == 1 &&
                          step->a_steps[2] == step->shape[3] &&
                          step->a_steps[1] == step->shape[3] * step->shape[2];
  if (a_in_place && test_chance(2)) step->output = step->a;
  run(&engine, step);
  compare(step, before, constant ? plan : before + a_bytes, arena + step->output);
  free(arena);
  free(plan);
  free(before);
}

int main(void) {
  for (uint32_t round = 0; round < 20000; round++) {
    struct plan_binary_step step = random_step();
    check(&step);
  }
  return test_result();
}
