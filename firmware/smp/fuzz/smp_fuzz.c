/**
 * Broken lines and broken maps. An input is a stream of bytes for the decoder, or a packet that is
 * framed first and one byte of the lines changed, so that a check sum is no wall. Either way
 *  - the decoder answers as the one in test_frame.h, and never has more than its capacity,
 *  - a packet that it found is found again in the lines that frame_write makes of it,
 *  - of a packet's body cbor_map_valid says what a plain reading of RFC 8949 does, and what is
 * found in it lies in it, whether it is valid or not.
 */
#include <stdlib.h>

#include "../cbor.h"
#include "../test_frame.h"

#define MAX_INPUT_BYTES 1024u
#define MAX_LINES_BYTES (2u * MAX_INPUT_BYTES)
/** Kind of the input, capacity, place and change of the byte that is changed. */
#define PREFIX_BYTES 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition) {
  if (!condition) abort();
}

/** RFC 8949, appendix C, with a limit. */
struct plain {
  const uint8_t *at;
  uint32_t left;
};

#define PLAIN_BREAK 0xffu
#define PLAIN_WRONG 0x100u

static uint64_t plain_number(struct plain *plain, uint32_t bytes) {
  uint64_t number = 0;
  for (plain->left -= bytes; bytes > 0; bytes--) number = number << 8 | *plain->at++;
  return number;
}

static uint32_t plain_item(struct plain *plain, uint32_t depth);

/** Items up to a break. */
static bool plain_open(struct plain *plain, uint32_t major, uint32_t depth) {
  for (uint64_t count = 0;; count++) {
    const uint32_t item = plain_item(plain, depth);
    if (item == PLAIN_BREAK) return major != 5u || count % 2u == 0;
    if (item == PLAIN_WRONG) return false;
    if (major < 4u && (item >> 5 != major || (item & 31u) == 31u)) return false;
  }
}

/** @return the first byte, which may be a break, or PLAIN_WRONG */
static uint32_t plain_item(struct plain *plain, uint32_t depth) {
  if (plain->left == 0) return PLAIN_WRONG;
  const uint32_t first = (uint32_t)plain_number(plain, 1), major = first >> 5, info = first & 31u;
  uint64_t number = info;
  if (first == PLAIN_BREAK) return first;
  if (info == 31u) {
    if (major < 2u || major > 5u || depth == 0) return PLAIN_WRONG;
    return plain_open(plain, major, depth - 1u) ? first : PLAIN_WRONG;
  }
  if (info > 27u) return PLAIN_WRONG;
  if (info >= 24u) {
    if (1u << (info - 24u) > plain->left) return PLAIN_WRONG;
    number = plain_number(plain, 1u << (info - 24u));
  }
  if (major == 7u && info == 24u && number < 32u) return PLAIN_WRONG;
  if (major == 2u || major == 3u) {
    if (number > plain->left) return PLAIN_WRONG;
    plain->at += number;
    plain->left -= (uint32_t)number;
  }
  if (major < 4u || major == 7u) return first;
  /* Of 2^63 pairs or more, there are not enough bytes either. */
  const uint64_t items = major == 6u    ? 1u
                         : major == 4u  ? number
                         : number >> 62 ? number
                                        : 2u * number;
  if (items > 0 && depth == 0) return PLAIN_WRONG;
  for (uint64_t item = 0; item < items; item++) {
    if (plain_item(plain, depth - 1u) >= PLAIN_BREAK) return PLAIN_WRONG;
  }
  return first;
}

struct key {
  const uint8_t *bytes;
  uint32_t size_bytes;
};

/** @return whether it is text in one piece; then the reader is behind it */
static bool plain_key(struct plain *plain, struct key *key) {
  const struct plain before = *plain;
  const uint32_t first = plain_item(plain, 0);
  if (first >> 5 != 3u || (first & 31u) == 31u) return false;
  const uint32_t head_bytes = (first & 31u) < 24u ? 1u : 1u + (1u << ((first & 31u) - 24u));
  *key = (struct key){before.at + head_bytes, before.left - plain->left - head_bytes};
  return true;
}

