#include "../memory.h"
#include "../scratch.h"
#include "depthwise_3x3.h"
#include "requantize.h"

/** What is made of one filling of the scratch: a channel's rows with their padding, as int16. */
struct depthwise {
  const struct plan_window_step *step;
  struct requantize requantize;
  int16_t *plane;
  uint32_t pitch;    /* of the plane, in values */
  uint32_t out_rows; /* of this band */
  /* What of the image is in this band: from its row first_y on, at `inside` in the plane. */
  int16_t *inside;
  uint32_t first_y, rows, columns;
};

/** @param distance from one window to the next, @param reach how far a window reaches past its
 * first tap */
static uint32_t depthwise_extent(uint32_t count, uint32_t distance, uint32_t kernel,
                                 uint32_t dilation) {
  return (count - 1u) * distance + (kernel - 1u) * dilation + 1u;
}

static uint32_t depthwise_least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/** Starts on the band from an output row on: fills it with padding, and finds what is inside. */
static void depthwise_start(struct depthwise *band, uint32_t first_row) {
  const struct plan_window_step *step = band->step;
  const uint32_t rows =
      depthwise_extent(band->out_rows, step->stride_h, step->kernel_h, step->dilation_h);
  const uint32_t values = rows * band->pitch;
  for (uint32_t i = 0; i < values; i++) band->plane[i] = step->input_zero;
  const uint32_t y = first_row * step->stride_h;
  const uint32_t above = y < step->pad_top ? depthwise_least(step->pad_top - y, rows) : 0;
  band->first_y = y < step->pad_top ? 0 : depthwise_least(y - step->pad_top, step->in_h);
  band->rows = depthwise_least(rows - above, step->in_h - band->first_y);
  const uint32_t left = depthwise_least(step->pad_left, band->pitch);
  band->columns = depthwise_least(band->pitch - left, step->in_w);
  band->inside = band->plane + above * band->pitch + left;
}

/** @param image the channel's first value */
static void depthwise_fill(const struct depthwise *band, const int8_t *image) {
  const uint32_t depth = band->step->in_c;
  const uint32_t row_bytes = band->step->in_w * depth;
  const uint32_t columns = band->columns;
  const int8_t *row = image + band->first_y * row_bytes;
  int16_t *to_row = band->inside;
  for (uint32_t y = band->rows; y > 0; y--, row += row_bytes, to_row += band->pitch) {
    const int8_t *from = row;
    int16_t *to = to_row;
    for (const int16_t *end = to + columns; to != end; from += depth) *to++ = *from;
  }
}

#ifdef KERNEL_DSP

/** Pairs of taps that a channel's kernel may have to be multiplied two by two: 5x5 has 15, 7x7
 * has 28. */
#define DEPTHWISE_MAX_PAIRS 32u

static inline uint32_t depthwise_two(int8_t low, int8_t high) {
  return (uint32_t)(uint16_t)low | (uint32_t)high << 16;
}

static int depthwise_is_3x3(const struct depthwise *band) {
  const struct plan_window_step *step = band->step;
  return band->requantize.narrow && step->kernel_h == 3 && step->kernel_w == 3 &&
         step->stride_w <= 2 && step->dilation_h == 1 && step->dilation_w == 1;
}

static void depthwise_by_3x3(const struct depthwise *band, const int8_t *weights, int32_t bias,
                             uint32_t channel, int8_t *output) {
  const struct plan_window_step *step = band->step;
  struct depthwise_3x3 run = {
      .row = band->plane,
      .pitch_bytes = band->pitch * 2u,
      .output = output,
      .stride = step->out_c,
      .row_bytes = (uint32_t)step->out_w * step->out_c,
      .rows = band->out_rows,
      .row_step = step->stride_h * band->pitch * 2u,
      .bias = {bias, bias},
      .narrow = requantize_channel(&band->requantize, channel),
  };
  for (uint32_t row = 0; row < 3; row++, weights += 3) {
    run.weights[2u * row] = depthwise_two(weights[0], weights[1]);
    run.weights[2u * row + 1u] = depthwise_two(weights[1], weights[2]);
  }
  if (step->stride_w == 1) {
    depthwise_3x3_by_one(&run);
  } else {
    depthwise_3x3_by_two(&run);
  }
}

static uint32_t depthwise_row_pairs(const struct depthwise *band) {
  return (band->step->kernel_w + 1u) / 2u;
}

static int depthwise_is_in_pairs(const struct depthwise *band) {
  return band->step->dilation_w == 1 &&
         band->step->kernel_h * depthwise_row_pairs(band) <= DEPTHWISE_MAX_PAIRS;
}

