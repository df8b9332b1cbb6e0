#include "check.h"
#include "memory.h"
#include "scratch.h"

/* Sizes and strides have 16 and 8 bits, so that no position in an image passes 2^25, and no count
 * of taps 2^32. */
_Static_assert(255u * 255u * 65535u < 0xfffffffcu, "kernel_taps, rounded up");

static uint32_t check_image_bytes(const struct plan_window_step *step, uint32_t height,
                                  uint32_t width, uint32_t depth) {
  return check_product(check_product(height * width, depth), step->batches);
}

/** Words of two groups whose gaps, two in a byte at most 15 each, sum up in a byte. */
#define CHECK_WORDS 8u

/** The four bytes of a word: their sum takes more than 8 bits. */
static uint32_t check_byte_sum(uint32_t bytes) {
  const uint32_t pairs = (bytes & 0x00ff00ffu) + (bytes >> 8 & 0x00ff00ffu);
  return pairs * 0x00010001u >> 16;
}

/** Sum of the gaps of so many groups. This is most of a pruned plan's set-up. */
static uint32_t check_gap_sum(const uint8_t *gaps, uint32_t groups) {
  const uint32_t nibbles = 0x0f0f0f0fu;
  uint32_t sum = 0;
  while (groups >= 2u) {
    uint32_t words = groups / 2u < CHECK_WORDS ? groups / 2u : CHECK_WORDS;
    uint32_t bytes = 0;
    groups -= 2u * words;
    for (; words > 0; words--, gaps += 4) {
      uint32_t word;
      memcpy(&word, gaps, 4);
      bytes += (word & nibbles) + (word >> 4 & nibbles);
    }
    sum += check_byte_sum(bytes);
  }
  if (groups == 0) return sum;
  const uint32_t last = gaps[0] | (uint32_t)gaps[1] << 8;
  return sum + check_byte_sum((last & nibbles) + (last >> 4 & nibbles));
}

/** That the streams are as long as the weights, and no row goes past its last tap. */
static bool check_runs(const struct check *check, const struct plan_window_step *step,
                       uint32_t taps) {
  const uint8_t *weights = check->plan + step->weights;
  const uint16_t *groups = (const uint16_t *)(const void *)weights;
  const uint16_t *end = groups + step->out_c;
  const uint32_t gaps_at = kernel_round_up(2u * step->out_c, 4);
  if (step->weights_bytes < gaps_at) return false;
  uint32_t total = 0;
  for (const uint16_t *row = groups; row != end; row++) total += *row;
  /* Six bytes a group: it cannot pass 64 bits, nor a plan's size unseen. */
  const uint64_t size_bytes =
      (uint64_t)gaps_at + ((uint64_t)total * 2u + 3u) / 4u * 4u + (uint64_t)total * 4u;
  if (size_bytes != step->weights_bytes) return false;
  const uint8_t *gaps = weights + gaps_at;
  for (; groups != end; gaps += 2u * *groups++) {
    if (check_gap_sum(gaps, *groups) >= taps) return false;
  }
  return true;
}

static bool check_weights(const struct check *check, const struct plan_window_step *step) {
  if (!check_in_plan(check, step->weights, step->weights_bytes, 4)) return false;
  if (step->step.kind == PLAN_DEPTHWISE_CONV_2D) {
    return step->layout == PLAN_DENSE &&
           step->weights_bytes == (uint32_t)step->kernel_h * step->kernel_w * step->out_c;
  }
  const uint32_t taps = kernel_taps(step);
  switch (step->layout) {
    case PLAN_DENSE:
      return step->weights_bytes == check_product(taps, step->out_c);
    case PLAN_PAIRS:
      return step->weights_bytes ==
             check_product(kernel_round_up(taps, 4), kernel_round_up(step->out_c, 2));
    case PLAN_RUNS:
      return check_runs(check, step, taps);
    default:
      return false;
  }
}

