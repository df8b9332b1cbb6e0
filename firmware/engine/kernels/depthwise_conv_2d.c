#include "../memory.h"
#include "../scratch.h"
#include "requantize.h"

/** One filling of the scratch: a channel's rows with their padding, as int16, and the outputs made
 * of it. */
struct depthwise {
  const struct plan_window_step *step;
  struct requantize requantize;
  int16_t *plane;
  uint32_t pitch;    /* of the plane, in values */
  uint32_t out_rows; /* of this band */
};

/** A row of the plane: `from` is the channel's value in column 0, or none where the row is outside.
 */
static void depthwise_fill_row(const struct depthwise *band, int16_t *to, const int8_t *from) {
  const struct plan_window_step *step = band->step;
  const int16_t zero = step->input_zero;
  uint32_t left = from == 0 ? band->pitch : step->pad_left;
  if (left > band->pitch) left = band->pitch;
  uint32_t inside = band->pitch - left;
  if (inside > step->in_w) inside = step->in_w;
  const int16_t *end = to + band->pitch;
  for (; left > 0; left--) *to++ = zero;
  for (; inside > 0; inside--, from += step->in_c) *to++ = *from;
  while (to != end) *to++ = zero;
}

/** @param image of the channel; @param first_row of the output */
static void depthwise_fill(const struct depthwise *band, const int8_t *image, uint32_t first_row) {
  const struct plan_window_step *step = band->step;
  const uint32_t rows =
      (band->out_rows - 1u) * step->stride_h + (step->kernel_h - 1u) * step->dilation_h + 1u;
  int32_t y = (int32_t)(first_row * step->stride_h) - step->pad_top;
  int16_t *to = band->plane;
  for (uint32_t row = 0; row < rows; row++, y++, to += band->pitch) {
    const int inside = y >= 0 && y < step->in_h;
    depthwise_fill_row(band, to,
                       inside ? image + (uint32_t)y * step->in_w * step->in_c : (const int8_t *)0);
  }
}

#ifdef KERNEL_DSP

static inline uint32_t depthwise_two(int8_t low, int8_t high) {
  return (uint32_t)(uint16_t)low | (uint32_t)high << 16;
}

static inline uint32_t depthwise_load(const int16_t *from) {
  uint32_t two;
  memcpy(&two, from, 4);
  return two;
}

/** The 3x3 kernel of a channel: of each row (w0, w1) and (w1, w2). */
struct depthwise_3x3 {
  uint32_t first[3], last[3];
};

static inline struct depthwise_3x3 depthwise_3x3_of(const int8_t *weights) {
  struct depthwise_3x3 kernel;
  for (uint32_t row = 0; row < 3; row++, weights += 3) {
    kernel.first[row] = depthwise_two(weights[0], weights[1]);
    kernel.last[row] = depthwise_two(weights[1], weights[2]);
  }
  return kernel;
}

/** Outputs two by two from four columns. With a stride of 1, and narrow sums. */
static void depthwise_3x3_beside(const struct depthwise *band, const struct depthwise_3x3 *kernel,
                                 int32_t bias, struct requantize_narrow narrow, int8_t *output) {
  const uint32_t stride = band->step->out_c;
  const uint32_t pitch = band->pitch;
  const int16_t *row = band->plane;
  const uint32_t row_bytes = band->step->out_w * stride;
  for (uint32_t y = band->out_rows; y > 0; y--, row += pitch) {
    const int16_t *at = row;
    const int8_t *end = output + row_bytes;
    for (;;) {
      int32_t even = bias;
      int32_t odd = bias;
      const int16_t *line = at;
      for (uint32_t ky = 0; ky < 3; ky++, line += pitch) {
        const uint32_t left = depthwise_load(line);
        const uint32_t right = depthwise_load(line + 2);
        even = dsp_smlad(left, kernel->first[ky], even);
        even = dsp_smlabt(right, kernel->last[ky], even);
        odd = dsp_smlatb(left, kernel->first[ky], odd);
        odd = dsp_smlad(right, kernel->last[ky], odd);
      }
      at += 2;
      *output = requantize_signed(even, narrow);
      output += stride;
      if (output == end) break;
      *output = requantize_signed(odd, narrow);
      output += stride;
      if (output == end) break;
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
  const struct requantize *all = &band->requantize;
  if (all->narrow && step->kernel_h == 3 && step->kernel_w == 3 && step->stride_h == 1 &&
      step->stride_w == 1 && step->dilation_h == 1 && step->dilation_w == 1) {
    const struct depthwise_3x3 kernel = depthwise_3x3_of(weights);
    depthwise_3x3_beside(band, &kernel, bias,
                         requantize_narrow_of(all->multipliers[channel * all->step],
                                              all->shifts[channel * all->step], all->zero),
                         output);
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
      for (uint32_t channel = 0; channel < step->out_c; channel++) {
        if (channel % multiplier == 0) depthwise_fill(&band, image + channel / multiplier, first);
        depthwise_channel(engine, &band, channel, output + channel);
      }
      requantize_finish(&band.requantize, output, band.out_rows * row_bytes);
      output += band.out_rows * row_bytes;
    }
    image += (uint32_t)step->in_h * step->in_w * step->in_c;
  }
}
