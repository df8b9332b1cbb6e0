import { crc16Xmodem } from './crc16.ts';
import { SMP_HEADER_BYTES } from './packet.ts';

/*
 * SMP over a console, as Zephyr's "SMP Transport Specification", section "UART/serial and console", has it:
 *
 *   line    = (06 09 | 04 14) base64 '\n'      06 09 begins a packet, 04 14 goes on with it
 *   decoded = length (big endian, packet + CRC), packet, CRC-16/XMODEM of the packet (big endian)
 *
 * A console carries other text too: whatever is no line of this form is passed over, wherever it stands.
 */

/** Markers and newline included. Zephyr, "Frame fragmenting". */
export const MAX_LINE_BYTES = 127;
const LINE_OVERHEAD_BYTES = 3;
/** Base64 comes in fours; 124 characters carry 93 bytes. */
const LINE_PAYLOAD_BYTES = ((MAX_LINE_BYTES - LINE_OVERHEAD_BYTES) >> 2) * 3;
const LENGTH_BYTES = 2;
const CRC_BYTES = 2;
/** What a packet grows by before it is cut into lines. */
export const FRAME_OVERHEAD_BYTES = LENGTH_BYTES + CRC_BYTES;
/** Answers longer than this are not taken. */
export const MAX_PACKET_BYTES = 8192;

const FIRST = Buffer.of(0x06, 0x09);
const CONTINUATION = Buffer.of(0x04, 0x14);
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A packet as the bytes that go onto the line. */
export function encodePacketLines(packet: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(packet.byteLength + FRAME_OVERHEAD_BYTES);
  frame.writeUInt16BE(packet.byteLength + CRC_BYTES, 0);
  frame.set(packet, LENGTH_BYTES);
  frame.writeUInt16BE(crc16Xmodem(packet), LENGTH_BYTES + packet.byteLength);
  const parts: Buffer[] = [];
  for (let at = 0; at < frame.byteLength; at += LINE_PAYLOAD_BYTES) {
    const body = frame.subarray(at, at + LINE_PAYLOAD_BYTES).toString('base64');
    parts.push(at === 0 ? FIRST : CONTINUATION, Buffer.from(`${body}\n`));
  }
  return Buffer.concat(parts);
}

export interface DecoderCounts {
  readonly bytes: number;
  readonly packets: number;
  /** Lines and packets that began as SMP and were thrown away. */
  readonly damaged: number;
}

/**
 * Finds packets in a stream of bytes, however it is split.
 * Invariants: `#line` is undefined outside a marked line and never longer than a line may be; `#parts` holds
 * less than `#expectedBytes`, which is at most MAX_PACKET_BYTES and a CRC.
 */
export class PacketDecoder {
  readonly #onPacket: (packet: Uint8Array) => void;
  #previous = 0;
  #line: number[] | undefined;
  #isFirst = false;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #expectedBytes = 0;
  #counts = { bytes: 0, packets: 0, damaged: 0 };

  constructor(onPacket: (packet: Uint8Array) => void) {
    this.#onPacket = onPacket;
  }

  get counts(): DecoderCounts {
    return { ...this.#counts };
  }

  push(chunk: Uint8Array): void {
    this.#counts.bytes += chunk.byteLength;
    for (const byte of chunk) this.#take(byte);
  }

  /** Forgets a packet that was begun: the line was cut. */
  reset(): void {
    this.#line = undefined;
    this.#previous = 0;
    this.#drop();
  }

  #take(byte: number): void {
    const previous = this.#previous;
    this.#previous = byte;
    const isFirst = previous === FIRST[0] && byte === FIRST[1];
    if (isFirst || (previous === CONTINUATION[0] && byte === CONTINUATION[1])) {
      this.#line = [];
      this.#isFirst = isFirst;
      return;
    }
    if (this.#line === undefined) return;
    if (byte === NEWLINE) {
      const text = String.fromCharCode(...this.#line);
      this.#line = undefined;
      if (!this.#endLine(text)) this.#damage();
      return;
    }
    if (byte === CARRIAGE_RETURN) return;
    this.#line.push(byte);
    if (this.#line.length <= MAX_LINE_BYTES - LINE_OVERHEAD_BYTES) return;
    this.#line = undefined;
    this.#damage();
  }

  /** False when the line, or the packet that it ends, is damaged. */
  #endLine(text: string): boolean {
    if (!BASE64.test(text)) return false;
    let part = Buffer.from(text, 'base64');
    if (this.#isFirst) {
      if (this.#expectedBytes > 0) this.#damage();
      if (part.byteLength < LENGTH_BYTES) return false;
      const expected = part.readUInt16BE(0);
      const packetBytes = expected - CRC_BYTES;
      if (packetBytes < SMP_HEADER_BYTES || packetBytes > MAX_PACKET_BYTES) return false;
      this.#expectedBytes = expected;
      part = part.subarray(LENGTH_BYTES);
    } else if (this.#expectedBytes === 0) {
      return false;
    }
    this.#parts.push(part);
    this.#partsBytes += part.byteLength;
    // A line without payload would let the parts grow for ever.
    if (part.byteLength === 0 || this.#partsBytes > this.#expectedBytes) return false;
    return this.#partsBytes < this.#expectedBytes || this.#endPacket();
  }

  #endPacket(): boolean {
    const frame = Buffer.concat(this.#parts);
    const packet = frame.subarray(0, frame.byteLength - CRC_BYTES);
    if (frame.readUInt16BE(packet.byteLength) !== crc16Xmodem(packet)) return false;
    this.#drop();
    this.#counts.packets++;
    this.#onPacket(packet);
    return true;
  }

  #damage(): void {
    this.#counts.damaged++;
    this.#drop();
  }

  #drop(): void {
    this.#parts = [];
    this.#partsBytes = 0;
    this.#expectedBytes = 0;
  }
}
