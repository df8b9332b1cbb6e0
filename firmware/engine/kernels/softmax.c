#include "../fixed_point.h"
#include "kernels.h"

/*
 * Softmax of tensorflow/lite/kernels/internal/reference/softmax.h with the exp and the division of
 * gemmlowp fixedpoint/fixedpoint.h. A number with n integer bits is an int32 that stands for
 * raw / 2^(31 - n); "Q0" has none.
 */

/** Integer bits of differences from the maximum, and of the sum of exps. */
#define SOFTMAX_DIFFERENCE_BITS 5
#define SOFTMAX_SUM_BITS 12
/** 31 fractional bits to the 8 of the output. */
#define SOFTMAX_OUTPUT_SHIFT (31 - 8)

#define SOFTMAX_QUARTER (1 << (31 - SOFTMAX_DIFFERENCE_BITS - 2))

#define SOFTMAX_ONE_Q0 INT32_MAX
#define SOFTMAX_ONE_Q2 (1 << 29)
#define SOFTMAX_EIGHTH_Q0 (1 << 28)
#define SOFTMAX_THIRD_Q0 715827883
/** exp(-1/8), around which exp is expanded. */
#define SOFTMAX_EXP_MINUS_EIGHTH_Q0 1895147668
/** Newton's division begins with 48/17 - 32/17 d. */
#define SOFTMAX_48_17_Q2 1515870810
#define SOFTMAX_MINUS_32_17_Q2 (-1010580540)
#define SOFTMAX_NEWTON_STEPS 3

static int32_t softmax_shift_left(int32_t x, uint32_t exponent) {
  const int32_t threshold = (int32_t)((1u << (31u - exponent)) - 1u);
  if (x > threshold) return INT32_MAX;
  return x < -threshold ? INT32_MIN : (int32_t)((uint32_t)x << exponent);
}

/** exp(a) for a in [-1/4, 0), both in Q0. */
static int32_t softmax_exp_of_last_quarter(int32_t a) {
  const int32_t x = a + SOFTMAX_EIGHTH_Q0;
  const int32_t x2 = fixed_doubling_high_multiply(x, x);
  const int32_t x3 = fixed_doubling_high_multiply(x2, x);
  const int32_t x4 = fixed_doubling_high_multiply(x2, x2);
  const int32_t cubic =
      fixed_doubling_high_multiply(fixed_rounding_divide(x4, 2) + x3, SOFTMAX_THIRD_Q0);
  const int32_t tail = fixed_rounding_divide(cubic + x2, 1);
  return SOFTMAX_EXP_MINUS_EIGHTH_Q0 +
         fixed_doubling_high_multiply(x + tail, SOFTMAX_EXP_MINUS_EIGHTH_Q0);
}

/** exp(a) in Q0 for a <= 0 with SOFTMAX_DIFFERENCE_BITS. */
static int32_t softmax_exp(int32_t a) {
  /* exp(-2^k) for k from -2 to 4, in Q0. */
  static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308,
                                   39332535,   720401,     242};
  if (a == 0) return SOFTMAX_ONE_Q0;
  const int32_t reduced = (a & (SOFTMAX_QUARTER - 1)) - SOFTMAX_QUARTER;
  int32_t result =
      softmax_exp_of_last_quarter((int32_t)((uint32_t)reduced << SOFTMAX_DIFFERENCE_BITS));
  uint32_t quarters = (uint32_t)fixed_subtract(reduced, a) / SOFTMAX_QUARTER;
  for (uint32_t index = 0; index < sizeof powers / sizeof *powers; index++, quarters >>= 1) {
    if ((quarters & 1u) != 0) result = fixed_doubling_high_multiply(result, powers[index]);
  }
  return result;
}

/** 1 / (1 + a) for a in [0, 1), both in Q0, by Newton's method. */
static int32_t softmax_one_over_one_plus(int32_t a) {
  /* (1 + a) / 2, halves away from zero. */
  const int32_t half = (int32_t)(((uint32_t)a + (uint32_t)SOFTMAX_ONE_Q0 + 1u) >> 1);
  int32_t x =
      fixed_add(SOFTMAX_48_17_Q2, fixed_doubling_high_multiply(SOFTMAX_MINUS_32_17_Q2, half));
  for (uint32_t step = 0; step < SOFTMAX_NEWTON_STEPS; step++) {
    const int32_t rest = fixed_subtract(SOFTMAX_ONE_Q2, fixed_doubling_high_multiply(x, half));
    x = fixed_add(x, softmax_shift_left(fixed_doubling_high_multiply(x, rest), 2));
  }
  return softmax_shift_left(x, 1);
}

/** The factor of exps that makes the row's sum 1: `value` (Q0) / 2^shift. */
struct softmax_scale {
  int32_t value;
  uint32_t shift;
};

/**
 * GetReciprocal of tensorflow/lite/kernels/internal/common.h. Of rows whose exps sum up to 512 and
 * more the reference leaves the shift undefined: here it is taken modulo 32.
 */
static struct softmax_scale softmax_reciprocal(uint32_t sum) {
  const uint32_t headroom = sum == 0 ? 32u : (uint32_t)__builtin_clz(sum);
  const uint32_t fraction = sum << (headroom & 31u) & (uint32_t)INT32_MAX;
  struct softmax_scale scale = {
      softmax_one_over_one_plus((int32_t)fraction),
      (SOFTMAX_SUM_BITS + SOFTMAX_OUTPUT_SHIFT - headroom) & 31u,
  };
  return scale;
}

/** exp of a value's difference from the row's maximum. */
static int32_t softmax_exp_below(const struct plan_softmax_step *step, int32_t value, int32_t max) {
  const int32_t difference = value - max;
  if (difference < step->least) return 0;
  return softmax_exp(fixed_multiply(difference, step->multiplier, step->shift));
}

/** The output may lie on the input: a value is read for the last time before it is written. */
static void softmax_row(const struct plan_softmax_step *step, const int8_t *input, int8_t *output) {
  int32_t max = -128;
  for (uint32_t index = 0; index < step->depth; index++) {
    if (input[index] > max) max = input[index];
  }
  uint32_t sum = 0;
  for (uint32_t index = 0; index < step->depth; index++) {
    const int32_t exp = softmax_exp_below(step, input[index], max);
    sum += (uint32_t)fixed_rounding_divide(exp, SOFTMAX_SUM_BITS);
  }
  const struct softmax_scale scale = softmax_reciprocal(sum);
  for (uint32_t index = 0; index < step->depth; index++) {
    const int32_t exp = softmax_exp_below(step, input[index], max);
    const int32_t unsigned_output =
        fixed_rounding_divide(fixed_doubling_high_multiply(exp, scale.value), scale.shift);
    output[index] = (int8_t)fixed_clamp(fixed_subtract(unsigned_output, 128), -128, 127);
  }
}

void kernel_softmax(const struct engine *engine, const struct plan_softmax_step *step) {
  const int8_t *input = kernel_read(engine, step->input);
  int8_t *output = kernel_write(engine, step->output);
  for (uint32_t row = step->rows; row > 0; row--) {
    softmax_row(step, input, output);
    input += step->depth;
    output += step->depth;
  }
}
