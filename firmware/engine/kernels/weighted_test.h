/** Random steps with weights in every layout, and what they come to tap by tap. */
#ifndef WEIGHTED_TEST_H
#define WEIGHTED_TEST_H

#include <string.h>

#include "../scratch.h"
#include "../test.h"

/** A step with the plan and the arena that it lies in, each exactly as large as it says. */
struct weighted_test {
  struct plan_window_step step;
  int8_t *rows; /* [out_c][taps], unpacked */
  uint32_t taps;
  int32_t *bias, *multipliers;
  int8_t *shifts;
  uint8_t *plan;
  int8_t *arena;
  uint32_t input_bytes, output_bytes;
};

static inline uint32_t weighted_row_taps(const struct plan_window_step *step) {
  const uint32_t depth = step->step.kind == PLAN_DEPTHWISE_CONV_2D ? 1 : step->in_c;
  return (uint32_t)step->kernel_h * step->kernel_w * depth;
}

/** 256 * H + L, taps 0 and 2, then 1 and 3. @return the bytes */
static inline uint32_t weighted_pack_pairs(const struct weighted_test *test, uint8_t *to) {
  static const uint32_t order[4] = {0, 2, 1, 3};
  uint32_t at = 0;
  for (uint32_t channel = 0; channel < test->step.out_c; channel += 2) {
    for (uint32_t group = 0; group < test->taps; group += 4) {
      for (uint32_t lane = 0; lane < 4; lane++, at += 2) {
        const uint32_t tap = group + order[lane];
        const int has_high = channel + 1u < test->step.out_c;
        const int8_t *row = test->rows + channel * test->taps;
        const int32_t low = tap < test->taps ? row[tap] : 0;
        const int32_t high = tap < test->taps && has_high ? row[test->taps + tap] : 0;
        const uint32_t both = (uint32_t)(256 * high + low);
        to[at] = (uint8_t)both;
        to[at + 1u] = (uint8_t)(both >> 8);
      }
    }
  }
  return at;
}

/** Entries of one row, in groups of four. @return how many groups */
static inline uint16_t weighted_pack_row(const int8_t *row, uint32_t taps, uint8_t *gaps,
                                         int8_t *weights) {
  uint32_t entries = 0, at = 0;
  for (uint32_t tap = 0; tap < taps; tap++) {
    if (row[tap] == 0 && tap - at < 15u) continue;
    gaps[entries] = (uint8_t)(tap - at);
    weights[entries++] = row[tap];
    at = tap;
  }
  for (; entries % 4u != 0; entries++) gaps[entries] = 0, weights[entries] = 0;
  return (uint16_t)(entries / 4u);
}

/** The three parts of RUNS. @return the bytes */
static inline uint32_t weighted_pack_runs(const struct weighted_test *test, uint8_t *to) {
  const uint32_t channels = test->step.out_c;
  const uint32_t most = channels * (test->taps + 4u);
  uint8_t *gaps = malloc(most);
  int8_t *weights = malloc(most);
  if (gaps == NULL || weights == NULL) abort();
  uint32_t entries = 0;
  memset(to, 0, kernel_round_up(2u * channels, 4u));
  for (uint32_t channel = 0; channel < channels; channel++) {
    const uint16_t groups = weighted_pack_row(test->rows + channel * test->taps, test->taps,
                                              gaps + entries, weights + entries);
    memcpy(to + 2u * channel, &groups, 2);
    entries += 4u * groups;
  }
  uint32_t at = kernel_round_up(2u * channels, 4u);
  const uint32_t weights_at = at + kernel_round_up(entries / 2u, 4u);
  memset(to + at, 0, weights_at - at);
  for (uint32_t i = 0; i < entries; i += 2u, at++) to[at] = (uint8_t)(gaps[i] | gaps[i + 1u] << 4);
  memcpy(to + weights_at, weights, entries);
  free(gaps);
  free(weights);
  return weights_at + entries;
}

