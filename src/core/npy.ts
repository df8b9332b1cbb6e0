import { DunlinError } from './errors.ts';

/** The element types that are read and written, and what holds them. */
interface NpyData {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  readonly int8: Int8Array;
  readonly uint8: Uint8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  /** numpy's default for whole numbers, so for labels. */
  readonly int64: BigInt64Array;
  /** A byte each, zero or not. */
  readonly bool: Uint8Array;
}

export type NpyType = keyof NpyData;

/** NumPy's .npy, versions 1 and 2 (numpy/lib/format.py): C order, little-endian, the types above. */
export type NpyArray = {
  [Type in NpyType]: {
    readonly type: Type;
    readonly shape: readonly number[];
    readonly data: NpyData[Type];
  };
}[NpyType];

const MAGIC = '\x93NUMPY';
const MAX_DIMENSIONS = 8;
const HEADER_ALIGNMENT = 64;
const DESCR: Record<NpyType, string> = {
  float32: '<f4',
  float64: '<f8',
  int8: '|i1',
  uint8: '|u1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  bool: '|b1',
};
const ITEM_BYTES: Record<NpyType, number> = {
  float32: 4,
  float64: 8,
  int8: 1,
  uint8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
};

/**
 * The array may share `bytes`, so that a large file is in memory once: do not change them afterwards.
 * @throws `input-invalid`, naming `what`
 */
export function parseNpy(bytes: Uint8Array, what: string): NpyArray {
  const fail = (reason: string): DunlinError =>
    new DunlinError(`${what}: ${reason}`, { code: 'input-invalid' });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 10 || Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== MAGIC) {
    throw fail('not an .npy file (write it with numpy.save)');
  }
  const major = bytes[6]!;
  if (major !== 1 && major !== 2) throw fail(`.npy version ${major} is not known`);
  const headerStart = major === 1 ? 10 : 12;
  if (bytes.byteLength < headerStart) throw fail('the header is cut off');
  const headerBytes = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataStart = headerStart + headerBytes;
  if (dataStart > bytes.byteLength) throw fail('the header is cut off');
  const header = Buffer.from(bytes.subarray(headerStart, dataStart)).toString('latin1');

  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const type = (Object.keys(DESCR) as NpyType[]).find((key) => DESCR[key] === descr);
  if (type === undefined) {
    throw fail(
      `element type ${descr ?? '?'} is not supported; use one of ${Object.keys(DESCR).join(', ')}`,
    );
  }
  if (!/'fortran_order':\s*False/.test(header)) {
    throw fail('Fortran order is not supported; save numpy.ascontiguousarray(x)');
  }
  const shape = parseShape(/'shape':\s*\(([^)]*)\)/.exec(header)?.[1], fail);
  const count = shape.reduce((product, size) => product * size, 1);
  const expected = count * ITEM_BYTES[type];
  if (!Number.isSafeInteger(expected) || bytes.byteLength - dataStart !== expected) {
    throw fail(
      `shape (${shape.join(', ')}) needs ${expected} bytes, ${bytes.byteLength - dataStart} follow`,
    );
  }
  return viewOf(type, shape, bytes.subarray(dataStart));
}

/** Copies only where the bytes are not aligned for the type; numpy aligns them within a file. */
function viewOf(type: NpyType, shape: readonly number[], bytes: Uint8Array): NpyArray {
  const aligned = bytes.byteOffset % ITEM_BYTES[type] === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = aligned;
  const length = byteLength / ITEM_BYTES[type];
  switch (type) {
    case 'float32':
      return { type, shape, data: new Float32Array(buffer, byteOffset, length) };
    case 'float64':
      return { type, shape, data: new Float64Array(buffer, byteOffset, length) };
    case 'int8':
      return { type, shape, data: new Int8Array(buffer, byteOffset, length) };
    case 'uint8':
    case 'bool':
      return { type, shape, data: new Uint8Array(buffer, byteOffset, length) };
    case 'int16':
      return { type, shape, data: new Int16Array(buffer, byteOffset, length) };
    case 'int32':
      return { type, shape, data: new Int32Array(buffer, byteOffset, length) };
    case 'int64':
      return { type, shape, data: new BigInt64Array(buffer, byteOffset, length) };
  }
}

function parseShape(text: string | undefined, fail: (reason: string) => DunlinError): number[] {
  if (text === undefined) throw fail('the header has no shape');
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length > MAX_DIMENSIONS || parts.some((part) => !/^\d{1,15}$/.test(part))) {
    throw fail(`shape (${text}) is not usable`);
  }
  return parts.map(Number);
}

export function formatNpy(array: NpyArray): Uint8Array {
  const count = array.shape.reduce((product, size) => product * size, 1);
  if (count !== array.data.length)
    throw new RangeError(`${array.data.length} elements, shape ${array.shape}`);
  const shape = array.shape.length === 1 ? `${array.shape[0]},` : array.shape.join(', ');
  let header = `{'descr': '${DESCR[array.type]}', 'fortran_order': False, 'shape': (${shape}), }`;
  const unpadded = 10 + header.length + 1;
  header += `${' '.repeat((HEADER_ALIGNMENT - (unpadded % HEADER_ALIGNMENT)) % HEADER_ALIGNMENT)}\n`;
  const prefix = Buffer.alloc(10);
  prefix.write(`${MAGIC}\x01\x00`, 'latin1');
  prefix.writeUInt16LE(header.length, 8);
  const { data } = array;
  return Buffer.concat([
    prefix,
    Buffer.from(header, 'latin1'),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  ]);
}
