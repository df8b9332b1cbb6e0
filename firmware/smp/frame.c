#include "frame.h"

#include <stdbool.h>

#include "../engine/memory.h"

#define FIRST_MARKER 0x0609u
#define NEXT_MARKER 0x0414u
#define MARKER_BYTES 2u
#define NEWLINE 0x0au
#define CARRIAGE_RETURN 0x0du
#define LENGTH_BYTES 2u

/* Base64 (RFC 4648, 4) comes in fours; 124 characters carry 93 bytes. */
#define LINE_CHARACTERS (FRAME_MAX_LINE_BYTES - MARKER_BYTES - 1u)
#define GROUP_CHARACTERS 4u
#define GROUP_BYTES 3u
#define PADDING '='
#define NO_DIGIT 64u

/**
 * A byte at once, without a table: what the upper byte adds is a multiple of the polynomial, which
 * has so few terms that it is a few shifts. x^16 is x^12 + x^5 + 1; of x^12, half overflows again.
 */
uint16_t frame_crc16(uint16_t crc, const uint8_t *bytes, uint32_t size_bytes) {
  uint32_t sum = crc;
  for (uint32_t index = 0; index < size_bytes; index++) {
    uint32_t upper = (sum >> 8 & 0xffu) ^ bytes[index];
    upper ^= upper >> 4;
    sum = sum << 8 ^ upper << 12 ^ upper << 5 ^ upper;
  }
  return (uint16_t)sum;
}

static uint32_t digit_of(uint32_t character) {
  if (character - 'A' < 26u) return character - 'A';
  if (character - 'a' < 26u) return character - 'a' + 26u;
  if (character - '0' < 10u) return character - '0' + 52u;
  if (character == '+') return 62;
  return character == '/' ? 63 : NO_DIGIT;
}

static uint8_t character_of(uint32_t digit) {
  if (digit < 26u) return (uint8_t)('A' + digit);
  if (digit < 52u) return (uint8_t)('a' + digit - 26u);
  if (digit < 62u) return (uint8_t)('0' + digit - 52u);
  return digit == 62u ? '+' : '/';
}

void frame_decoder_init(struct frame_decoder *decoder, uint8_t *packet, uint32_t capacity_bytes) {
  memset(decoder, 0, sizeof *decoder);
  decoder->packet = packet;
  decoder->capacity_bytes = capacity_bytes;
}

static void damage(struct frame_decoder *decoder) {
  decoder->line = FRAME_NO_LINE;
  decoder->kept_bytes = 0;
  decoder->damaged++;
}

/** A packet that lacks lines is given up as soon as another begins, since that takes its place. */
static void begin_line(struct frame_decoder *decoder, bool is_first) {
  if (is_first) {
    if (decoder->kept_bytes > 0) damage(decoder);
    decoder->kept_crc = 0;
    decoder->expected_bytes = 0;
  }
  decoder->line = is_first || decoder->kept_bytes > 0 ? FRAME_GOOD_LINE : FRAME_BAD_LINE;
  decoder->characters = 0;
  decoder->padding = 0;
  decoder->stored_bytes = decoder->kept_bytes;
  decoder->crc = decoder->kept_crc;
}

/** @return false if it does not belong there */
static bool store(struct frame_decoder *decoder, uint32_t byte) {
  const uint32_t at = decoder->stored_bytes++;
  if (at == 0) {
    decoder->expected_bytes = byte << 8;
    return true;
  }
  if (at < LENGTH_BYTES) {
    const uint32_t size_bytes = decoder->expected_bytes | byte;
    decoder->expected_bytes = LENGTH_BYTES + size_bytes;
    return size_bytes >= FRAME_MIN_PACKET_BYTES + FRAME_CRC_BYTES &&
           size_bytes <= decoder->capacity_bytes;
  }
  if (at >= decoder->expected_bytes) return false;
  uint8_t *to = decoder->packet + (at - LENGTH_BYTES);
  *to = (uint8_t)byte;
  decoder->crc = frame_crc16(decoder->crc, to, 1);
  return true;
}

