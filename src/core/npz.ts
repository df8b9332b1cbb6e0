import { unzipSync, zipSync } from 'fflate';
import { DunlinError } from './errors.ts';
import { formatNpy, type NpyArray, parseNpy } from './npy.ts';

const MAX_ARRAYS = 64;
/** A fixed date, so that equal arrays make equal bytes. */
const ZIP_DATE = new Date('2000-01-01T00:00:00Z');

/**
 * NumPy's .npz: a zip of .npy files.
 * @param maxBytes all arrays together, after decompression
 * @throws `input-invalid`, naming `what`
 */
export function parseNpz(bytes: Uint8Array, what: string, maxBytes: number): Map<string, NpyArray> {
  return new Map(
    [...unpackNpz(bytes, what, maxBytes)].map(([name, data]) => [
      name,
      parseNpy(data, `${what}: ${name}.npy`),
    ]),
  );
}

/**
 * The .npy files of an .npz, by the array's name and not yet parsed: for an archive of which only some
 * arrays have to be of a type that is known.
 * @param maxBytes all arrays together, after decompression
 * @throws `input-invalid`, naming `what`
 */
export function unpackNpz(
  bytes: Uint8Array,
  what: string,
  maxBytes: number,
): Map<string, Uint8Array> {
  let count = 0;
  let total = 0;
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter: (file) => {
        count += 1;
        total += file.originalSize;
        if (count > MAX_ARRAYS) throw new RangeError(`more than ${MAX_ARRAYS} arrays`);
        if (total > maxBytes) throw new RangeError(`more than ${maxBytes} bytes unpacked`);
        return file.name.endsWith('.npy');
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DunlinError(`${what}: not a usable .npz (${reason})`, {
      code: 'input-invalid',
      cause: error,
    });
  }
  return new Map(
    Object.entries(entries).map(([name, data]) => [name.slice(0, -'.npy'.length), data]),
  );
}

/** Stored without compression: what carries it is compressed as a whole. */
export function formatNpz(arrays: ReadonlyMap<string, NpyArray>): Uint8Array {
  const entries = [...arrays].map(([name, array]) => [`${name}.npy`, formatNpy(array)] as const);
  return zipSync(Object.fromEntries(entries), { level: 0, mtime: ZIP_DATE });
}
