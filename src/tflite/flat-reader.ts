import { DunlinError } from '../core/index.ts';
import { MAX_DECODED_NUMBERS, MAX_STRING_BYTES } from './limits.ts';

export interface FlatVector {
  /** Offset of the first element. */
  readonly start: number;
  readonly count: number;
}

/**
 * Flatbuffer reading in which every offset is checked before it is followed: the file is hostile.
 * Offsets are relative as in https://flatbuffers.dev/internals/; whatever points outside is an
 * error with the code model-malformed.
 */
export class FlatReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #decoded = 0;

  /** @param what names the file in errors */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get lengthBytes(): number {
    return this.#bytes.byteLength;
  }

  fail(detail: string): never {
    throw new DunlinError(`${this.#what}: not a sound .tflite file: ${detail}`, {
      code: 'model-malformed',
    });
  }

  unsupported(detail: string): never {
    throw new DunlinError(`${this.#what}: ${detail} is not supported`, {
      code: 'model-unsupported',
    });
  }

  /** Native readers load whole words, and refuse a file whose words are not aligned. */
  #checkWord(at: number, lengthBytes: number): void {
    this.#check(at, lengthBytes);
    if (at % lengthBytes !== 0) this.fail(`a number of ${lengthBytes} bytes at ${at}, not aligned`);
  }

  #check(at: number, lengthBytes: number): void {
    if (!(at >= 0 && at + lengthBytes <= this.#bytes.byteLength)) {
      this.fail(`offset ${at} is outside its ${this.#bytes.byteLength} bytes; it may be cut short`);
    }
  }

  uint8(at: number): number {
    this.#check(at, 1);
    return this.#view.getUint8(at);
  }

  int8(at: number): number {
    this.#check(at, 1);
    return this.#view.getInt8(at);
  }

  uint16(at: number): number {
    this.#checkWord(at, 2);
    return this.#view.getUint16(at, true);
  }

  int32(at: number): number {
    this.#checkWord(at, 4);
    return this.#view.getInt32(at, true);
  }

  uint32(at: number): number {
    this.#checkWord(at, 4);
    return this.#view.getUint32(at, true);
  }

  float32(at: number): number {
    this.#checkWord(at, 4);
    return this.#view.getFloat32(at, true);
  }

  /** A 64-bit integer that must be a safe one. */
  int64(at: number): number {
    this.#checkWord(at, 8);
    const value = Number(this.#view.getBigInt64(at, true));
    return Number.isSafeInteger(value) ? value : this.fail(`a 64-bit number past 2^53 at ${at}`);
  }

  /** Follows the unsigned relative offset stored at `at`. */
  indirect(at: number): number {
    const target = at + this.uint32(at);
    this.#check(target, 4);
    return target;
  }

  vector(at: number, elementBytes: number, maxCount: number): FlatVector {
    const count = this.uint32(at);
    this.#check(at + 4, count * elementBytes);
    if (elementBytes === 8 && (at + 4) % 8 !== 0)
      this.fail(`numbers of 8 bytes at ${at}, not aligned`);
    if (count > maxCount) this.fail(`${count} entries where at most ${maxCount} are taken`);
    return { start: at + 4, count };
  }

  /** Counts numbers copied out, so that a small file cannot ask for unbounded work. */
  spend(count: number): void {
    this.#decoded += count;
    if (this.#decoded > MAX_DECODED_NUMBERS) this.fail('its vectors overlap without bound');
  }

  bytes(start: number, count: number): Uint8Array {
    this.#check(start, count);
    return this.#bytes.subarray(start, start + count);
  }

  /** UTF-8, ended by a NUL that native readers rely on. */
  string(at: number): string {
    const { start, count } = this.vector(at, 1, MAX_STRING_BYTES);
    if (this.uint8(start + count) !== 0) this.fail('a name without its end');
    this.spend(count);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.bytes(start, count));
  }

  table(at: number): FlatTable {
    return new FlatTable(this, at);
  }
}

/** One table: fields by their number in the schema, absent ones by their default. */
export class FlatTable {
  readonly reader: FlatReader;
  readonly #at: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;
  readonly #tableBytes: number;

