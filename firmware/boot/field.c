#include "field.h"

/** 2^256 is 38 modulo p. The first round may leave a carry of one more, the second cannot. */
static void fold(struct field *x, int64_t carry) {
  for (uint32_t round = 0; round < 2u; round++) {
    carry *= 38;
    for (uint32_t index = 0; index < FIELD_WORDS; index++) {
      carry += x->words[index];
      x->words[index] = (uint32_t)carry;
      carry >>= 32;
    }
  }
}

void field_add(struct field *sum, const struct field *a, const struct field *b) {
  int64_t carry = 0;
  for (uint32_t index = 0; index < FIELD_WORDS; index++) {
    carry += (int64_t)a->words[index] + b->words[index];
    sum->words[index] = (uint32_t)carry;
    carry >>= 32;
  }
  fold(sum, carry);
}

void field_subtract(struct field *difference, const struct field *a, const struct field *b) {
  int64_t carry = 0;
  for (uint32_t index = 0; index < FIELD_WORDS; index++) {
    carry += (int64_t)a->words[index] - b->words[index];
    difference->words[index] = (uint32_t)carry;
    carry >>= 32;
  }
  fold(difference, carry);
}

void field_multiply(struct field *product, const struct field *a, const struct field *b) {
  uint32_t words[2u * FIELD_WORDS] = {0};
  for (uint32_t i = 0; i < FIELD_WORDS; i++) {
    uint64_t carry = 0;
    for (uint32_t j = 0; j < FIELD_WORDS; j++) {
      carry += (uint64_t)a->words[i] * b->words[j] + words[i + j];
      words[i + j] = (uint32_t)carry;
      carry >>= 32;
    }
    words[i + FIELD_WORDS] = (uint32_t)carry;
  }
  uint64_t carry = 0;
  for (uint32_t index = 0; index < FIELD_WORDS; index++) {
    carry += (uint64_t)words[index + FIELD_WORDS] * 38u + words[index];
    product->words[index] = (uint32_t)carry;
    carry >>= 32;
  }
  fold(product, (int64_t)carry);
}

static void square(struct field *x, uint32_t times) {
  for (; times > 0; times--) field_multiply(x, x, x);
}

/** x^(2^250 - 1): of x^(2^n - 1) there follow those of 2n and of n + 1, by the bits of 250. */
static void power_of_250_ones(struct field *power, const struct field *x) {
  struct field ones = *x;
  uint32_t count = 1;
  for (uint32_t bit = 7; bit-- > 0;) {
    const struct field half = ones;
    square(&ones, count);
    field_multiply(&ones, &ones, &half);
    count *= 2u;
    if ((250u >> bit & 1u) != 0) {
      square(&ones, 1);
      field_multiply(&ones, &ones, x);
      count++;
    }
  }
  *power = ones;
}

/** p - 2 = 2^255 - 21 = (2^250 - 1) 2^5 + 11 */
void field_invert(struct field *inverse, const struct field *x) {
  struct field power, eleventh = *x;
  power_of_250_ones(&power, x);
  square(&eleventh, 2);
  field_multiply(&eleventh, &eleventh, x);
  square(&eleventh, 1);
  field_multiply(&eleventh, &eleventh, x);
  square(&power, 5);
  field_multiply(inverse, &power, &eleventh);
}

/** (p - 5) / 8 = 2^252 - 3 = (2^250 - 1) 2^2 + 1 */
void field_power_of_root(struct field *power, const struct field *x) {
  struct field ones;
  power_of_250_ones(&ones, x);
  square(&ones, 2);
  field_multiply(power, &ones, x);
}

/** Of what stays below 2^256. */
static void add_small(struct field *x, uint32_t added) {
  uint64_t carry = added;
  for (uint32_t index = 0; index < FIELD_WORDS; index++) {
    carry += x->words[index];
    x->words[index] = (uint32_t)carry;
    carry >>= 32;
  }
}

void field_to_bytes(uint8_t bytes[FIELD_BYTES], const struct field *x) {
  struct field least = *x;
  const uint32_t top = least.words[FIELD_WORDS - 1u] >> 31;
  least.words[FIELD_WORDS - 1u] &= 0x7fffffffu;
  add_small(&least, top * 19u);
  /* Now below p + 38: p is taken off once if the number plus 19 reaches 2^255. */
  struct field more = least;
  add_small(&more, 19);
  if (more.words[FIELD_WORDS - 1u] >> 31 != 0) {
    least = more;
    least.words[FIELD_WORDS - 1u] &= 0x7fffffffu;
  }
  for (uint32_t index = 0; index < FIELD_BYTES; index++) {
    bytes[index] = (uint8_t)(least.words[index / 4u] >> 8u * (index % 4u));
  }
}

void field_from_bytes(struct field *x, const uint8_t bytes[FIELD_BYTES]) {
  for (uint32_t index = 0; index < FIELD_WORDS; index++) {
    const uint8_t *word = bytes + 4u * index;
    x->words[index] =
        word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 | (uint32_t)word[3] << 24;
  }
}

bool field_equal(const struct field *a, const struct field *b) {
  uint8_t of_a[FIELD_BYTES], of_b[FIELD_BYTES];
  field_to_bytes(of_a, a);
  field_to_bytes(of_b, b);
  uint32_t difference = 0;
  for (uint32_t index = 0; index < FIELD_BYTES; index++) difference |= of_a[index] ^ of_b[index];
  return difference == 0;
}
