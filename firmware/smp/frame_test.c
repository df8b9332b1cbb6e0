#include "frame.h"

#include "../engine/test.h"
#include "test_frame.h"

#define MAX_PACKET_BYTES 700u
#define MAX_STREAM_BYTES 8192u

/** What is written, and what is read. */
struct stream {
  uint32_t size_bytes;
  uint8_t bytes[MAX_STREAM_BYTES];
};

static void put(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  struct stream *stream = context;
  if (size_bytes > MAX_STREAM_BYTES - stream->size_bytes) abort();
  memcpy(stream->bytes + stream->size_bytes, bytes, size_bytes);
  stream->size_bytes += size_bytes;
}

static void put_line(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  EXPECT(size_bytes <= FRAME_MAX_LINE_BYTES && bytes[size_bytes - 1u] == '\n');
  put(context, bytes, size_bytes);
}

/** With < for 06 09 and > for 04 14. */
static void put_text(struct stream *stream, const char *text) {
  for (; *text != 0; text++) {
    if (*text == '<' || *text == '>') {
      put(stream, (const uint8_t *)(*text == '<' ? "\x06\x09" : "\x04\x14"), 2);
    } else {
      put(stream, (const uint8_t *)text, 1);
    }
  }
}

/** A decoder with a buffer of exactly its capacity. */
struct decoded {
  struct frame_decoder decoder;
  uint32_t packets, packet_bytes;
};

static struct decoded decode(const struct stream *stream, uint32_t capacity_bytes,
                             const uint8_t *expected) {
  struct decoded decoded = {.packets = 0};
  uint8_t *buffer = malloc(capacity_bytes);
  if (buffer == NULL) abort();
  frame_decoder_init(&decoded.decoder, buffer, capacity_bytes);
  for (uint32_t index = 0; index < stream->size_bytes; index++) {
    const uint32_t packet_bytes = frame_take(&decoded.decoder, stream->bytes[index]);
    if (packet_bytes == 0) continue;
    decoded.packets++;
    decoded.packet_bytes = packet_bytes;
    EXPECT(packet_bytes + FRAME_CRC_BYTES <= capacity_bytes);
    EXPECT(expected == NULL || memcmp(buffer, expected, packet_bytes) == 0);
  }
  free(buffer);
  return decoded;
}

static void random_packet(uint8_t *packet, uint32_t size_bytes) {
  for (uint32_t index = 0; index < size_bytes; index++) packet[index] = (uint8_t)test_random();
}

/** Bit by bit. */
static uint16_t plain_crc16(const uint8_t *bytes, uint32_t size_bytes) {
  uint32_t crc = 0;
  for (uint32_t bit = 0; bit < 8u * size_bytes; bit++) {
    const uint32_t next = (uint32_t)bytes[bit / 8u] >> (7u - bit % 8u) & 1u;
    crc = crc << 1 ^ ((crc >> 15 & 1u) != next ? 0x1021u : 0u);
    crc &= 0xffffu;
  }
  return (uint16_t)crc;
}

static void test_crc(void) {
  uint8_t bytes[300];
  EXPECT(frame_crc16(0, (const uint8_t *)"123456789", 9) == 0x31c3u);
  EXPECT(frame_crc16(0, bytes, 0) == 0);
  for (uint32_t round = 0; round < 1000u; round++) {
    const uint32_t size_bytes = test_size(0, sizeof bytes), cut = test_size(0, size_bytes);
    random_packet(bytes, size_bytes);
    const uint16_t part = frame_crc16(0, bytes, cut);
    EXPECT(frame_crc16(part, bytes + cut, size_bytes - cut) == plain_crc16(bytes, size_bytes));
  }
}

static void expect_lines(const uint8_t *packet, uint32_t size_bytes, const char *lines) {
  struct stream stream = {.size_bytes = 0}, expected = {.size_bytes = 0};
  frame_write(packet, size_bytes, put_line, &stream);
  put_text(&expected, lines);
  EXPECT(stream.size_bytes == expected.size_bytes);
  EXPECT(memcmp(stream.bytes, expected.bytes, expected.size_bytes) == 0);
  EXPECT(decode(&stream, size_bytes + 2u, packet).packet_bytes == size_bytes);
}

/** An echo of "dunlin", framed by PyPI's smp 3.x, and a packet by console-framing.ts. */
static void test_others(void) {
  static const uint8_t echo[18] = {0x0a, 0,   0,   0x0a, 0,   0,   0,   0,   0xa1,
                                   0x61, 'd', 'f', 'd',  'u', 'n', 'l', 'i', 'n'};
  expect_lines(echo, sizeof echo, "<ABQKAAAKAAAAAKFhZGZkdW5saW4UEA==\n");
  uint8_t packet[201];
  for (uint32_t index = 0; index < 201u; index++) packet[index] = (uint8_t)(index * 7u + 3u);
  expect_lines(
      packet, sizeof packet,
      "<AMsDChEYHyYtNDtCSVBXXmVsc3qBiI+WnaSrsrnAx87V3OPq8fj/Bg0UGyIpMDc+RUxTWmFob3Z9hIuSmaCnrrW8"
      "w8rR2N/m7fT7AgkQFx4lLDM6QUhPVl1ka3J5\n"
      ">gIeOlZyjqrG4v8bN1Nvi6fD3/gUMExohKC82PURLUllgZ251fIOKkZifpq20u8LJ0Nfe5ezz+gEIDxYdJCsyOUBH"
      "TlVcY2pxeH+GjZSboqmwt77FzNPa4ejv9v0E\n"
      ">CxIZICcuNTxDSlFYX2ZtdHtgFg==\n");
}

