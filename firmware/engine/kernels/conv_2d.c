#include "conv_block.h"
#include "conv_dot.h"
#include "requantize.h"

/** What does not change from one block of pixels to the next. */
struct conv {
  const struct plan_window_step *step;
  const uint8_t *weights;
  const int32_t *bias;
  struct requantize requantize;
  uint32_t taps;
};

static void conv_finish(const struct conv *conv, const int32_t *sums, uint32_t count,
                        uint32_t channel, int8_t *output) {
  requantize_pixels(&conv->requantize, channel, sums, count, output + channel, conv->step->out_c);
}

/** Two channels (or the last one) in segments of taps. */
static void conv_pair(const struct conv *conv, struct conv_pairs *pairs, const int16_t *block,
                      uint32_t count, uint32_t channel, int8_t *output) {
  const int has_high = channel + 1u < conv->step->out_c;
  const int32_t high_bias = has_high ? conv->bias[channel + 1u] : 0;
  int32_t high[SCRATCH_CONV_PIXELS] = {high_bias, high_bias, high_bias, high_bias};
  for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) pairs->sums[p] = conv->bias[channel];
  uint32_t left = kernel_round_up(conv->taps, 4u);
  while (left > 0) {
    const uint32_t taps = left < CONV_DOT_SEGMENT ? left : CONV_DOT_SEGMENT;
    conv_dot_pairs(pairs, block, taps);
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
      high[p] = fixed_add(high[p], pairs->sums[p + SCRATCH_CONV_PIXELS]);
    }
    block += taps * SCRATCH_CONV_PIXELS;
    left -= taps;
  }
  conv_finish(conv, pairs->sums, count, channel, output);
  if (has_high) conv_finish(conv, high, count, channel + 1u, output);
}

static void conv_in_pairs(const struct conv *conv, const int16_t *block, uint32_t count,
                          int8_t *output) {
  const uint32_t channels = conv->step->out_c;
  const uint32_t taps = kernel_round_up(conv->taps, 4u);
  const struct requantize *all = &conv->requantize;
  struct conv_pairs pairs = {.weights = conv->weights};
  uint32_t channel = 0;
  if (all->narrow && all->step == 1u && count == SCRATCH_CONV_PIXELS && channels > 1u &&
      taps <= CONV_DOT_SEGMENT) {
    pairs.count = channels / 2u;
    pairs.bias = conv->bias;
    pairs.multipliers = all->multipliers;
    pairs.shifts = all->shifts;
    pairs.output = output;
    pairs.stride = channels;
    pairs.unit = requantize_unit(all->zero);
    conv_dot_pairs(&pairs, block, taps);
    channel = channels & ~1u;
  }
  for (; channel < channels; channel += 2u) {
    conv_pair(conv, &pairs, block, count, channel, output);
  }
}

static void conv_rows(const struct conv *conv, const int16_t *block, uint32_t count,
                      int8_t *output) {
  const uint32_t channels = conv->step->out_c;
  struct conv_runs runs = conv_runs_of(conv->weights, channels);
  const int8_t *dense = (const int8_t *)conv->weights;
  for (uint32_t channel = 0; channel < channels; channel++, dense += conv->taps) {
    int32_t sums[SCRATCH_CONV_PIXELS];
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) sums[p] = conv->bias[channel];
    if (conv->step->layout == PLAN_RUNS) {
      conv_dot_runs(&runs, block, sums);
    } else {
      conv_dot_dense(dense, block, conv->taps, sums);
    }
    conv_finish(conv, sums, count, channel, output);
  }
}

/** Where the next output pixel's window begins. */
struct conv_cursor {
  int32_t y, x; /* of the image */
  int32_t first_x, end_x;
  int32_t stride_h, stride_w;
};

static struct conv_cursor conv_start(const struct plan_window_step *step) {
  struct conv_cursor cursor = {
      .y = -step->pad_top,
      .x = -step->pad_left,
      .first_x = -step->pad_left,
      .end_x = step->out_w * step->stride_w - step->pad_left,
      .stride_h = step->stride_h,
      .stride_w = step->stride_w,
  };
  return cursor;
}

static void conv_next(struct conv_cursor *cursor) {
  cursor->x += cursor->stride_w;
  if (cursor->x == cursor->end_x) {
    cursor->x = cursor->first_x;
    cursor->y += cursor->stride_h;
  }
}

static void conv_image(const struct conv *conv, const struct conv_block *block, int8_t *output) {
  const struct plan_window_step *step = conv->step;
  const uint32_t pixels = (uint32_t)step->out_h * step->out_w;
  struct conv_cursor cursor = conv_start(step);
  for (uint32_t first = 0; first < pixels; first += SCRATCH_CONV_PIXELS) {
    const uint32_t left = pixels - first;
    const uint32_t count = left < SCRATCH_CONV_PIXELS ? left : SCRATCH_CONV_PIXELS;
    const int whole = count == SCRATCH_CONV_PIXELS &&
                      cursor.x + 4 * cursor.stride_w <= cursor.end_x &&
                      conv_block_four_windows(block, cursor.y, cursor.x);
    for (uint32_t p = 0; p < count; p++, conv_next(&cursor)) {
      if (!whole) conv_block_window(block, p, cursor.y, cursor.x);
    }
    if (step->layout == PLAN_PAIRS) {
      conv_in_pairs(conv, block->values, count, output);
    } else {
      conv_rows(conv, block->values, count, output);
    }
    requantize_finish(&conv->requantize, output, count * step->out_c);
    output += count * step->out_c;
  }
}

void kernel_conv_2d(const struct engine *engine, const struct plan_window_step *step) {
  const struct conv conv = {
      .step = step,
      .weights = engine->plan + step->weights,
      .bias = (const int32_t *)(const void *)(engine->plan + step->bias),
      .requantize = requantize_of(engine, step),
      .taps = kernel_taps(step),
  };
  struct conv_block block = conv_block_of(engine, step);
  const uint32_t image_bytes = (uint32_t)step->in_h * step->in_w * step->in_c;
  const uint32_t output_bytes = (uint32_t)step->out_h * step->out_w * step->out_c;
  int8_t *output = kernel_write(engine, step->output);
  for (uint32_t batch = 0; batch < step->batches; batch++) {
    conv_image(&conv, &block, output);
    block.image += image_bytes;
    output += output_bytes;
  }
}
