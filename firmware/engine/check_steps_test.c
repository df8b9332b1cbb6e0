#include "test_change.h"

static struct test_plan plan;

/** Nothing but the steps wants anything of the arena. */
static void set_arena(uint32_t arena_bytes) {
  struct plan_header *header = test_plan_header(&plan);
  plan.arena_bytes = header->arena_bytes = arena_bytes;
  header->input_count = header->output_count = 0;
}

static void test_binary(enum plan_kind kind) {
  uint32_t at;
  begin_with(&plan, &at, kind);
  struct plan_binary_step *step = (struct plan_binary_step *)(void *)(plan.bytes + at);
  const uint32_t sizes[] = {2, 1, 2, 5};
  memcpy(step->shape, sizes, sizeof sizes);
  const uint32_t steps[] = {10, 10, 5, 1}, repeated[] = {0, 0, 0, 1};
  memcpy(step->a_steps, steps, sizeof steps);
  memcpy(step->b_steps, repeated, sizeof repeated);
  step->a = step->output = 0;
  step->b = PLAN_PLACE_CONSTANT | (plan.size_bytes - 5u);
  const uint32_t arena = 20;
  set_arena(arena);
  try_common(&plan, "binary", at);
  const struct change changes[] = {
      BAD(plan_binary_step, a, 1),
      BAD(plan_binary_step, a, UINT32_MAX),
      FINE(plan_binary_step, b, arena - 5u),
      BAD(plan_binary_step, b, arena - 4u),
      BAD(plan_binary_step, b, step->b + 1u),
      BAD(plan_binary_step, output, 1),
      BAD(plan_binary_step, output, PLAN_PLACE_CONSTANT),
      BAD(plan_binary_step, shape[0], 0),
      BAD(plan_binary_step, shape[0], 3),
      BAD(plan_binary_step, shape[0], 0x80000001),
      BAD(plan_binary_step, shape[1], 0),
      BAD(plan_binary_step, shape[1], 2),
      BAD(plan_binary_step, shape[2], 0),
      BAD(plan_binary_step, shape[2], UINT32_MAX),
      BAD(plan_binary_step, shape[3], 0),
      BAD(plan_binary_step, shape[3], 6),
      BAD(plan_binary_step, a_steps[0], 11),
      BAD(plan_binary_step, a_steps[0], UINT32_MAX),
      FINE(plan_binary_step, a_steps[1], UINT32_MAX),
      BAD(plan_binary_step, a_steps[2], 6),
      BAD(plan_binary_step, a_steps[3], 2),
      BAD(plan_binary_step, b_steps[0], 1),
      FINE(plan_binary_step, b_steps[1], 1),
      BAD(plan_binary_step, b_steps[2], UINT32_MAX),
      BAD(plan_binary_step, b_steps[3], 2),
      FINE(plan_binary_step, b_steps[3], 0),
      FINE(plan_binary_step, a_multiplier, INT32_MIN),
      FINE(plan_binary_step, b_multiplier, INT32_MIN),
      FINE(plan_binary_step, output_multiplier, INT32_MIN),
      FINE(plan_binary_step, a_shift, -31),
      BAD(plan_binary_step, a_shift, -32),
      BAD(plan_binary_step, a_shift, 31),
      FINE(plan_binary_step, b_shift, 30),
      BAD(plan_binary_step, b_shift, -32),
      BAD(plan_binary_step, b_shift, 31),
      FINE(plan_binary_step, output_shift, 30),
      BAD(plan_binary_step, output_shift, -32),
      BAD(plan_binary_step, output_shift, 31),
      FINE(plan_binary_step, a_zero, -128),
      FINE(plan_binary_step, b_zero, -128),
      FINE(plan_binary_step, output_zero, -128),
      BAD(plan_binary_step, min, step->max + 1),
      FINE(plan_binary_step, max, step->min),
      CHANGE(plan_binary_step, max, step->min - 1, step->min == -128 ? ENGINE_OK : ENGINE_BAD_STEP),
  };
  TRY(&plan, "binary", at, changes);
}

