/** From an int32 sum to an int8 output, as MultiplyByQuantizedMultiplier and the activation's clamp
 * do it. */
#ifndef REQUANTIZE_H
#define REQUANTIZE_H

#include "../fixed_point.h"
#include "dsp.h"
#include "kernels.h"

/** A channel's factor, with rounding and zero point in one number. Its sums are within 2^30. */
struct requantize_narrow {
  int32_t multiplier;
  int32_t offset;
  uint32_t right;
};

/** Half of 2^right, and the zero point times it: shifted by one less, twice the zero point and one.
 */
static inline int32_t requantize_unit(int32_t zero) { return 2 * zero + 1; }

static inline struct requantize_narrow requantize_narrow_of(int32_t multiplier, int32_t shift,
                                                            int32_t zero) {
  struct requantize_narrow channel = {
      .multiplier = multiplier,
      .offset = (int32_t)((uint32_t)requantize_unit(zero) << (uint32_t)(-shift - 1)),
      .right = (uint32_t)-shift,
  };
  return channel;
}

#ifdef KERNEL_DSP

/** Halves away from zero: for a negative number the half is one less. */
static inline int8_t requantize_signed(int32_t sum, struct requantize_narrow channel) {
  const int32_t high = dsp_smmulr(fixed_add(sum, sum), channel.multiplier);
  return dsp_saturate_int8(fixed_add(fixed_add(high, high >> 31), channel.offset) >> channel.right);
}

#endif

/** Of all channels of a step. */
struct requantize {
  const int32_t *multipliers;
  const int8_t *shifts;
  uint32_t step; /* 0 where all channels share one multiplier */
  int32_t zero, min, max;
  int narrow; /* shifts and sums are small: saturation to int8, then requantize_finish */
};

static inline struct requantize requantize_of(const struct engine *engine,
                                              const struct plan_window_step *step) {
  struct requantize all = {
      .multipliers = (const int32_t *)(const void *)(engine->plan + step->multipliers),
      .shifts = (const int8_t *)(engine->plan + step->shifts),
      .step = (step->step.flags & PLAN_SHARED_MULTIPLIER) != 0 ? 0 : 1,
      .zero = step->output_zero,
      .min = step->min,
      .max = step->max,
#ifdef KERNEL_DSP
      .narrow = (step->step.flags & PLAN_NARROW_SUMS) != 0,
#endif
  };
  return all;
}

static inline int8_t requantize_wide(const struct requantize *all, uint32_t channel, int32_t sum) {
  const int32_t scaled =
      fixed_multiply(sum, all->multipliers[channel * all->step], all->shifts[channel * all->step]);
  return (int8_t)fixed_clamp(fixed_add(scaled, all->zero), all->min, all->max);
}

static inline struct requantize_narrow requantize_channel(const struct requantize *all,
                                                          uint32_t channel) {
  return requantize_narrow_of(all->multipliers[channel * all->step],
                              all->shifts[channel * all->step], all->zero);
}

static inline int8_t requantize_one(const struct requantize *all, uint32_t channel, int32_t sum) {
#ifdef KERNEL_DSP
  if (all->narrow) return requantize_signed(sum, requantize_channel(all, channel));
#endif
  return requantize_wide(all, channel, sum);
}

/** One channel of some pixels, whose outputs lie `stride` apart. */
static inline void requantize_pixels(const struct requantize *all, uint32_t channel,
                                     const int32_t *sums, uint32_t count, int8_t *output,
                                     uint32_t stride) {
#ifdef KERNEL_DSP
  if (all->narrow) {
    const struct requantize_narrow narrow = requantize_channel(all, channel);
    for (; count > 0; count--, output += stride) *output = requantize_signed(*sums++, narrow);
    return;
  }
#endif
  for (; count > 0; count--, output += stride) *output = requantize_wide(all, channel, *sums++);
}

/** The activation's clamp of outputs that have only been saturated. */
static inline void requantize_finish(const struct requantize *all, int8_t *output, uint32_t count) {
  if (!all->narrow || (all->min == -128 && all->max == 127)) return;
  for (uint32_t i = 0; i < count; i++) {
    output[i] = (int8_t)fixed_clamp(output[i], all->min, all->max);
  }
}

#endif
