#include "cbor.h"

#include <string.h>

#include "../engine/test.h"

#define MAX_MAP_BYTES 512u
#define MAX_VALUE_DIGITS 100u

/** Exactly so many bytes, so that AddressSanitizer sees the next one. */
struct body {
  uint8_t *bytes;
  uint32_t size_bytes;
};

static uint32_t hex_digit(char character) {
  return (uint32_t)(character <= '9' ? character - '0' : character - 'a' + 10);
}

/** Of hexadecimal digits; `middle` stands between the others. */
static struct body body_around(const char *before, const char *middle, const char *after) {
  char hex[2u * MAX_MAP_BYTES + 1u];
  snprintf(hex, sizeof hex, "%s%s%s", before, middle, after);
  struct body body = {NULL, (uint32_t)strlen(hex) / 2u};
  body.bytes = malloc(body.size_bytes);
  if (body.bytes == NULL) abort();
  for (uint32_t index = 0; index < body.size_bytes; index++) {
    body.bytes[index] =
        (uint8_t)(hex_digit(hex[2u * index]) << 4 | hex_digit(hex[2u * index + 1u]));
  }
  return body;
}

static struct body body_of(const char *hex) { return body_around("", hex, ""); }

static bool is_valid(const char *hex) {
  const struct body body = body_of(hex);
  const bool valid = cbor_map_valid(body.bytes, body.size_bytes);
  free(body.bytes);
  return valid;
}

static bool is_valid_value(const char *before, const char *value, const char *after) {
  const struct body body = body_around(before, value, after);
  const bool valid = cbor_map_valid(body.bytes, body.size_bytes);
  free(body.bytes);
  return valid;
}

/** Words are apart by a space. @return false after the last */
static bool next_word(const char **at, char *word) {
  if (**at == 0) return false;
  while (**at != 0 && **at != ' ') *word++ = *(*at)++;
  *word = 0;
  if (**at == ' ') (*at)++;
  return true;
}

/** RFC 8949, appendix A, but for some that differ from others in a digit. */
static void test_well_formed(void) {
  static const char values[] =
      "00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff "
      "c249010000000000000000 3bffffffffffffffff 20 29 3863 3903e7 f90000 f93c00 "
      "fb3ff199999999999a fa47c35000 f97c00 f97e00 faff800000 fb7ff0000000000000 f4 f5 f6 f7 "
      "f0 f8ff f820 c074323031332d30332d32315432303a30343a30305a c11a514b67b0 d74401020304 "
      "d818456449455446 40 4401020304 60 6161 6449455446 62225c 62c3bc 64f0908591 80 83010203 "
      "8301820203820405 98190102030405060708090a0b0c0d0e0f101112131415161718181819 a0 "
      "a201020304 a26161016162820203 826161a161626163 5f42010243030405ff "
      "7f657374726561646d696e67ff 9fff 9f018202039f0405ffff 83018202039f0405ff "
      "bf61610161629f0203ffff 826161bf61626163ff bf6346756ef563416d7421ff 5fff 7fff bfff "
      "7f60ff 5a0000000101 db000000000000000100";
  const char *at = values;
  for (char value[MAX_VALUE_DIGITS]; next_word(&at, value);) {
    EXPECT(is_valid_value("a16178", value, ""));
    EXPECT(is_valid_value("bf6178", value, "ff"));
    EXPECT(is_valid_value("a26178", value, "6179f5"));
    /* One item too many. */
    EXPECT(!is_valid_value("a16178", value, "00"));
    EXPECT(!is_valid_value("bf6178", value, "00ff"));
    /* One too few. */
    EXPECT(!is_valid_value("a26178", value, ""));
    EXPECT(!is_valid_value("bf6178", value, ""));
  }
}

