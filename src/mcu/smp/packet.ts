/*
 * The 8 bytes before every request and answer, big endian. Zephyr, "SMP Protocol Specification", "Frame: The
 * envelope": reserved:3 version:2 operation:3 | flags:8 | length:16 | group:16 | sequence:8 | id:8.
 */
export const SMP_HEADER_BYTES = 8;

export const SMP_READ = 0;
export const SMP_READ_ANSWER = 1;
export const SMP_WRITE = 2;
export const SMP_WRITE_ANSWER = 3;
/** In the header 1 means version 2: errors come with their group. */
export const SMP_VERSION_1 = 0;
export const SMP_VERSION_2 = 1;

export type SmpVersion = typeof SMP_VERSION_1 | typeof SMP_VERSION_2;

export interface SmpPacket {
  readonly operation: number;
  readonly version: number;
  readonly group: number;
  /** 0 to 255; an answer has its request's. */
  readonly sequence: number;
  readonly id: number;
  /** CBOR. */
  readonly body: Uint8Array;
}

export function encodePacket(packet: SmpPacket): Uint8Array {
  const bytes = Buffer.alloc(SMP_HEADER_BYTES + packet.body.byteLength);
  bytes.writeUInt8((packet.version << 3) | packet.operation, 0);
  bytes.writeUInt16BE(packet.body.byteLength, 2);
  bytes.writeUInt16BE(packet.group, 4);
  bytes.writeUInt8(packet.sequence, 6);
  bytes.writeUInt8(packet.id, 7);
  bytes.set(packet.body, SMP_HEADER_BYTES);
  return bytes;
}

/** The packet, or undefined when the header does not fit the bytes or has reserved bits set. */
export function decodePacket(packet: Uint8Array): SmpPacket | undefined {
  if (packet.byteLength < SMP_HEADER_BYTES) return undefined;
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  const first = bytes.readUInt8(0);
  const body = bytes.subarray(SMP_HEADER_BYTES);
  if (first >> 5 !== 0 || bytes.readUInt16BE(2) !== body.byteLength) return undefined;
  return {
    operation: first & 7,
    version: (first >> 3) & 3,
    group: bytes.readUInt16BE(4),
    sequence: bytes.readUInt8(6),
    id: bytes.readUInt8(7),
    body,
  };
}
