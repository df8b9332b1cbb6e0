#include "ed25519.h"

#include <string.h>

#include "../engine/test.h"
#include "ed25519_vectors.h"

#define MAX_MESSAGE_BYTES 1024u

static uint32_t from_hex(uint8_t *bytes, const char *hex) {
  uint32_t count = 0;
  for (; hex[0] != '\0'; hex += 2) {
    char digits[3] = {hex[0], hex[1], '\0'};
    bytes[count++] = (uint8_t)strtoul(digits, NULL, 16);
  }
  return count;
}

static bool verify(const struct ed25519_vector *vector) {
  uint8_t key[ED25519_KEY_BYTES], signature[ED25519_SIGNATURE_BYTES], message[MAX_MESSAGE_BYTES];
  from_hex(key, vector->key);
  from_hex(signature, vector->signature);
  return ed25519_verify(signature, message, from_hex(message, vector->message), key);
}

static void test_wycheproof(void) {
  for (uint32_t index = 0; index < sizeof ed25519_vectors / sizeof *ed25519_vectors; index++) {
    const struct ed25519_vector *vector = &ed25519_vectors[index];
    if (verify(vector) != (vector->valid != 0)) printf("tcId %d\n", vector->id);
    EXPECT(verify(vector) == (vector->valid != 0));
  }
}

/* RFC 8032, 7.1: TEST 1, 2, 3 and SHA(abc). */
static const struct ed25519_vector rfc_vectors[] = {
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b",
     1, 1},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00",
     2, 1},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a",
     3, 1},
    {"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "b"
     "bd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e"
     "0"
     "303dca179c138ac17ad9bef1177331a704",
     4, 1},
};

/** Each as it is, and with bits of it changed, one at a time. */
static void test_rfc(void) {
  for (uint32_t index = 0; index < sizeof rfc_vectors / sizeof *rfc_vectors; index++) {
    uint8_t key[ED25519_KEY_BYTES], signature[ED25519_SIGNATURE_BYTES], message[MAX_MESSAGE_BYTES];
    const uint32_t size_bytes = from_hex(message, rfc_vectors[index].message);
    from_hex(key, rfc_vectors[index].key);
    from_hex(signature, rfc_vectors[index].signature);
    EXPECT(ed25519_verify(signature, message, size_bytes, key));
    for (uint32_t bit = 0; bit < 8u * ED25519_SIGNATURE_BYTES; bit += 11u) {
      signature[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
      EXPECT(!ed25519_verify(signature, message, size_bytes, key));
      signature[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
    }
    for (uint32_t bit = 0; bit < 8u * ED25519_KEY_BYTES; bit += 13u) {
      key[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
      EXPECT(!ed25519_verify(signature, message, size_bytes, key));
      key[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
    }
  }
}

/**
 * Points of small order. Of the key (0, 1) any s B is a signature with h A = 0: with s = 0, R is
 * (0, 1) as well. Its other encodings are refused: y = p + 1, and the sign of x = 0.
 */
static void test_encodings(void) {
  uint8_t key[ED25519_KEY_BYTES] = {1}, signature[ED25519_SIGNATURE_BYTES] = {1};
  EXPECT(ed25519_verify(signature, key, 0, key));
  signature[31] = 0x80;
  EXPECT(!ed25519_verify(signature, key, 0, key));
  signature[31] = 0;
  key[31] = 0x80;
  EXPECT(!ed25519_verify(signature, key, 0, key));
  memset(key, 0xff, sizeof key);
  key[0] = 0xee; /* p + 1 */
  key[31] = 0x7f;
  EXPECT(!ed25519_verify(signature, key, 0, key));
  memcpy(signature, key, sizeof key);
  memset(key, 0, sizeof key);
  key[0] = 1;
  EXPECT(!ed25519_verify(signature, key, 0, key));
}

int main(void) {
  test_wycheproof();
  test_rfc();
  test_encodings();
  return test_result();
}
