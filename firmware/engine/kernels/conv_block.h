/**
 * The windows of four output pixels side by side as int16, which every layout of weights multiplies
 * with. Taps outside the image hold the input's zero point.
 */
#ifndef CONV_BLOCK_H
#define CONV_BLOCK_H

#include "../memory.h"
#include "../scratch.h"
#include "dsp.h"

/** Where a tap of a pixel lies: beside its fellow for SMLAD (taps 0 and 2, 1 and 3), or by itself
 * for runs. */
static inline uint32_t conv_block_at(int by_tap, uint32_t tap, uint32_t pixel) {
  if (by_tap) return tap * SCRATCH_CONV_PIXELS + pixel;
  return ((tap >> 2) * 2u + (tap & 1u)) * (2u * SCRATCH_CONV_PIXELS) + 2u * pixel +
         ((tap >> 1) & 1u);
}

struct conv_block {
  int16_t *values;
  const struct plan_window_step *step;
  const int8_t *image; /* of the batch */
  int by_tap;
};

static inline void conv_block_put(const struct conv_block *block, uint32_t tap, uint32_t pixel,
                                  int16_t value) {
  block->values[conv_block_at(block->by_tap, tap, pixel)] = value;
}

/** The same value for taps from `tap` on. */
static inline void conv_block_fill(const struct conv_block *block, uint32_t tap, uint32_t pixel,
                                   uint32_t count, int16_t value) {
  for (uint32_t i = 0; i < count; i++) conv_block_put(block, tap + i, pixel, value);
}

/** Values that lie in a row. */
static inline void conv_block_copy(const struct conv_block *block, uint32_t tap, uint32_t pixel,
                                   const int8_t *from, uint32_t count) {
  uint32_t i = 0;
#ifdef KERNEL_DSP
  if (!block->by_tap && (tap & 3u) == 0) {
    uint32_t *to = (uint32_t *)(void *)block->values + (tap >> 2) * 8u + pixel;
    for (; i + 4u <= count; i += 4u, to += 8) {
      uint32_t four;
      memcpy(&four, from + i, 4);
      to[0] = dsp_sxtb16(four);
      to[4] = dsp_sxtb16_odd(four);
    }
  }
#endif
  for (; i < count; i++) conv_block_put(block, tap + i, pixel, from[i]);
}

/** One row of a window: what is inside the image copied, what is outside filled. */
static inline void conv_block_row(const struct conv_block *block, uint32_t tap, uint32_t pixel,
                                  int32_t y, int32_t x) {
  const struct plan_window_step *step = block->step;
  const uint32_t depth = step->in_c;
  const int32_t width = step->in_w;
  if (y < 0 || y >= step->in_h) {
    conv_block_fill(block, tap, pixel, step->kernel_w * depth, step->input_zero);
    return;
  }
  const int8_t *row = block->image + (uint32_t)y * step->in_w * depth;
  if (step->dilation_w == 1 && x >= 0 && x + step->kernel_w <= width) {
    conv_block_copy(block, tap, pixel, row + (uint32_t)x * depth, step->kernel_w * depth);
    return;
  }
  for (uint32_t kx = 0; kx < step->kernel_w; kx++, tap += depth, x += step->dilation_w) {
    if (x < 0 || x >= width) {
      conv_block_fill(block, tap, pixel, depth, step->input_zero);
    } else {
      conv_block_copy(block, tap, pixel, row + (uint32_t)x * depth, depth);
    }
  }
}

/** The window of the output pixel (out_y, out_x). */
static inline void conv_block_window(const struct conv_block *block, uint32_t pixel, uint32_t out_y,
                                     uint32_t out_x) {
  const struct plan_window_step *step = block->step;
  int32_t y = (int32_t)(out_y * step->stride_h) - step->pad_top;
  const int32_t x = (int32_t)(out_x * step->stride_w) - step->pad_left;
  const uint32_t row_taps = (uint32_t)step->kernel_w * step->in_c;
  uint32_t tap = 0;
  for (uint32_t ky = 0; ky < step->kernel_h; ky++, y += step->dilation_h, tap += row_taps) {
    conv_block_row(block, tap, pixel, y, x);
  }
}

#endif
