#include "cbor.h"

/* RFC 8949, 3: an item's first byte has its major type in the upper three bits. */
enum major { UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };
#define INFO_BITS 5u
#define INFO_MASK 31u
/* The lower five: a number below 24, or how long the number behind it is. */
#define INFO_1_BYTE 24u
#define INFO_8_BYTES 27u
#define INFO_INDEFINITE 31u
#define BREAK 0xffu
#define FALSE_BYTE 0xf4u
#define TRUE_BYTE 0xf5u
#define LONG_SIMPLE_BYTE 0xf8u
/** Simple values below this have one byte (RFC 8949, 3.3). */
#define MIN_LONG_SIMPLE 32u
/** No item's first byte. */
#define FAILED 0x100u

/** Once `failed`, `at` is `end`, so that whatever is read then fails too. */
struct reader {
  const uint8_t *at, *end;
  /** The number of the head read last, 0 of an indefinite length; what of it is over 32 bits. */
  uint32_t value, overflow;
  /** Of the packet's map, that may still come. */
  uint32_t pairs_left;
  bool is_indefinite, failed;
};

static uint32_t fail(struct reader *reader) {
  reader->at = reader->end;
  reader->failed = true;
  return FAILED;
}

static uint32_t left(const struct reader *reader) { return (uint32_t)(reader->end - reader->at); }

static bool is_definite(uint32_t first, enum major major) {
  return first - ((uint32_t)major << INFO_BITS) < INFO_INDEFINITE;
}

/** @return false if there is no such number, or it is not all there */
static bool read_number(struct reader *reader, uint32_t info) {
  if (info > INFO_8_BYTES || 1u << (info - INFO_1_BYTE) > left(reader)) return false;
  reader->value = 0;
  for (uint32_t more = 1u << (info - INFO_1_BYTE); more > 0; more--) {
    reader->overflow |= reader->value >> 24;
    reader->value = reader->value << 8 | *reader->at++;
  }
  return true;
}

/**
 * Reads an item's first byte and its number. What must be inside is so from here on: a string's
 * bytes, and a byte for each item of an array and each pair of a map.
 * @return the first byte, a BREAK too, or FAILED
 */
static uint32_t read_head(struct reader *reader) {
  if (left(reader) == 0) return fail(reader);
  const uint32_t first = *reader->at++, info = first & INFO_MASK, major = first >> INFO_BITS;
  const bool has_contents = major >= BYTES && major <= MAP;
  reader->value = info;
  reader->overflow = 0;
  if (info == INFO_INDEFINITE) {
    reader->value = 0;
    if (!has_contents && first != BREAK) return fail(reader);
  } else if (info >= INFO_1_BYTE && !read_number(reader, info)) {
    return fail(reader);
  }
  if (first == LONG_SIMPLE_BYTE && reader->value < MIN_LONG_SIMPLE) return fail(reader);
  if (!has_contents) return first;
  return reader->overflow != 0 || reader->value > left(reader) ? fail(reader) : first;
}

/** @return the item's first byte, a BREAK too, or FAILED */
static uint32_t skip(struct reader *reader, uint32_t depth) {
  const uint32_t first = read_head(reader), major = first >> INFO_BITS;
  if (first >= BREAK) return first;
  const bool is_indefinite = (first & INFO_MASK) == INFO_INDEFINITE;
  uint32_t items = 0;
  if (is_indefinite) {
    items = UINT32_MAX;
  } else if (major == TAG) {
    items = 1;
  } else if (major == ARRAY || major == MAP) {
    items = reader->value << (major - ARRAY);
  } else if (major == BYTES || major == TEXT) {
    reader->at += reader->value;
  }
  if (items > 0 && depth-- == 0) return fail(reader);
  for (uint32_t item = 0; item < items; item++) {
    const uint32_t inner = skip(reader, depth);
    if (inner == BREAK && is_indefinite && (major != MAP || item % 2u == 0)) break;
    /* RFC 8949, 3.2.3: a string's pieces are of its own type, and in one piece. */
    if (inner >= BREAK || (major <= TEXT && !is_definite(inner, major))) return fail(reader);
  }
  return first;
}

/** A value of the packet's map. */
static void skip_value(struct reader *reader) {
  if (skip(reader, CBOR_MAX_DEPTH) == BREAK) fail(reader);
}

static void open_map(struct reader *reader, const uint8_t *map, uint32_t size_bytes) {
  reader->at = map;
  reader->end = map + size_bytes;
  reader->failed = false;
  const uint32_t first = read_head(reader);
  reader->is_indefinite = (first & INFO_MASK) == INFO_INDEFINITE;
  reader->pairs_left = reader->is_indefinite ? CBOR_MAX_PAIRS : reader->value;
  if (first >> INFO_BITS != MAP || reader->pairs_left > CBOR_MAX_PAIRS) fail(reader);
}

/** Reads a key; the reader is then at its value. @return false at the end, and when it fails */
static bool next_key(struct reader *reader, struct cbor_bytes *key) {
  if (reader->failed || (reader->pairs_left == 0 && !reader->is_indefinite)) return false;
  const uint32_t first = read_head(reader);
  if (first == BREAK && reader->is_indefinite) return false;
  if (!is_definite(first, TEXT) || reader->pairs_left == 0) {
    fail(reader);
    return false;
  }
  reader->pairs_left--;
  key->bytes = reader->at;
  key->size_bytes = reader->value;
  reader->at += reader->value;
  return true;
}

static bool is_same(const struct cbor_bytes *a, const struct cbor_bytes *b) {
  uint32_t index = 0;
  if (a->size_bytes != b->size_bytes) return false;
  while (index < a->size_bytes && a->bytes[index] == b->bytes[index]) index++;
  return index == a->size_bytes;
}

