/**
 * Arithmetic modulo p = 2^255 - 19 (RFC 8032, 5.1), for public values alone: its time depends on
 * nothing but the count of operations, which is not a promise. A number is eight words, least
 * first, anywhere below 2^256; results may be one of the operands.
 */
#ifndef FIELD_H
#define FIELD_H

#include <stdbool.h>
#include <stdint.h>

#define FIELD_WORDS 8u
#define FIELD_BYTES 32u

struct field {
  uint32_t words[FIELD_WORDS];
};

void field_add(struct field *sum, const struct field *a, const struct field *b);
void field_subtract(struct field *difference, const struct field *a, const struct field *b);
void field_multiply(struct field *product, const struct field *a, const struct field *b);

/** x^-1, 0 of 0. */
void field_invert(struct field *inverse, const struct field *x);

/** x^((p - 5) / 8), with which RFC 8032, 5.1.3 takes square roots. */
void field_power_of_root(struct field *power, const struct field *x);

/** Least byte first, below p. */
void field_to_bytes(uint8_t bytes[FIELD_BYTES], const struct field *x);

/** Least byte first; all 256 bits count. */
void field_from_bytes(struct field *x, const uint8_t bytes[FIELD_BYTES]);

bool field_equal(const struct field *a, const struct field *b);

#endif
