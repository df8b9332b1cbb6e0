#include "test_change.h"

static struct test_plan plan;

/** Each size is another, so that none can stand for the other. */
static struct plan_window_step window_sizes(enum plan_kind kind, uint8_t layout) {
  const bool flat = kind == PLAN_FULLY_CONNECTED;
  const bool pool = kind >= PLAN_AVERAGE_POOL_2D;
  struct plan_window_step step = {.batches = 2, .in_h = 7, .in_w = 6, .in_c = 5, .out_h = 4};
  step.out_w = 3;
  step.out_c = kind == PLAN_DEPTHWISE_CONV_2D ? 10 : pool ? 5 : 9;
  step.band_rows = kind == PLAN_DEPTHWISE_CONV_2D ? 2 : 0;
  step.kernel_h = 3;
  step.kernel_w = 2;
  step.stride_h = step.stride_w = 2;
  step.dilation_h = step.dilation_w = pool ? 1 : 2;
  step.pad_top = step.pad_left = 1;
  step.layout = layout;
  step.min = -100;
  step.max = 100;
  if (flat) {
    step.in_h = step.in_w = step.out_h = step.out_w = 1;
    step.kernel_h = step.kernel_w = step.stride_h = step.stride_w = 1;
    step.dilation_h = step.dilation_w = 1;
    step.pad_top = step.pad_left = 0;
  }
  return step;
}

static void try_window_sizes(const char *what, uint32_t at, const struct plan_window_step *step) {
  const struct change changes[] = {
      BAD(plan_window_step, batches, 0),
      BAD(plan_window_step, batches, 65535),
      BAD(plan_window_step, in_h, 0),
      BAD(plan_window_step, in_h, 65535),
      BAD(plan_window_step, in_w, 0),
      BAD(plan_window_step, in_w, 65535),
      BAD(plan_window_step, in_c, 0),
      BAD(plan_window_step, in_c, 65535),
      BAD(plan_window_step, out_h, 0),
      BAD(plan_window_step, out_h, 65535),
      BAD(plan_window_step, out_w, 0),
      BAD(plan_window_step, out_w, 65535),
      BAD(plan_window_step, out_c, 0),
      BAD(plan_window_step, out_c, 65535),
      BAD(plan_window_step, out_c, step->out_c + 2u),
      BAD(plan_window_step, kernel_h, 0),
      BAD(plan_window_step, kernel_w, 0),
      BAD(plan_window_step, stride_h, 0),
      BAD(plan_window_step, stride_w, 0),
      BAD(plan_window_step, dilation_h, 0),
      BAD(plan_window_step, dilation_w, 0),
      FINE(plan_window_step, input_zero, -128),
      FINE(plan_window_step, output_zero, 127),
      BAD(plan_window_step, min, 101),
      FINE(plan_window_step, min, 100),
      BAD(plan_window_step, max, -101),
      FINE(plan_window_step, max, -100),
      BAD(plan_window_step, layout, 3),
      BAD(plan_window_step, layout, 255),
      BAD(plan_window_step, reserved[0], 1),
      BAD(plan_window_step, reserved[1], 1),
      BAD(plan_window_step, reserved[2], 1),
      BAD(plan_window_step, band_rows, step->band_rows == 0 ? 1 : 0),
      BAD(plan_window_step, band_rows, step->out_h + 1u),
      BAD(plan_window_step, band_rows, 65535),
  };
  TRY(&plan, what, at, changes);
}

static void try_window_places(const char *what, uint32_t at, const struct plan_window_step *step) {
  const uint32_t read = (uint32_t)step->batches * step->in_h * step->in_w * step->in_c;
  const uint32_t written = (uint32_t)step->batches * step->out_h * step->out_w * step->out_c;
  const bool words = step->step.kind == PLAN_FULLY_CONNECTED && step->layout == PLAN_PAIRS;
  const uint32_t past = words ? kernel_round_up(step->in_c, 4) - step->in_c : 0;
  const uint32_t input = plan.arena_bytes - read - past, output = plan.arena_bytes - written;
  const uint32_t constant = PLAN_PLACE_CONSTANT | (plan.size_bytes - read - past);
  const uint32_t scratch = (plan.arena_bytes - (uint32_t)scratch_bytes(step)) & ~3u;
  const struct change changes[] = {
      FINE(plan_window_step, input, input),
      BAD(plan_window_step, input, input + 1u),
      FINE(plan_window_step, input, constant),
      BAD(plan_window_step, input, constant + 1u),
      BAD(plan_window_step, input, UINT32_MAX),
      BAD(plan_window_step, input, 0x7fffffff),
      FINE(plan_window_step, output, output),
      BAD(plan_window_step, output, output + 1u),
      BAD(plan_window_step, output, PLAN_PLACE_CONSTANT),
      BAD(plan_window_step, output, UINT32_MAX),
      FINE(plan_window_step, scratch, scratch),
      BAD(plan_window_step, scratch, scratch + 4u),
      BAD(plan_window_step, scratch, scratch - 2u),
      BAD(plan_window_step, scratch, UINT32_MAX - 3u),
      BAD(plan_window_step, scratch, PLAN_PLACE_CONSTANT),
  };
  TRY(&plan, what, at, changes);
}

