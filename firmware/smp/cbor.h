/**
 * As much of CBOR (RFC 8949) as SMP's bodies need: one map with text keys. What is read is hostile;
 * nothing is read outside it, and nothing is copied.
 */
#ifndef CBOR_H
#define CBOR_H

#include <stdbool.h>
#include <stdint.h>

/** Pairs of the packet's map: what bounds the time to look for keys that come twice. */
#define CBOR_MAX_PAIRS 32u
/** Arrays, maps, tags and strings in pieces within one another, in a value of the packet's map. */
#define CBOR_MAX_DEPTH 8u

/** A string where it stands in the packet. */
struct cbor_bytes {
  const uint8_t *bytes;
  uint32_t size_bytes;
  bool present;
};

/**
 * True when all of it is one well-formed map (RFC 8949, 5.3.1; of definite or indefinite length) of
 * at most CBOR_MAX_PAIRS pairs, with keys that are text in one piece, none of them twice. Values
 * are whatever is well-formed, of any type and size; that text is UTF-8 is not looked at, and a map
 * inside may have what keys it likes.
 */
bool cbor_map_valid(const uint8_t *map, uint32_t size_bytes);

/**
 * Finds a key's value: true when it is there with that type, and fits 32 bits or is a string in one
 * piece. Else `value` is left as it was. The map should be a valid one; in any other it may be
 * found or not, and what is found lies inside.
 */
bool cbor_find_uint(const uint8_t *map, uint32_t size_bytes, const char *key, uint32_t *value);
bool cbor_find_bool(const uint8_t *map, uint32_t size_bytes, const char *key, bool *value);
/** These two set `present` to false, and the size to 0, when they do not find it. */
bool cbor_find_bytes(const uint8_t *map, uint32_t size_bytes, const char *key,
                     struct cbor_bytes *value);
bool cbor_find_text(const uint8_t *map, uint32_t size_bytes, const char *key,
                    struct cbor_bytes *value);

/**
 * Never writes past the capacity: what does not fit sets `full`, and from then on nothing is
 * written. Begin with {.bytes = …, .capacity_bytes = …}.
 */
struct cbor_writer {
  uint8_t *bytes;
  uint32_t capacity_bytes;
  uint32_t size_bytes;
  bool full;
};

/** So many pairs or items must follow. */
void cbor_map(struct cbor_writer *writer, uint32_t pairs);
void cbor_array(struct cbor_writer *writer, uint32_t items);
/** Any number may follow, then cbor_end. */
void cbor_map_begin(struct cbor_writer *writer);
void cbor_array_begin(struct cbor_writer *writer);
void cbor_end(struct cbor_writer *writer);

void cbor_uint(struct cbor_writer *writer, uint32_t value);
void cbor_int(struct cbor_writer *writer, int32_t value);
void cbor_bool(struct cbor_writer *writer, bool value);
void cbor_text(struct cbor_writer *writer, const char *zero_terminated);
/** Text that is not zero-terminated. */
void cbor_text_of(struct cbor_writer *writer, const void *text, uint32_t size_bytes);
void cbor_bytes_of(struct cbor_writer *writer, const void *bytes, uint32_t size_bytes);

#endif