/** RFC 8949, appendix F, "Examples of CBOR Data Items That Are Not Well-Formed". */
static void test_not_well_formed(void) {
  static const char values[] =
      "1fff 1f00ff 3fff 3f20ff dfff df00ff 1c00000000000000000000000000000000 "
      "3d0000000000000000000000000000000000 18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 "
      "98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000 41 61 5affffffff00 5bffffffffffffffff010203 "
      "7affffffff00 7b7fffffffffffffff010203 81 818181818181 8200 a1 a20102 a100 a2000000 c0 "
      "5f4100 7f6100 9f 9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffff 9f819f819f9fffffff "
      "1c 1d 1e 3c 5d 7e 9c bd de fc fd fe f800 f801 f818 f81f 5f00ff 5f21ff 5f6100ff 5f80ff "
      "5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff ff 81ff 8200ff a1ff a1ff00 "
      "a100ff a20000ff 9f81ff 9f829f819f9fffffffff bf00ff bf000000ff 1f 3f df c0ff c1ff00 "
      "9affffffff00 ba8000000000 ba80000001000000 9b000000010000000100 5b000000010000000100";
  const char *at = values;
  for (char value[MAX_VALUE_DIGITS]; next_word(&at, value);) {
    EXPECT(!is_valid_value("a16178", value, ""));
    /* The break ends the value or the map, and not both. */
    EXPECT(!is_valid_value("bf6178", value, "ff"));
  }
}

static void test_maps(void) {
  EXPECT(is_valid("a0") && is_valid("bfff") && is_valid("b800") && is_valid("bb0000000000000000"));
  EXPECT(!is_valid("") && !is_valid("bf") && !is_valid("ff") && !is_valid("a1") && !is_valid("b8"));
  EXPECT(!is_valid("a000") && !is_valid("bfff00") && !is_valid("80") && !is_valid("00"));
  EXPECT(!is_valid("f6") && !is_valid("40") && !is_valid("60") && !is_valid("c1a0"));
  EXPECT(!is_valid("d9d9f7a0") && !is_valid("9fff") && !is_valid("7fff"));
  /* Keys: text, in one piece, once. */
  EXPECT(is_valid("a2616100616201") && !is_valid("a2616100616101") && is_valid("a16000"));
  EXPECT(is_valid("a2616100626161f5") && !is_valid("a260006000"));
  EXPECT(!is_valid("a361610061620078016100") && !is_valid("bf61610061626161616100ff"));
  EXPECT(is_valid("a16161a2616100616101") && is_valid("a16161a20000f500"));
  EXPECT(!is_valid("a10000") && !is_valid("a1416100") && !is_valid("a17f6161ff00"));
  EXPECT(!is_valid("a1c1616100") && !is_valid("a1f500") && !is_valid("a18000"));
  EXPECT(is_valid("a162610000") && !is_valid("a1636100") && !is_valid("a17affffffff00"));
}

/** `pairs` of them with keys of their own, and a break or not. */
static bool is_valid_of(uint32_t pairs, bool is_indefinite) {
  uint8_t bytes[MAX_MAP_BYTES];
  struct cbor_writer writer = {.bytes = bytes, .capacity_bytes = sizeof bytes};
  if (is_indefinite) {
    cbor_map_begin(&writer);
  } else {
    cbor_map(&writer, pairs);
  }
  for (uint32_t pair = 0; pair < pairs; pair++) {
    const char key[] = {(char)('0' + pair), 0};
    cbor_text(&writer, key);
    cbor_uint(&writer, pair);
  }
  if (is_indefinite) cbor_end(&writer);
  uint32_t last = 0;
  const char key[] = {(char)('0' + pairs - 1u), 0};
  const bool is_found = cbor_find_uint(bytes, writer.size_bytes, key, &last);
  EXPECT(!writer.full && is_found == (pairs > 0 && pairs <= CBOR_MAX_PAIRS));
  EXPECT(last == (is_found ? pairs - 1u : 0));
  return cbor_map_valid(bytes, writer.size_bytes);
}

static void test_limits(void) {
  for (uint32_t pairs = 0; pairs < 50u; pairs++) {
    EXPECT(is_valid_of(pairs, false) == (pairs <= CBOR_MAX_PAIRS));
    EXPECT(is_valid_of(pairs, true) == (pairs <= CBOR_MAX_PAIRS));
  }
  static const char *const nests[] = {"81", "9f", "c1", "a100", "bf00"};
  for (uint32_t kind = 0; kind < 5u; kind++) {
    for (uint32_t depth = 1; depth < 20u; depth++) {
      char value[200] = "";
      for (uint32_t left = depth; left > 0; left--) strcat(value, nests[kind]);
      strcat(value, "00");
      for (uint32_t left = kind % 3u == 1u ? depth : 0; left > 0; left--) strcat(value, "ff");
      EXPECT(is_valid_value("a16178", value, "") == (depth <= CBOR_MAX_DEPTH));
    }
  }
}