/** Taps two by two; an odd row's last has a fellow of 0. */
static void depthwise_pack(const struct depthwise *band, const int8_t *weights, uint32_t *to) {
  const uint32_t width = band->step->kernel_w;
  for (uint32_t ky = band->step->kernel_h; ky > 0; ky--, weights += width) {
    uint32_t kx = 0;
    for (; kx + 1u < width; kx += 2) *to++ = depthwise_two(weights[kx], weights[kx + 1u]);
    if (kx < width) *to++ = depthwise_two(weights[kx], 0);
  }
}

/** Any kernel of few taps side by side. */
static void depthwise_in_pairs(const struct depthwise *band, const int8_t *weights, int32_t bias,
                               uint32_t channel, int8_t *output) {
  const struct plan_window_step *step = band->step;
  const uint32_t row_pairs = depthwise_row_pairs(band);
  const uint32_t line_step = step->dilation_h * band->pitch - 2u * row_pairs;
  uint32_t packed[DEPTHWISE_MAX_PAIRS];
  depthwise_pack(band, weights, packed);
  const uint32_t *packed_end = packed + step->kernel_h * row_pairs;
  const int16_t *row = band->plane;
  for (uint32_t y = 0; y < band->out_rows; y++, row += step->stride_h * band->pitch) {
    const int16_t *at = row;
    for (uint32_t x = 0; x < step->out_w; x++, at += step->stride_w, output += step->out_c) {
      int32_t sum = bias;
      const int16_t *values = at;
      for (const uint32_t *pair = packed; pair != packed_end; values += line_step) {
        for (const uint32_t *end = pair + row_pairs; pair != end; values += 2) {
          uint32_t two;
          memcpy(&two, values, 4);
          sum = dsp_smlad(two, *pair++, sum);
        }
      }
      *output = requantize_one(&band->requantize, channel, sum);
    }
  }
}

#endif

/** Any kernel, stride and dilation. */
static void depthwise_any(const struct depthwise *band, const int8_t *weights, int32_t bias,
                          uint32_t channel, int8_t *output) {
  const struct plan_window_step *step = band->step;
  const int16_t *row = band->plane;
  for (uint32_t y = 0; y < band->out_rows; y++, row += step->stride_h * band->pitch) {
    const int16_t *at = row;
    for (uint32_t x = 0; x < step->out_w; x++, at += step->stride_w, output += step->out_c) {
      int32_t sum = bias;
      const int8_t *weight = weights;
      const int16_t *line = at;
      for (uint32_t ky = 0; ky < step->kernel_h; ky++, line += step->dilation_h * band->pitch) {
        const int16_t *value = line;
        for (uint32_t kx = 0; kx < step->kernel_w; kx++, value += step->dilation_w) {
          sum = fixed_add(sum, *weight++ * *value);
        }
      }
      *output = requantize_one(&band->requantize, channel, sum);
    }
  }
}

static void depthwise_channel(const struct engine *engine, const struct depthwise *band,
                              uint32_t channel, int8_t *output) {
  const struct plan_window_step *step = band->step;
  const int8_t *weights =
      (const int8_t *)engine->plan + step->weights + channel * step->kernel_h * step->kernel_w;
  const int32_t bias = ((const int32_t *)(const void *)(engine->plan + step->bias))[channel];
#ifdef KERNEL_DSP
  if (depthwise_is_3x3(band)) {
    depthwise_by_3x3(band, weights, bias, channel, output);
    return;
  }
  if (depthwise_is_in_pairs(band)) {
    depthwise_in_pairs(band, weights, bias, channel, output);
    return;
  }
#endif
  depthwise_any(band, weights, bias, channel, output);
}

void kernel_depthwise_conv_2d(const struct engine *engine, const struct plan_window_step *step) {
  struct depthwise band = {
      .step = step,
      .requantize = requantize_of(engine, step),
      .plane = (int16_t *)(void *)(engine->arena + step->scratch),
      .pitch = scratch_pitch(step),
  };
  const int8_t *image = kernel_read(engine, step->input);
  int8_t *output = kernel_write(engine, step->output);
  const uint32_t multiplier = step->out_c / step->in_c;
  const uint32_t row_bytes = (uint32_t)step->out_w * step->out_c;
  for (uint32_t batch = 0; batch < step->batches; batch++) {
    for (uint32_t first = 0; first < step->out_h; first += step->band_rows) {
      const uint32_t left = step->out_h - first;
      band.out_rows = left < step->band_rows ? left : step->band_rows;
      depthwise_start(&band, first);
      for (uint32_t channel = 0; channel < step->out_c; channel++) {
        if (channel % multiplier == 0) depthwise_fill(&band, image + channel / multiplier);
        depthwise_channel(engine, &band, channel, output + channel);
      }
      requantize_finish(&band.requantize, output, band.out_rows * row_bytes);
      output += band.out_rows * row_bytes;
    }
    image += (uint32_t)step->in_h * step->in_w * step->in_c;
  }
}
