#include "../test.h"
#include "kernels.h"

/* exp and division as gemmlowp fixedpoint/fixedpoint.h has them, with nothing taken together. */

static int32_t wrap(int64_t value) { return (int32_t)(uint32_t)(uint64_t)value; }

/** SaturatingRoundingMultiplyByPOT. */
static int32_t shift_left(int64_t value, uint32_t exponent) {
  const int64_t shifted = value * ((int64_t)1 << exponent);
  return (int32_t)(shifted > INT32_MAX ? INT32_MAX : shifted < INT32_MIN ? INT32_MIN : shifted);
}

/** exp_on_interval_between_negative_one_quarter_and_0_excl. */
static int32_t exp_of_last_quarter(int32_t a) {
  const int32_t constant_term = 1895147668;
  const int32_t constant_1_over_3 = 715827883;
  const int32_t x = a + (1 << 28);
  const int32_t x2 = test_high_multiply(x, x);
  const int32_t x3 = test_high_multiply(x2, x);
  const int32_t x4 = test_high_multiply(x2, x2);
  const int32_t x4_over_4 = (int32_t)test_divide(x4, 2);
  const int32_t sum =
      (int32_t)test_divide(test_high_multiply(x4_over_4 + x3, constant_1_over_3) + x2, 1);
  return constant_term + test_high_multiply(constant_term, x + sum);
}

/** exp_on_negative_values with five integer bits. */
static int32_t naive_exp(int32_t a) {
  const int32_t one_quarter = 1 << 24;
  const int32_t reduced = (a & (one_quarter - 1)) - one_quarter;
  const int32_t remainder = reduced - a;
  int32_t result = exp_of_last_quarter(shift_left(reduced, 5));
  if ((remainder & 1 << 24) != 0) result = test_high_multiply(result, 1672461947);
  if ((remainder & 1 << 25) != 0) result = test_high_multiply(result, 1302514674);
  if ((remainder & 1 << 26) != 0) result = test_high_multiply(result, 790015084);
  if ((remainder & 1 << 27) != 0) result = test_high_multiply(result, 290630308);
  if ((remainder & 1 << 28) != 0) result = test_high_multiply(result, 39332535);
  if ((remainder & 1 << 29) != 0) result = test_high_multiply(result, 720401);
  if ((remainder & 1 << 30) != 0) result = test_high_multiply(result, 242);
  return a == 0 ? INT32_MAX : result;
}

/** one_over_one_plus_x_for_x_in_0_1. */
static int32_t one_over_one_plus(int32_t a) {
  const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
  int32_t x = 1515870810 + test_high_multiply(half_denominator, -1010580540);
  for (uint32_t round = 0; round < 3; round++) {
    const int32_t one_minus = (1 << 29) - test_high_multiply(half_denominator, x);
    x = x + shift_left(test_high_multiply(x, one_minus), 2);
  }
  return shift_left(x, 1);
}

/** Of a sum of exps below 512, from where on the reference says nothing. */
static void naive_row(const struct plan_softmax_step *step, const int8_t *input, int8_t *output) {
  int32_t exps[256];
  for (int32_t below = 0; below < 256; below++) {
    const int32_t scaled = test_multiply(-below, step->multiplier, step->shift);
    exps[below] = -below < step->least ? 0 : naive_exp(scaled);
  }
  int32_t max = -128;
  for (uint32_t index = 0; index < step->depth; index++) {
    if (input[index] > max) max = input[index];
  }
  int64_t sum = 0;
  for (uint32_t index = 0; index < step->depth; index++) {
    sum += test_divide(exps[max - input[index]], 12);
  }
  uint32_t headroom = 0;
  while ((sum << headroom & INT64_C(0x80000000)) == 0) headroom++;
  const int32_t scale = one_over_one_plus(wrap((sum << headroom) - INT64_C(0x80000000)));
  for (uint32_t index = 0; index < step->depth; index++) {
    const int32_t product = test_high_multiply(scale, exps[max - input[index]]);
    output[index] = test_clamp(test_divide(product, 12 - headroom + 23) - 128, -128, 127);
  }
}

/** As softmax_common.cc has them for an input's scale of multiplier * 2^(shift - 57). */
static struct plan_softmax_step random_step(void) {
  struct plan_softmax_step step = {
      .rows = test_size(1, 3),
      .depth = test_size(1, test_chance(10) ? 300 : 20),
      .multiplier = test_between(1 << 30, INT32_MAX),
      .shift = test_between(12, 27),
  };
  step.least = -(int32_t)((INT64_C(31) << 26) >> step.shift);
  if (test_chance(10)) step.least = -test_between(0, 255);
  return step;
}

static void check(struct plan_softmax_step *step) {
  const uint32_t count = step->rows * step->depth;
  int8_t *arena = test_values(2 * count);
  if (test_chance(4)) {
    const int8_t least = test_int8();
    for (uint32_t index = 0; index < count; index++) {
      arena[index] = (int8_t)test_between(least, least < 100 ? least + 20 : 127);
    }
  }
  int8_t *expected = test_values(count);
  for (uint32_t row = 0; row < step->rows; row++) {
    naive_row(step, arena + row * step->depth, expected + row * step->depth);
  }
  const struct engine engine = {.arena = (uint8_t *)arena};
  step->output = test_chance(2) ? 0 : count;
  kernel_softmax(&engine, step);
  EXPECT(test_differences(arena + step->output, expected, count) == 0);
  free(arena);
  free(expected);
}

/** Rows without meaning, for AddressSanitizer and UBSan: sums past 32 bits, factors of any size. */
static void run_any(void) {
  struct plan_softmax_step step = {
      .rows = 1,
      .depth = test_chance(2) ? 8192 : test_size(1, 600),
      .multiplier = test_between(INT32_MIN, INT32_MAX),
      .shift = test_between(-31, 30),
      .least = test_chance(2) ? INT32_MIN : -test_between(0, 300),
  };
  int8_t *arena = test_values(step.depth);
  const struct engine engine = {.arena = (uint8_t *)arena};
  if (test_chance(2)) {
    for (uint32_t index = 0; index < step.depth; index++) arena[index] = 5;
  }
  kernel_softmax(&engine, &step);
  free(arena);
}

int main(void) {
  for (uint32_t round = 0; round < 3000; round++) {
    struct plan_softmax_step step = random_step();
    check(&step);
  }
  for (uint32_t round = 0; round < 300; round++) run_any();
  return test_result();
}