/** What cbor_map_valid should say. */
static bool plain_valid(const uint8_t *body, uint32_t size_bytes) {
  struct key keys[CBOR_MAX_PAIRS];
  struct plain whole = {body, size_bytes}, inside = {body, size_bytes};
  if (size_bytes == 0 || body[0] >> 5 != 5u) return false;
  if (plain_item(&whole, CBOR_MAX_DEPTH + 1u) >= PLAIN_BREAK || whole.left > 0) return false;
  const uint32_t info = body[0] & 31u;
  plain_number(&inside, info < 24u || info == 31u ? 1u : 1u + (1u << (info - 24u)));
  for (uint32_t count = 0; inside.left > (info == 31u ? 1u : 0u); count++) {
    struct key key;
    if (count == CBOR_MAX_PAIRS || !plain_key(&inside, &key)) return false;
    for (uint32_t other = 0; other < count; other++) {
      if (keys[other].size_bytes == key.size_bytes &&
          memcmp(keys[other].bytes, key.bytes, key.size_bytes) == 0) {
        return false;
      }
    }
    keys[count] = key;
    plain_item(&inside, CBOR_MAX_DEPTH);
  }
  return true;
}

/** The value of a valid map's key: its first byte, its number and where it ends; 0 bytes if none.
 */
struct value {
  const uint8_t *at, *end;
  uint64_t number;
};

static struct value plain_value(const uint8_t *body, uint32_t size_bytes, const char *wanted) {
  struct plain plain = {body, size_bytes};
  struct key key;
  const uint32_t info = body[0] & 31u;
  plain_number(&plain, info < 24u || info == 31u ? 1u : 1u + (1u << (info - 24u)));
  while (plain.left > 0 && plain_key(&plain, &key)) {
    struct plain head = plain;
    plain_item(&plain, CBOR_MAX_DEPTH);
    if (key.size_bytes != strlen(wanted) || memcmp(key.bytes, wanted, key.size_bytes) != 0)
      continue;
    struct value value = {.at = head.at, .end = plain.at};
    const uint32_t first = (uint32_t)plain_number(&head, 1);
    value.number = first & 31u;
    if (value.number >= 24u && value.number < 28u) {
      value.number = plain_number(&head, 1u << (value.number - 24u));
    }
    return value;
  }
  return (struct value){.at = NULL};
}

static void check_string(const uint8_t *body, uint32_t size_bytes, const struct cbor_bytes *value) {
  expect(value->present || value->size_bytes == 0);
  if (!value->present) return;
  expect(value->bytes >= body && value->bytes <= body + size_bytes);
  expect(value->size_bytes <= (uint32_t)(body + size_bytes - value->bytes));
}

/** In a valid map a key has the value that it has, in any other one of one type at most. */
static void check_key(const uint8_t *body, uint32_t size_bytes, const char *key, bool is_valid) {
  uint32_t number = 0;
  bool flag = false;
  struct cbor_bytes bytes, text;
  const bool has_number = cbor_find_uint(body, size_bytes, key, &number);
  const bool has_flag = cbor_find_bool(body, size_bytes, key, &flag);
  expect(cbor_find_bytes(body, size_bytes, key, &bytes) == bytes.present);
  expect(cbor_find_text(body, size_bytes, key, &text) == text.present);
  expect(has_number + has_flag + bytes.present + text.present <= 1);
  check_string(body, size_bytes, &bytes);
  check_string(body, size_bytes, &text);
  if (!is_valid) return;
  const struct value value = plain_value(body, size_bytes, key);
  const uint32_t first = value.at == NULL ? PLAIN_WRONG : *value.at;
  expect(has_number == (first < 0x20u && value.number <= UINT32_MAX));
  expect(!has_number || number == value.number);
  expect(has_flag == (first == 0xf4u || first == 0xf5u) && flag == (first == 0xf5u));
  expect(bytes.present == (first >= 0x40u && first < 0x5fu));
  expect(text.present == (first >= 0x60u && first < 0x7fu));
  const struct cbor_bytes *string = bytes.present ? &bytes : &text;
  if (!string->present) return;
  expect(string->size_bytes == value.number && string->bytes + string->size_bytes == value.end);
}