/** As a client sends it, whose body has this type of map. */
static void expect_upload(const char *hex, uint32_t data_bytes) {
  const struct body body = body_of(hex);
  uint32_t number = 7;
  bool flag = true;
  struct cbor_bytes value;
  EXPECT(cbor_map_valid(body.bytes, body.size_bytes));
  EXPECT(cbor_find_uint(body.bytes, body.size_bytes, "image", &number) && number == 0);
  EXPECT(cbor_find_uint(body.bytes, body.size_bytes, "len", &number) && number == 70000);
  EXPECT(cbor_find_uint(body.bytes, body.size_bytes, "off", &number) && number == 0);
  EXPECT(cbor_find_bytes(body.bytes, body.size_bytes, "sha", &value) && value.present);
  EXPECT(value.size_bytes == 4 && memcmp(value.bytes, "\1\2\3\4", 4) == 0);
  EXPECT(cbor_find_bytes(body.bytes, body.size_bytes, "data", &value) && value.present);
  EXPECT(value.size_bytes == data_bytes && value.bytes[data_bytes - 1u] == 9);
  /* Of another type, or not there. */
  number = 7;
  EXPECT(!cbor_find_uint(body.bytes, body.size_bytes, "data", &number) && number == 7);
  EXPECT(!cbor_find_uint(body.bytes, body.size_bytes, "of", &number) && number == 7);
  EXPECT(!cbor_find_uint(body.bytes, body.size_bytes, "offs", &number) && number == 7);
  EXPECT(!cbor_find_uint(body.bytes, body.size_bytes, "", &number) && number == 7);
  EXPECT(!cbor_find_bool(body.bytes, body.size_bytes, "off", &flag) && flag);
  EXPECT(!cbor_find_text(body.bytes, body.size_bytes, "data", &value) && !value.present);
  EXPECT(value.size_bytes == 0);
  EXPECT(!cbor_find_bytes(body.bytes, body.size_bytes, "off", &value) && !value.present);
  free(body.bytes);
}

#define DATA                                                 \
  "09090909090909090909090909090909090909090909090909090909" \
  "0909"
static void test_requests(void) {
  /* cborg, as src/mcu/smp/cbor.ts has it. */
  expect_upload(
      "a5636c656e1a00011170636f666600637368614401020304"
      "6464617461581e" DATA "65696d61676500",
      30);
  /* As zcbor writes maps, with an unknown key and a tagged value of a float. */
  expect_upload(
      "bf65696d61676500636c656e1a0001117063"
      "6f666600"
      "6378797ac1fb41d452d9e8000000"
      "637368614401020304"
      "6464617461581e" DATA "ff",
      30);
  /* Numbers that are longer than they need be. */
  expect_upload(
      "b90005"
      "7805696d6167651800"
      "636c656e1b0000000000011170"
      "78036f6666190000"
      "637368615a0000000401020304"
      "6464617461581e" DATA,
      30);
}

