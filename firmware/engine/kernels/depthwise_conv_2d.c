#include <stddef.h>

#include "../scratch.h"
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

/** A 3x3 kernel with a stride of 1 over a band; depthwise_3x3_run reads it by offsets. */
struct depthwise_3x3 {
  const int16_t *row; /* moved on */
  uint32_t pitch_bytes;
  int8_t *output;
  uint32_t stride;
  uint32_t row_bytes; /* of the outputs, to the next row */
  uint32_t rows;      /* counted down */
  int32_t bias[2];    /* the same twice */
  struct requantize_narrow narrow;
  uint32_t weights[6]; /* of each row (w0, w1) and (w1, w2) */
};

/*
 * Two outputs beside each other from four columns: (v0, v1) times (w0, w1) and v2 times w2 is the
 * one, v1 times w0 and (v2, v3) times (w1, w2) the other. r0 the first column, r1 a row of it, r2
 * and r3 values, r4-r9 weights, r10 and r11 sums, r12 the pitch, lr the output. An odd row's last
 * output is one of two, of which the other is not kept.
 */
#define DEPTHWISE_ROW(at, first, last) \
  "ldrd r2, r3, [" at                  \
  "]\n\t"                              \
  "smlad r10, r2, " first              \
  ", r10\n\t"                          \
  "smlatb r11, r2, " first             \
  ", r11\n\t"                          \
  "smlabt r10, r3, " last              \
  ", r10\n\t"                          \
  "smlad r11, r3, " last ", r11\n\t"

/** As requantize_signed: r1 the multiplier, r2 the offset, r3 the shift. */
#define DEPTHWISE_REQUANTIZE(sum) \
  "add " sum ", " sum ", " sum    \
  "\n\t"                          \
  "smmulr " sum ", " sum          \
  ", r1\n\t"                      \
  "add " sum ", " sum ", " sum    \
  ", asr #31\n\t"                 \
  "add " sum ", " sum             \
  ", r2\n\t"                      \
  "asr " sum ", " sum             \
  ", r3\n\t"                      \
  "ssat " sum ", #8, " sum "\n\t"

#define DEPTHWISE_AT(field) [field] "i"(offsetof(struct depthwise_3x3, field))

/** The stack: bias twice, stride, the end of the outputs' row, multiplier, offset, shift, the
 * structure. */
__attribute__((naked, noinline)) static void depthwise_3x3_run(struct depthwise_3x3 *run
                                                               __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "sub sp, sp, #32\n\t"
      "mov r1, r0\n\t"
      "str r1, [sp, #28]\n\t"
      "add r2, r1, %[bias]\n\t"
      "ldm r2, {r4-r8}\n\t"
      "strd r4, r5, [sp]\n\t"
      "strd r6, r7, [sp, #16]\n\t"
      "str r8, [sp, #24]\n\t"
      "ldr r2, [r1, %[stride]]\n\t"
      "str r2, [sp, #8]\n\t"
      "add r2, r1, %[weights]\n\t"
      "ldm r2, {r4-r9}\n\t"
      "ldm r1, {r0, r12, lr}\n"
      "1:\n\t"
      "ldr r2, [r1, %[row_bytes]]\n\t"
      "add r2, r2, lr\n\t"
      "str r2, [sp, #12]\n"
      "2:\n\t"
      "ldrd r10, r11, [sp]\n\t" DEPTHWISE_ROW("r0", "r4", "r5")
      "add r1, r0, r12\n\t" DEPTHWISE_ROW("r1", "r6", "r7")
      "add r1, r1, r12\n\t" DEPTHWISE_ROW("r1", "r8", "r9")
      "ldrd r1, r2, [sp, #16]\n\t"
      "ldr r3, [sp, #24]\n\t" DEPTHWISE_REQUANTIZE("r10") DEPTHWISE_REQUANTIZE("r11")
      "ldrd r1, r2, [sp, #8]\n\t"
      "strb r10, [lr]\n\t"
      "add lr, lr, r1\n\t"
      "cmp lr, r2\n\t"
      "beq 3f\n\t"
      "strb r11, [lr]\n\t"
      "add lr, lr, r1\n\t"
      "adds r0, r0, #4\n\t"
      "cmp lr, r2\n\t"
      "bne 2b\n"
      "3:\n\t"
      "ldr r1, [sp, #28]\n\t"
      "ldr r0, [r1]\n\t"
      "ldr r2, [r1, %[rows]]\n\t"
      "add r0, r0, r12\n\t"
      "str r0, [r1]\n\t"
      "subs r2, r2, #1\n\t"
      "str r2, [r1, %[rows]]\n\t"
      "bne 1b\n\t"
      "add sp, sp, #32\n\t"
      "pop {r4-r11, pc}\n"
      :
      : DEPTHWISE_AT(bias), DEPTHWISE_AT(weights), DEPTHWISE_AT(stride), DEPTHWISE_AT(row_bytes),
        DEPTHWISE_AT(rows));
}

/** What depthwise_3x3_run loads together. */
_Static_assert(offsetof(struct depthwise_3x3, output) == 8, "depthwise_3x3_run");
_Static_assert(offsetof(struct depthwise_3x3, weights) == offsetof(struct depthwise_3x3, bias) + 20,
               "depthwise_3x3_run");

static inline uint32_t depthwise_two(int8_t low, int8_t high) {
  return (uint32_t)(uint16_t)low | (uint32_t)high << 16;
}

/** Whether the step is one for it. */
static int depthwise_is_3x3(const struct depthwise *band) {
  const struct plan_window_step *step = band->step;
  return band->requantize.narrow && step->kernel_h == 3 && step->kernel_w == 3 &&
         step->stride_h == 1 && step->stride_w == 1 && step->dilation_h == 1 &&
         step->dilation_w == 1;
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
      .bias = {bias, bias},
      .narrow = requantize_channel(&band->requantize, channel),
  };
  for (uint32_t row = 0; row < 3; row++, weights += 3) {
    run.weights[2u * row] = depthwise_two(weights[0], weights[1]);
    run.weights[2u * row + 1u] = depthwise_two(weights[1], weights[2]);
  }
  depthwise_3x3_run(&run);
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
