#include "sha512.h"

#include "../engine/memory.h"

#define ROUNDS 80u
#define BLOCK_BYTES 128u

/* FIPS 180-4, 4.2.3: of the cube roots of the first 80 primes. */
static const uint64_t constants[ROUNDS] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu, 0xe9b5dba58189dbbcu,
    0x3956c25bf348b538u, 0x59f111f1b605d019u, 0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u,
    0xd807aa98a3030242u, 0x12835b0145706fbeu, 0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u,
    0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u, 0xc19bf174cf692694u,
    0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u, 0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u,
    0x2de92c6f592b0275u, 0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u,
    0x983e5152ee66dfabu, 0xa831c66d2db43210u, 0xb00327c898fb213fu, 0xbf597fc7beef0ee4u,
    0xc6e00bf33da88fc2u, 0xd5a79147930aa725u, 0x06ca6351e003826fu, 0x142929670a0e6e70u,
    0x27b70a8546d22ffcu, 0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu, 0x53380d139d95b3dfu,
    0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u, 0x92722c851482353bu,
    0xa2bfe8a14cf10364u, 0xa81a664bbc423001u, 0xc24b8b70d0f89791u, 0xc76c51a30654be30u,
    0xd192e819d6ef5218u, 0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u,
    0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u, 0x2748774cdf8eeb99u, 0x34b0bcb5e19b48a8u,
    0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu, 0x5b9cca4f7763e373u, 0x682e6ff3d6b2b8a3u,
    0x748f82ee5defb2fcu, 0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u, 0xc67178f2e372532bu,
    0xca273eceea26619cu, 0xd186b8c721c0c207u, 0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u,
    0x06f067aa72176fbau, 0x0a637dc5a2c898a6u, 0x113f9804bef90daeu, 0x1b710b35131c471bu,
    0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu, 0x431d67c49c100d4cu,
    0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au, 0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u,
};

static uint64_t rotate(uint64_t word, uint32_t count) {
  return word >> count | word << (64u - count);
}

static uint64_t load(const uint8_t *bytes) {
  uint64_t word = 0;
  for (uint32_t index = 0; index < 8u; index++) word = word << 8 | bytes[index];
  return word;
}

static void store(uint8_t *bytes, uint64_t word) {
  for (uint32_t index = 8; index-- > 0; word >>= 8) bytes[index] = (uint8_t)word;
}

/** FIPS 180-4, 6.4.2, with the last 16 words of the schedule in a ring; so are a to h, of which
 * the one that is new takes the place of the one that goes. */
static void add_block(struct sha512 *sha, const uint8_t *block) {
  uint64_t w[16], s[8];
  for (uint32_t index = 0; index < 16u; index++) w[index] = load(block + 8u * index);
  for (uint32_t index = 0; index < 8u; index++) s[index] = sha->state[index];
  for (uint32_t round = 0; round < ROUNDS; round++) {
    uint64_t *word = &w[round & 15u];
    if (round >= 16u) {
      const uint64_t x = w[(round + 1u) & 15u], y = w[(round + 14u) & 15u];
      *word += w[(round + 9u) & 15u] + (rotate(x, 1) ^ rotate(x, 8) ^ x >> 7) +
               (rotate(y, 19) ^ rotate(y, 61) ^ y >> 6);
    }
    const uint64_t a = s[(0u - round) & 7u], b = s[(1u - round) & 7u], c = s[(2u - round) & 7u];
    const uint64_t e = s[(4u - round) & 7u], f = s[(5u - round) & 7u], g = s[(6u - round) & 7u];
    uint64_t *h = &s[(7u - round) & 7u];
    *h += (rotate(e, 14) ^ rotate(e, 18) ^ rotate(e, 41)) + ((e & f) ^ (~e & g)) +
          constants[round] + *word;
    s[(3u - round) & 7u] += *h;
    *h += (rotate(a, 28) ^ rotate(a, 34) ^ rotate(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
  }
  for (uint32_t index = 0; index < 8u; index++) sha->state[index] += s[index];
}

void sha512_start(struct sha512 *sha) {
  /* FIPS 180-4, 5.3.5: of the square roots of the first 8 primes. */
  static const uint64_t start[8] = {
      0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
      0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
  };
  for (uint32_t index = 0; index < 8u; index++) sha->state[index] = start[index];
  sha->size_bytes = 0;
}

void sha512_add(struct sha512 *sha, const uint8_t *bytes, uint32_t size_bytes) {
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

/** One bit, zeros, and the size in bits in the last 16 bytes. */
void sha512_end(struct sha512 *sha, uint8_t digest[SHA512_BYTES]) {
  const uint64_t size_bits = sha->size_bytes * 8u;
  uint32_t used = (uint32_t)(sha->size_bytes % BLOCK_BYTES);
  sha->block[used++] = 0x80;
  if (used > BLOCK_BYTES - 16u) {
    memset(sha->block + used, 0, BLOCK_BYTES - used);
    add_block(sha, sha->block);
    used = 0;
  }
  memset(sha->block + used, 0, BLOCK_BYTES - used);
  for (uint32_t index = 0; index < 8u; index++) {
    sha->block[BLOCK_BYTES - 1u - index] = (uint8_t)(size_bits >> 8u * index);
  }
  add_block(sha, sha->block);
  for (uint32_t index = 0; index < 8u; index++) store(digest + 8u * index, sha->state[index]);
}
