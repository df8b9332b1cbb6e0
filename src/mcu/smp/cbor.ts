import { decode, encode } from 'cborg';
import { checkSchema, DunlinError, type Static, type TSchema, Type } from '../../core/index.ts';

/** Text keys, and values as CBOR has them; what is undefined is left out. */
export type CborMap = Readonly<Record<string, unknown>>;

/** A byte string of at most so many bytes. */
export function Bytes(maxBytes: number, minBytes = 0) {
  return Type.Refine(
    Type.Unsafe<Uint8Array>(Type.Unknown()),
    (value) =>
      value instanceof Uint8Array && value.byteLength >= minBytes && value.byteLength <= maxBytes,
    () => `must be a byte string of ${minBytes} to ${maxBytes} bytes`,
  );
}

/** An unsigned integer of 32 bits at most. */
export const Uint32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });

export function encodeMap(map: CborMap): Uint8Array {
  return encode(map, { ignoreUndefinedProperties: true });
}

/**
 * A map that came over the line. Zephyr's zcbor writes maps of indefinite length.
 * @throws `mcu-garbled` when it is no map with text keys, or has a key twice
 */
export function decodeMap(bytes: Uint8Array, what: string): CborMap {
  try {
    const decoded: unknown = decode(bytes, {
      allowIndefinite: true,
      allowInfinity: false,
      allowNaN: false,
      rejectDuplicateMapKeys: true,
    });
    // cborg lets symbols of its own through where a break stands for a value, and sets prototypes by
    // `__proto__`.
    const value: unknown = structuredClone(decoded);
    if (Object.prototype.toString.call(value) === '[object Object]') return value as CborMap;
  } catch (cause) {
    throw new DunlinError(`${what}: not CBOR`, { code: 'mcu-garbled', cause });
  }
  throw new DunlinError(`${what}: not a CBOR map`, { code: 'mcu-garbled' });
}

/** @throws `mcu-garbled`, naming the field */
export function checkMap<T extends TSchema>(schema: T, map: CborMap, what: string): Static<T> {
  const checked = checkSchema(schema, map);
  if ('value' in checked) return checked.value;
  const [first] = checked.problems;
  throw new DunlinError(`${what}: ${first?.path ?? ''} ${first?.message ?? 'is wrong'}`, {
    code: 'mcu-garbled',
  });
}
