#include <string.h>

#include "../engine/test.h"
#include "sha256.h"
#include "sha512.h"

static void expect_hex(const uint8_t *bytes, uint32_t size_bytes, const char *hex) {
  char text[2u * SHA512_BYTES + 1u];
  for (uint32_t index = 0; index < size_bytes; index++) {
    (void)snprintf(text + 2u * index, 3, "%02x", bytes[index]);
  }
  if (strcmp(text, hex) != 0) printf("%s is not %s\n", text, hex);
  EXPECT(strcmp(text, hex) == 0);
}

/** Of the text `times` times, in parts of any size. */
static void digests(const char *text, uint32_t times, const char *of_256, const char *of_512) {
  struct sha256 sha256;
  struct sha512 sha512;
  uint8_t digest[SHA512_BYTES];
  const uint8_t *bytes = (const uint8_t *)text;
  const uint32_t size_bytes = (uint32_t)strlen(text);
  sha256_start(&sha256);
  sha512_start(&sha512);
  for (; times > 0; times--) {
    const uint32_t part = size_bytes > 0 ? test_size(0, size_bytes) : 0;
    sha256_add(&sha256, bytes, part);
    sha256_add(&sha256, bytes + part, size_bytes - part);
    sha512_add(&sha512, bytes, part);
    sha512_add(&sha512, bytes + part, size_bytes - part);
  }
  sha256_end(&sha256, digest);
  expect_hex(digest, SHA256_BYTES, of_256);
  sha512_end(&sha512, digest);
  expect_hex(digest, SHA512_BYTES, of_512);
}

/* NIST's examples for FIPS 180-4: none, one and two blocks, and a million letters. */
int main(void) {
  digests("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
          "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
  digests("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  digests("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
          "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
          "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445");
  digests(
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmno"
      "pqrsmnopqrstnopqrstu",
      1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
      "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
      "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
  digests("aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
          "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
          "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b");
  return test_result();
}