static void check_body(const uint8_t *bytes, uint32_t size_bytes) {
  /* Exactly so many bytes: AddressSanitizer sees the next one. */
  uint8_t *body = malloc(size_bytes);
  if (size_bytes > 0) memcpy(body, bytes, size_bytes);
  const bool is_valid = cbor_map_valid(body, size_bytes);
  expect(is_valid == plain_valid(body, size_bytes));
  static const char *const keys[] = {"off", "data", "", "confirm"};
  for (uint32_t index = 0; index < 4u; index++) check_key(body, size_bytes, keys[index], is_valid);
  free(body);
}

struct lines {
  uint32_t size_bytes;
  uint8_t bytes[MAX_LINES_BYTES];
};

static void put(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  struct lines *lines = context;
  expect(size_bytes <= FRAME_MAX_LINE_BYTES && size_bytes <= MAX_LINES_BYTES - lines->size_bytes);
  memcpy(lines->bytes + lines->size_bytes, bytes, size_bytes);
  lines->size_bytes += size_bytes;
}

/** The lines of a packet hold it, and nothing else. */
static void check_again(const uint8_t *packet, uint32_t size_bytes) {
  static struct lines lines;
  static uint8_t buffer[MAX_INPUT_BYTES + FRAME_CRC_BYTES];
  struct frame_decoder decoder;
  uint32_t taken = 0;
  lines.size_bytes = 0;
  frame_write(packet, size_bytes, put, &lines);
  frame_decoder_init(&decoder, buffer, size_bytes + FRAME_CRC_BYTES);
  for (uint32_t index = 0; index < lines.size_bytes; index++) {
    expect(taken == 0);
    taken = frame_take(&decoder, lines.bytes[index]);
  }
  expect(taken == size_bytes && memcmp(buffer, packet, size_bytes) == 0 && decoder.damaged == 0);
}

static void check_stream(const uint8_t *bytes, uint32_t size_bytes, uint32_t capacity_bytes) {
  static struct reference reference;
  struct frame_decoder decoder;
  uint8_t *packet = malloc(capacity_bytes);
  reference_init(&reference, capacity_bytes);
  frame_decoder_init(&decoder, packet, capacity_bytes);
  for (uint32_t index = 0; index < size_bytes; index++) {
    const uint32_t taken = frame_take(&decoder, bytes[index]);
    expect(taken == reference_take(&reference, bytes[index]));
    expect(decoder.damaged == reference.damaged);
    if (taken == 0) continue;
    expect(taken >= FRAME_MIN_PACKET_BYTES && taken + FRAME_CRC_BYTES <= capacity_bytes);
    expect(memcmp(packet, reference.frame, taken) == 0);
    check_again(packet, taken);
    check_body(packet + FRAME_MIN_PACKET_BYTES, taken - FRAME_MIN_PACKET_BYTES);
  }
  free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct lines lines;
  if (size < PREFIX_BYTES || size > MAX_INPUT_BYTES) return 0;
  const uint8_t *bytes = data + PREFIX_BYTES;
  const uint32_t size_bytes = (uint32_t)size - PREFIX_BYTES;
  const bool is_packet = (data[0] & 1u) != 0;
  /* Mostly there is room. */
  const uint32_t capacity_bytes = (data[0] & 2u) != 0 ? data[1] : MAX_INPUT_BYTES;
  if (!is_packet) {
    check_stream(bytes, size_bytes, capacity_bytes);
    return 0;
  }
  lines.size_bytes = 0;
  frame_write(bytes, size_bytes, put, &lines);
  lines.bytes[data[2] % lines.size_bytes] ^= data[3];
  check_stream(lines.bytes, lines.size_bytes, capacity_bytes);
  return 0;
}