/** The reader is then at the value of the first such key, or has failed. */
static void find(struct reader *reader, const uint8_t *map, uint32_t size_bytes,
                 const struct cbor_bytes *wanted) {
  struct cbor_bytes key;
  open_map(reader, map, size_bytes);
  while (next_key(reader, &key)) {
    if (is_same(&key, wanted)) return;
    skip_value(reader);
  }
  fail(reader);
}

bool cbor_map_valid(const uint8_t *map, uint32_t size_bytes) {
  struct reader reader, first;
  struct cbor_bytes key;
  open_map(&reader, map, size_bytes);
  while (next_key(&reader, &key)) {
    find(&first, map, size_bytes, &key);
    if (first.at != reader.at) return false;
    skip_value(&reader);
  }
  return !reader.failed && left(&reader) == 0;
}

static uint32_t text_bytes(const char *zero_terminated) {
  uint32_t size_bytes = 0;
  while (zero_terminated[size_bytes] != 0) size_bytes++;
  return size_bytes;
}

/** @return the first byte of the key's value, whose head is then read, or FAILED */
static uint32_t find_value(struct reader *reader, const uint8_t *map, uint32_t size_bytes,
                           const char *key) {
  const struct cbor_bytes wanted = {(const uint8_t *)key, text_bytes(key), true};
  find(reader, map, size_bytes, &wanted);
  return read_head(reader);
}

bool cbor_find_uint(const uint8_t *map, uint32_t size_bytes, const char *key, uint32_t *value) {
  struct reader reader;
  const uint32_t first = find_value(&reader, map, size_bytes, key);
  if (!is_definite(first, UINT) || reader.overflow != 0) return false;
  *value = reader.value;
  return true;
}

bool cbor_find_bool(const uint8_t *map, uint32_t size_bytes, const char *key, bool *value) {
  struct reader reader;
  const uint32_t first = find_value(&reader, map, size_bytes, key);
  if (first != FALSE_BYTE && first != TRUE_BYTE) return false;
  *value = first == TRUE_BYTE;
  return true;
}

static bool find_string(const uint8_t *map, uint32_t size_bytes, const char *key,
                        struct cbor_bytes *value, enum major major) {
  struct reader reader;
  value->present = is_definite(find_value(&reader, map, size_bytes, key), major);
  value->bytes = reader.at;
  value->size_bytes = value->present ? reader.value : 0;
  return value->present;
}

bool cbor_find_bytes(const uint8_t *map, uint32_t size_bytes, const char *key,
                     struct cbor_bytes *value) {
  return find_string(map, size_bytes, key, value, BYTES);
}

bool cbor_find_text(const uint8_t *map, uint32_t size_bytes, const char *key,
                    struct cbor_bytes *value) {
  return find_string(map, size_bytes, key, value, TEXT);
}

static void put(struct cbor_writer *writer, uint32_t byte) {
  if (writer->size_bytes >= writer->capacity_bytes) {
    writer->full = true;
  } else {
    writer->bytes[writer->size_bytes++] = (uint8_t)byte;
  }
}

/** In the shortest form (RFC 8949, 4.1). */
static void put_head(struct cbor_writer *writer, uint32_t major, uint32_t value) {
  uint32_t info = value, shift = 0;
  if (value >= INFO_1_BYTE) {
    info = INFO_1_BYTE + (value > 0xffu) + (value > 0xffffu);
    shift = 8u << (info - INFO_1_BYTE);
  }
  put(writer, major << INFO_BITS | info);
  while (shift > 0) {
    shift -= 8u;
    put(writer, value >> shift);
  }
}

void cbor_map(struct cbor_writer *writer, uint32_t pairs) { put_head(writer, MAP, pairs); }

void cbor_array(struct cbor_writer *writer, uint32_t items) { put_head(writer, ARRAY, items); }

void cbor_map_begin(struct cbor_writer *writer) { put(writer, MAP << INFO_BITS | INFO_INDEFINITE); }

void cbor_array_begin(struct cbor_writer *writer) {
  put(writer, ARRAY << INFO_BITS | INFO_INDEFINITE);
}

void cbor_end(struct cbor_writer *writer) { put(writer, BREAK); }

void cbor_uint(struct cbor_writer *writer, uint32_t value) { put_head(writer, UINT, value); }

void cbor_int(struct cbor_writer *writer, int32_t value) {
  /* -1 - value is what is written of a negative number. */
  if (value < 0)
    put_head(writer, NEGATIVE, ~(uint32_t)value);
  else
    put_head(writer, UINT, (uint32_t)value);
}

void cbor_bool(struct cbor_writer *writer, bool value) {
  put(writer, value ? TRUE_BYTE : FALSE_BYTE);
}

static void put_string(struct cbor_writer *writer, uint32_t major, const void *from,
                       uint32_t size_bytes) {
  const uint8_t *bytes = from;
  put_head(writer, major, size_bytes);
  for (uint32_t index = 0; index < size_bytes; index++) put(writer, bytes[index]);
}

void cbor_text(struct cbor_writer *writer, const char *zero_terminated) {
  put_string(writer, TEXT, zero_terminated, text_bytes(zero_terminated));
}

void cbor_bytes_of(struct cbor_writer *writer, const void *bytes, uint32_t size_bytes) {
  put_string(writer, BYTES, bytes, size_bytes);
}

void cbor_text_of(struct cbor_writer *writer, const void *text, uint32_t size_bytes) {
  put_string(writer, TEXT, text, size_bytes);
}
