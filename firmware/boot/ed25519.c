#include "ed25519.h"

#include "../engine/memory.h"
#include "field.h"
#include "sha512.h"

#define SCALAR_BITS 256u

/** RFC 8032, 5.1.4: x = X / Z, y = Y / Z, x y = T / Z */
struct point {
  struct field x, y, z, t;
};

/* RFC 8032, 5.1 */
static const struct field one = {{1}};
static const struct field curve_d = {{0x135978a3u, 0x75eb4dcau, 0x4141d8abu, 0x00700a4du,
                                      0x7779e898u, 0x8cc74079u, 0x2b6ffe73u, 0x52036ceeu}};
static const struct field twice_d = {{0x26b2f159u, 0xebd69b94u, 0x8283b156u, 0x00e0149au,
                                      0xeef3d130u, 0x198e80f2u, 0x56dffce7u, 0x2406d9dcu}};
static const struct field root_of_minus_one = {{0x4a0ea0b0u, 0xc4ee1b27u, 0xad2fe478u, 0x2f431806u,
                                                0x3dfbd7a7u, 0x2b4d0099u, 0x4fc1df0bu,
                                                0x2b832480u}};
static const struct field base_x = {{0x8f25d51au, 0xc9562d60u, 0x9525a7b2u, 0x692cc760u,
                                     0xfdd6dc5cu, 0xc0a4e231u, 0xcd6e53feu, 0x216936d3u}};
static const struct field base_y = {{0x66666658u, 0x66666666u, 0x66666666u, 0x66666666u,
                                     0x66666666u, 0x66666666u, 0x66666666u, 0x66666666u}};
static const uint32_t order[FIELD_WORDS] = {0x5cf5d3edu, 0x5812631au, 0xa2f79cd6u, 0x14def9deu,
                                            0x00000000u, 0x00000000u, 0x00000000u, 0x10000000u};

/** The end of both formulas of RFC 8032, 5.1.4. */
static void finish(struct point *point, const struct field *e, const struct field *f,
                   const struct field *g, const struct field *h) {
  field_multiply(&point->x, e, f);
  field_multiply(&point->y, g, h);
  field_multiply(&point->t, e, h);
  field_multiply(&point->z, f, g);
}

static void add(struct point *sum, const struct point *p, const struct point *q) {
  struct field a, b, c, d, e, f;
  field_subtract(&a, &p->y, &p->x);
  field_subtract(&b, &q->y, &q->x);
  field_multiply(&a, &a, &b);
  field_add(&b, &p->y, &p->x);
  field_add(&c, &q->y, &q->x);
  field_multiply(&b, &b, &c);
  field_multiply(&c, &p->t, &q->t);
  field_multiply(&c, &c, &twice_d);
  field_multiply(&d, &p->z, &q->z);
  field_add(&d, &d, &d);
  field_subtract(&e, &b, &a);
  field_subtract(&f, &d, &c);
  field_add(&d, &d, &c);
  field_add(&b, &b, &a);
  finish(sum, &e, &f, &d, &b);
}

static void twice(struct point *p) {
  struct field a, b, c, e, g;
  field_multiply(&a, &p->x, &p->x);
  field_multiply(&b, &p->y, &p->y);
  field_multiply(&c, &p->z, &p->z);
  field_add(&c, &c, &c);
  field_add(&e, &p->x, &p->y);
  field_multiply(&e, &e, &e);
  field_subtract(&g, &a, &b);
  field_add(&a, &a, &b);
  field_subtract(&e, &a, &e);
  field_add(&c, &c, &g);
  finish(p, &e, &c, &g, &a);
}

static bool same_bytes(const uint8_t *a, const uint8_t *b, uint32_t size_bytes) {
  uint32_t difference = 0;
  for (uint32_t index = 0; index < size_bytes; index++) difference |= a[index] ^ b[index];
  return difference == 0;
}

