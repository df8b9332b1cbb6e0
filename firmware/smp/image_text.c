#include "image_text.h"

#include "../boot/image.h"

/** Three digits twice, five, ten, and the dots between. */
#define MAX_VERSION_BYTES 24u
#define MAX_DIGITS 10u

static uint32_t put_number(uint8_t *text, uint32_t used, uint32_t value) {
  uint8_t digits[MAX_DIGITS];
  uint32_t count = 0;
  do {
    digits[count++] = (uint8_t)('0' + value % 10u);
    value /= 10u;
  } while (value > 0);
  while (count > 0) text[used++] = digits[--count];
  return used;
}

void image_text_version(const struct boot_image *image, struct cbor_writer *answer) {
  const uint8_t *version = image->version;
  const uint32_t revision = version[2] | (uint32_t)version[3] << 8;
  const uint32_t build = version[4] | (uint32_t)version[5] << 8 | (uint32_t)version[6] << 16 |
                         (uint32_t)version[7] << 24;
  uint8_t text[MAX_VERSION_BYTES];
  uint32_t used = put_number(text, 0, version[0]);
  text[used++] = '.';
  used = put_number(text, used, version[1]);
  text[used++] = '.';
  used = put_number(text, used, revision);
  if (build != 0) {
    text[used++] = '.';
    used = put_number(text, used, build);
  }
  cbor_text(answer, "version");
  cbor_text_of(answer, text, used);
}

bool image_text_is(const struct boot_image *image, const struct cbor_bytes *hash) {
  return hash->size_bytes == BOOT_DIGEST_BYTES && image_same(image->digest, hash->bytes);
}