static void test_found(void) {
  static const struct {
    const char *value;
    bool is_uint, is_bool, is_bytes, is_text;
    uint32_t number;
  } cases[] = {
      {"00", true, false, false, false, 0},
      {"17", true, false, false, false, 23},
      {"18ff", true, false, false, false, 255},
      {"1affffffff", true, false, false, false, UINT32_MAX},
      {"1b00000000ffffffff", true, false, false, false, UINT32_MAX},
      {"1b0000000100000000", false, false, false, false, 0},
      {"1bff00000000000001", false, false, false, false, 0},
      {"20", false, false, false, false, 0},
      {"f4", false, true, false, false, 0},
      {"f5", false, true, false, false, 1},
      {"f6", false, false, false, false, 0},
      {"f7", false, false, false, false, 0},
      {"f8f5", false, false, false, false, 0},
      {"fa00000001", false, false, false, false, 0},
      {"c101", false, false, false, false, 0},
      {"40", false, false, true, false, 0},
      {"43010203", false, false, true, false, 3},
      {"60", false, false, false, true, 0},
      {"63616263", false, false, false, true, 3},
      {"5f4101ff", false, false, false, false, 0},
      {"7f6101ff", false, false, false, false, 0},
      {"80", false, false, false, false, 0},
      {"a1616b01", false, false, false, false, 0},
      {"9fff", false, false, false, false, 0},
  };
  for (uint32_t index = 0; index < sizeof cases / sizeof *cases; index++) {
    const struct body body = body_around("a3616af6616b", cases[index].value, "616cf6");
    uint32_t number = 0;
    bool flag = false;
    struct cbor_bytes bytes, text;
    EXPECT(cbor_map_valid(body.bytes, body.size_bytes));
    EXPECT(cbor_find_uint(body.bytes, body.size_bytes, "k", &number) == cases[index].is_uint);
    EXPECT(cbor_find_bool(body.bytes, body.size_bytes, "k", &flag) == cases[index].is_bool);
    EXPECT(cbor_find_bytes(body.bytes, body.size_bytes, "k", &bytes) == cases[index].is_bytes);
    EXPECT(cbor_find_text(body.bytes, body.size_bytes, "k", &text) == cases[index].is_text);
    EXPECT(bytes.present == cases[index].is_bytes && text.present == cases[index].is_text);
    EXPECT(number + flag + bytes.size_bytes + text.size_bytes == cases[index].number);
    free(body.bytes);
  }
}

/** Cut anywhere it is no map, and nothing is read behind the cut. */
static void test_cut(void) {
  const char *hex =
      "bf636f66660063696d67f56464617461440102030463737562a2616182f4f6616280637461676363"
      "7f6161ffff";
  const struct body body = body_of(hex);
  uint32_t number;
  bool flag;
  struct cbor_bytes value;
  for (uint32_t size_bytes = 0; size_bytes < body.size_bytes; size_bytes++) {
    uint8_t *cut = malloc(size_bytes);
    if (size_bytes > 0) memcpy(cut, body.bytes, size_bytes);
    if (size_bytes > 0) EXPECT(!cbor_map_valid(cut, size_bytes));
    if (size_bytes > 0) cbor_find_uint(cut, size_bytes, "none", &number);
    if (size_bytes > 0) cbor_find_bool(cut, size_bytes, "img", &flag);
    if (size_bytes > 0 && cbor_find_bytes(cut, size_bytes, "data", &value)) {
      EXPECT(value.bytes + value.size_bytes <= cut + size_bytes);
    }
    free(cut);
  }
  free(body.bytes);
}

static void write_all(struct cbor_writer *writer) {
  cbor_map_begin(writer);
  cbor_text(writer, "uints");
  static const uint32_t numbers[] = {0, 23, 24, 255, 256, 65535, 65536, UINT32_MAX};
  cbor_array(writer, 8);
  for (uint32_t index = 0; index < 8u; index++) cbor_uint(writer, numbers[index]);
  cbor_text(writer, "ints");
  static const int32_t signed_numbers[] = {0, 24, INT32_MAX, -1, -24, -25, -256, -257, INT32_MIN};
  cbor_array_begin(writer);
  for (uint32_t index = 0; index < 9u; index++) cbor_int(writer, signed_numbers[index]);
  cbor_end(writer);
  cbor_text(writer, "map");
  cbor_map(writer, 2);
  cbor_text(writer, "");
  cbor_bool(writer, true);
  cbor_text(writer, "of 24 characters, no less");
  cbor_bool(writer, false);
  cbor_text(writer, "bytes");
  cbor_bytes_of(writer, "\1\2\3", 3);
  cbor_text(writer, "none");
  cbor_bytes_of(writer, NULL, 0);
  cbor_end(writer);
}

