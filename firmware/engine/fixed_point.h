/**
 * The 32-bit fixed-point arithmetic of TFLite Micro's kernels (gemmlowp's double rounding), without
 * undefined behaviour: what may wrap does so unsigned. Right shifts of negative numbers are
 * arithmetic, as in every compiler that builds this.
 */
#ifndef FIXED_POINT_H
#define FIXED_POINT_H

#include <stdint.h>

/** a * b / 2^31, rounded to the nearest, halves up: gemmlowp's SaturatingRoundingDoublingHighMul
 * for b >= 0. */
static inline int32_t fixed_doubling_high_multiply(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/** x / 2^exponent, rounded to the nearest, halves away from zero; exponent 0 to 31. */
static inline int32_t fixed_rounding_divide(int32_t x, uint32_t exponent) {
  const int32_t mask = (int32_t)((1u << exponent) - 1u);
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/** MultiplyByQuantizedMultiplier: shift -31 to 30; a left shift past 32 bits wraps. */
static inline int32_t fixed_multiply(int32_t x, int32_t multiplier, int32_t shift) {
  if (shift > 0) {
    return fixed_doubling_high_multiply((int32_t)((uint32_t)x << (uint32_t)shift), multiplier);
  }
  return fixed_rounding_divide(fixed_doubling_high_multiply(x, multiplier), (uint32_t)-shift);
}

static inline int32_t fixed_clamp(int32_t value, int32_t min, int32_t max) {
  return value < min ? min : value > max ? max : value;
}

/** Sums that wrap, as the reference's int32 does where nobody looks. */
static inline int32_t fixed_add(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t fixed_subtract(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a - (uint32_t)b);
}

#endif
