/**
 * Makes plans that engine_open lets pass: the header, the table of inputs and outputs and the steps
 * lie in fixed places, constants behind them. Sizes come from test_random.
 */
#ifndef TEST_PLAN_H
#define TEST_PLAN_H

#include <string.h>

#include "check.h"
#include "plan_format.h"
#include "scratch.h"
#include "test.h"

#define TEST_PLAN_MAX_STEPS 8u
#define TEST_PLAN_IO_AT 68u
#define TEST_PLAN_STEPS_AT (TEST_PLAN_IO_AT + 2u * (uint32_t)sizeof(struct plan_io))
#define TEST_PLAN_CONSTANTS_AT \
  (TEST_PLAN_STEPS_AT + TEST_PLAN_MAX_STEPS * (uint32_t)sizeof(struct plan_binary_step))
#define TEST_PLAN_MAX_BYTES 65536u
/** Of one row of PLAN_RUNS. */
#define TEST_PLAN_MAX_GROUPS 24u

struct test_plan {
  _Alignas(8) uint8_t bytes[TEST_PLAN_MAX_BYTES];
  uint32_t size_bytes;
  uint32_t arena_bytes;
  uint32_t step_count;
  uint32_t steps_end;
};

static inline struct plan_header *test_plan_header(struct test_plan *plan) {
  return (struct plan_header *)(void *)plan->bytes;
}

static inline void test_plan_begin(struct test_plan *plan) {
  memset(plan, 0, sizeof *plan);
  plan->size_bytes = TEST_PLAN_CONSTANTS_AT;
  plan->steps_end = TEST_PLAN_STEPS_AT;
}

/** Random bytes, at a multiple of 4. @return their offset */
static inline uint32_t test_plan_constant(struct test_plan *plan, uint32_t size_bytes) {
  const uint32_t at = plan->size_bytes;
  if (at + size_bytes + 3u > TEST_PLAN_MAX_BYTES) abort();
  for (uint32_t index = 0; index < size_bytes; index++)
    plan->bytes[at + index] = (uint8_t)test_int8();
  plan->size_bytes = kernel_round_up(at + size_bytes, 4);
  return at;
}

/** @return a place of so many bytes that nothing else has */
static inline uint32_t test_plan_arena(struct test_plan *plan, uint32_t size_bytes) {
  const uint32_t at = plan->arena_bytes;
  plan->arena_bytes = kernel_round_up(at + size_bytes, 4);
  return at;
}

/** In the arena or in the plan. */
static inline uint32_t test_plan_input(struct test_plan *plan, uint32_t size_bytes) {
  if (test_chance(2)) return test_plan_constant(plan, size_bytes) | PLAN_PLACE_CONSTANT;
  return test_plan_arena(plan, size_bytes);
}

/** Puts a step, whose size and kind this sets, after the others. @return its offset */
static inline uint32_t test_plan_step(struct test_plan *plan, enum plan_kind kind, void *step,
                                      uint32_t size_bytes) {
  struct plan_step *common = step;
  const uint32_t at = plan->steps_end;
  if (plan->step_count++ == TEST_PLAN_MAX_STEPS) abort();
  common->kind = (uint8_t)kind;
  common->size_bytes = (uint16_t)size_bytes;
  memcpy(plan->bytes + at, step, size_bytes);
  plan->steps_end += size_bytes;
  return at;
}

