/** What every test here needs: random numbers that are the same each time, and EXPECT. */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** Tests stop printing after so many failures. */
#define TEST_MAX_FAILURES 20

static uint32_t test_state = 0x2545f491u;
static uint32_t test_failures;

static inline void test_failed(const char *file, int line, const char *condition) {
  if (test_failures++ < TEST_MAX_FAILURES) printf("%s:%d: %s\n", file, line, condition);
}

#define EXPECT(condition)                                                \
  do {                                                                   \
    if (!(condition)) test_failed(__FILE__, __LINE__, "" #condition ""); \
  } while (0)

/** What main returns. */
static inline int test_result(void) {
  if (test_failures > 0) printf("%u failures\n", (unsigned)test_failures);
  return test_failures > 0;
}

/** xorshift32 */
static inline uint32_t test_random(void) {
  test_state ^= test_state << 13;
  test_state ^= test_state >> 17;
  test_state ^= test_state << 5;
  return test_state;
}

/** Both ends included. */
static inline int32_t test_between(int32_t least, int32_t most) {
  const uint32_t span = (uint32_t)most - (uint32_t)least;
  const uint32_t offset = span == UINT32_MAX ? test_random() : test_random() % (span + 1u);
  return (int32_t)((uint32_t)least + offset);
}

static inline uint32_t test_size(uint32_t least, uint32_t most) {
  return (uint32_t)test_between((int32_t)least, (int32_t)most);
}

static inline bool test_chance(uint32_t one_in) { return test_random() % one_in == 0; }

/** Often the least or the greatest. */
static inline int8_t test_int8(void) {
  const uint32_t random = test_random();
  if ((random >> 8 & 7u) == 0) return (random & 1u) != 0 ? 127 : -128;
  return (int8_t)(random & 255u);
}

/** Exactly so many bytes, so that AddressSanitizer sees the next one. */
static inline int8_t *test_values(uint32_t count) {
  int8_t *values = malloc(count);
  if (values == NULL) abort();
  for (uint32_t index = 0; index < count; index++) values[index] = test_int8();
  return values;
}

static inline int8_t *test_copy(const int8_t *from, uint32_t count) {
  int8_t *values = malloc(count);
  if (values == NULL) abort();
  for (uint32_t index = 0; index < count; index++) values[index] = from[index];
  return values;
}

static inline uint32_t test_differences(const int8_t *a, const int8_t *b, uint32_t count) {
  uint32_t differences = 0;
  for (uint32_t index = 0; index < count; index++) differences += a[index] != b[index];
  return differences;
}

/** `value` / 2^exponent, to the nearest, halves away from zero. */
static inline int64_t test_divide(int64_t value, uint32_t exponent) {
  const int64_t divisor = (int64_t)1 << exponent;
  const int64_t half = divisor / 2;
  return (value >= 0 ? value + half : value - half) / divisor;
}

/** gemmlowp's SaturatingRoundingDoublingHighMul as it is written there. */
static inline int32_t test_high_multiply(int32_t a, int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  const int64_t product = (int64_t)a * b;
  const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

/** MultiplyByQuantizedMultiplier; left shifts wrap. */
static inline int32_t test_multiply(int32_t value, int32_t multiplier, int32_t shift) {
  const uint32_t left = shift > 0 ? (uint32_t)shift : 0;
  const uint32_t right = shift > 0 ? 0 : (uint32_t)-shift;
  const int32_t shifted = (int32_t)((uint32_t)value << left);
  return (int32_t)test_divide(test_high_multiply(shifted, multiplier), right);
}

static inline int8_t test_clamp(int64_t value, int32_t min, int32_t max) {
  return (int8_t)(value < min ? min : value > max ? max : value);
}

/** Mostly what a compiler writes, sometimes any number that is let pass. */
static inline int32_t test_multiplier(void) {
  if (test_chance(8)) return test_between(0, INT32_MAX);
  if (test_chance(4)) return 1 << 30;
  return test_between(1 << 30, INT32_MAX);
}

static inline int8_t test_shift(int32_t least, int32_t most) {
  return (int8_t)(test_chance(8) ? test_between(-31, 30) : test_between(least, most));
}

#endif