/** Of every size, into a buffer that just has room and into one that has not. */
static void test_sizes(void) {
  static struct stream stream;
  uint8_t packet[MAX_PACKET_BYTES];
  for (uint32_t size_bytes = 0; size_bytes <= MAX_PACKET_BYTES; size_bytes++) {
    random_packet(packet, size_bytes);
    stream.size_bytes = 0;
    frame_write(packet, size_bytes, put_line, &stream);
    const struct decoded fits = decode(&stream, size_bytes + 2u, packet);
    const struct decoded tight = decode(&stream, size_bytes + 1u, packet);
    const bool is_packet = size_bytes >= FRAME_MIN_PACKET_BYTES;
    EXPECT(fits.packets == is_packet && (fits.decoder.damaged == 0) == is_packet);
    EXPECT(!is_packet || fits.packet_bytes == size_bytes);
    EXPECT(tight.packets == 0 && tight.decoder.damaged > 0);
  }
}

static uint32_t written_bytes;
static void count_bytes(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  (void)context;
  (void)bytes;
  written_bytes += size_bytes;
}

static void test_longest(void) {
  static uint8_t packet[FRAME_MAX_PACKET_BYTES + 1u];
  frame_write(packet, sizeof packet, count_bytes, NULL);
  EXPECT(written_bytes == 0);
  frame_write(packet, sizeof packet - 1u, count_bytes, NULL);
  EXPECT(written_bytes == 3u * 705u + 87384u);
}

static void test_console(void) {
  static struct stream lines, stream;
  uint8_t packet[300] = {1, 2, 3};
  frame_write(packet, sizeof packet, put_line, &lines);
  for (uint32_t index = 0; index < lines.size_bytes; index++) {
    if (lines.bytes[index] == '\n') put_text(&stream, "\r");
    put(&stream, lines.bytes + index, 1);
    if (lines.bytes[index] == '\n') put_text(&stream, "[00:01] inf main: \x04\x06 tick\r\n");
  }
  put_text(&stream, "uart:~$ \x06");
  put(&stream, lines.bytes, lines.size_bytes);
  put_text(&stream, "< noise <");
  put(&stream, lines.bytes, lines.size_bytes);
  const struct decoded decoded = decode(&stream, 302, packet);
  EXPECT(decoded.packets == 3 && decoded.decoder.damaged == 0);
}

/** Damaged lines, and how often. A packet after each of them is found. */
static void test_damage(void) {
  static const struct {
    const char *text;
    uint32_t damaged, packets;
  } cases[] = {
      {"AAAA\n", 0, 0},
      {"<\n", 1, 0},
      {"<AA==\n", 1, 0},
      {"<AAo=\n", 1, 0},
      {"<AAoA\n", 0, 0},
      {"<AAkAAAAAAAAAAAAA\n", 1, 0},
      {"<AAoAAAAAAAAAAAAA\n", 0, 1},
      {"<AAoAAAAAAAAAAAAAAA\n", 1, 0},
      {"<//8A\n", 1, 0},
      {"<####\n", 1, 0},
      {"<AAoAA\n", 1, 0},
      {"<AAo=AAAA\n", 1, 0},
      {"<AAoA====\n", 1, 0},
      {"<AAoAA===\n", 1, 0},
      {"<AAoAAA=A\n", 1, 0},
      {"<AAoA AAA\n", 1, 0},
      {">AAAA\n", 1, 0},
      {"<AAoA\n>\n", 1, 0},
      {"<AAoA\n>AAAA\n>####\n", 1, 0},
      {"<AAoA\n>AAAA\n<AAoA\n", 1, 0},
      {"<AAoA\n>AAAAAAAAAAAAAAAA\n>AAAA\n", 2, 0},
  };
  uint8_t packet[8] = {9};
  for (uint32_t index = 0; index < sizeof cases / sizeof *cases; index++) {
    struct stream stream = {.size_bytes = 0};
    put_text(&stream, cases[index].text);
    const struct decoded before = decode(&stream, 64, NULL);
    EXPECT(before.packets == cases[index].packets);
    EXPECT(before.decoder.damaged == cases[index].damaged);
    frame_write(packet, sizeof packet, put_line, &stream);
    EXPECT(decode(&stream, 64, NULL).packet_bytes == sizeof packet);
  }
}