/** Rows that stay within their taps, and some long enough for that to be hard. @return the size */
static inline uint32_t test_plan_runs(struct test_plan *plan, uint32_t channels, uint32_t taps) {
  const uint32_t start = test_plan_constant(plan, 2u * channels);
  uint16_t gaps[TEST_PLAN_MAX_GROUPS * 64u];
  const uint32_t most = taps > 200u ? TEST_PLAN_MAX_GROUPS : 3;
  uint32_t total = 0;
  if (channels > 64) abort();
  for (uint32_t channel = 0; channel < channels; channel++) {
    const uint16_t groups = (uint16_t)test_size(0, most);
    uint32_t left = taps - 1u;
    memcpy(plan->bytes + start + 2u * channel, &groups, 2);
    for (uint32_t group = 0; group < groups; group++, total++) {
      gaps[total] = 0;
      for (uint32_t entry = 0; entry < 4; entry++) {
        const uint32_t gap = test_size(0, left < 15 ? left : 15);
        gaps[total] = (uint16_t)(gaps[total] | gap << 4u * entry);
        left -= gap;
      }
    }
  }
  const uint32_t at = test_plan_constant(plan, 2u * total);
  memcpy(plan->bytes + at, gaps, 2u * total);
  test_plan_constant(plan, 4u * total);
  return plan->size_bytes - start;
}

static inline void test_plan_weights(struct test_plan *plan, enum plan_kind kind,
                                     struct plan_window_step *step) {
  const uint32_t depth = kind == PLAN_DEPTHWISE_CONV_2D ? 1 : step->in_c;
  const uint32_t taps = (uint32_t)step->kernel_h * step->kernel_w * depth;
  const bool narrow = (step->step.flags & PLAN_NARROW_SUMS) != 0;
  const uint32_t count = (step->step.flags & PLAN_SHARED_MULTIPLIER) != 0 ? 1 : step->out_c;
  step->weights = plan->size_bytes;
  if (step->layout == PLAN_RUNS) {
    step->weights_bytes = test_plan_runs(plan, step->out_c, taps);
  } else if (step->layout == PLAN_PAIRS) {
    step->weights_bytes = kernel_round_up(step->out_c, 2) * kernel_round_up(taps, 4);
    test_plan_constant(plan, step->weights_bytes);
  } else {
    step->weights_bytes = step->out_c * taps;
    test_plan_constant(plan, step->weights_bytes);
  }
  step->bias = test_plan_constant(plan, 4u * step->out_c);
  step->multipliers = test_plan_constant(plan, 4u * count);
  step->shifts = test_plan_constant(plan, count);
  for (uint32_t index = 0; index < count; index++) {
    const int32_t shift = narrow ? test_between(-22, -1) : test_between(-31, 30);
    plan->bytes[step->shifts + index] = (uint8_t)shift;
  }
}

/** The sizes are the caller's; all that follows from them is set. @return the step's offset */
static inline uint32_t test_plan_window(struct test_plan *plan, enum plan_kind kind,
                                        struct plan_window_step step) {
  uint32_t input_bytes = (uint32_t)step.batches * step.in_h * step.in_w * step.in_c;
  step.step.kind = (uint8_t)kind;
  if (kind == PLAN_FULLY_CONNECTED && step.layout == PLAN_PAIRS) {
    input_bytes += kernel_round_up(step.in_c, 4) - step.in_c;
  }
  step.input = test_plan_input(plan, input_bytes);
  step.output =
      test_plan_arena(plan, (uint32_t)step.batches * step.out_h * step.out_w * step.out_c);
  step.scratch = test_plan_arena(plan, (uint32_t)scratch_bytes(&step));
  if (kind <= PLAN_FULLY_CONNECTED) test_plan_weights(plan, kind, &step);
  return test_plan_step(plan, kind, &step, sizeof step);
}

