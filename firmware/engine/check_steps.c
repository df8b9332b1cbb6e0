#include "check.h"
#include "engine_config.h"

/**
 * Bytes from a block's first element to its last, both included.
 * @param steps between neighbours along each dimension, in elements
 */
static uint32_t check_extent(const uint32_t *shape, const uint32_t *steps) {
  uint32_t size_bytes = 1;
  for (uint32_t axis = 0; axis < PLAN_COPY_RANK; axis++) {
    if (shape[axis] == 0) return CHECK_TOO_MANY;
    size_bytes = check_size((uint64_t)size_bytes + check_product(shape[axis] - 1u, steps[axis]));
  }
  return size_bytes;
}

/** Elements of a shape; 0 in it makes none. */
static uint32_t check_elements(const uint32_t *shape) {
  uint32_t count = 1;
  for (uint32_t axis = 0; axis < PLAN_COPY_RANK; axis++) {
    count = check_product(count, shape[axis]);
  }
  return count;
}

static bool check_binary(const struct check *check, const struct plan_binary_step *step) {
  return check_shift(step->a_shift) && check_shift(step->b_shift) &&
         check_shift(step->output_shift) && step->min <= step->max &&
         check_readable(check, step->a, check_extent(step->shape, step->a_steps)) &&
         check_readable(check, step->b, check_extent(step->shape, step->b_steps)) &&
         check_in_arena(check, step->output, check_elements(step->shape));
}

static bool check_lookup(const struct check *check, const struct plan_lookup_step *step) {
  return step->size_bytes != 0 && check_readable(check, step->input, step->size_bytes) &&
         check_in_arena(check, step->output, step->size_bytes) &&
         check_in_plan(check, step->table, 256, 1);
}

static bool check_softmax(const struct check *check, const struct plan_softmax_step *step) {
  const uint32_t size_bytes = check_product(step->rows, step->depth);
  return size_bytes != 0 && check_readable(check, step->input, size_bytes) &&
         check_in_arena(check, step->output, size_bytes) && check_shift(step->shift) &&
         step->least <= 0;
}

static bool check_mean(const struct check *check, const struct plan_mean_step *step) {
  const uint32_t output_bytes = check_product(step->outer, step->inner);
  const uint32_t input_bytes = check_product(output_bytes, step->reduced);
  return input_bytes != 0 && check_readable(check, step->input, input_bytes) &&
         check_in_arena(check, step->output, output_bytes) && check_shift(step->shift) &&
         step->reserved == 0;
}

/** Elements that lie on each other are counted each, so that a copy ends in time. */
static bool check_copy(const struct check *check, const struct plan_copy_step *step) {
  return check_elements(step->shape) <= PLAN_MAX_BYTES &&
         check_readable(check, step->input, check_extent(step->shape, step->input_steps)) &&
         check_in_arena(check, step->output, check_extent(step->shape, step->output_steps));
}

static bool check_fill(const struct check *check, const struct plan_fill_step *step) {
  return step->size_bytes != 0 && check_in_arena(check, step->output, step->size_bytes) &&
         step->value >= -128 && step->value <= 127;
}

/* As in engine.c: a kind that is left out takes its checks with it. */
#define CHECK_STEP(name, function, type) \
  case PLAN_##name:                      \
    return ENGINE_##name && function(check, (const struct type *)address)

bool check_step(const struct check *check, const struct plan_step *step) {
  const void *address = step;
  if (step->kind > PLAN_FULLY_CONNECTED && step->flags != 0) return false;
  switch (step->kind) {
    CHECK_STEP(CONV_2D, check_window, plan_window_step);
    CHECK_STEP(DEPTHWISE_CONV_2D, check_window, plan_window_step);
    CHECK_STEP(FULLY_CONNECTED, check_window, plan_window_step);
    CHECK_STEP(AVERAGE_POOL_2D, check_window, plan_window_step);
    CHECK_STEP(MAX_POOL_2D, check_window, plan_window_step);
    CHECK_STEP(ADD, check_binary, plan_binary_step);
    CHECK_STEP(SUB, check_binary, plan_binary_step);
    CHECK_STEP(MUL, check_binary, plan_binary_step);
    CHECK_STEP(LOOKUP, check_lookup, plan_lookup_step);
    CHECK_STEP(SOFTMAX, check_softmax, plan_softmax_step);
    CHECK_STEP(MEAN, check_mean, plan_mean_step);
    CHECK_STEP(COPY, check_copy, plan_copy_step);
    CHECK_STEP(FILL, check_fill, plan_fill_step);
    default:
      return false;
  }
}