/** 124 characters in a line are taken, 125 are not. */
static void test_line_length(void) {
  for (uint32_t characters = 0; characters < 300u; characters++) {
    struct stream stream = {.size_bytes = 0};
    put_text(&stream, "<AgAA");
    for (uint32_t index = 4; index < characters; index++) put_text(&stream, "A");
    if (characters < 4u) stream.size_bytes = 2u + characters;
    const uint32_t damaged = decode(&stream, 1024, NULL).decoder.damaged;
    EXPECT(damaged == (characters > 124u));
    put_text(&stream, "\n");
    const bool is_good = characters > 0 && characters % 4u == 0 && characters <= 124u;
    EXPECT(decode(&stream, 1024, NULL).decoder.damaged == !is_good);
  }
}

/** Packets, whole and broken, between pieces of lines. */
static void random_stream(struct stream *stream) {
  static const char *const tokens[] = {"<", ">",  "\x06", "\x04", "\n",   "\r\n",
                                       "=", "==", "AAAA", "#",    "AAoA", "AgAA"};
  uint8_t packet[MAX_PACKET_BYTES];
  stream->size_bytes = 0;
  for (uint32_t parts = test_size(1, 8); parts > 0; parts--) {
    const uint32_t size_bytes = test_size(8, test_chance(4) ? MAX_PACKET_BYTES : 100);
    const uint32_t from = stream->size_bytes;
    random_packet(packet, size_bytes);
    frame_write(packet, size_bytes, put_line, stream);
    const uint32_t more = stream->size_bytes - from;
    if (test_chance(2)) stream->bytes[from + test_random() % more] = (uint8_t)test_random();
    if (test_chance(3)) stream->size_bytes -= test_size(1, more);
    for (uint32_t count = test_size(0, 5); count > 0; count--) {
      put_text(stream, tokens[test_random() % (sizeof tokens / sizeof *tokens)]);
    }
  }
}

/** Whatever comes is taken as the reference takes it. */
static void test_reference(void) {
  static struct stream stream;
  static struct reference reference;
  uint32_t packets = 0, damaged = 0;
  for (uint32_t round = 0; round < 10000u; round++) {
    struct frame_decoder decoder;
    uint8_t buffer[MAX_PACKET_BYTES];
    const uint32_t capacity_bytes = test_size(0, sizeof buffer);
    random_stream(&stream);
    frame_decoder_init(&decoder, buffer, capacity_bytes);
    reference_init(&reference, capacity_bytes);
    for (uint32_t index = 0; index < stream.size_bytes; index++) {
      const uint32_t taken = frame_take(&decoder, stream.bytes[index]);
      EXPECT(taken == reference_take(&reference, stream.bytes[index]));
      EXPECT(memcmp(buffer, reference.frame, taken) == 0);
      packets += taken > 0;
    }
    EXPECT(decoder.damaged == reference.damaged);
    damaged += decoder.damaged;
  }
  /* It has compared something. */
  EXPECT(packets > 10000u && damaged > 10000u);
}

/** A byte that is changed, lost or there twice costs this packet, never the next one. */
static void test_next(void) {
  static struct stream whole, broken;
  uint8_t packet[200], next[16];
  for (uint32_t round = 0; round < 3000u; round++) {
    random_packet(packet, sizeof packet);
    random_packet(next, sizeof next);
    whole.size_bytes = broken.size_bytes = 0;
    frame_write(packet, sizeof packet, put_line, &whole);
    const uint32_t place = test_random() % whole.size_bytes, kind = test_size(0, 2);
    for (uint32_t index = 0; index < whole.size_bytes; index++) {
      const uint8_t byte = whole.bytes[index], other = (uint8_t)(byte ^ test_size(1, 255));
      if (index != place || kind > 0) put(&broken, index == place && kind == 1 ? &other : &byte, 1);
      if (index == place && kind == 2) put(&broken, &byte, 1);
    }
    put_text(&broken, "\n");
    frame_write(next, sizeof next, put_line, &broken);
    EXPECT(decode(&broken, 512, NULL).packet_bytes == sizeof next);
  }
}

static void test_init(void) {
  struct stream stream = {.size_bytes = 0};
  uint8_t packet[100] = {0}, buffer[102];
  struct frame_decoder decoder;
  frame_write(packet, sizeof packet, put_line, &stream);
  frame_decoder_init(&decoder, buffer, sizeof buffer);
  for (uint32_t index = 0; index < 130u; index++) frame_take(&decoder, stream.bytes[index]);
  frame_decoder_init(&decoder, buffer, sizeof buffer);
  for (uint32_t index = 127; index < stream.size_bytes; index++) {
    EXPECT(frame_take(&decoder, stream.bytes[index]) == 0);
  }
  EXPECT(decoder.damaged == 1);
}

int main(void) {
  test_crc();
  test_others();
  test_sizes();
  test_longest();
  test_console();
  test_damage();
  test_line_length();
  test_reference();
  test_next();
  test_init();
  return test_result();
}
