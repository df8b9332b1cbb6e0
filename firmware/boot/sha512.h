/** SHA-512 (FIPS 180-4), of bytes that come in parts: Ed25519 needs it. */
#ifndef SHA512_H
#define SHA512_H

#include <stdint.h>

#define SHA512_BYTES 64u

struct sha512 {
  uint64_t state[8];
  uint64_t size_bytes;
  uint8_t block[128];
};

void sha512_start(struct sha512 *sha);
void sha512_add(struct sha512 *sha, const uint8_t *bytes, uint32_t size_bytes);
void sha512_end(struct sha512 *sha, uint8_t digest[SHA512_BYTES]);

#endif