static inline uint32_t weighted_pack(const struct weighted_test *test, uint8_t *to) {
  if (test->step.layout == PLAN_PAIRS) return weighted_pack_pairs(test, to);
  if (test->step.layout == PLAN_RUNS) return weighted_pack_runs(test, to);
  memcpy(to, test->rows, (size_t)test->step.out_c * test->taps);
  return test->step.out_c * test->taps;
}

/** Weights of one kind out of few zeros and many; -128 only where a pair can hold it. */
static inline void weighted_make_rows(struct weighted_test *test) {
  const uint32_t count = test->step.out_c * test->taps;
  const uint32_t zeros = test_size(0, 9);
  test->rows = test_values(count);
  for (uint32_t i = 0; i < count; i++) {
    if (test_size(0, 9) < zeros) test->rows[i] = 0;
    if (test->step.layout == PLAN_PAIRS && test->rows[i] == -128) test->rows[i] = -127;
  }
}

static inline void weighted_make_factors(struct weighted_test *test) {
  const uint32_t channels = test->step.out_c;
  const int narrow = test_chance(2);
  test->step.step.flags =
      (uint8_t)((narrow ? PLAN_NARROW_SUMS : 0u) | (test_chance(4) ? PLAN_SHARED_MULTIPLIER : 0u));
  test->bias = malloc(4u * channels);
  test->multipliers = malloc(4u * channels);
  test->shifts = malloc(channels);
  for (uint32_t channel = 0; channel < channels; channel++) {
    test->bias[channel] = test_between(-200000, 200000);
    test->multipliers[channel] = test_multiplier();
    test->shifts[channel] = narrow ? (int8_t)test_between(-22, -1) : test_shift(-14, -2);
  }
}

/** Everything behind one another, each at a multiple of 4. */
static inline void weighted_make_plan(struct weighted_test *test) {
  const uint32_t channels = test->step.out_c;
  uint8_t *packed = malloc(8u * (test->taps + 8u) * (channels + 1u));
  if (packed == NULL) abort();
  const uint32_t weights_bytes = weighted_pack(test, packed);
  const uint32_t factors_bytes = 8u * channels + kernel_round_up(channels, 4u);
  test->plan = malloc(factors_bytes + weights_bytes);
  test->step.bias = 0;
  test->step.multipliers = 4u * channels;
  test->step.shifts = 8u * channels;
  test->step.weights = factors_bytes;
  test->step.weights_bytes = weights_bytes;
  memcpy(test->plan, test->bias, 4u * channels);
  memcpy(test->plan + 4u * channels, test->multipliers, 4u * channels);
  memcpy(test->plan + 8u * channels, test->shifts, channels);
  memcpy(test->plan + factors_bytes, packed, weights_bytes);
  free(packed);
}

/** @param step its sizes and kind; all else is filled in */
static inline struct weighted_test weighted_make(struct plan_window_step step) {
  struct weighted_test test = {.step = step, .taps = weighted_row_taps(&step)};
  test.step.input_zero = test_int8();
  test.step.output_zero = test_int8();
  test.step.min = -128;
  test.step.max = 127;
  if (test_chance(3)) {
    test.step.min = (int8_t)test_between(-128, 127);
    test.step.max = (int8_t)test_between(test.step.min, 127);
  }
  weighted_make_rows(&test);
  weighted_make_factors(&test);
  weighted_make_plan(&test);
  test.input_bytes = (uint32_t)step.batches * step.in_h * step.in_w * step.in_c;
  test.output_bytes = (uint32_t)step.batches * step.out_h * step.out_w * step.out_c;
  test.step.output = kernel_round_up(test.input_bytes, 4u);
  test.step.scratch = test.step.output + kernel_round_up(test.output_bytes, 4u);
  test.arena = test_values(test.step.scratch + (uint32_t)scratch_bytes(&test.step));
  return test;
}

static inline void weighted_free(struct weighted_test *test) {
  free(test->rows);
  free(test->bias);
  free(test->multipliers);
  free(test->shifts);
  free(test->plan);
  free(test->arena);
}

