import type { FlashSegment } from '../../src/mcu/index.ts';

/** Intel hex with records of so many data bytes; written here from the format's description, as linkers write it. */
export function hexFile(segments: readonly FlashSegment[], recordBytes: number): Uint8Array {
  const lines: string[] = [];
  let base = -1;
  const record = (type: number, offset: number, data: Uint8Array): void => {
    const head = [data.byteLength, offset >> 8, offset & 0xff, type];
    const sum = [...head, ...data].reduce((total, byte) => total + byte, 0);
    const all = Buffer.from([...head, ...data, -sum & 0xff]);
    lines.push(`:${all.toString('hex').toUpperCase()}`);
  };
  for (const { address, bytes } of segments) {
    for (let at = 0; at < bytes.byteLength; ) {
      const place = address + at;
      const high = Math.floor(place / 0x1_0000);
      if (high !== base) record(4, 0, Uint8Array.of(high >> 8, high & 0xff));
      base = high;
      const offset = place % 0x1_0000;
      const length = Math.min(recordBytes, bytes.byteLength - at, 0x1_0000 - offset);
      record(0, offset, bytes.subarray(at, at + length));
      at += length;
    }
  }
  record(1, 0, new Uint8Array());
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** An executable for Arm with these program headers; entry 0x1001. */
export function elfFile(
  segments: readonly (FlashSegment & { readonly type: number })[],
): Uint8Array {
  const tableEnd = 52 + 32 * segments.length;
  const header = Buffer.alloc(tableEnd);
  header.write('\x7fELF\x01\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(40, 18);
  header.writeUInt32LE(0x1001, 24);
  header.writeUInt32LE(52, 28);
  header.writeUInt16LE(52, 40);
  header.writeUInt16LE(32, 42);
  header.writeUInt16LE(segments.length, 44);
  let offset = tableEnd;
  for (const [index, { type, address, bytes }] of segments.entries()) {
    const at = 52 + 32 * index;
    header.writeUInt32LE(type, at);
    header.writeUInt32LE(offset, at + 4);
    header.writeUInt32LE(0x2000_0000, at + 8);
    header.writeUInt32LE(address, at + 12);
    header.writeUInt32LE(bytes.byteLength, at + 16);
    offset += bytes.byteLength;
  }
  return Buffer.concat([header, ...segments.map(({ bytes }) => bytes)]);
}

/** Code with the two words that a Cortex-M starts by. */
export function cortexCode(address: number, code: Uint8Array): Uint8Array {
  const bytes = Buffer.from(code);
  bytes.writeUInt32LE(0x2000_4000, 0);
  bytes.writeUInt32LE(address + 0x41, 4);
  return bytes;
}