static void test_writer(void) {
  const struct body expected = body_of(
      "bf"
      "6575696e7473"
      "880017181818ff19010019ffff1a000100001affffffff"
      "64696e7473"
      "9f0018181a7fffffff2037381838ff3901003a7fffffffff"
      "636d6170"
      "a260f57819"
      "6f66203234206368617261637465"
      "72732c206e6f206c657373"
      "f4"
      "656279746573"
      "43010203"
      "646e6f6e65"
      "40"
      "ff");
  uint8_t bytes[MAX_MAP_BYTES];
  struct cbor_writer writer = {.bytes = bytes, .capacity_bytes = sizeof bytes};
  write_all(&writer);
  EXPECT(!writer.full && writer.size_bytes == expected.size_bytes);
  EXPECT(memcmp(bytes, expected.bytes, expected.size_bytes) == 0);
  EXPECT(cbor_map_valid(bytes, writer.size_bytes));
  for (uint32_t capacity_bytes = 0; capacity_bytes <= expected.size_bytes; capacity_bytes++) {
    uint8_t *tight = malloc(capacity_bytes);
    struct cbor_writer cut = {.bytes = tight, .capacity_bytes = capacity_bytes};
    write_all(&cut);
    EXPECT(cut.full == (capacity_bytes < expected.size_bytes));
    EXPECT(cut.size_bytes == capacity_bytes);
    free(tight);
  }
  free(expected.bytes);
}

/** What is written is found again, whatever stands around it. */
static void test_written(void) {
  static const char *const keys[] = {"a", "b", "ab", "off", "data", "sha", "", "confirm"};
  for (uint32_t round = 0; round < 20000u; round++) {
    uint8_t bytes[MAX_MAP_BYTES];
    uint32_t numbers[8], kinds[8];
    struct cbor_writer writer = {.bytes = bytes, .capacity_bytes = sizeof bytes};
    const uint32_t pairs = test_size(0, 8), first = test_size(0, 7);
    const bool is_indefinite = test_chance(2);
    if (is_indefinite) cbor_map_begin(&writer);
    if (!is_indefinite) cbor_map(&writer, pairs);
    for (uint32_t pair = 0; pair < pairs; pair++) {
      const uint32_t key = (first + pair) % 8u;
      kinds[key] = test_size(0, 3);
      numbers[key] = test_random() >> test_size(0, 31);
      if (kinds[key] > 1u) numbers[key] %= 40u;
      cbor_text(&writer, keys[key]);
      if (kinds[key] == 0) cbor_uint(&writer, numbers[key]);
      if (kinds[key] == 1u) cbor_bool(&writer, (numbers[key] & 1u) != 0);
      if (kinds[key] == 2u) cbor_bytes_of(&writer, bytes, numbers[key]);
      if (kinds[key] == 3u) cbor_array(&writer, numbers[key]);
      for (uint32_t item = kinds[key] == 3u ? numbers[key] : 0; item > 0; item--)
        cbor_uint(&writer, item);
    }
    if (is_indefinite) cbor_end(&writer);
    EXPECT(!writer.full && cbor_map_valid(bytes, writer.size_bytes));
    for (uint32_t index = 0; index < 8u; index++) {
      const bool is_there = (index + 8u - first) % 8u < pairs;
      uint32_t number = 0;
      bool flag = false;
      struct cbor_bytes value;
      EXPECT(cbor_find_uint(bytes, writer.size_bytes, keys[index], &number) ==
             (is_there && kinds[index] == 0));
      EXPECT(cbor_find_bool(bytes, writer.size_bytes, keys[index], &flag) ==
             (is_there && kinds[index] == 1u));
      EXPECT(cbor_find_bytes(bytes, writer.size_bytes, keys[index], &value) ==
             (is_there && kinds[index] == 2u));
      if (!is_there) continue;
      EXPECT(kinds[index] != 0 || number == numbers[index]);
      EXPECT(kinds[index] != 1u || flag == ((numbers[index] & 1u) != 0));
      EXPECT(kinds[index] != 2u || value.size_bytes == numbers[index]);
    }
  }
}

int main(void) {
  test_well_formed();
  test_not_well_formed();
  test_maps();
  test_limits();
  test_requests();
  test_found();
  test_cut();
  test_writer();
  test_written();
  return test_result();
}
