/** Requests for tests, built as a client builds them, and what is answered. */
#ifndef TEST_SMP_H
#define TEST_SMP_H

#include <string.h>

#include "../engine/test.h"
#include "smp.h"

#define TEST_READ 0u
#define TEST_WRITE 2u
#define TEST_VERSION_2 8u

/** The answer to the last request; no bytes if there was none. */
static uint8_t test_answer[SMP_BUFFER_BYTES];
static uint32_t test_answer_bytes;
static uint8_t test_packet[SMP_BUFFER_BYTES + 2u];
static struct frame_decoder test_decoder;

/** What the server sends, decoded again. */
static inline void test_receive(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  (void)context;
  for (uint32_t index = 0; index < size_bytes; index++) {
    const uint32_t packet_bytes = frame_take(&test_decoder, bytes[index]);
    if (packet_bytes == 0) continue;
    memcpy(test_answer, test_packet, packet_bytes);
    test_answer_bytes = packet_bytes;
  }
}

static inline void test_forward(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  smp_take(context, bytes, size_bytes);
}

/** @param first operation and version */
static inline void test_send(struct smp *smp, uint32_t first, uint32_t group, uint32_t id,
                             const void *map, uint32_t map_bytes) {
  uint8_t packet[SMP_BUFFER_BYTES];
  const uint8_t header[] = {(uint8_t)first,
                            0,
                            (uint8_t)(map_bytes >> 8),
                            (uint8_t)map_bytes,
                            (uint8_t)(group >> 8),
                            (uint8_t)group,
                            7,
                            (uint8_t)id};
  memcpy(packet, header, sizeof header);
  if (map_bytes > 0) memcpy(packet + sizeof header, map, map_bytes);
  frame_decoder_init(&test_decoder, test_packet, sizeof test_packet);
  test_answer_bytes = 0;
  frame_write(packet, (uint32_t)sizeof header + map_bytes, test_forward, smp);
}

static inline void test_ask(struct smp *smp, bool write, uint32_t group, uint32_t id,
                            const struct cbor_writer *map) {
  test_send(smp, (write ? TEST_WRITE : TEST_READ) | TEST_VERSION_2, group, id, map->bytes,
            map->size_bytes);
}

/** A number of the answer; UINT32_MAX if it is not there. */
static inline uint32_t test_number(const char *key) {
  uint32_t value = UINT32_MAX;
  if (test_answer_bytes < SMP_HEADER_BYTES) return value;
  (void)cbor_find_uint(test_answer + SMP_HEADER_BYTES, test_answer_bytes - SMP_HEADER_BYTES, key,
                       &value);
  return value;
}

static inline bool test_flag(const char *key) {
  bool value = false;
  return test_answer_bytes >= SMP_HEADER_BYTES &&
         cbor_find_bool(test_answer + SMP_HEADER_BYTES, test_answer_bytes - SMP_HEADER_BYTES, key,
                        &value) &&
         value;
}

/** An empty map: what is answered where there is nothing to say. */
static inline bool test_is_empty(void) {
  return test_answer_bytes == SMP_HEADER_BYTES + 1u && test_answer[SMP_HEADER_BYTES] == 0xa0;
}

/** Whether the answer is this error of a group: {"err": {"group": …, "rc": …}}. */
static inline bool test_is_error(uint32_t group, uint32_t rc) {
  uint8_t expected[32];
  struct cbor_writer writer = {.bytes = expected, .capacity_bytes = sizeof expected};
  cbor_map(&writer, 1);
  cbor_text(&writer, "err");
  cbor_map(&writer, 2);
  cbor_text(&writer, "group");
  cbor_uint(&writer, group);
  cbor_text(&writer, "rc");
  cbor_uint(&writer, rc);
  return test_answer_bytes == SMP_HEADER_BYTES + writer.size_bytes &&
         memcmp(test_answer + SMP_HEADER_BYTES, expected, writer.size_bytes) == 0;
}

/** A map to be sent; each call begins a new one. */
static inline struct cbor_writer test_map(uint32_t pairs) {
  static uint8_t bytes[SMP_BUFFER_BYTES - SMP_HEADER_BYTES];
  struct cbor_writer writer = {.bytes = bytes, .capacity_bytes = sizeof bytes};
  cbor_map(&writer, pairs);
  return writer;
}

/** One chunk of an upload. @param sha NULL for none */
static inline void test_upload(struct smp *smp, uint32_t group, uint32_t offset,
                               const uint8_t *bytes, uint32_t size_bytes, uint32_t all_bytes,
                               const uint8_t *sha) {
  struct cbor_writer map = test_map(2u + (offset == 0 ? 1u + (uint32_t)(sha != NULL) : 0));
  cbor_text(&map, "off");
  cbor_uint(&map, offset);
  if (offset == 0) {
    cbor_text(&map, "len");
    cbor_uint(&map, all_bytes);
    if (sha != NULL) {
      cbor_text(&map, "sha");
      cbor_bytes_of(&map, sha, 32);
    }
  }
  cbor_text(&map, "data");
  cbor_bytes_of(&map, bytes, size_bytes);
  test_ask(smp, true, group, 1, &map);
}

#endif
