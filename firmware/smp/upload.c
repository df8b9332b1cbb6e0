#include "upload.h"

#include "../boot/image.h"
#include "../engine/memory.h"

#define ERASED 0xffu
/** One part of what is read back at a time. */
#define PART_BYTES 64u

bool upload_parse(const struct smp_request *request, struct upload_chunk *chunk) {
  const uint8_t *map = request->map;
  const uint32_t map_bytes = request->map_bytes;
  *chunk = (struct upload_chunk){0};
  if (!cbor_find_uint(map, map_bytes, "off", &chunk->offset)) return false;
  if (!cbor_find_bytes(map, map_bytes, "data", &chunk->data)) return false;
  chunk->has_size = cbor_find_uint(map, map_bytes, "len", &chunk->size_bytes);
  if (!cbor_find_bytes(map, map_bytes, "sha", &chunk->sha)) chunk->sha.size_bytes = 0;
  return chunk->sha.size_bytes == 0 || chunk->sha.size_bytes == BOOT_DIGEST_BYTES;
}

bool upload_begins(const struct upload *upload, const struct upload_chunk *chunk) {
  if (chunk->offset != 0) return false;
  /* What arrived broken is no file to go on with. */
  if (upload->known && upload->offset == upload->size_bytes && !upload->match) return true;
  return !upload->known || !upload->has_sha || chunk->sha.size_bytes == 0 || !chunk->has_size ||
         chunk->size_bytes != upload->size_bytes || !image_same(chunk->sha.bytes, upload->expected);
}

void upload_begin(struct upload *upload, const struct boot_flash *flash, enum boot_area area,
                  const struct upload_chunk *chunk) {
  *upload = (struct upload){
      .flash = flash,
      .area = area,
      .known = true,
      .has_sha = chunk->sha.size_bytes > 0,
      .size_bytes = chunk->size_bytes,
  };
  if (upload->has_sha) memcpy(upload->expected, chunk->sha.bytes, BOOT_DIGEST_BYTES);
  sha256_start(&upload->sha);
}

void upload_forget(struct upload *upload) { upload->known = false; }

/** Whole words, and what they are in flash then. */
static bool write_words(struct upload *upload, const uint8_t *bytes, uint32_t size_bytes,
                        uint32_t hashed_bytes) {
  if (!flash_write(upload->flash, upload->area, upload->written, bytes, size_bytes)) return false;
  for (uint32_t at = 0; at < hashed_bytes;) {
    uint8_t part[PART_BYTES];
    const uint32_t left = hashed_bytes - at, count = left < sizeof part ? left : sizeof part;
    if (!flash_read(upload->flash, upload->area, upload->written + at, part, count)) return false;
    sha256_add(&upload->sha, part, count);
    at += count;
  }
  upload->written += size_bytes;
  return true;
}

/** What waits from the chunk before comes first; what is less than a word waits for the next. */
static bool write_chunk(struct upload *upload, const uint8_t *bytes, uint32_t size_bytes) {
  const uint32_t align = upload->flash->write_bytes;
  uint32_t waiting = upload->offset - upload->written;
  upload->offset += size_bytes;
  if (waiting > 0) {
    while (waiting < align && size_bytes > 0) {
      upload->waiting[waiting++] = *bytes++;
      size_bytes--;
    }
    if (waiting < align) return true;
    if (!write_words(upload, upload->waiting, align, align)) return false;
  }
  const uint32_t whole = size_bytes - size_bytes % align;
  if (whole > 0 && !write_words(upload, bytes, whole, whole)) return false;
  memcpy(upload->waiting, bytes + whole, size_bytes - whole);
  return true;
}

static bool end(struct upload *upload) {
  const uint32_t left = upload->offset - upload->written;
  if (left > 0) {
    memset(upload->waiting + left, ERASED, sizeof upload->waiting - left);
    if (!write_words(upload, upload->waiting, upload->flash->write_bytes, left)) return false;
  }
  uint8_t digest[BOOT_DIGEST_BYTES];
  sha256_end(&upload->sha, digest);
  upload->match = !upload->has_sha || image_same(digest, upload->expected);
  return true;
}

bool upload_take(struct upload *upload, const struct upload_chunk *chunk) {
  if (!upload->known) {
    upload->offset = 0;
    return true;
  }
  const uint32_t room = upload->size_bytes - upload->offset;
  if (chunk->offset != upload->offset || room == 0) return true;
  const uint32_t count = chunk->data.size_bytes < room ? chunk->data.size_bytes : room;
  if (write_chunk(upload, chunk->data.bytes, count) &&
      (upload->offset < upload->size_bytes || end(upload))) {
    return true;
  }
  upload->known = false;
  return false;
}

void upload_answer(const struct upload *upload, struct cbor_writer *answer) {
  const bool whole = upload->known && upload->offset == upload->size_bytes;
  cbor_map(answer, whole && upload->has_sha ? 2 : 1);
  cbor_text(answer, "off");
  cbor_uint(answer, upload->known ? upload->offset : 0);
  if (!whole || !upload->has_sha) return;
  cbor_text(answer, "match");
  cbor_bool(answer, upload->match);
}
