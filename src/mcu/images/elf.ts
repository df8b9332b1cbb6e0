import { type FlashImage, type FlashSegment, flashImage, malformedImage } from './flash-image.ts';

/* Tool Interface Standard, "Executable and Linking Format (ELF) Specification", version 1.2:
 * figure 1-3 (header) and 2-1 (program header). */
const MAGIC = Buffer.from('\x7fELF', 'latin1');
const HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const CLASS_32 = 1;
const DATA_LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const PT_LOAD = 1;
const MAX_PROGRAM_HEADERS = 64;

export function looksLikeElf(bytes: Uint8Array): boolean {
  return MAGIC.equals(bytes.subarray(0, MAGIC.byteLength));
}

/**
 * The segments that are loaded, at their physical addresses: where initialized data lies in flash, not where
 * it is copied to.
 * @throws `image-malformed`
 */
export function parseElf(file: Uint8Array, what: string): FlashImage {
  const elf = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (!looksLikeElf(elf) || elf.byteLength < HEADER_BYTES) {
    throw malformedImage(what, 'not an ELF file');
  }
  if (elf[4] !== CLASS_32 || elf[5] !== DATA_LITTLE_ENDIAN) {
    throw malformedImage(what, 'not a 32-bit little-endian ELF file');
  }
  if (elf.readUInt16LE(16) !== TYPE_EXECUTABLE) {
    throw malformedImage(what, 'not linked: an object file or a library');
  }
  const tableOffset = elf.readUInt32LE(28);
  const entryBytes = elf.readUInt16LE(42);
  const count = elf.readUInt16LE(44);
  if (count > MAX_PROGRAM_HEADERS) throw malformedImage(what, `${count} program headers`);
  if (count > 0 && entryBytes < PROGRAM_HEADER_BYTES) {
    throw malformedImage(what, `program headers of ${entryBytes} bytes`);
  }
  if (tableOffset + count * entryBytes > elf.byteLength) {
    throw malformedImage(what, 'cut short: program headers past its end');
  }
  const segments: FlashSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * entryBytes;
    const sizeBytes = elf.readUInt32LE(at + 16);
    if (elf.readUInt32LE(at) !== PT_LOAD || sizeBytes === 0) continue;
    const offset = elf.readUInt32LE(at + 4);
    if (offset + sizeBytes > elf.byteLength) {
      throw malformedImage(what, `cut short: segment ${index} goes past its end`);
    }
    const address = elf.readUInt32LE(at + 12);
    segments.push({ address, bytes: elf.subarray(offset, offset + sizeBytes) });
  }
  return flashImage(segments, what, elf.readUInt32LE(24));
}

/* Where the same stands in files of 32 and of 64 bits. TIS ELF 1.2, figure 1-3 and 2-1; System V ABI, "ELF-64". */
const LAYOUTS = {
  1: { word: 4, tables: [28, 32], counts: [42, 46], segment: { offset: 4, size: 16 } },
  2: { word: 8, tables: [32, 40], counts: [54, 58], segment: { offset: 8, size: 32 } },
} as const;

/**
 * A program that is started as it is, of whatever processor: all that its headers name is there.
 * @throws `image-malformed`
 */
export function requireProgram(file: Uint8Array, what: string): void {
  const elf = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const layout = LAYOUTS[elf[4] as keyof typeof LAYOUTS];
  if (!looksLikeElf(elf) || layout === undefined || elf[5] !== DATA_LITTLE_ENDIAN) {
    throw malformedImage(what, 'not a program (ELF), which firmware of this board is');
  }
  const isThere = (at: number, bytes: number): boolean => at + bytes <= elf.byteLength;
  const cut = (): Error =>
    malformedImage(what, 'cut short: not all that its headers name is there');
  const { word, tables, counts, segment } = layout;
  const number = (at: number): number => {
    if (!isThere(at, word)) throw cut();
    return word === 4 ? elf.readUInt32LE(at) : Number(elf.readBigUInt64LE(at));
  };
  if (!isThere(0, counts[1] + 4)) throw cut();
  for (const [index, table] of tables.entries()) {
    const entryBytes = elf.readUInt16LE(counts[index]!);
    const count = elf.readUInt16LE(counts[index]! + 2);
    if (!isThere(number(table), entryBytes * count)) throw cut();
    for (let entry = 0; index === 0 && entry < count; entry++) {
      const at = number(table) + entry * entryBytes;
      if (!isThere(number(at + segment.offset), number(at + segment.size))) throw cut();
    }
  }
}