static inline struct plan_window_step test_plan_window_sizes(enum plan_kind kind) {
  const bool pool = kind == PLAN_AVERAGE_POOL_2D || kind == PLAN_MAX_POOL_2D;
  const bool flat = kind == PLAN_FULLY_CONNECTED;
  const bool depthwise = kind == PLAN_DEPTHWISE_CONV_2D;
  const uint32_t most = flat ? 1 : 4;
  struct plan_window_step step = {
      .step = {.flags = (uint8_t)(pool ? 0 : test_size(0, 7))},
      .batches = (uint16_t)test_size(1, 2),
      .in_h = (uint16_t)test_size(1, 2 * most - 1),
      .in_w = (uint16_t)test_size(1, 2 * most - 1),
      .in_c = (uint16_t)test_size(1, flat && test_chance(4) ? 300 : 9),
      .out_h = (uint16_t)test_size(1, most),
      .out_w = (uint16_t)test_size(1, most),
      .out_c = (uint16_t)test_size(1, 9),
      .kernel_h = (uint8_t)test_size(1, most),
      .kernel_w = (uint8_t)test_size(1, most),
      .stride_h = (uint8_t)test_size(1, flat ? 1 : 2),
      .stride_w = (uint8_t)test_size(1, flat ? 1 : 2),
      .dilation_h = (uint8_t)test_size(1, flat || pool ? 1 : 3),
      .dilation_w = (uint8_t)test_size(1, flat || pool ? 1 : 3),
      .input_zero = test_int8(),
      .output_zero = test_int8(),
      .min = (int8_t)test_between(-128, 0),
      .max = (int8_t)test_between(0, 127),
      .layout = (uint8_t)(pool || depthwise ? 0 : test_size(0, 2)),
  };
  step.pad_top = (uint8_t)test_size(0, step.kernel_h - 1u);
  step.pad_left = (uint8_t)test_size(0, step.kernel_w - 1u);
  if (depthwise) {
    step.out_c = (uint16_t)(step.in_c * test_size(1, 2));
    step.band_rows = (uint16_t)test_size(1, step.out_h);
  }
  if (pool) {
    step.out_c = step.in_c;
    step.out_h = (uint16_t)test_size(1, (step.in_h + step.pad_top - 1u) / step.stride_h + 1u);
    step.out_w = (uint16_t)test_size(1, (step.in_w + step.pad_left - 1u) / step.stride_w + 1u);
  }
  return step;
}

static inline uint32_t test_plan_binary(struct test_plan *plan, enum plan_kind kind) {
  struct plan_binary_step step = {
      .shape = {test_size(1, 2), test_size(1, 3), test_size(1, 3), test_size(1, 9)},
      .a_multiplier = test_multiplier(),
      .b_multiplier = test_multiplier(),
      .output_multiplier = test_multiplier(),
      .a_shift = test_shift(-4, 0),
      .b_shift = test_shift(-4, 0),
      .output_shift = test_shift(-22, -1),
      .a_zero = test_int8(),
      .b_zero = test_int8(),
      .output_zero = test_int8(),
      .min = (int8_t)test_between(-128, 0),
      .max = (int8_t)test_between(0, 127),
  };
  uint32_t size_bytes = 1;
  for (uint32_t axis = PLAN_COPY_RANK; axis-- > 0;) {
    step.a_steps[axis] = size_bytes;
    step.b_steps[axis] = test_chance(3) ? 0 : size_bytes;
    size_bytes *= step.shape[axis];
  }
  step.a = test_plan_input(plan, size_bytes);
  step.b = test_plan_input(plan, size_bytes);
  step.output = test_plan_arena(plan, size_bytes);
  return test_plan_step(plan, kind, &step, sizeof step);
}

static inline uint32_t test_plan_lookup(struct test_plan *plan) {
  struct plan_lookup_step step = {.size_bytes = test_size(1, 20)};
  step.input = test_plan_input(plan, step.size_bytes);
  step.output = test_plan_arena(plan, step.size_bytes);
  step.table = test_plan_constant(plan, 256);
  return test_plan_step(plan, PLAN_LOOKUP, &step, sizeof step);
}

static inline uint32_t test_plan_softmax(struct test_plan *plan) {
  struct plan_softmax_step step = {
      .rows = test_size(1, 3),
      .depth = test_size(1, 12),
      .multiplier = test_multiplier(),
      .shift = test_shift(12, 27),
      .least = -test_between(0, 300),
  };
  step.input = test_plan_input(plan, step.rows * step.depth);
  step.output = test_plan_arena(plan, step.rows * step.depth);
  return test_plan_step(plan, PLAN_SOFTMAX, &step, sizeof step);
}

