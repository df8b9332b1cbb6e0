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

/** One value for so many channels of a window, from `channel` on. */
typedef void pool_reduce(const struct pool_window *window, uint32_t channel, int8_t *output);

/** Rounded to the nearest, halves away from zero. */
static int8_t pool_divide(int32_t sum, int32_t count) {
  const int32_t half = count / 2;
  return (int8_t)((sum > 0 ? sum + half : sum - half) / count);
}

static void pool_average(const struct pool_window *window, uint32_t channel, int8_t *output) {
  const int8_t *row = window->first + channel;
  const uint32_t columns_bytes = window->columns * window->depth;
  int32_t sum = 0;
  for (uint32_t y = 0; y < window->rows; y++) {
    const int8_t *values = row + y * window->row_bytes;
    for (uint32_t at = 0; at < columns_bytes; at += window->depth) sum += values[at];
  }
  *output = pool_divide(sum, (int32_t)(window->rows * window->columns));
}

static void pool_max(const struct pool_window *window, uint32_t channel, int8_t *output) {
  const int8_t *row = window->first + channel;
  const uint32_t columns_bytes = window->columns * window->depth;
  int8_t max = -128;
  for (uint32_t y = 0; y < window->rows; y++) {
    const int8_t *values = row + y * window->row_bytes;
    for (uint32_t at = 0; at < columns_bytes; at += window->depth) {
      if (values[at] > max) max = values[at];
    }
  }
  *output = max;
}

#ifdef KERNEL_DSP

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

static uint32_t pool_load(const int8_t *from) {
  uint32_t four;
  memcpy(&four, from, 4);
  return four;
}

static void pool_average_four(const struct pool_window *window, uint32_t channel, int8_t *output) {
  const uint32_t count = window->rows * window->columns;
  if (count > POOL_NARROW_COUNT) {
    for (uint32_t lane = 0; lane < POOL_LANES; lane++) {
      pool_average(window, channel + lane, output + lane);
    }
    return;
  }
  const int8_t *row = window->first + channel;
  const uint32_t columns_bytes = window->columns * window->depth;
  uint32_t even = 0, odd = 0;
  for (uint32_t y = 0; y < window->rows; y++) {
    const int8_t *values = row + y * window->row_bytes;
    for (uint32_t at = 0; at < columns_bytes; at += window->depth) {
      const uint32_t four = pool_load(values + at);
      even = pool_add_even(even, four);
      odd = pool_add_odd(odd, four);
    }
  }
  output[0] = pool_divide((int16_t)even, (int32_t)count);
  output[1] = pool_divide((int16_t)odd, (int32_t)count);
  output[2] = pool_divide((int32_t)even >> 16, (int32_t)count);
  output[3] = pool_divide((int32_t)odd >> 16, (int32_t)count);
}

static void pool_max_four(const struct pool_window *window, uint32_t channel, int8_t *output) {
  const int8_t *row = window->first + channel;
  const uint32_t columns_bytes = window->columns * window->depth;
  uint32_t max = 0x80808080u;
  for (uint32_t y = 0; y < window->rows; y++) {
    const int8_t *values = row + y * window->row_bytes;
    for (uint32_t at = 0; at < columns_bytes; at += window->depth) {
      max = pool_greater(max, pool_load(values + at));
    }
  }
  memcpy(output, &max, 4);
}

#else

#define POOL_LANES 1u
#define pool_average_four pool_average
#define pool_max_four pool_max

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
                    pool_reduce *one, pool_reduce *four) {
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
        uint32_t channel = 0;
        for (; depth - channel >= POOL_LANES; channel += POOL_LANES) {
          four(&window, channel, output + channel);
        }
        for (; channel < depth; channel++) one(&window, channel, output + channel);
        pool_clamp(step, output);
      }
    }
  }
}

/** Of both: tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h. */
void kernel_average_pool_2d(const struct engine *engine, const struct plan_window_step *step) {
  pool_2d(engine, step, pool_average, pool_average_four);
}

void kernel_max_pool_2d(const struct engine *engine, const struct plan_window_step *step) {
  pool_2d(engine, step, pool_max, pool_max_four);
}
