#include "conv_block.h"
#include "conv_pairs.h"
#include "conv_runs.h"
#include "requantize.h"

/** What does not change from one block of pixels to the next. */
struct conv {
  const struct plan_window_step *step;
  const uint8_t *weights;
  const int32_t *bias;
  struct requantize requantize;
  uint32_t taps;
  struct conv_runs runs; /* where those of PLAN_RUNS begin */
};

/** Where a block's outputs go: so many of its four pixels, from the first one's first channel on.
 */
struct conv_output {
  int8_t *values;
  uint32_t count;
};

static void conv_finish(const struct conv *conv, const int32_t *sums, uint32_t channel,
                        struct conv_output output) {
  requantize_pixels(&conv->requantize, channel, sums, output.count, output.values + channel,
                    conv->step->out_c);
}

static void conv_start_sums(int32_t *sums, int32_t bias) {
  for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) sums[p] = bias;
}

/** Whether all four pixels' channels can be worked out at once. */
static int conv_is_whole(const struct conv *conv, struct conv_output output) {
  return conv->requantize.narrow && conv->requantize.step == 1u &&
         output.count == SCRATCH_CONV_PIXELS;
}

static struct conv_task conv_task_of(const struct conv *conv, const int16_t *block,
                                     struct conv_output output) {
  const struct conv_task task = {
      .block = block,
      .bias = conv->bias,
      .multipliers = conv->requantize.multipliers,
      .shifts = conv->requantize.shifts,
      .output = output.values,
      .stride = conv->step->out_c,
      .unit = requantize_unit(conv->requantize.zero),
  };
  return task;
}

/** Two channels (or the last one) in segments of taps. */
static void conv_pair(const struct conv *conv, struct conv_task *task, const int16_t *block,
                      uint32_t channel, struct conv_output output) {
  const int has_high = channel + 1u < conv->step->out_c;
  int32_t high[SCRATCH_CONV_PIXELS];
  conv_start_sums(task->sums, conv->bias[channel]);
  conv_start_sums(high, has_high ? conv->bias[channel + 1u] : 0);
  uint32_t left = kernel_round_up(conv->taps, 4u);
  const uint32_t segment = conv_pairs_segment(conv->step, left);
  task->block = block;
  while (left > 0) {
    const uint32_t taps = left < segment ? left : segment;
    conv_pairs(task, taps);
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
      high[p] = fixed_add(high[p], task->sums[p + SCRATCH_CONV_PIXELS]);
    }
    task->block += taps * SCRATCH_CONV_PIXELS;
    left -= taps;
  }
  conv_finish(conv, task->sums, channel, output);
  if (has_high) conv_finish(conv, high, channel + 1u, output);
}

static void conv_in_pairs(const struct conv *conv, const int16_t *block,
                          struct conv_output output) {
  const uint32_t channels = conv->step->out_c;
  const uint32_t taps = kernel_round_up(conv->taps, 4u);
  struct conv_task task = conv_task_of(conv, block, output);
  uint32_t channel = 0;
  task.pair_weights = conv->weights;
  if (conv_is_whole(conv, output) && channels > 1u &&
      taps == conv_pairs_segment(conv->step, taps)) {
    task.count = channels / 2u;
    conv_pairs(&task, taps);
    channel = channels & ~1u;
  }
  for (; channel < channels; channel += 2u) conv_pair(conv, &task, block, channel, output);
}

static void conv_in_runs(const struct conv *conv, const int16_t *block, struct conv_output output) {
  const uint32_t channels = conv->step->out_c;
  struct conv_task task = conv_task_of(conv, block, output);
  task.runs = conv->runs;
  if (conv_is_whole(conv, output)) {
    task.count = channels;
    conv_runs(&task);
    return;
  }
  for (uint32_t channel = 0; channel < channels; channel++) {
    conv_start_sums(task.sums, conv->bias[channel]);
    conv_runs(&task);
    conv_finish(conv, task.sums, channel, output);
  }
}

static void conv_in_rows(const struct conv *conv, const int16_t *block, struct conv_output output) {
  const int8_t *weights = (const int8_t *)conv->weights;
  for (uint32_t channel = 0; channel < conv->step->out_c; channel++) {
    int32_t sums[SCRATCH_CONV_PIXELS];
    conv_start_sums(sums, conv->bias[channel]);
    for (uint32_t tap = 0; tap < conv->taps; tap++) {
      const int32_t weight = *weights++;
      const int16_t *values = block + conv_block_beside(tap);
      for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
        sums[p] = fixed_add(sums[p], weight * values[2u * p]);
      }
    }
    conv_finish(conv, sums, channel, output);
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

/** The windows of a block's pixels, from where the cursor is. */
static void conv_fill(const struct conv_block *block, struct conv_cursor *cursor, uint32_t count) {
  const int whole = count == SCRATCH_CONV_PIXELS &&
                    cursor->x + 4 * cursor->stride_w <= cursor->end_x &&
                    conv_block_four_windows(block, cursor->y, cursor->x);
  for (uint32_t p = 0; p < count; p++, conv_next(cursor)) {
    if (!whole) conv_block_window(block, p, cursor->y, cursor->x);
  }
}

static void conv_image(const struct conv *conv, const struct conv_block *block, int8_t *values) {
  const struct plan_window_step *step = conv->step;
  const uint32_t pixels = (uint32_t)step->out_h * step->out_w;
  struct conv_cursor cursor = conv_start(step);
  for (uint32_t first = 0; first < pixels; first += SCRATCH_CONV_PIXELS) {
    const uint32_t left = pixels - first;
    const uint32_t count = left < SCRATCH_CONV_PIXELS ? left : SCRATCH_CONV_PIXELS;
    const struct conv_output output = {values, count};
    conv_fill(block, &cursor, count);
    if (step->layout == PLAN_PAIRS) {
      conv_in_pairs(conv, block->values, output);
    } else if (step->layout == PLAN_RUNS) {
      conv_in_runs(conv, block->values, output);
    } else {
      conv_in_rows(conv, block->values, output);
    }
    requantize_finish(&conv->requantize, values, count * step->out_c);
    values += count * step->out_c;
  }
}

void kernel_conv_2d(const struct engine *engine, const struct plan_window_step *step) {
  struct conv conv = {
      .step = step,
      .weights = engine->plan + step->weights,
      .bias = (const int32_t *)(const void *)(engine->plan + step->bias),
      .requantize = requantize_of(engine, step),
      .taps = kernel_taps(step),
  };
  if (step->layout == PLAN_RUNS) conv.runs = conv_runs_of(conv.weights, step->out_c);
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
