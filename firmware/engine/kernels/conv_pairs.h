/** PLAN_PAIRS: two channels whose weights are one word's lanes. */
#ifndef CONV_PAIRS_H
#define CONV_PAIRS_H

#include "conv_task.h"

/**
 * Taps after which the sum of a high channel is taken out of its lane: 512 * 127 * 128 is below
 * 2^23, past which 256 times the sum would not fit.
 */
#define CONV_PAIRS_SEGMENT 512u

/** As many taps as go through in one. */
static inline uint32_t conv_pairs_segment(const struct plan_window_step *step, uint32_t taps) {
  const int unbroken = (step->step.flags & PLAN_UNBROKEN_SUMS) != 0;
  return unbroken || taps < CONV_PAIRS_SEGMENT ? taps : CONV_PAIRS_SEGMENT;
}

/** Taps that are multiplied at once. */
#define CONV_PAIRS_TURN 16u

/** Of PLAN_PAIRS: the tap whose weights are in a lane, and they themselves. */
static inline uint32_t conv_pairs_tap(uint32_t lane) {
  return (lane & ~3u) | (lane & 1u) << 1 | (lane >> 1 & 1u);
}

static inline int32_t conv_pairs_low(const uint8_t *weights, uint32_t lane) {
  return (int8_t)weights[2u * lane];
}

static inline int32_t conv_pairs_high(const uint8_t *weights, uint32_t lane) {
  const int32_t both = (int16_t)(weights[2u * lane] | weights[2u * lane + 1u] << 8);
  return (both - conv_pairs_low(weights, lane)) >> 8;
}

/** A task's pairs over so many taps: a multiple of 4, up to conv_pairs_segment. */
void conv_pairs(struct conv_task *task, uint32_t taps);

#endif
