import { DunlinError } from '../../core/index.ts';

/** What goes where in flash: in order of the addresses, not overlapping, not empty, neighbours joined. */
export interface FlashImage {
  readonly segments: readonly FlashSegment[];
  /** Where it starts to run, where the file says so. */
  readonly entryAddress?: number | undefined;
}

export interface FlashSegment {
  /** In bytes, 32 bits. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** More than any microcontroller's flash that Dunlin knows. */
export const MAX_IMAGE_BYTES = 64 * 1024 * 1024;
const ADDRESS_LIMIT = 2 ** 32;
const ERASED = 0xff;

/** @throws `image-malformed` for segments that overlap, leave 32 bits, or are too large together */
export function flashImage(
  parts: readonly FlashSegment[],
  what: string,
  entryAddress?: number,
): FlashImage {
  const sorted = parts.filter(({ bytes }) => bytes.byteLength > 0);
  sorted.sort((a, b) => a.address - b.address);
  let totalBytes = 0;
  let group: FlashSegment[] = [];
  const groups: FlashSegment[][] = [];
  let endAddress = -1;
  for (const part of sorted) {
    totalBytes += part.bytes.byteLength;
    if (totalBytes > MAX_IMAGE_BYTES) {
      throw malformedImage(what, `more than ${MAX_IMAGE_BYTES} bytes`);
    }
    if (part.address < endAddress) {
      throw malformedImage(what, `two segments at address ${hex(part.address)}`);
    }
    if (part.address !== endAddress) {
      group = [];
      groups.push(group);
    }
    group.push(part);
    endAddress = part.address + part.bytes.byteLength;
    if (part.address < 0 || endAddress > ADDRESS_LIMIT) {
      throw malformedImage(what, `address ${hex(part.address)} is past 32 bits`);
    }
  }
  const segments = groups.map((joined) => ({
    address: joined[0]!.address,
    bytes: Buffer.concat(joined.map(({ bytes }) => bytes)),
  }));
  if (segments.length === 0) throw malformedImage(what, 'nothing in it goes into flash');
  return { segments, entryAddress };
}

/**
 * One piece from the first address to the last, gaps as erased flash.
 * @throws `image-malformed` when the gaps would make it too large
 */
export function flattenImage({ segments }: FlashImage, what: string): FlashSegment {
  const { address } = segments[0]!;
  const last = segments.at(-1)!;
  const sizeBytes = last.address + last.bytes.byteLength - address;
  if (sizeBytes > MAX_IMAGE_BYTES) {
    throw malformedImage(what, `segments are ${sizeBytes} bytes apart`);
  }
  const bytes = Buffer.alloc(sizeBytes, ERASED);
  for (const segment of segments) bytes.set(segment.bytes, segment.address - address);
  return { address, bytes };
}

export function malformedImage(what: string, reason: string): DunlinError {
  return new DunlinError(`${what}: ${reason}`, { code: 'image-malformed' });
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
