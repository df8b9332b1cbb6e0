#include "requantize.h"

/** add_common.cc and sub_common.cc: inputs are shifted left by this before they are rescaled. */
#define BINARY_LEFT_SHIFT 20u

/** One row along the last dimension; its operands lie step->a_steps[3] and step->b_steps[3] apart.
 */
typedef void binary_row(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                        int8_t *output);

/** In elements above the zero points; and so is the result. */
typedef int32_t binary_operation(const struct plan_binary_step *step, int32_t a, int32_t b);

static int32_t binary_rescaled(int32_t value, int32_t multiplier, int32_t shift) {
  return fixed_multiply((int32_t)((uint32_t)value << BINARY_LEFT_SHIFT), multiplier, shift);
}

/** AddFunc of tensorflow/lite/kernels/internal/reference/integer_ops/add.h. */
static int32_t binary_add(const struct plan_binary_step *step, int32_t a, int32_t b) {
  const int32_t sum = fixed_add(binary_rescaled(a, step->a_multiplier, step->a_shift),
                                binary_rescaled(b, step->b_multiplier, step->b_shift));
  return fixed_multiply(sum, step->output_multiplier, step->output_shift);
}

/** BroadcastQuantSubSlow of tensorflow/lite/kernels/internal/reference/sub.h. */
static int32_t binary_sub(const struct plan_binary_step *step, int32_t a, int32_t b) {
  const int32_t difference = fixed_subtract(binary_rescaled(a, step->a_multiplier, step->a_shift),
                                            binary_rescaled(b, step->b_multiplier, step->b_shift));
  return fixed_multiply(difference, step->output_multiplier, step->output_shift);
}

/** MulElementwise of tensorflow/lite/kernels/internal/reference/integer_ops/mul.h. */
static int32_t binary_mul(const struct plan_binary_step *step, int32_t a, int32_t b) {
  return fixed_multiply(a * b, step->output_multiplier, step->output_shift);
}

/** Once for all operations: small, and only for rows that nothing faster does. */
__attribute__((noinline)) static void binary_any_row(const struct plan_binary_step *step,
                                                     const int8_t *a, const int8_t *b,
                                                     int8_t *output, binary_operation *operation) {
  const uint32_t count = step->shape[3];
  const uint32_t a_step = step->a_steps[3];
  const uint32_t b_step = step->b_steps[3];
  uint32_t a_at = 0, b_at = 0;
  for (uint32_t index = 0; index < count; index++, a_at += a_step, b_at += b_step) {
    const int32_t result = operation(step, a[a_at] - step->a_zero, b[b_at] - step->b_zero);
    output[index] = (int8_t)fixed_clamp(fixed_add(result, step->output_zero), step->min, step->max);
  }
}

#ifdef KERNEL_DSP

/** One operand's part of a row. */
struct binary_operand {
  const int8_t *values;
  int32_t zero, multiplier, shift;
};

/** The operand of the greater scale: rescaling takes it times 1/2, which needs no rounding. */
static int binary_is_half(struct binary_operand operand) {
  return operand.shift == 0 && operand.multiplier == 1 << 30;
}

static int binary_is_narrow(int32_t shift) { return shift >= -22 && shift <= -1; }

static struct requantize_narrow binary_output(const struct plan_binary_step *step) {
  return requantize_narrow_of(step->output_multiplier, step->output_shift, step->output_zero);
}

/** Outputs have been saturated to int8 only. */
static void binary_clamp(const struct plan_binary_step *step, int8_t *output) {
  if (step->min == -128 && step->max == 127) return;
  for (const int8_t *end = output + step->shape[3]; output != end; output++) {
    *output = (int8_t)fixed_clamp(*output, step->min, step->max);
  }
}

/** The other operand is rounded: its shift is negative. */
static void binary_add_half(const struct plan_binary_step *step, struct binary_operand half,
                            struct binary_operand other, int8_t *output) {
  const struct requantize_narrow narrow = binary_output(step);
  const struct requantize_narrow factor = requantize_narrow_of(other.multiplier, other.shift, 0);
  /* Twice the rescaled number is what SMMULR takes for its multiplication by 2^-31. */
  const int32_t half_zero = half.zero * (1 << (BINARY_LEFT_SHIFT - 1u));
  const int32_t other_zero = other.zero * (1 << (BINARY_LEFT_SHIFT + 1u));
  for (const int8_t *end = output + step->shape[3]; output != end; output++) {
    const int32_t twice = *other.values++ * (1 << (BINARY_LEFT_SHIFT + 1u)) - other_zero;
    const int32_t high = dsp_smmulr(twice, factor.multiplier);
    const int32_t rounded = (high + (high >> 31) + factor.offset) >> factor.right;
    const int32_t exact = *half.values++ * (1 << (BINARY_LEFT_SHIFT - 1u)) - half_zero;
    *output = requantize_signed(exact + rounded, narrow);
  }
}

/** Both scales are the same. */
static void binary_add_halves(const struct plan_binary_step *step, struct binary_operand a,
                              struct binary_operand b, int8_t *output) {
  const struct requantize_narrow narrow = binary_output(step);
  const int32_t zeros = (a.zero + b.zero) * (1 << (BINARY_LEFT_SHIFT - 1u));
  for (const int8_t *end = output + step->shape[3]; output != end; output++) {
    const int32_t sum = *a.values++ + *b.values++;
    *output = requantize_signed(sum * (1 << (BINARY_LEFT_SHIFT - 1u)) - zeros, narrow);
  }
}

/** How an operand is rescaled by at most 1: rounded, but for a shift of 0. */
struct binary_factor {
  int32_t zero, multiplier, offset, signs;
  uint32_t right;
};

