/**
 * The windows of four output pixels side by side as int16, which every layout of weights multiplies
 * with. Taps outside the image hold the input's zero point; taps past the last, up to a multiple of
 * 4, are zeros.
 */
#ifndef CONV_BLOCK_H
#define CONV_BLOCK_H

#include "../scratch.h"

/** What a step says of its windows, as the loops need it. */
struct conv_block {
  int16_t *values;     /* the scratch */
  const int8_t *image; /* of the batch */
  int32_t height, width;
  uint32_t row_bytes; /* of the image */
  uint32_t depth, kernel_h, kernel_w;
  int32_t dilation_h, dilation_w;
  int32_t stride_w;
  uint32_t by_tap; /* each tap's pixels by themselves, for runs, not beside its fellow */
  int8_t zeros[4];
};

/** Where a tap of pixel 0 lies beside its fellow for SMLAD: taps 0 and 2, 1 and 3. The next
 * pixel's: 2 on. */
static inline uint32_t conv_block_beside(uint32_t tap) {
  return ((tap >> 2) * 2u + (tap & 1u)) * (2u * SCRATCH_CONV_PIXELS) + ((tap >> 1) & 1u);
}

/** For a step's first batch. */
struct conv_block conv_block_of(const struct engine *engine, const struct plan_window_step *step);

/** Fills in one pixel (0 to 3), whose window begins at (y, x) of the image or beside it. */
void conv_block_window(const struct conv_block *block, uint32_t pixel, int32_t y, int32_t x);

/**
 * Fills in all four, whose windows begin at (y, x) and each stride_w further.
 * @return 0 where it does not: beside the image, or with rows of taps that do not make groups of
 * four
 */
int conv_block_four_windows(const struct conv_block *block, int32_t y, int32_t x);

#endif
