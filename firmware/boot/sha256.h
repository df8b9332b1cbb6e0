/** SHA-256 (FIPS 180-4), of bytes that come in parts. */
#ifndef SHA256_H
#define SHA256_H

#include <stdint.h>

#define SHA256_BYTES 32u

struct sha256 {
  uint32_t state[8];
  uint64_t size_bytes;
  uint8_t block[64];
};

void sha256_start(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const uint8_t *bytes, uint32_t size_bytes);
void sha256_end(struct sha256 *sha, uint8_t digest[SHA256_BYTES]);

#endif
