/** From an int32 sum to an int8 output, as MultiplyByQuantizedMultiplier and the activation's clamp
 * do it. */
#ifndef REQUANTIZE_H
#define REQUANTIZE_H

#include "../fixed_point.h"
#include "dsp.h"
#include "kernels.h"

#ifdef KERNEL_DSP

/** A channel's factor, with rounding and zero point in one number. Its sums are within 2^30. */
struct requantize_narrow {
  int32_t multiplier;
  int32_t offset;
  uint32_t right;
};

static inline struct requantize_narrow requantize_narrow_of(int32_t multiplier, int32_t shift,
                                                            int32_t zero) {
  const uint32_t right = (uint32_t)-shift;
  struct requantize_narrow channel = {
      .multiplier = multiplier,
      .offset = (int32_t)((1u << (right - 1u)) + ((uint32_t)zero << right)),
      .right = right,
  };
  return channel;
}

/** Halves away from zero: for a negative number the half is one less. */
static inline int8_t requantize_signed(int32_t sum, struct requantize_narrow channel) {
  const int32_t high = dsp_smmulr(fixed_add(sum, sum), channel.multiplier);
  return dsp_saturate_int8(fixed_add(fixed_add(high, high >> 31), channel.offset) >> channel.right);
}

/** Where the least output is the zero point: how negative numbers round is not seen. */
static inline int8_t requantize_relu(int32_t sum, struct requantize_narrow channel) {
  const int32_t high = dsp_smmulr(fixed_add(sum, sum), channel.multiplier);
  return dsp_saturate_int8(fixed_add(high, channel.offset) >> channel.right);
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

static inline int8_t requantize_one(const struct requantize *all, uint32_t channel, int32_t sum) {
#ifdef KERNEL_DSP
  if (all->narrow) {
    return requantize_signed(sum,
                             requantize_narrow_of(all->multipliers[channel * all->step],
                                                  all->shifts[channel * all->step], all->zero));
  }
#endif
  return requantize_wide(all, channel, sum);
}

/** One channel of `count` pixels (at most 4), whose outputs lie `stride` apart. */
static inline void requantize_pixels(const struct requantize *all, uint32_t channel,
                                     const int32_t *sums, uint32_t count, int8_t *output,
                                     uint32_t stride) {
#ifdef KERNEL_DSP
  if (count == 4u && all->narrow) {
    const struct requantize_narrow narrow = requantize_narrow_of(
        all->multipliers[channel * all->step], all->shifts[channel * all->step], all->zero);
    if (all->min == all->zero) {
      output[0] = requantize_relu(sums[0], narrow);
      output[stride] = requantize_relu(sums[1], narrow);
      output[2u * stride] = requantize_relu(sums[2], narrow);
      output[3u * stride] = requantize_relu(sums[3], narrow);
    } else {
      output[0] = requantize_signed(sums[0], narrow);
      output[stride] = requantize_signed(sums[1], narrow);
      output[2u * stride] = requantize_signed(sums[2], narrow);
      output[3u * stride] = requantize_signed(sums[3], narrow);
    }
    return;
  }
#endif
  for (uint32_t p = 0; p < count; p++) output[p * stride] = requantize_one(all, channel, sums[p]);
}

/** The activation's clamp of outputs that have only been saturated. */
static inline void requantize_finish(const struct requantize *all, int8_t *output, uint32_t count) {
  if (!all->narrow || (all->min == -128 && all->max == 127)) return;
  for (uint32_t i = 0; i < count; i++) {
    output[i] = (int8_t)fixed_clamp(output[i], all->min, all->max);
  }
}

#endif
