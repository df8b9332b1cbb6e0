/** Inner products of weights in each layout with a block of four windows (conv_block.h). */
#ifndef CONV_DOT_H
#define CONV_DOT_H

#include "../scratch.h"
#include "requantize.h"

/**
 * Taps after which the sum of a high channel is taken out of its lane: 512 * 127 * 128 is below
 * 2^23, past which 256 times the sum would not fit.
 */
#define CONV_DOT_SEGMENT 512u

/** Weights of a layer in PLAN_RUNS. */
struct conv_runs {
  const uint16_t *groups; /* of the channel */
  const uint16_t *gaps;   /* of its first group; moved on by a channel's product */
  const int8_t *weights;
};

/** Of PLAN_PAIRS: the tap whose weights are in a lane, and they themselves. */
static inline uint32_t conv_dot_tap(uint32_t lane) {
  return (lane & ~3u) | (lane & 1u) << 1 | (lane >> 1 & 1u);
}

static inline int32_t conv_dot_low(const uint8_t *weights, uint32_t lane) {
  return (int8_t)weights[2u * lane];
}

static inline int32_t conv_dot_high(const uint8_t *weights, uint32_t lane) {
  const int32_t both = (int16_t)(weights[2u * lane] | weights[2u * lane + 1u] << 8);
  return (both - conv_dot_low(weights, lane)) >> 8;
}

/** Where each part of a layer's weights begins. */
static inline struct conv_runs conv_runs_of(const uint8_t *weights, uint32_t channels) {
  const uint16_t *groups = (const uint16_t *)(const void *)weights;
  uint32_t total = 0;
  for (uint32_t channel = 0; channel < channels; channel++) total += groups[channel];
  const uint8_t *gaps = weights + kernel_round_up(2u * channels, 4u);
  struct conv_runs runs = {
      .groups = groups,
      .gaps = (const uint16_t *)(const void *)gaps,
      .weights = (const int8_t *)gaps + kernel_round_up(2u * total, 4u),
  };
  return runs;
}

/** Pairs of channels of PLAN_PAIRS over a block; conv_dot.c reads it by offsets. */
struct conv_pairs {
  const int16_t *block;
  const int16_t *wide_end; /* of whole turns of CONV_DOT_TURN taps */
  const int16_t *end;
  const uint8_t *weights; /* moved on */
  uint32_t count;         /* 0: one pair, and only its sums */
  /* Of the first channel, if there is a count; moved on. All must be narrow, with a multiplier
   * each. */
  const int32_t *bias;
  const int32_t *multipliers;
  const int8_t *shifts;
  int8_t *output; /* four pixels, a stride apart */
  uint32_t stride;
  int32_t unit;                           /* requantize_unit */
  int32_t sums[2u * SCRATCH_CONV_PIXELS]; /* without a count: the low channel's as it starts, then
                                             both */
};

/** Taps that are multiplied at once. */
#define CONV_DOT_TURN 16u

/** Multiplies a block of so many taps, a multiple of 4 up to CONV_DOT_SEGMENT, with pairs' weights.
 */
void conv_dot_pairs(struct conv_pairs *pairs, const int16_t *block, uint32_t taps);

/** One channel, onto what sums[0..3] hold. `taps` is not rounded up. */
void conv_dot_dense(const int8_t *weights, const int16_t *block, uint32_t taps, int32_t *sums);

/** One channel of `groups` groups, with a block that lies by taps; moves on to the next. */
void conv_dot_runs(struct conv_runs *runs, const int16_t *block, int32_t *sums);

#endif