static void try_weighted(const char *what, uint32_t at, const struct plan_window_step *step) {
  const uint32_t size = plan.size_bytes;
  const uint32_t weights = size - step->weights_bytes;
  /* The first byte of RUNS says how long the rest is. */
  const bool moves = step->layout != PLAN_RUNS;
  const struct change changes[] = {
      CHANGE(plan_window_step, weights, weights & ~3u, moves ? ENGINE_OK : ENGINE_BAD_STEP),
      BAD(plan_window_step, weights, (weights & ~3u) + 4u),
      BAD(plan_window_step, weights, step->weights + 2u),
      BAD(plan_window_step, weights, UINT32_MAX - 3u),
      BAD(plan_window_step, weights, PLAN_PLACE_CONSTANT | step->weights),
      BAD(plan_window_step, weights_bytes, step->weights_bytes + 1u),
      BAD(plan_window_step, weights_bytes, step->weights_bytes - 1u),
      BAD(plan_window_step, weights_bytes, 0),
      BAD(plan_window_step, weights_bytes, UINT32_MAX),
      FINE(plan_window_step, bias, (size - 4u * step->out_c) & ~3u),
      BAD(plan_window_step, bias, ((size - 4u * step->out_c) & ~3u) + 4u),
      BAD(plan_window_step, bias, step->bias + 1u),
      BAD(plan_window_step, bias, UINT32_MAX - 3u),
      BAD(plan_window_step, multipliers, size),
      BAD(plan_window_step, multipliers, step->multipliers + 2u),
      BAD(plan_window_step, multipliers, UINT32_MAX - 3u),
      BAD(plan_window_step, shifts, size),
      BAD(plan_window_step, shifts, UINT32_MAX),
  };
  TRY(&plan, what, at, changes);
  const bool narrow = (step->step.flags & PLAN_NARROW_SUMS) != 0;
  const bool shared = (step->step.flags & PLAN_SHARED_MULTIPLIER) != 0;
  const int32_t least = narrow ? -22 : -31, most = narrow ? -1 : 30;
  const struct change shifts[] = {
      {"shift", 0, 1, (uint32_t)least, ENGINE_OK},
      {"shift", 0, 1, (uint32_t)(least - 1), ENGINE_BAD_STEP},
      {"shift", 0, 1, (uint32_t)most, ENGINE_OK},
      {"shift", 0, 1, (uint32_t)(most + 1), ENGINE_BAD_STEP},
      {"shift", 0, 1, 128, ENGINE_BAD_STEP},
  };
  TRY(&plan, what, step->shifts, shifts);
  TRY(&plan, what, step->shifts + (shared ? 0 : step->out_c - 1u), shifts);
}

static void test_window(enum plan_kind kind, uint8_t layout, uint8_t flags) {
  static const char *const names[] = {"", "conv_2d", "depthwise_conv_2d", "fully_connected"};
  struct plan_window_step step = window_sizes(kind, layout);
  test_plan_begin(&plan);
  step.step.flags = flags;
  const uint32_t at = test_plan_window(&plan, kind, step);
  /* Room for an input that was made a constant, and for more scratch. */
  test_plan_arena(&plan, 2000);
  test_plan_end(&plan);
  memcpy(&step, plan.bytes + at, sizeof step);
  const char *what = kind <= PLAN_FULLY_CONNECTED ? names[kind] : "pool_2d";
  /* Narrow shifts pass either way, whatever try_common sets. */
  if (flags == PLAN_NARROW_SUMS || kind > PLAN_FULLY_CONNECTED) try_common(&plan, what, at);
  try_window_sizes(what, at, &step);
  try_window_places(what, at, &step);
  if (kind <= PLAN_FULLY_CONNECTED) try_weighted(what, at, &step);
}