  constructor(reader: FlatReader, at: number) {
    this.reader = reader;
    this.#at = at;
    this.#vtable = at - reader.int32(at);
    this.#vtableBytes = reader.uint16(this.#vtable);
    this.#tableBytes = reader.uint16(this.#vtable + 2);
    if (this.#vtableBytes < 4 || this.#vtableBytes % 2 !== 0 || this.#tableBytes < 4) {
      reader.fail(`a table at ${at} without a sound layout`);
    }
    reader.bytes(this.#vtable, this.#vtableBytes);
    reader.bytes(at, this.#tableBytes);
    reader.spend(1);
  }

  /** Where the field lies, or undefined when it is absent. */
  #field(slot: number, lengthBytes: number): number | undefined {
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.#vtableBytes) return undefined;
    const offset = this.reader.uint16(this.#vtable + entry);
    if (offset === 0) return undefined;
    if (offset < 4 || offset + lengthBytes > this.#tableBytes) {
      this.reader.fail(`a field of the table at ${this.#at} lies outside it`);
    }
    return this.#at + offset;
  }

  has(slot: number): boolean {
    return this.#field(slot, 1) !== undefined;
  }

  int8(slot: number, absent = 0): number {
    const at = this.#field(slot, 1);
    return at === undefined ? absent : this.reader.int8(at);
  }

  uint8(slot: number, absent = 0): number {
    const at = this.#field(slot, 1);
    return at === undefined ? absent : this.reader.uint8(at);
  }

  bool(slot: number, absent = false): boolean {
    return this.uint8(slot, absent ? 1 : 0) !== 0;
  }

  int32(slot: number, absent = 0): number {
    const at = this.#field(slot, 4);
    return at === undefined ? absent : this.reader.int32(at);
  }

  uint32(slot: number, absent = 0): number {
    const at = this.#field(slot, 4);
    return at === undefined ? absent : this.reader.uint32(at);
  }

  float32(slot: number, absent = 0): number {
    const at = this.#field(slot, 4);
    return at === undefined ? absent : this.reader.float32(at);
  }

  #target(slot: number): number | undefined {
    const at = this.#field(slot, 4);
    return at === undefined ? undefined : this.reader.indirect(at);
  }

  string(slot: number): string | undefined {
    const at = this.#target(slot);
    return at === undefined ? undefined : this.reader.string(at);
  }

  table(slot: number): FlatTable | undefined {
    const at = this.#target(slot);
    return at === undefined ? undefined : this.reader.table(at);
  }

  tables(slot: number, maxCount: number): FlatTable[] {
    const at = this.#target(slot);
    if (at === undefined) return [];
    const { start, count } = this.reader.vector(at, 4, maxCount);
    return Array.from({ length: count }, (_, index) =>
      this.reader.table(this.reader.indirect(start + 4 * index)),
    );
  }

  /** A vector of bytes as a view of the file, with where it starts. */
  bytes(slot: number): { readonly bytes: Uint8Array; readonly start: number } | undefined {
    const at = this.#target(slot);
    if (at === undefined) return undefined;
    const { start, count } = this.reader.vector(at, 1, this.reader.lengthBytes);
    return { bytes: this.reader.bytes(start, count), start };
  }

  #numbers(slot: number, elementBytes: number, maxCount: number, read: (at: number) => number) {
    const at = this.#target(slot);
    if (at === undefined) return [];
    const { start, count } = this.reader.vector(at, elementBytes, maxCount);
    this.reader.spend(count);
    return Array.from({ length: count }, (_, index) => read(start + elementBytes * index));
  }

  int32s(slot: number, maxCount: number): number[] {
    return this.#numbers(slot, 4, maxCount, (at) => this.reader.int32(at));
  }

  int64s(slot: number, maxCount: number): number[] {
    return this.#numbers(slot, 8, maxCount, (at) => this.reader.int64(at));
  }

  float32s(slot: number, maxCount: number): number[] {
    return this.#numbers(slot, 4, maxCount, (at) => this.reader.float32(at));
  }
}