/** A tap of an image of a batch; what is outside counts as the zero point. */
static inline int32_t weighted_value(const struct plan_window_step *step, const int8_t *image,
                                     int32_t y, int32_t x, uint32_t channel) {
  if (y < 0 || x < 0 || y >= step->in_h || x >= step->in_w) return step->input_zero;
  return image[((uint32_t)y * step->in_w + (uint32_t)x) * step->in_c + channel];
}

/** One output, tap by tap. */
static inline int8_t weighted_naive(const struct weighted_test *test, const int8_t *image,
                                    uint32_t y, uint32_t x, uint32_t channel) {
  const struct plan_window_step *step = &test->step;
  const int depthwise = step->step.kind == PLAN_DEPTHWISE_CONV_2D;
  const uint32_t depth = depthwise ? 1u : step->in_c;
  const uint32_t first = depthwise ? channel / (step->out_c / step->in_c) : 0;
  const int8_t *weight = test->rows + channel * test->taps;
  uint32_t sum = (uint32_t)test->bias[channel];
  for (uint32_t ky = 0; ky < step->kernel_h; ky++) {
    for (uint32_t kx = 0; kx < step->kernel_w; kx++) {
      const int32_t in_y = (int32_t)(y * step->stride_h + ky * step->dilation_h) - step->pad_top;
      const int32_t in_x = (int32_t)(x * step->stride_w + kx * step->dilation_w) - step->pad_left;
      for (uint32_t d = 0; d < depth; d++) {
        sum += (uint32_t)(*weight++ * weighted_value(step, image, in_y, in_x, first + d));
      }
    }
  }
  const uint32_t factor = (step->step.flags & PLAN_SHARED_MULTIPLIER) != 0 ? 0 : channel;
  const int64_t scaled =
      test_multiply((int32_t)sum, test->multipliers[factor], test->shifts[factor]);
  return test_clamp(scaled + step->output_zero, step->min, step->max);
}

/** How many outputs are not what they should be, when a kernel has run over a copy of the arena. */
static inline uint32_t weighted_differences(const struct weighted_test *test,
                                            void (*kernel)(const struct engine *,
                                                           const struct plan_window_step *)) {
  const struct plan_window_step *step = &test->step;
  const uint32_t arena_bytes = step->scratch + (uint32_t)scratch_bytes(step);
  int8_t *arena = test_copy(test->arena, arena_bytes);
  const struct engine engine = {.plan = test->plan, .arena = (uint8_t *)arena};
  kernel(&engine, step);
  uint32_t differences = test_differences(arena, test->arena, test->input_bytes);
  const int8_t *output = arena + step->output;
  const uint32_t image_bytes = (uint32_t)step->in_h * step->in_w * step->in_c;
  for (uint32_t batch = 0; batch < step->batches; batch++) {
    for (uint32_t y = 0; y < step->out_h; y++) {
      for (uint32_t x = 0; x < step->out_w; x++) {
        for (uint32_t channel = 0; channel < step->out_c; channel++) {
          const int8_t *image = test->arena + batch * image_bytes;
          differences += *output++ != weighted_naive(test, image, y, x, channel);
        }
      }
    }
  }
  free(arena);
  return differences;
}

/** Sizes of an image and its windows, small. */
static inline struct plan_window_step weighted_window(uint8_t kind, uint8_t layout) {
  struct plan_window_step step = {
      .step = {.kind = kind},
      .layout = layout,
      .batches = (uint16_t)test_size(1, 2),
      .in_h = (uint16_t)test_size(1, 9),
      .in_w = (uint16_t)test_size(1, 9),
      .in_c = (uint16_t)test_size(1, 9),
      .out_h = (uint16_t)test_size(1, 6),
      .out_w = (uint16_t)test_size(1, 6),
      .kernel_h = (uint8_t)test_size(1, 4),
      .kernel_w = (uint8_t)test_size(1, 4),
      .stride_h = (uint8_t)test_size(1, 3),
      .stride_w = (uint8_t)test_size(1, 3),
      .dilation_h = (uint8_t)test_size(1, 2),
      .dilation_w = (uint8_t)test_size(1, 2),
      .pad_top = (uint8_t)test_size(0, 3),
      .pad_left = (uint8_t)test_size(0, 3),
  };
  return step;
}

#endif
