/** PLAN_RUNS: the weights of a channel that are not zero, and how far each is from the one before.
 */
#ifndef CONV_RUNS_H
#define CONV_RUNS_H

#include "conv_task.h"

/** Where each part of a layer's weights begins. */
static inline struct conv_runs conv_runs_of(const uint8_t *weights, uint32_t channels) {
  const uint16_t *groups = (const uint16_t *)(const void *)weights;
  const uint8_t *gaps = weights + kernel_round_up(2u * channels, 4u);
  uint32_t total = 0;
  for (uint32_t channel = 0; channel < channels; channel++) total += groups[channel];
  const struct conv_runs runs = {
      .gaps = (const uint16_t *)(const void *)gaps,
      .weights = (const int8_t *)gaps + kernel_round_up(2u * total, 4u),
      .groups = groups,
  };
  return runs;
}

/** A task's channels over a block that lies by taps. */
void conv_runs(struct conv_task *task);

#endif
