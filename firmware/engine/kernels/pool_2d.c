#include "../fixed_point.h"
#include "../memory.h"
#include "dsp.h"
#include "kernels.h"

/** The part of a window that lies inside the image. */
struct pool_window {
  const int8_t *first; /* of channel 0 */
  uint32_t rows, columns;
  uint32_t depth;     /* between two columns */
  uint32_t row_bytes; /* between two rows */
};

/** All channels of an output pixel. */
typedef void pool_pixel(const struct pool_window *window, int8_t *output);

/** Rounded to the nearest, halves away from zero. */
static int8_t pool_divide(int32_t sum, int32_t count) {
  const int32_t half = count / 2;
  return (int8_t)((sum > 0 ? sum + half : sum - half) / count);
}

/** Channels from `channel` on. */
static void pool_average_from(const struct pool_window *window, uint32_t channel, int8_t *output) {
  const uint32_t columns_bytes = window->columns * window->depth;
  const int32_t count = (int32_t)(window->rows * window->columns);
  for (; channel < window->depth; channel++) {
    const int8_t *row = window->first + channel;
    int32_t sum = 0;
    for (uint32_t y = 0; y < window->rows; y++) {
      const int8_t *values = row + y * window->row_bytes;
      for (uint32_t at = 0; at < columns_bytes; at += window->depth) sum += values[at];
    }
    output[channel] = pool_divide(sum, count);
  }
}

static void pool_max_from(const struct pool_window *window, uint32_t channel, int8_t *output) {
  const uint32_t columns_bytes = window->columns * window->depth;
  for (; channel < window->depth; channel++) {
    const int8_t *row = window->first + channel;
    int8_t max = -128;
    for (uint32_t y = 0; y < window->rows; y++) {
      const int8_t *values = row + y * window->row_bytes;
      for (uint32_t at = 0; at < columns_bytes; at += window->depth) {
        if (values[at] > max) max = values[at];
      }
    }
    output[channel] = max;
  }
}

#ifdef KERNEL_DSP

/** Channels at once. */
#define POOL_LANES 4u
/** As many values as sum up in 16 bits. */
#define POOL_NARROW_COUNT 255u

/** Adds the bytes 0 and 2 of `four` to two int16. */
static inline uint32_t pool_add_even(uint32_t sums, uint32_t four) {
  uint32_t to;
  __asm__("sxtab16 %0, %1, %2" : "=r"(to) : "r"(sums), "r"(four));
  return to;
}

/** The bytes 1 and 3. */
static inline uint32_t pool_add_odd(uint32_t sums, uint32_t four) {
  uint32_t to;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(to) : "r"(sums), "r"(four));
  return to;
}

/** Of each of four int8 the greater one. */
static inline uint32_t pool_greater(uint32_t a, uint32_t b) {
  uint32_t to;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(to) : "r"(a), "r"(b) : "cc");
  return to;
}

static inline uint32_t pool_load(const int8_t *from) {
  uint32_t four;
  memcpy(&four, from, 4);
  return four;
}

static void pool_average(const struct pool_window *window, int8_t *output) {
  const uint32_t depth = window->depth;
  const uint32_t rows = window->rows;
  const uint32_t count = rows * window->columns;
  const uint32_t columns_bytes = window->columns * depth;
  uint32_t channel = 0;
  for (; count <= POOL_NARROW_COUNT && depth - channel >= POOL_LANES; channel += POOL_LANES) {
    uint32_t even = 0, odd = 0;
    uint32_t row = channel;
    for (uint32_t y = rows; y > 0; y--, row += window->row_bytes) {
      const int8_t *values = window->first + row;
      for (uint32_t at = 0; at < columns_bytes; at += depth) {
        const uint32_t four = pool_load(values + at);
        even = pool_add_even(even, four);
        odd = pool_add_odd(odd, four);
      }
    }
    output[channel] = pool_divide((int16_t)even, (int32_t)count);
    output[channel + 1u] = pool_divide((int16_t)odd, (int32_t)count);
    output[channel + 2u] = pool_divide((int32_t)even >> 16, (int32_t)count);
    output[channel + 3u] = pool_divide((int32_t)odd >> 16, (int32_t)count);
  }
  pool_average_from(window, channel, output);
}

static void pool_max(const struct pool_window *window, int8_t *output) {
  const uint32_t depth = window->depth;
  const uint32_t rows = window->rows;
  const uint32_t columns_bytes = window->columns * depth;
  uint32_t channel = 0;
  for (; depth - channel >= POOL_LANES; channel += POOL_LANES) {
    uint32_t max = 0x80808080u;
    uint32_t row = channel;
    for (uint32_t y = rows; y > 0; y--, row += window->row_bytes) {
      const int8_t *values = window->first + row;
      for (uint32_t at = 0; at < columns_bytes; at += depth) {
        max = pool_greater(max, pool_load(values + at));
      }
    }
    memcpy(output + channel, &max, 4);
  }
  pool_max_from(window, channel, output);
}

#else

static void pool_average(const struct pool_window *window, int8_t *output) {
  pool_average_from(window, 0, output);
}

static void pool_max(const struct pool_window *window, int8_t *output) {
  pool_max_from(window, 0, output);
}

#endif

/** Along one dimension: where the window begins in the image, and how far it reaches. */
static uint32_t pool_clip(uint32_t origin, uint32_t pad, uint32_t kernel, uint32_t size,
                          uint32_t *count) {
  const uint32_t first = origin < pad ? 0 : origin - pad;
  const uint32_t end = origin + kernel - pad;
  *count = (end < size ? end : size) - first;
  return first;
}

static void pool_clamp(const struct plan_window_step *step, int8_t *output) {
  if (step->min == -128 && step->max == 127) return;
  for (uint32_t channel = 0; channel < step->in_c; channel++) {
    output[channel] = (int8_t)fixed_clamp(output[channel], step->min, step->max);
  }
}

static void pool_2d(const struct engine *engine, const struct plan_window_step *step,
                    pool_pixel *pixel) {
  const uint32_t depth = step->in_c;
  const uint32_t row_bytes = step->in_w * depth;
  struct pool_window window = {.depth = depth, .row_bytes = row_bytes};
  const int8_t *image = kernel_read(engine, step->input);
  int8_t *output = kernel_write(engine, step->output);
  for (uint32_t batch = 0; batch < step->batches; batch++, image += step->in_h * row_bytes) {
    for (uint32_t out_y = 0; out_y < step->out_h; out_y++) {
      const uint32_t y = pool_clip(out_y * step->stride_h, step->pad_top, step->kernel_h,
                                   step->in_h, &window.rows);
      for (uint32_t out_x = 0; out_x < step->out_w; out_x++, output += depth) {
        const uint32_t x = pool_clip(out_x * step->stride_w, step->pad_left, step->kernel_w,
                                     step->in_w, &window.columns);
        window.first = image + y * row_bytes + x * depth;
        pixel(&window, output);
        pool_clamp(step, output);
      }
    }
  }
}

/** Of both: tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h. */
void kernel_average_pool_2d(const struct engine *engine, const struct plan_window_step *step) {
  pool_2d(engine, step, pool_average);
}

void kernel_max_pool_2d(const struct engine *engine, const struct plan_window_step *step) {
  pool_2d(engine, step, pool_max);
}