static void test_pool(enum plan_kind kind) {
  test_window(kind, PLAN_DENSE, 0);
  const struct plan_window_step step = window_sizes(kind, PLAN_DENSE);
  const uint32_t at = TEST_PLAN_STEPS_AT;
  const struct change changes[] = {
      BAD(plan_window_step, weights, 4),     BAD(plan_window_step, weights_bytes, 1),
      BAD(plan_window_step, bias, 4),        BAD(plan_window_step, multipliers, 4),
      BAD(plan_window_step, shifts, 1),      BAD(plan_window_step, layout, PLAN_PAIRS),
      BAD(plan_window_step, out_c, 4),       BAD(plan_window_step, dilation_h, 2),
      BAD(plan_window_step, dilation_w, 3),  BAD(plan_window_step, pad_top, step.kernel_h),
      FINE(plan_window_step, pad_top, 2),    BAD(plan_window_step, pad_top, 255),
      BAD(plan_window_step, pad_left, 2),    FINE(plan_window_step, pad_left, 0),
      BAD(plan_window_step, stride_h, 3),    BAD(plan_window_step, stride_h, 255),
      FINE(plan_window_step, stride_w, 3),   BAD(plan_window_step, stride_w, 4),
      FINE(plan_window_step, kernel_h, 255), FINE(plan_window_step, kernel_w, 255),
      BAD(plan_window_step, kernel_w, 1),    BAD(plan_window_step, in_h, 5),
      FINE(plan_window_step, in_h, 6),
  };
  TRY(&plan, "pool_2d", at, changes);
}

static void test_depthwise(void) {
  test_window(PLAN_DEPTHWISE_CONV_2D, PLAN_DENSE, 0);
  test_window(PLAN_DEPTHWISE_CONV_2D, PLAN_DENSE, PLAN_NARROW_SUMS);
  const struct change changes[] = {
      BAD(plan_window_step, layout, PLAN_PAIRS),
      BAD(plan_window_step, layout, PLAN_RUNS),
      BAD(plan_window_step, in_c, 3),
      FINE(plan_window_step, in_c, 2),
      BAD(plan_window_step, kernel_h, 2),
      BAD(plan_window_step, kernel_w, 1),
      FINE(plan_window_step, band_rows, 1),
      BAD(plan_window_step, dilation_h, 255),
      FINE(plan_window_step, band_rows, 4),
      FINE(plan_window_step, pad_top, 255),
  };
  TRY(&plan, "depthwise_conv_2d", TEST_PLAN_STEPS_AT, changes);
}

static void test_fully_connected(void) {
  for (uint8_t layout = PLAN_DENSE; layout <= PLAN_RUNS; layout++) {
    test_window(PLAN_FULLY_CONNECTED, layout, PLAN_SHARED_MULTIPLIER);
    test_window(PLAN_FULLY_CONNECTED, layout, PLAN_NARROW_SUMS);
    const struct change changes[] = {
        BAD(plan_window_step, in_h, 2),       BAD(plan_window_step, in_w, 2),
        BAD(plan_window_step, out_h, 2),      BAD(plan_window_step, out_w, 2),
        BAD(plan_window_step, kernel_h, 3),   BAD(plan_window_step, kernel_w, 2),
        BAD(plan_window_step, stride_h, 2),   BAD(plan_window_step, stride_w, 255),
        BAD(plan_window_step, dilation_h, 2), BAD(plan_window_step, dilation_w, 2),
        BAD(plan_window_step, pad_top, 1),    BAD(plan_window_step, pad_left, 1),
    };
    TRY(&plan, "fully_connected", TEST_PLAN_STEPS_AT, changes);
  }
}

static void test_conv(void) {
  for (uint8_t layout = PLAN_DENSE; layout <= PLAN_RUNS; layout++) {
    for (uint8_t flags = 0; flags < 8; flags++) {
      test_window(PLAN_CONV_2D, layout, flags);
      const struct change changes[] = {
          CHANGE(plan_window_step, kernel_h, 2, layout == PLAN_RUNS ? ENGINE_OK : ENGINE_BAD_STEP),
          BAD(plan_window_step, kernel_h, 255),
          FINE(plan_window_step, dilation_h, 255),
          FINE(plan_window_step, stride_w, 255),
          FINE(plan_window_step, pad_top, 255),
          FINE(plan_window_step, pad_left, 255),
          FINE(plan_window_step, in_h, 1),
      };
      /* Where rows are as short as RUNS lets them, fewer taps may be too few. */
      if (layout != PLAN_RUNS) TRY(&plan, "conv_2d", TEST_PLAN_STEPS_AT, changes);
    }
  }
}