static inline uint32_t test_plan_mean(struct test_plan *plan) {
  struct plan_mean_step step = {
      .outer = test_size(1, 3),
      .reduced = test_size(1, 6),
      .inner = test_size(1, 5),
      .multiplier = test_multiplier(),
      .shift = test_shift(-8, 1),
      .input_zero = test_int8(),
      .output_zero = test_int8(),
  };
  step.input = test_plan_input(plan, step.outer * step.reduced * step.inner);
  step.output = test_plan_arena(plan, step.outer * step.inner);
  return test_plan_step(plan, PLAN_MEAN, &step, sizeof step);
}

static inline uint32_t test_plan_copy(struct test_plan *plan) {
  struct plan_copy_step step = {
      .shape = {test_size(1, 2), test_size(1, 3), test_size(1, 3), test_size(1, 20)},
  };
  uint32_t input_bytes = 1, output_bytes = 1;
  for (uint32_t axis = PLAN_COPY_RANK; axis-- > 0;) {
    step.input_steps[axis] = input_bytes;
    step.output_steps[axis] = output_bytes;
    input_bytes *= step.shape[axis];
    output_bytes *= step.shape[axis] + (test_chance(3) ? 2u : 0);
  }
  step.input = test_plan_input(plan, input_bytes);
  step.output = test_plan_arena(plan, output_bytes);
  return test_plan_step(plan, PLAN_COPY, &step, sizeof step);
}

static inline uint32_t test_plan_fill(struct test_plan *plan) {
  struct plan_fill_step step = {.size_bytes = test_size(1, 20), .value = test_int8()};
  step.output = test_plan_arena(plan, step.size_bytes);
  return test_plan_step(plan, PLAN_FILL, &step, sizeof step);
}

/** @return the offset of a step of this kind */
static inline uint32_t test_plan_random_step(struct test_plan *plan, enum plan_kind kind) {
  switch (kind) {
    case PLAN_ADD:
    case PLAN_SUB:
    case PLAN_MUL:
      return test_plan_binary(plan, kind);
    case PLAN_LOOKUP:
      return test_plan_lookup(plan);
    case PLAN_SOFTMAX:
      return test_plan_softmax(plan);
    case PLAN_MEAN:
      return test_plan_mean(plan);
    case PLAN_COPY:
      return test_plan_copy(plan);
    case PLAN_FILL:
      return test_plan_fill(plan);
    default:
      return test_plan_window(plan, kind, test_plan_window_sizes(kind));
  }
}

/** The header, and an input and an output of four values. */
static inline void test_plan_end(struct test_plan *plan) {
  const struct plan_io io = {
      .place = test_plan_arena(plan, 4), .size_bytes = 4, .rank = 2, .shape = {1, 4}};
  const struct plan_header header = {
      .magic = PLAN_MAGIC,
      .version = PLAN_VERSION,
      .target = PLAN_CORTEX_M4,
      .size_bytes = plan->size_bytes,
      .arena_bytes = plan->arena_bytes,
      .input_count = 1,
      .output_count = 1,
      .io_offset = TEST_PLAN_IO_AT,
      .steps_offset = TEST_PLAN_STEPS_AT,
      .step_count = (uint16_t)plan->step_count,
  };
  memcpy(plan->bytes + TEST_PLAN_IO_AT, &io, sizeof io);
  memcpy(plan->bytes + TEST_PLAN_IO_AT + sizeof io, &io, sizeof io);
  memcpy(plan->bytes, &header, sizeof header);
  test_plan_header(plan)->crc32 =
      check_crc32(plan->bytes + PLAN_CRC_START, plan->size_bytes - PLAN_CRC_START);
}

#endif