static bool check_shifts(const struct plan_window_step *step, const uint8_t *shifts,
                         uint32_t count) {
  const bool narrow = (step->step.flags & PLAN_NARROW_SUMS) != 0;
  const int32_t least = narrow ? -22 : -31;
  const uint32_t span = narrow ? 21 : 61;
  for (; count > 0; count--) {
    if ((uint32_t)((int8_t)*shifts++ - least) > span) return false;
  }
  return true;
}

/** What only a step with weights has. */
static bool check_weighted(const struct check *check, const struct plan_window_step *step) {
  const uint32_t flags = step->step.flags;
  if (flags > (PLAN_SHARED_MULTIPLIER | PLAN_NARROW_SUMS | PLAN_UNBROKEN_SUMS)) return false;
  const uint32_t count = (flags & PLAN_SHARED_MULTIPLIER) != 0 ? 1 : step->out_c;
  return check_in_plan(check, step->bias, 4u * step->out_c, 4) &&
         check_in_plan(check, step->multipliers, 4u * count, 4) &&
         check_in_plan(check, step->shifts, count, 1) &&
         check_shifts(step, check->plan + step->shifts, count) && check_weights(check, step);
}

/** That the first and the last window of a pool have a position inside the image, and with them
 * all. */
static bool check_reach(uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t pad) {
  return pad < kernel && (out - 1u) * stride < in + pad;
}

static bool check_pool(const struct plan_window_step *step) {
  return (step->weights | step->weights_bytes | step->bias | step->multipliers | step->shifts |
          step->layout) == 0 &&
         step->out_c == step->in_c && (step->dilation_h | step->dilation_w) == 1 &&
         check_reach(step->in_h, step->out_h, step->kernel_h, step->stride_h, step->pad_top) &&
         check_reach(step->in_w, step->out_w, step->kernel_w, step->stride_w, step->pad_left);
}

/** Nothing is 0, and a fully connected layer has no size but its channels. */
static bool check_sizes(const struct plan_window_step *step) {
  if (step->batches == 0 || step->in_c == 0 || step->out_c == 0 || step->in_h == 0 ||
      step->in_w == 0 || step->out_h == 0 || step->out_w == 0 || step->kernel_h == 0 ||
      step->kernel_w == 0 || step->stride_h == 0 || step->stride_w == 0 || step->dilation_h == 0 ||
      step->dilation_w == 0) {
    return false;
  }
  if (step->step.kind == PLAN_DEPTHWISE_CONV_2D) {
    return step->band_rows - 1u < step->out_h && step->out_c % step->in_c == 0;
  }
  if (step->band_rows != 0) return false;
  return step->step.kind != PLAN_FULLY_CONNECTED ||
         ((step->in_h | step->in_w | step->out_h | step->out_w | step->kernel_h | step->kernel_w |
           step->stride_h | step->stride_w | step->dilation_h | step->dilation_w) == 1 &&
          (step->pad_top | step->pad_left) == 0);
}

bool check_window(const struct check *check, const struct plan_window_step *step) {
  if (!check_sizes(step) || step->min > step->max ||
      (step->reserved[0] | step->reserved[1] | step->reserved[2]) != 0) {
    return false;
  }
  uint32_t input_bytes = check_image_bytes(step, step->in_h, step->in_w, step->in_c);
  if (step->step.kind == PLAN_FULLY_CONNECTED && step->layout == PLAN_PAIRS) {
    /* Read in words of 4, the last of the last batch too. */
    input_bytes += -(uint32_t)step->in_c & 3u;
  }
  if (!check_readable(check, step->input, input_bytes) ||
      !check_in_arena(check, step->output,
                      check_image_bytes(step, step->out_h, step->out_w, step->out_c)) ||
      (step->scratch & 3u) != 0 ||
      !check_in_arena(check, step->scratch, check_size(scratch_bytes(step)))) {
    return false;
  }
  const bool pool = step->step.kind >= PLAN_AVERAGE_POOL_2D;
  return pool ? check_pool(step) : check_weighted(check, step);
}
