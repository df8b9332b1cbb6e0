import { type FlashImage, type FlashSegment, flashImage, malformedImage } from './flash-image.ts';

/* Intel, "Hexadecimal Object File Format Specification", revision A (1988). A record is
 * ':' length address(2) type data checksum, two hexadecimal digits a byte; the sum of all its bytes is 0. */
const TYPE_DATA = 0;
const TYPE_END = 1;
const TYPE_SEGMENT_BASE = 2;
const TYPE_SEGMENT_START = 3;
const TYPE_LINEAR_BASE = 4;
const TYPE_LINEAR_START = 5;
/** Length, address, type, checksum. */
const RECORD_OVERHEAD_BYTES = 5;
const MAX_RECORD_CHARACTERS = 1 + 2 * (RECORD_OVERHEAD_BYTES + 255);
const MAX_RECORDS = 8_000_000;
const RECORD = /^:(?:[0-9A-Fa-f]{2})+$/;

export function looksLikeIntelHex(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, MAX_RECORD_CHARACTERS + 2)).toString('latin1');
  const [line] = head.trimStart().split(/[\r\n]/, 1);
  return line !== undefined && line.length >= 1 + 2 * RECORD_OVERHEAD_BYTES && RECORD.test(line);
}

/** @throws `image-malformed`, naming the line */
export function parseIntelHex(file: Uint8Array, what: string): FlashImage {
  const segments: FlashSegment[] = [];
  let baseAddress = 0;
  let entryAddress: number | undefined;
  let lineNumber = 0;
  for (const text of lines(file)) {
    const where = `${what}:${++lineNumber}`;
    if (lineNumber > MAX_RECORDS) throw malformedImage(where, 'too many records');
    if (text === '') continue;
    const { type, offset, data } = parseRecord(text, where);
    switch (type) {
      case TYPE_DATA:
        segments.push({ address: baseAddress + offset, bytes: data });
        break;
      case TYPE_END:
        return flashImage(segments, what, entryAddress);
      case TYPE_SEGMENT_BASE:
        baseAddress = exactly(data, 2, where).readUInt16BE(0) * 16;
        break;
      case TYPE_LINEAR_BASE:
        baseAddress = exactly(data, 2, where).readUInt16BE(0) * 0x1_0000;
        break;
      case TYPE_LINEAR_START:
        entryAddress = exactly(data, 4, where).readUInt32BE(0);
        break;
      case TYPE_SEGMENT_START:
        exactly(data, 4, where);
        break;
      default:
        throw malformedImage(where, `unknown record type ${type}`);
    }
  }
  throw malformedImage(what, 'cut short: there is no end record');
}

/** Without splitting the whole file at once. */
function* lines(file: Uint8Array): Generator<string> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at < bytes.byteLength; ) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.byteLength : newline;
    // One character more than a record can have is enough to see that it is none.
    yield bytes.toString('latin1', at, Math.min(end, at + MAX_RECORD_CHARACTERS + 2)).trim();
    at = end + 1;
  }
}

function parseRecord(text: string, where: string) {
  if (!RECORD.test(text) || text.length > MAX_RECORD_CHARACTERS) {
    throw malformedImage(where, 'not an Intel hex record');
  }
  const record = Buffer.from(text.slice(1), 'hex');
  const sizeBytes = record[0]!;
  if (record.byteLength !== sizeBytes + RECORD_OVERHEAD_BYTES) {
    throw malformedImage(where, `record of ${record.byteLength} bytes says ${sizeBytes}`);
  }
  const sum = record.reduce((total, byte) => (total + byte) & 0xff, 0);
  if (sum !== 0) throw malformedImage(where, 'wrong checksum');
  return {
    offset: record.readUInt16BE(1),
    type: record[3]!,
    data: record.subarray(4, 4 + sizeBytes),
  };
}

function exactly(data: Buffer, sizeBytes: number, where: string): Buffer {
  if (data.byteLength === sizeBytes) return data;
  throw malformedImage(where, `${data.byteLength} bytes where ${sizeBytes} belong`);
}
