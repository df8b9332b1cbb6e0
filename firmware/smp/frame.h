/**
 * SMP over a console: Zephyr, "SMP Transport Specification", section "UART/serial and console".
 *
 *   line    = (06 09 | 04 14) base64 '\n'      06 09 begins a packet, 04 14 goes on with it
 *   decoded = length (big endian, packet + CRC), packet, CRC-16/XMODEM of the packet (big endian)
 *
 * The other side is src/mcu/smp/console-framing.ts. A console carries other text too: whatever is
 * no line of this form is passed over, wherever it stands.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>

/** Markers and newline included. Zephyr, "Frame fragmenting". */
#define FRAME_MAX_LINE_BYTES 127u
/** A packet is a header at least (Zephyr, "SMP Protocol Specification", "Frame"). */
#define FRAME_MIN_PACKET_BYTES 8u
#define FRAME_CRC_BYTES 2u
/** The length has 16 bits and counts the CRC. */
#define FRAME_MAX_PACKET_BYTES (0xffffu - FRAME_CRC_BYTES)

/** A bad line is read to its end, and damages the packet then. */
enum frame_line { FRAME_NO_LINE, FRAME_GOOD_LINE, FRAME_BAD_LINE };

/**
 * Bytes are decoded into `packet` as they come, without a buffer for the line. What a line has
 * brought counts when it ends: a marker in its midst takes it back.
 *
 * Invariants: bytes are stored only where the length, once it is known and not above the capacity,
 * has room for them. kept_bytes is 0 unless whole lines of a packet stand in `packet` and more must
 * come.
 */
struct frame_decoder {
  /** Must hold packet and CRC. */
  uint8_t *packet;
  uint32_t capacity_bytes;
  /* From here on it is the decoder's own. */
  uint8_t previous;
  /** Of enum frame_line. */
  uint8_t line;
  /** In this line, padding included. */
  uint8_t characters, padding;
  /** Of what is stored, and of what is kept. */
  uint16_t crc, kept_crc;
  /** The last characters' bits. */
  uint32_t bits;
  /** Of length, packet and CRC, as the first line says. */
  uint32_t expected_bytes;
  /** Of them: now, and when the line began. */
  uint32_t stored_bytes, kept_bytes;
  /* To be read by everyone: */
  /** Lines and packets that began as SMP and were thrown away. */
  uint32_t damaged;
};

/** Also forgets a packet that was begun, and sets `damaged` to 0. */
void frame_decoder_init(struct frame_decoder *decoder, uint8_t *packet, uint32_t capacity_bytes);

/**
 * Takes one received byte, in about the same time whatever it is.
 * @return bytes of a whole packet that now stands in decoder->packet, 0 if none yet. It stays until
 * the next byte is taken.
 */
uint32_t frame_take(struct frame_decoder *decoder, uint8_t byte);

/** Writes a packet as lines of at most 127 bytes, each with one call of `put`; one of more than
 * FRAME_MAX_PACKET_BYTES is not written. */
void frame_write(const uint8_t *packet, uint32_t size_bytes,
                 void (*put)(void *context, const uint8_t *bytes, uint32_t size_bytes),
                 void *context);

/** CRC-16/XMODEM: polynomial 0x1021, starts at 0, nothing reflected. */
uint16_t frame_crc16(uint16_t crc, const uint8_t *bytes, uint32_t size_bytes);

#endif
