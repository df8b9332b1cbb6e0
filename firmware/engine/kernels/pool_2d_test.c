#include "../test.h"
#include "kernels.h"

static int32_t position(uint32_t out, uint32_t stride, uint32_t pad, uint32_t tap) {
  return (int32_t)(out * stride + tap) - (int32_t)pad;
}

/** One output, tap by tap. */
static int8_t naive(const struct plan_window_step *step, const int8_t *input, uint32_t batch,
                    uint32_t y, uint32_t x, uint32_t channel) {
  int32_t sum = 0, count = 0, max = -128;
  for (uint32_t ky = 0; ky < step->kernel_h; ky++) {
    for (uint32_t kx = 0; kx < step->kernel_w; kx++) {
      const int32_t in_y = position(y, step->stride_h, step->pad_top, ky);
      const int32_t in_x = position(x, step->stride_w, step->pad_left, kx);
      if (in_y < 0 || in_x < 0 || in_y >= step->in_h || in_x >= step->in_w) continue;
      const int32_t row = (int32_t)batch * step->in_h + in_y;
      const int32_t value = input[(row * step->in_w + in_x) * step->in_c + (int32_t)channel];
      if (value > max) max = value;
      sum += value;
      count++;
    }
  }
  const int32_t magnitude = (2 * (sum < 0 ? -sum : sum) + count) / (2 * count);
  const int32_t average = sum < 0 ? -magnitude : magnitude;
  return test_clamp(step->step.kind == PLAN_MAX_POOL_2D ? max : average, step->min, step->max);
}

static uint16_t out_size(uint32_t in, uint32_t stride, uint32_t pad) {
  return (uint16_t)test_size(1, (in + pad - 1u) / stride + 1u);
}

static struct plan_window_step random_step(void) {
  const uint32_t largest = test_chance(20) ? 24 : 5;
  struct plan_window_step step = {
      .step = {.kind = test_chance(2) ? PLAN_MAX_POOL_2D : PLAN_AVERAGE_POOL_2D},
      .batches = (uint16_t)test_size(1, 2),
      .in_h = (uint16_t)test_size(1, largest + 3u),
      .in_w = (uint16_t)test_size(1, largest + 3u),
      .in_c = (uint16_t)test_size(1, 13),
      .kernel_h = (uint8_t)test_size(1, largest),
      .kernel_w = (uint8_t)test_size(1, largest),
      .stride_h = (uint8_t)test_size(1, 4),
      .stride_w = (uint8_t)test_size(1, 4),
      .dilation_h = 1,
      .dilation_w = 1,
      .min = -128,
      .max = 127,
  };
  step.pad_top = (uint8_t)test_size(0, step.kernel_h - 1u);
  step.pad_left = (uint8_t)test_size(0, step.kernel_w - 1u);
  step.out_h = out_size(step.in_h, step.stride_h, step.pad_top);
  step.out_w = out_size(step.in_w, step.stride_w, step.pad_left);
  step.out_c = step.in_c;
  if (test_chance(3)) {
    step.min = (int8_t)test_between(-128, 127);
    step.max = (int8_t)test_between(step.min, 127);
  }
  return step;
}

/** Windows whose sums are about the greatest that 16 bits hold. */
static struct plan_window_step large_step(void) {
  struct plan_window_step step = random_step();
  step.kernel_h = (uint8_t)test_size(2, 3);
  step.kernel_w = (uint8_t)test_size(84, 132);
  step.in_h = step.kernel_h;
  step.in_w = step.kernel_w;
  step.pad_top = step.pad_left = 0;
  step.out_h = step.out_w = 1;
  return step;
}

static void check(struct plan_window_step *step) {
  const uint32_t input_bytes = (uint32_t)step->batches * step->in_h * step->in_w * step->in_c;
  const uint32_t output_bytes = (uint32_t)step->batches * step->out_h * step->out_w * step->out_c;
  int8_t *arena = test_values(input_bytes + output_bytes);
  if (test_chance(4)) {
    const int8_t extreme = test_chance(2) ? -128 : 127;
    const bool same = test_chance(2);
    for (uint32_t index = 0; index < input_bytes; index++) {
      arena[index] = same || test_chance(2) ? extreme : 127;
    }
  }
  const struct engine engine = {.arena = (uint8_t *)arena};
  step->output = input_bytes;
  if (step->step.kind == PLAN_MAX_POOL_2D) {
    kernel_max_pool_2d(&engine, step);
  } else {
    kernel_average_pool_2d(&engine, step);
  }
  const int8_t *output = arena + input_bytes;
  for (uint32_t batch = 0; batch < step->batches; batch++) {
    for (uint32_t y = 0; y < step->out_h; y++) {
      for (uint32_t x = 0; x < step->out_w; x++) {
        for (uint32_t channel = 0; channel < step->out_c; channel++) {
          EXPECT(*output++ == naive(step, arena, batch, y, x, channel));
        }
      }
    }
  }
  free(arena);
}

int main(void) {
  for (uint32_t round = 0; round < 2000; round++) {
    struct plan_window_step step = random_step();
    check(&step);
  }
  for (uint32_t round = 0; round < 1000; round++) {
    struct plan_window_step step = large_step();
    check(&step);
  }
  return test_result();
}