static struct plan_window_step runs_sizes(void) {
  struct plan_window_step step = {.batches = 1, .in_h = 1, .in_w = 1, .in_c = 121, .out_h = 1};
  step.out_w = step.kernel_h = step.kernel_w = step.stride_h = step.stride_w = 1;
  step.dilation_h = step.dilation_w = 1;
  step.out_c = 2;
  step.layout = PLAN_RUNS;
  return step;
}

/** Rows of nothing but zeros. */
static void test_empty_runs(void) {
  struct plan_window_step step = runs_sizes();
  test_plan_begin(&plan);
  const uint32_t at = test_plan_window(&plan, PLAN_FULLY_CONNECTED, step);
  memcpy(&step, plan.bytes + at, sizeof step);
  step.weights = test_plan_constant(&plan, 4);
  step.weights_bytes = 4;
  memcpy(plan.bytes + at, &step, sizeof step);
  memset(plan.bytes + step.weights, 0, 4);
  test_plan_end(&plan);
  EXPECT(open_plan(&plan) == ENGINE_OK);
}

/** One row of two groups and one of one, over 121 taps: the gaps add up to 120. */
static void test_runs(void) {
  struct plan_window_step step = runs_sizes();
  test_plan_begin(&plan);
  const uint32_t at = test_plan_window(&plan, PLAN_FULLY_CONNECTED, step);
  memcpy(&step, plan.bytes + at, sizeof step);
  step.weights = test_plan_constant(&plan, 4 + 8 + 12);
  step.weights_bytes = 4 + 8 + 12;
  memcpy(plan.bytes + at, &step, sizeof step);
  test_plan_end(&plan);
  uint16_t *groups = (uint16_t *)(void *)(plan.bytes + step.weights);
  for (uint16_t first = 1; first <= 2; first++) {
    groups[0] = first;
    groups[1] = (uint16_t)(3 - first);
    const uint16_t gaps[2][3] = {{0x1234, 0xffff, 0xffff}, {0xffff, 0xffff, 0x4321}};
    memcpy(groups + 2, gaps[first - 1], sizeof gaps[0]);
    const struct change changes[] = {
        {"groups", 0, 2, 0, ENGINE_BAD_STEP}, {"groups", 0, 2, 65535, ENGINE_BAD_STEP},
        {"groups", 2, 2, 0, ENGINE_BAD_STEP}, {"groups", 2, 2, 65535, ENGINE_BAD_STEP},
        {"padding", 10, 2, 65535, ENGINE_OK}, {"gaps", 4, 2, 0xfff0, ENGINE_OK},
        {"gaps", 8, 2, 0x0fff, ENGINE_OK},
    };
    TRY(&plan, "runs", step.weights, changes);
    const struct change taps[] = {
        BAD(plan_window_step, in_c, 120),
        FINE(plan_window_step, in_c, 121),
    };
    TRY(&plan, "runs", at, taps);
  }
}

/** Long rows of any gaps, of the greatest too, and of one tap fewer than they reach. */
static void test_long_runs(void) {
  for (uint32_t round = 0; round < 300; round++) {
    const uint32_t groups = test_size(1, 90), least = test_chance(2) ? 15 : 0;
    struct plan_window_step step = runs_sizes();
    step.out_c = 1;
    test_plan_begin(&plan);
    const uint32_t at = test_plan_window(&plan, PLAN_FULLY_CONNECTED, step);
    memcpy(&step, plan.bytes + at, sizeof step);
    step.weights_bytes = 4u + kernel_round_up(2u * groups, 4) + 4u * groups;
    step.weights = test_plan_constant(&plan, step.weights_bytes);
    plan.bytes[step.weights] = (uint8_t)groups;
    plan.bytes[step.weights + 1u] = 0;
    uint32_t sum = 0;
    for (uint32_t byte = 0; byte < 2u * groups; byte++) {
      const uint32_t low = test_size(least, 15), high = test_size(least, 15);
      plan.bytes[step.weights + 4u + byte] = (uint8_t)(low | high << 4);
      sum += low + high;
    }
    step.in_c = (uint16_t)(sum + 1u);
    step.input = test_plan_arena(&plan, sum + 1u);
    memcpy(plan.bytes + at, &step, sizeof step);
    test_plan_end(&plan);
    const struct change taps[] = {
        BAD(plan_window_step, in_c, sum),
        FINE(plan_window_step, in_c, sum + 1u),
    };
    TRY(&plan, "runs", at, taps);
  }
}

int main(void) {
  test_conv();
  test_depthwise();
  test_fully_connected();
  test_empty_runs();
  test_runs();
  test_long_runs();
  test_pool(PLAN_AVERAGE_POOL_2D);
  test_pool(PLAN_MAX_POOL_2D);
  return test_result();
}