static struct binary_factor binary_factor_of(struct binary_operand operand) {
  const uint32_t right = (uint32_t)-operand.shift;
  const struct binary_factor factor = {
      .zero = operand.zero,
      .multiplier = operand.multiplier,
      .offset = right == 0 ? 0 : (int32_t)(1u << (right - 1u)),
      .signs = right == 0 ? 0 : -1,
      .right = right,
  };
  return factor;
}

static inline int32_t binary_rescale(struct binary_factor factor, int32_t value) {
  /* Twice the number is what SMMULR takes for its multiplication by 2^-31. */
  const int32_t twice = (value - factor.zero) * (1 << (BINARY_LEFT_SHIFT + 1u));
  const int32_t high = dsp_smmulr(twice, factor.multiplier);
  return (high + ((high >> 31) & factor.signs) + factor.offset) >> factor.right;
}

/** A sum, or with `signs` of -1 a difference, of any two scales. */
static void binary_sums(const struct plan_binary_step *step, struct binary_operand a,
                        struct binary_operand b, int32_t signs, int8_t *output) {
  const struct requantize_narrow narrow = binary_output(step);
  const struct binary_factor first = binary_factor_of(a);
  const struct binary_factor second = binary_factor_of(b);
  for (const int8_t *end = output + step->shape[3]; output != end; output++) {
    const int32_t right = binary_rescale(second, *b.values++);
    const int32_t left = binary_rescale(first, *a.values++);
    *output = requantize_signed(left + ((right ^ signs) - signs), narrow);
  }
}

/** @return whether the row was one that it can do: every one that a compiler makes, but for
 * repeated values */
static int binary_sum_fast(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                           int32_t signs, int8_t *output) {
  const struct binary_operand first = {a, step->a_zero, step->a_multiplier, step->a_shift};
  const struct binary_operand second = {b, step->b_zero, step->b_multiplier, step->b_shift};
  if (step->a_steps[3] != 1 || step->b_steps[3] != 1 || !binary_is_narrow(step->output_shift) ||
      first.shift > 0 || second.shift > 0) {
    return 0;
  }
  if (signs != 0) {
    binary_sums(step, first, second, signs, output);
  } else if (binary_is_half(first) && binary_is_half(second)) {
    binary_add_halves(step, first, second, output);
  } else if (binary_is_half(first) && second.shift < 0) {
    binary_add_half(step, first, second, output);
  } else if (binary_is_half(second) && first.shift < 0) {
    binary_add_half(step, second, first, output);
  } else {
    binary_sums(step, first, second, signs, output);
  }
  binary_clamp(step, output);
  return 1;
}

/** @return whether the row was one that it can do */
static int binary_mul_fast(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                           int8_t *output) {
  if (!binary_is_narrow(step->output_shift)) return 0;
  const struct requantize_narrow narrow = binary_output(step);
  const int32_t a_zero = step->a_zero, b_zero = step->b_zero;
  const uint32_t a_step = step->a_steps[3], b_step = step->b_steps[3];
  uint32_t a_at = 0, b_at = 0;
  int8_t *to = output;
  for (const int8_t *end = to + step->shape[3]; to != end; a_at += a_step, b_at += b_step) {
    *to++ = requantize_signed((a[a_at] - a_zero) * (b[b_at] - b_zero), narrow);
  }
  binary_clamp(step, output);
  return 1;
}

#else

static int binary_mul_fast(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                           int8_t *output) {
  (void)step, (void)a, (void)b, (void)output;
  return 0;
}

static int binary_sum_fast(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                           int32_t signs, int8_t *output) {
  (void)signs;
  return binary_mul_fast(step, a, b, output);
}

#endif

static void binary_add_row(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                           int8_t *output) {
  if (!binary_sum_fast(step, a, b, 0, output)) binary_any_row(step, a, b, output, binary_add);
}

static void binary_sub_row(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                           int8_t *output) {
  if (!binary_sum_fast(step, a, b, -1, output)) binary_any_row(step, a, b, output, binary_sub);
}

static void binary_mul_row(const struct plan_binary_step *step, const int8_t *a, const int8_t *b,
                           int8_t *output) {
  if (!binary_mul_fast(step, a, b, output)) binary_any_row(step, a, b, output, binary_mul);
}

static void binary_rows(const struct engine *engine, const struct plan_binary_step *step,
                        binary_row *row) {
  const uint32_t *shape = step->shape;
  const uint32_t *a_steps = step->a_steps;
  const uint32_t *b_steps = step->b_steps;
  int8_t *output = kernel_write(engine, step->output);
  /* Offsets and not pointers: those past the last element may be anywhere. */
  uint32_t a0 = step->a, b0 = step->b;
  for (uint32_t i = 0; i < shape[0]; i++, a0 += a_steps[0], b0 += b_steps[0]) {
    uint32_t a1 = a0, b1 = b0;
    for (uint32_t j = 0; j < shape[1]; j++, a1 += a_steps[1], b1 += b_steps[1]) {
      uint32_t a2 = a1, b2 = b1;
      for (uint32_t k = 0; k < shape[2]; k++, a2 += a_steps[2], b2 += b_steps[2]) {
        row(step, kernel_read(engine, a2), kernel_read(engine, b2), output);
        output += shape[3];
      }
    }
  }
}

void kernel_add(const struct engine *engine, const struct plan_binary_step *step) {
  binary_rows(engine, step, binary_add_row);
}

void kernel_sub(const struct engine *engine, const struct plan_binary_step *step) {
  binary_rows(engine, step, binary_sub_row);
}

void kernel_mul(const struct engine *engine, const struct plan_binary_step *step) {
  binary_rows(engine, step, binary_mul_row);
}
