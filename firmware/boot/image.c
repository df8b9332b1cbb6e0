#include "image.h"

#include "../engine/memory.h"
#include "ed25519.h"
#include "layout.h"
#include "sha256.h"

/* MCUboot, design.md, "Image format". */
#define HEADER_BYTES 32u
#define HEADER_MAGIC 0x96f3b83du
#define FLAG_NON_BOOTABLE 0x10u
#define TLV_INFO_BYTES 4u
#define TLV_HEADER_BYTES 4u
#define PROTECTED_MAGIC 0x6908u
#define UNPROTECTED_MAGIC 0x6907u
#define ERASED_MAGIC 0xffffu
#define TLV_KEY_HASH 0x01u
#define TLV_SHA256 0x10u
#define TLV_ED25519 0x24u
#define TLV_COUNTER 0x50u
#define COUNTER_BYTES 4u
/** Records of one TLV area at most. */
#define MAX_TLVS 32u

/** Where what is needed of the TLVs was found. */
struct tlvs {
  uint8_t digest[SHA256_BYTES];
  uint8_t key_hash[SHA256_BYTES];
  uint8_t signature[ED25519_SIGNATURE_BYTES];
  uint8_t counter[COUNTER_BYTES];
};

/** A record that must be there once, of this size. */
struct wanted {
  uint8_t *to;
  uint16_t type, size_bytes;
  bool found;
};

struct reader {
  const struct boot_flash *flash;
  enum boot_area slot;
};

static bool read_at(const struct reader *reader, uint32_t offset, void *to, uint32_t size_bytes) {
  return flash_read(reader->flash, reader->slot, offset, to, size_bytes);
}

static uint32_t load_16(const uint8_t *bytes) { return bytes[0] | (uint32_t)bytes[1] << 8; }

static uint32_t load_32(const uint8_t *bytes) { return load_16(bytes) | load_16(bytes + 2) << 16; }

bool image_same(const uint8_t a[BOOT_DIGEST_BYTES], const uint8_t b[BOOT_DIGEST_BYTES]) {
  uint32_t difference = 0;
  for (uint32_t index = 0; index < BOOT_DIGEST_BYTES; index++) difference |= a[index] ^ b[index];
  return difference == 0;
}

/** @param room from the slot's start, for header, payload and TLVs */
static enum boot_status read_header(const struct reader *reader, uint32_t room,
                                    struct boot_image *image, uint32_t *protected_bytes) {
  uint8_t header[HEADER_BYTES];
  if (room < HEADER_BYTES) return BOOT_LAYOUT;
  if (!read_at(reader, 0, header, sizeof header)) return BOOT_FLASH;
  if (load_32(header) != HEADER_MAGIC) return BOOT_NO_IMAGE;
  image->header_bytes = load_16(header + 8);
  *protected_bytes = load_16(header + 10);
  image->payload_bytes = load_32(header + 12);
  const uint32_t flags = load_32(header + 16);
  memcpy(image->version, header + 20, sizeof image->version);
  if (flags != 0 && flags != FLAG_NON_BOOTABLE) return BOOT_BAD_HEADER;
  if ((flags == FLAG_NON_BOOTABLE) != layout_is_model(reader->slot)) return BOOT_WRONG_KIND;
  if (image->header_bytes < HEADER_BYTES || image->header_bytes % 4u != 0) return BOOT_BAD_HEADER;
  if (image->header_bytes > room) return BOOT_TOO_LARGE;
  room -= image->header_bytes;
  if (image->payload_bytes > room) return BOOT_TOO_LARGE;
  room -= image->payload_bytes;
  return *protected_bytes > room ? BOOT_TOO_LARGE : BOOT_OK;
}

/** One TLV: what is wanted of it, or that it may be left alone. */
static enum boot_status read_tlv(const struct reader *reader, uint32_t at, uint32_t type,
                                 uint32_t size_bytes, struct wanted *wanted, uint32_t wanted_count,
                                 bool others) {
  for (struct wanted *want = wanted; want < wanted + wanted_count; want++) {
    if (want->type != type) continue;
    if (want->size_bytes != size_bytes || want->found) return BOOT_BAD_TLV;
    want->found = true;
    return read_at(reader, at, want->to, size_bytes) ? BOOT_OK : BOOT_FLASH;
  }
  return others ? BOOT_OK : BOOT_BAD_TLV;
}

/**
 * An area of TLVs at `at`, all of what is wanted in it.
 * @param others whether records that are not wanted may be there: signed ones
 * @param size_bytes in: the room for it; out: its size
 */
static enum boot_status read_tlvs(const struct reader *reader, uint32_t at, uint32_t magic,
                                  struct wanted *wanted, uint32_t wanted_count, bool others,
                                  uint32_t *size_bytes) {
  uint8_t info[TLV_INFO_BYTES];
  if (*size_bytes < TLV_INFO_BYTES) return BOOT_TOO_LARGE;
  if (!read_at(reader, at, info, sizeof info)) return BOOT_FLASH;
  if (load_16(info) == ERASED_MAGIC) return BOOT_TRUNCATED;
  const uint32_t total = load_16(info + 2);
  if (load_16(info) != magic || total < TLV_INFO_BYTES) return BOOT_BAD_TLV;
  if (total > *size_bytes) return BOOT_TOO_LARGE;
  *size_bytes = total;
  uint32_t left = total - TLV_INFO_BYTES;
  at += TLV_INFO_BYTES;
  for (uint32_t count = 0; left > 0; count++) {
    uint8_t header[TLV_HEADER_BYTES];
    if (count == MAX_TLVS || left < TLV_HEADER_BYTES) return BOOT_BAD_TLV;
    if (!read_at(reader, at, header, sizeof header)) return BOOT_FLASH;
    const uint32_t value_bytes = load_16(header + 2);
    left -= TLV_HEADER_BYTES;
    at += TLV_HEADER_BYTES;
    if (value_bytes > left) return BOOT_BAD_TLV;
    const enum boot_status status =
        read_tlv(reader, at, load_16(header), value_bytes, wanted, wanted_count, others);
    if (status != BOOT_OK) return status;
    left -= value_bytes;
    at += value_bytes;
  }
  for (uint32_t index = 0; index < wanted_count; index++) {
    if (!wanted[index].found) return BOOT_BAD_TLV;
  }
  return BOOT_OK;
}

