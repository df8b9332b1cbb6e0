/**
 * A file that comes in chunks, into a slot of the flash. Where the next chunk has to start is the
 * device's to say: a chunk that starts elsewhere is not written and answered with that. What is in
 * flash is hashed as it is read back.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include "../boot/boot.h"
#include "../boot/sha256.h"
#include "smp.h"

#define UPLOAD_MAX_ALIGNMENT_BYTES 8u

struct upload {
  const struct boot_flash *flash;
  enum boot_area area;
  bool known; /* a file that is under way, or has arrived and still stands there */
  bool has_sha;
  uint32_t size_bytes;
  uint32_t offset;  /* the one wanted next */
  uint32_t written; /* less than a word of it waits */
  uint8_t waiting[UPLOAD_MAX_ALIGNMENT_BYTES];
  uint8_t expected[BOOT_DIGEST_BYTES];
  bool match;
  struct sha256 sha;
};

/** The fields of a request. */
struct upload_chunk {
  uint32_t offset;
  struct cbor_bytes data;
  bool has_size;
  uint32_t size_bytes;
  struct cbor_bytes sha;
};

/** @return false if a field is missing or of another form */
bool upload_parse(const struct smp_request *request, struct upload_chunk *chunk);

/** Whether a chunk at 0 begins another file than the one that is known. */
bool upload_begins(const struct upload *upload, const struct upload_chunk *chunk);

/** Of a slot that is erased. */
void upload_begin(struct upload *upload, const struct boot_flash *flash, enum boot_area area,
                  const struct upload_chunk *chunk);

/** @return false if the flash refused it: the upload is not known any more */
bool upload_take(struct upload *upload, const struct upload_chunk *chunk);

void upload_forget(struct upload *upload);

/** {"off": …, "match"?: …} */
void upload_answer(const struct upload *upload, struct cbor_writer *answer);

#endif
