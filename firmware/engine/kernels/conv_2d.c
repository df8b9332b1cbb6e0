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

static void conv_pairs(const struct conv *conv, const int16_t *block, uint32_t count,
                       int8_t *output) {
  const uint32_t taps = kernel_round_up(conv->taps, 4u);
  const uint8_t *weights = conv->weights;
  for (uint32_t channel = 0; channel < conv->step->out_c; channel += 2, weights += 2u * taps) {
    int32_t sums[2u * SCRATCH_CONV_PIXELS];
    const int32_t low = conv->bias[channel];
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) sums[p] = low;
    conv_dot_pairs(weights, block, taps, sums);
    conv_finish(conv, sums, count, channel, output);
    if (channel + 1u == conv->step->out_c) break;
    const int32_t high = conv->bias[channel + 1u];
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
      sums[p] = fixed_add(sums[p + SCRATCH_CONV_PIXELS], high);
    }
    conv_finish(conv, sums, count, channel + 1u, output);
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

static void conv_image(const struct conv *conv, const struct conv_block *block, int8_t *output) {
  const struct plan_window_step *step = conv->step;
  const uint32_t pixels = (uint32_t)step->out_h * step->out_w;
  uint32_t y = 0;
  uint32_t x = 0;
  for (uint32_t first = 0; first < pixels; first += SCRATCH_CONV_PIXELS) {
    const uint32_t left = pixels - first;
    const uint32_t count = left < SCRATCH_CONV_PIXELS ? left : SCRATCH_CONV_PIXELS;
    for (uint32_t p = 0; p < count; p++) {
      conv_block_window(block, p, y, x);
      if (++x == step->out_w) {
        x = 0;
        y++;
      }
    }
    if (step->layout == PLAN_PAIRS) {
      conv_pairs(conv, block->values, count, output);
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
  struct conv_block block = {
      .values = (int16_t *)(void *)(engine->arena + step->scratch),
      .step = step,
      .image = kernel_read(engine, step->input),
      .by_tap = step->layout == PLAN_RUNS,
  };
  const uint32_t image_bytes = (uint32_t)step->in_h * step->in_w * step->in_c;
  const uint32_t output_bytes = (uint32_t)step->out_h * step->out_w * step->out_c;
  int8_t *output = kernel_write(engine, step->output);
  /* Taps past the last are multiplied too, by zero; what a block's missing pixels hold is not used.
   */
  memset(block.values, 0, (size_t)scratch_bytes(step));
  for (uint32_t batch = 0; batch < step->batches; batch++) {
    conv_image(&conv, &block, output);
    block.image += image_bytes;
    output += output_bytes;
  }
}