/** Both areas. Unsigned records that nothing here reads are refused: anybody may have put them. */
static enum boot_status read_all_tlvs(const struct reader *reader, uint32_t room,
                                      uint32_t protected_bytes, struct boot_image *image,
                                      struct tlvs *tlvs) {
  struct wanted signed_ones[] = {{tlvs->counter, TLV_COUNTER, sizeof tlvs->counter, false}};
  struct wanted others[] = {{tlvs->digest, TLV_SHA256, sizeof tlvs->digest, false},
                            {tlvs->key_hash, TLV_KEY_HASH, sizeof tlvs->key_hash, false},
                            {tlvs->signature, TLV_ED25519, sizeof tlvs->signature, false}};
  uint32_t at = image->header_bytes + image->payload_bytes, size_bytes = room - at;
  enum boot_status status =
      read_tlvs(reader, at, PROTECTED_MAGIC, signed_ones, 1, true, &size_bytes);
  if (status != BOOT_OK) return status;
  if (size_bytes != protected_bytes) return BOOT_BAD_TLV;
  at += size_bytes;
  size_bytes = room - at;
  status = read_tlvs(reader, at, UNPROTECTED_MAGIC, others, 3, false, &size_bytes);
  if (status != BOOT_OK) return status;
  image->counter = load_32(tlvs->counter);
  image->size_bytes = at + size_bytes;
  return BOOT_OK;
}

static bool digest_of(const struct reader *reader, uint32_t size_bytes,
                      uint8_t digest[SHA256_BYTES]) {
  struct sha256 sha;
  uint8_t part[LAYOUT_PART_BYTES];
  sha256_start(&sha);
  for (uint32_t at = 0; at < size_bytes;) {
    const uint32_t left = size_bytes - at, count = left < sizeof part ? left : sizeof part;
    if (!read_at(reader, at, part, count)) return false;
    sha256_add(&sha, part, count);
    at += count;
  }
  sha256_end(&sha, digest);
  return true;
}

/** By the SHA-256 of the key as X.509 writes it (RFC 8410): what imgtool hashes. */
static const uint8_t *find_key(const struct boot_device *device,
                               const uint8_t key_hash[SHA256_BYTES]) {
  static const uint8_t prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                   0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  for (uint32_t index = 0; index < device->key_count; index++) {
    struct sha256 sha;
    uint8_t digest[SHA256_BYTES];
    sha256_start(&sha);
    sha256_add(&sha, prefix, sizeof prefix);
    sha256_add(&sha, device->keys[index], BOOT_KEY_BYTES);
    sha256_end(&sha, digest);
    if (image_same(digest, key_hash)) return device->keys[index];
  }
  return NULL;
}

/** Everything that an image says about itself. */
static enum boot_status read_image(const struct reader *reader, struct boot_image *image,
                                   struct tlvs *tlvs, uint32_t *protected_bytes) {
  const uint32_t room = layout_capacity(reader->flash, reader->slot);
  memset(image, 0, sizeof *image);
  const enum boot_status status = read_header(reader, room, image, protected_bytes);
  if (status != BOOT_OK) return status;
  return read_all_tlvs(reader, room, *protected_bytes, image, tlvs);
}

enum boot_status image_describe(const struct boot_flash *flash, enum boot_area slot,
                                struct boot_image *image) {
  struct tlvs tlvs;
  uint32_t protected_bytes;
  const enum boot_status status =
      read_image(&(struct reader){flash, slot}, image, &tlvs, &protected_bytes);
  if (status == BOOT_OK) memcpy(image->digest, tlvs.digest, sizeof tlvs.digest);
  return status;
}

enum boot_status image_check(const struct boot_device *device, enum boot_area slot,
                             uint32_t least_counter, struct boot_image *image) {
  const struct reader reader = {device->flash, slot};
  struct tlvs tlvs;
  uint32_t protected_bytes;
  const enum boot_status status = read_image(&reader, image, &tlvs, &protected_bytes);
  if (status != BOOT_OK) return status;

  const uint32_t signed_bytes = image->header_bytes + image->payload_bytes + protected_bytes;
  if (!digest_of(&reader, signed_bytes, image->digest)) return BOOT_FLASH;
  if (!image_same(image->digest, tlvs.digest)) return BOOT_DIGEST;
  const uint8_t *key = find_key(device, tlvs.key_hash);
  if (key == NULL) return BOOT_UNKNOWN_KEY;
  if (!ed25519_verify(tlvs.signature, image->digest, SHA256_BYTES, key)) return BOOT_SIGNATURE;
  return image->counter < least_counter ? BOOT_DOWNGRADE : BOOT_OK;
}