static void test_lookup(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_LOOKUP);
  struct plan_lookup_step *step = (struct plan_lookup_step *)(void *)(plan.bytes + at);
  step->input = 0;
  step->output = 3;
  step->size_bytes = 7;
  set_arena(10);
  try_common(&plan, "lookup", at);
  const uint32_t size = plan.size_bytes;
  const struct change changes[] = {
      FINE(plan_lookup_step, input, 3),
      BAD(plan_lookup_step, input, 4),
      FINE(plan_lookup_step, input, PLAN_PLACE_CONSTANT | (size - 7u)),
      BAD(plan_lookup_step, input, PLAN_PLACE_CONSTANT | (size - 6u)),
      BAD(plan_lookup_step, input, UINT32_MAX),
      BAD(plan_lookup_step, output, 4),
      BAD(plan_lookup_step, output, PLAN_PLACE_CONSTANT),
      BAD(plan_lookup_step, size_bytes, 0),
      BAD(plan_lookup_step, size_bytes, 8),
      BAD(plan_lookup_step, size_bytes, UINT32_MAX),
      FINE(plan_lookup_step, table, size - 256u),
      FINE(plan_lookup_step, table, size - 257u),
      BAD(plan_lookup_step, table, size - 255u),
      BAD(plan_lookup_step, table, UINT32_MAX),
  };
  TRY(&plan, "lookup", at, changes);
}

static void test_softmax(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_SOFTMAX);
  struct plan_softmax_step *step = (struct plan_softmax_step *)(void *)(plan.bytes + at);
  step->input = 0;
  step->output = 2;
  step->rows = 3;
  step->depth = 6;
  set_arena(20);
  try_common(&plan, "softmax", at);
  const struct change changes[] = {
      FINE(plan_softmax_step, input, 2),
      BAD(plan_softmax_step, input, 3),
      FINE(plan_softmax_step, input, PLAN_PLACE_CONSTANT | (plan.size_bytes - 18u)),
      BAD(plan_softmax_step, input, PLAN_PLACE_CONSTANT | (plan.size_bytes - 17u)),
      BAD(plan_softmax_step, output, 3),
      BAD(plan_softmax_step, output, PLAN_PLACE_CONSTANT),
      BAD(plan_softmax_step, rows, 0),
      BAD(plan_softmax_step, rows, 4),
      BAD(plan_softmax_step, rows, 0xaaaaaaab), /* times 6: 2^32 + 2 */
      BAD(plan_softmax_step, depth, 0),
      BAD(plan_softmax_step, depth, 7),
      BAD(plan_softmax_step, depth, 0x55555556), /* times 3: 2^32 + 2 */
      FINE(plan_softmax_step, multiplier, INT32_MIN),
      FINE(plan_softmax_step, shift, -31),
      BAD(plan_softmax_step, shift, -32),
      FINE(plan_softmax_step, shift, 30),
      BAD(plan_softmax_step, shift, 31),
      BAD(plan_softmax_step, shift, INT32_MIN),
      BAD(plan_softmax_step, least, 1),
      FINE(plan_softmax_step, least, 0),
      FINE(plan_softmax_step, least, INT32_MIN),
  };
  TRY(&plan, "softmax", at, changes);
}

static void test_mean(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_MEAN);
  struct plan_mean_step *step = (struct plan_mean_step *)(void *)(plan.bytes + at);
  step->input = step->output = 0;
  step->outer = 2;
  step->reduced = 3;
  step->inner = 5;
  set_arena(30);
  try_common(&plan, "mean", at);
  const struct change changes[] = {
      BAD(plan_mean_step, input, 1),
      FINE(plan_mean_step, input, PLAN_PLACE_CONSTANT | (plan.size_bytes - 30u)),
      BAD(plan_mean_step, input, PLAN_PLACE_CONSTANT | (plan.size_bytes - 29u)),
      FINE(plan_mean_step, output, 20),
      BAD(plan_mean_step, output, 21),
      BAD(plan_mean_step, output, PLAN_PLACE_CONSTANT),
      BAD(plan_mean_step, outer, 0),
      BAD(plan_mean_step, outer, 3),
      BAD(plan_mean_step, outer, 0x33333334), /* times 5: 2^32 + 4 */
      BAD(plan_mean_step, reduced, 0),
      BAD(plan_mean_step, reduced, 4),
      BAD(plan_mean_step, reduced, UINT32_MAX),
      BAD(plan_mean_step, inner, 0),
      BAD(plan_mean_step, inner, 6),
      BAD(plan_mean_step, inner, 0x80000001),
      FINE(plan_mean_step, multiplier, INT32_MIN),
      FINE(plan_mean_step, shift, -31),
      BAD(plan_mean_step, shift, -32),
      FINE(plan_mean_step, shift, 30),
      BAD(plan_mean_step, shift, 31),
      FINE(plan_mean_step, input_zero, -128),
      FINE(plan_mean_step, output_zero, -128),
      BAD(plan_mean_step, reserved, 1),
  };
  TRY(&plan, "mean", at, changes);
}