/** RFC 8032, 5.1.3, but for the sign of x, which comes out the other one: of -P. */
static bool decode_negated(struct point *point, const uint8_t bytes[FIELD_BYTES]) {
  uint8_t plain[FIELD_BYTES], again[FIELD_BYTES];
  memcpy(plain, bytes, FIELD_BYTES);
  plain[FIELD_BYTES - 1u] &= 0x7f;
  field_from_bytes(&point->y, plain);
  field_to_bytes(again, &point->y);
  if (!same_bytes(plain, again, FIELD_BYTES)) return false;

  struct field u, v, power;
  field_multiply(&u, &point->y, &point->y);
  field_multiply(&v, &u, &curve_d);
  field_subtract(&u, &u, &one);
  field_add(&v, &v, &one);
  /* x = u v^3 (u v^7)^((p - 5) / 8) */
  struct field *x = &point->x;
  field_multiply(&power, &v, &v);
  field_multiply(&power, &power, &v);
  field_multiply(x, &power, &u);
  field_multiply(&power, &power, &power);
  field_multiply(&power, &power, &v);
  field_multiply(&power, &power, &u);
  field_power_of_root(&power, &power);
  field_multiply(x, x, &power);

  struct field square, minus_u;
  const struct field zero = {{0}};
  field_multiply(&square, x, x);
  field_multiply(&square, &square, &v);
  field_subtract(&minus_u, &zero, &u);
  if (field_equal(&square, &minus_u)) {
    field_multiply(x, x, &root_of_minus_one);
  } else if (!field_equal(&square, &u)) {
    return false;
  }
  const uint32_t sign = bytes[FIELD_BYTES - 1u] >> 7;
  if (field_equal(x, &zero) && sign != 0) return false;
  field_to_bytes(again, x);
  if ((again[0] & 1u) == sign) field_subtract(x, &zero, x);
  point->z = one;
  field_multiply(&point->t, &point->x, &point->y);
  return true;
}

static void encode(uint8_t bytes[FIELD_BYTES], const struct point *point) {
  struct field inverse, affine;
  uint8_t x[FIELD_BYTES];
  field_invert(&inverse, &point->z);
  field_multiply(&affine, &point->x, &inverse);
  field_to_bytes(x, &affine);
  field_multiply(&affine, &point->y, &inverse);
  field_to_bytes(bytes, &affine);
  bytes[FIELD_BYTES - 1u] |= (uint8_t)(x[0] << 7);
}

/** a - order, if a is not below it. @return whether it was not */
static bool take_order(uint32_t a[FIELD_WORDS]) {
  uint32_t less[FIELD_WORDS];
  int64_t carry = 0;
  for (uint32_t index = 0; index < FIELD_WORDS; index++) {
    carry += (int64_t)a[index] - order[index];
    less[index] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry < 0) return false;
  memcpy(a, less, sizeof less);
  return true;
}

/** The digest, least byte first, modulo the order: bit by bit from the greatest. */
static void reduce(uint32_t scalar[FIELD_WORDS], const uint8_t digest[SHA512_BYTES]) {
  memset(scalar, 0, FIELD_WORDS * sizeof *scalar);
  for (uint32_t bit = 8u * SHA512_BYTES; bit-- > 0;) {
    uint32_t carry = (uint32_t)digest[bit / 8u] >> bit % 8u & 1u;
    for (uint32_t index = 0; index < FIELD_WORDS; index++) {
      const uint32_t top = scalar[index] >> 31;
      scalar[index] = scalar[index] << 1 | carry;
      carry = top;
    }
    (void)take_order(scalar);
  }
}

static bool bit_of(const uint32_t scalar[FIELD_WORDS], uint32_t bit) {
  return (scalar[bit / 32u] >> bit % 32u & 1u) != 0;
}

/** s B + h P, all bits of both at a time. */
static void multiply_both(struct point *sum, const uint32_t s[FIELD_WORDS],
                          const uint32_t h[FIELD_WORDS], const struct point *p) {
  struct point base = {.x = base_x, .y = base_y, .z = one}, both;
  field_multiply(&base.t, &base.x, &base.y);
  add(&both, &base, p);
  *sum = (struct point){.y = one, .z = one};
  for (uint32_t bit = SCALAR_BITS; bit-- > 0;) {
    const bool of_s = bit_of(s, bit), of_h = bit_of(h, bit);
    twice(sum);
    if (of_s || of_h) add(sum, sum, of_s && of_h ? &both : of_s ? &base : p);
  }
}

/** R = s B - h A, compared as bytes: what encodes R in another way is not equal. */
bool ed25519_verify(const uint8_t signature[ED25519_SIGNATURE_BYTES], const uint8_t *message,
                    uint32_t message_bytes, const uint8_t key[ED25519_KEY_BYTES]) {
  struct field s, h;
  struct point minus_a, r;
  field_from_bytes(&s, signature + FIELD_BYTES);
  if (take_order(s.words)) return false;
  if (!decode_negated(&minus_a, key)) return false;

  struct sha512 sha;
  uint8_t digest[SHA512_BYTES], encoded[FIELD_BYTES];
  sha512_start(&sha);
  sha512_add(&sha, signature, FIELD_BYTES);
  sha512_add(&sha, key, ED25519_KEY_BYTES);
  sha512_add(&sha, message, message_bytes);
  sha512_end(&sha, digest);
  reduce(h.words, digest);
  multiply_both(&r, s.words, h.words, &minus_a);
  encode(encoded, &r);
  return same_bytes(encoded, signature, FIELD_BYTES);
}