/** Each character but a group's first ends a byte. @return false if the line is no base64 */
static bool take_character(struct frame_decoder *decoder, uint32_t character) {
  const uint32_t position = (decoder->characters - 1u) % GROUP_CHARACTERS;
  if (character == PADDING) {
    decoder->padding++;
    return position >= 2u;
  }
  const uint32_t digit = digit_of(character);
  if (digit == NO_DIGIT || decoder->padding > 0) return false;
  decoder->bits = decoder->bits << 6 | digit;
  return position == 0 || store(decoder, decoder->bits >> (6u - 2u * position) & 0xffu);
}

/** A line without payload is damaged too: so many of them would be no end of a packet. */
static uint32_t end_line(struct frame_decoder *decoder) {
  const uint32_t stored_bytes = decoder->stored_bytes;
  const bool is_whole = stored_bytes == decoder->expected_bytes;
  /* Over a packet and its CRC, the CRC is 0. */
  if (decoder->line == FRAME_BAD_LINE || decoder->characters % GROUP_CHARACTERS != 0 ||
      stored_bytes <= LENGTH_BYTES || stored_bytes == decoder->kept_bytes ||
      (is_whole && decoder->crc != 0)) {
    damage(decoder);
    return 0;
  }
  decoder->line = FRAME_NO_LINE;
  decoder->kept_bytes = is_whole ? 0 : stored_bytes;
  decoder->kept_crc = decoder->crc;
  return is_whole ? stored_bytes - LENGTH_BYTES - FRAME_CRC_BYTES : 0;
}

uint32_t frame_take(struct frame_decoder *decoder, uint8_t byte) {
  const uint32_t pair = (uint32_t)decoder->previous << 8 | byte;
  decoder->previous = byte;
  if (pair == FIRST_MARKER || pair == NEXT_MARKER) {
    begin_line(decoder, pair == FIRST_MARKER);
    return 0;
  }
  if (decoder->line == FRAME_NO_LINE || byte == CARRIAGE_RETURN) return 0;
  if (byte == NEWLINE) return end_line(decoder);
  if (++decoder->characters > LINE_CHARACTERS) {
    damage(decoder);
  } else if (decoder->line == FRAME_GOOD_LINE && !take_character(decoder, byte)) {
    decoder->line = FRAME_BAD_LINE;
  }
  return 0;
}

/** What is framed: length, packet and CRC, as if it stood in one buffer with zeros behind it. */
struct framed {
  const uint8_t *packet;
  uint32_t size_bytes;
  uint32_t crc;
};

static uint32_t framed_byte(const struct framed *framed, uint32_t at) {
  uint32_t word = framed->size_bytes + FRAME_CRC_BYTES;
  if (at >= LENGTH_BYTES) {
    at -= LENGTH_BYTES;
    if (at < framed->size_bytes) return framed->packet[at];
    at -= framed->size_bytes;
    word = framed->crc;
  }
  if (at > 1u) return 0;
  return word >> (8u - 8u * at) & 0xffu;
}

void frame_write(const uint8_t *packet, uint32_t size_bytes,
                 void (*put)(void *context, const uint8_t *bytes, uint32_t size_bytes),
                 void *context) {
  if (size_bytes > FRAME_MAX_PACKET_BYTES) return;
  const struct framed framed = {packet, size_bytes, frame_crc16(0, packet, size_bytes)};
  const uint32_t framed_bytes = LENGTH_BYTES + size_bytes + FRAME_CRC_BYTES;
  uint8_t line[FRAME_MAX_LINE_BYTES];
  uint32_t used = 0;
  for (uint32_t at = 0; at < framed_bytes;) {
    if (used == 0) {
      line[used++] = at == 0 ? FIRST_MARKER >> 8 : NEXT_MARKER >> 8;
      line[used++] = at == 0 ? FIRST_MARKER & 0xffu : NEXT_MARKER & 0xffu;
    }
    uint32_t bits = 0;
    for (uint32_t index = 0; index < GROUP_BYTES; index++) {
      bits = bits << 8 | framed_byte(&framed, at++);
    }
    const uint32_t padding = at > framed_bytes ? at - framed_bytes : 0;
    for (uint32_t index = 0; index < GROUP_CHARACTERS; index++, bits <<= 6) {
      const bool is_padding = index + padding >= GROUP_CHARACTERS;
      line[used++] = is_padding ? PADDING : character_of(bits >> 18 & 63u);
    }
    if (used < FRAME_MAX_LINE_BYTES - 1u && at < framed_bytes) continue;
    line[used++] = NEWLINE;
    put(context, line, used);
    used = 0;
  }
}