static void test_copy_step(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_COPY);
  struct plan_copy_step *step = (struct plan_copy_step *)(void *)(plan.bytes + at);
  const uint32_t sizes[] = {2, 1, 2, 5}, steps[] = {10, 0, 5, 1}, wide[] = {14, 0, 7, 1};
  memcpy(step->shape, sizes, sizeof sizes);
  memcpy(step->input_steps, steps, sizeof steps);
  memcpy(step->output_steps, wide, sizeof wide);
  step->input = PLAN_PLACE_CONSTANT | (plan.size_bytes - 20u);
  step->output = 4;
  set_arena(30);
  try_common(&plan, "copy", at);
  const struct change changes[] = {
      FINE(plan_copy_step, input, 10),
      BAD(plan_copy_step, input, 11),
      BAD(plan_copy_step, input, step->input + 1u),
      BAD(plan_copy_step, output, 5),
      BAD(plan_copy_step, output, PLAN_PLACE_CONSTANT),
      BAD(plan_copy_step, shape[0], 0),
      BAD(plan_copy_step, shape[0], 3),
      BAD(plan_copy_step, shape[1], 0),
      FINE(plan_copy_step, shape[1], 3),
      BAD(plan_copy_step, shape[1], 0x10000000), /* nothing moves, but it would take ages */
      BAD(plan_copy_step, shape[2], 0),
      BAD(plan_copy_step, shape[2], 3),
      BAD(plan_copy_step, shape[3], 0),
      BAD(plan_copy_step, shape[3], 6),
      BAD(plan_copy_step, shape[3], UINT32_MAX),
      BAD(plan_copy_step, input_steps[0], 11),
      FINE(plan_copy_step, input_steps[1], UINT32_MAX),
      BAD(plan_copy_step, input_steps[2], UINT32_MAX),
      BAD(plan_copy_step, input_steps[3], 2),
      BAD(plan_copy_step, output_steps[0], 15),
      FINE(plan_copy_step, output_steps[1], UINT32_MAX),
      BAD(plan_copy_step, output_steps[2], 8),
      BAD(plan_copy_step, output_steps[3], 0x40000001),
  };
  TRY(&plan, "copy", at, changes);
}

static void test_fill(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_FILL);
  struct plan_fill_step *step = (struct plan_fill_step *)(void *)(plan.bytes + at);
  step->output = 1;
  step->size_bytes = 5;
  set_arena(6);
  try_common(&plan, "fill", at);
  const struct change changes[] = {
      BAD(plan_fill_step, output, 2),          BAD(plan_fill_step, output, PLAN_PLACE_CONSTANT),
      BAD(plan_fill_step, output, UINT32_MAX), BAD(plan_fill_step, size_bytes, 0),
      BAD(plan_fill_step, size_bytes, 6),      BAD(plan_fill_step, size_bytes, UINT32_MAX),
      FINE(plan_fill_step, value, -128),       BAD(plan_fill_step, value, -129),
      FINE(plan_fill_step, value, 127),        BAD(plan_fill_step, value, 128),
  };
  TRY(&plan, "fill", at, changes);
}

int main(void) {
  test_binary(PLAN_ADD);
  test_binary(PLAN_SUB);
  test_binary(PLAN_MUL);
  test_lookup();
  test_softmax();
  test_mean();
  test_copy_step();
  test_fill();
  return test_result();
}
