#include "sha256.h"

#include "../engine/memory.h"

#define ROUNDS 64u
#define BLOCK_BYTES 64u

/* FIPS 180-4, 4.2.2: of the cube roots of the first 64 primes. */
static const uint32_t constants[ROUNDS] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
    0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
    0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
    0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
    0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
    0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
    0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
    0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
    0xc67178f2u,
};

static uint32_t rotate(uint32_t word, uint32_t count) {
  return word >> count | word << (32u - count);
}

static uint32_t load(const uint8_t *bytes) {
  uint32_t word = 0;
  for (uint32_t index = 0; index < 4u; index++) word = word << 8 | bytes[index];
  return word;
}

static void store(uint8_t *bytes, uint32_t word) {
  for (uint32_t index = 4; index-- > 0; word >>= 8) bytes[index] = (uint8_t)word;
}

/** FIPS 180-4, 6.2.2, with the last 16 words of the schedule in a ring; so are a to h, of which
 * the one that is new takes the place of the one that goes. */
static void add_block(struct sha256 *sha, const uint8_t *block) {
  uint32_t w[16], s[8];
  for (uint32_t index = 0; index < 16u; index++) w[index] = load(block + 4u * index);
  for (uint32_t index = 0; index < 8u; index++) s[index] = sha->state[index];
  for (uint32_t round = 0; round < ROUNDS; round++) {
    uint32_t *word = &w[round & 15u];
    if (round >= 16u) {
      const uint32_t x = w[(round + 1u) & 15u], y = w[(round + 14u) & 15u];
      *word += w[(round + 9u) & 15u] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    const uint32_t a = s[(0u - round) & 7u], b = s[(1u - round) & 7u], c = s[(2u - round) & 7u];
    const uint32_t e = s[(4u - round) & 7u], f = s[(5u - round) & 7u], g = s[(6u - round) & 7u];
    uint32_t *h = &s[(7u - round) & 7u];
    *h += (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[round] +
          *word;
    s[(3u - round) & 7u] += *h;
    *h += (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
  }
  for (uint32_t index = 0; index < 8u; index++) sha->state[index] += s[index];
}

void sha256_start(struct sha256 *sha) {
  /* FIPS 180-4, 5.3.3: of the square roots of the first 8 primes. */
  static const uint32_t start[8] = {
      0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
  };
  for (uint32_t index = 0; index < 8u; index++) sha->state[index] = start[index];
  sha->size_bytes = 0;
}

void sha256_add(struct sha256 *sha, const uint8_t *bytes, uint32_t size_bytes) {
  uint32_t used = (uint32_t)(sha->size_bytes % BLOCK_BYTES);
  sha->size_bytes += size_bytes;
  while (size_bytes > 0) {
    const uint32_t room = BLOCK_BYTES - used, part = size_bytes < room ? size_bytes : room;
    memcpy(sha->block + used, bytes, part);
    bytes += part;
    size_bytes -= part;
    used += part;
    if (used == BLOCK_BYTES) {
      add_block(sha, sha->block);
      used = 0;
    }
  }
}

/** One bit, zeros, and the size in bits in the last 8 bytes. */
void sha256_end(struct sha256 *sha, uint8_t digest[SHA256_BYTES]) {
  const uint64_t size_bits = sha->size_bytes * 8u;
  uint32_t used = (uint32_t)(sha->size_bytes % BLOCK_BYTES);
  sha->block[used++] = 0x80;
  if (used > BLOCK_BYTES - 8u) {
    memset(sha->block + used, 0, BLOCK_BYTES - used);
    add_block(sha, sha->block);
    used = 0;
  }
  memset(sha->block + used, 0, BLOCK_BYTES - used);
  for (uint32_t index = 0; index < 8u; index++) {
    sha->block[BLOCK_BYTES - 1u - index] = (uint8_t)(size_bits >> 8u * index);
  }
  add_block(sha, sha->block);
  for (uint32_t index = 0; index < 8u; index++) store(digest + 4u * index, sha->state[index]);
}
