/** How much scratch a window step takes; src/plan/scratch.ts says the same. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "kernels/kernels.h"

/** Pixels that a convolution works on at once. */
#define SCRATCH_CONV_PIXELS 4u

/** int16 values between two rows of a depthwise convolution's filled channel. */
static inline uint32_t scratch_pitch(const struct plan_window_step *step) {
  return kernel_round_up(
      (step->out_w - 1u) * step->stride_w + (step->kernel_w - 1u) * step->dilation_w + 1u, 2u);
}

static inline uint32_t scratch_rows(const struct plan_window_step *step) {
  return (step->band_rows - 1u) * step->stride_h + (step->kernel_h - 1u) * step->dilation_h + 1u;
}

/** 64 bits wide, since a plan that was not checked may ask for anything. */
static inline uint64_t scratch_bytes(const struct plan_window_step *step) {
  switch (step->step.kind) {
    case PLAN_CONV_2D:
      /* 4 pixels side by side for each tap, as int16. */
      return (uint64_t)kernel_round_up(kernel_taps(step), 4u) * SCRATCH_CONV_PIXELS * 2u;
    case PLAN_DEPTHWISE_CONV_2D:
      /* One channel as int16 with its padding, and a pair more that is read beside the last tap. */
      return (uint64_t)scratch_rows(step) * scratch_pitch(step) * 2u + 4u;
    default:
      return 0;
  }
}

#endif
