import test from 'ava';
import fc from 'fast-check';
import {
  DunlinError,
  formatNpy,
  formatNpz,
  type NpyArray,
  parseNpy,
  parseNpz,
} from '../../src/core/index.ts';

const arrays: fc.Arbitrary<NpyArray> = fc
  .array(fc.integer({ min: 0, max: 5 }), { minLength: 0, maxLength: 4 })
  .chain((shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const exactly = { minLength: count, maxLength: count };
    return fc.oneof(
      fc
        .float32Array({ ...exactly, noNaN: true })
        .map((data) => ({ type: 'float32' as const, shape, data })),
      fc.int8Array(exactly).map((data) => ({ type: 'int8' as const, shape, data })),
      fc.uint8Array(exactly).map((data) => ({ type: 'uint8' as const, shape, data })),
      fc.int32Array(exactly).map((data) => ({ type: 'int32' as const, shape, data })),
      fc
        .float64Array({ ...exactly, noNaN: true })
        .map((data) => ({ type: 'float64' as const, shape, data })),
      fc.int16Array(exactly).map((data) => ({ type: 'int16' as const, shape, data })),
      fc.bigInt64Array(exactly).map((data) => ({ type: 'int64' as const, shape, data })),
      fc.uint8Array({ ...exactly, max: 1 }).map((data) => ({ type: 'bool' as const, shape, data })),
    );
  });

test('what is written is read back', (t) => {
  fc.assert(
    fc.property(arrays, (array) => {
      const bytes = formatNpy(array);
      t.is((bytes.byteLength - array.data.byteLength) % 64, 0);
      t.deepEqual(parseNpy(bytes, 'x.npy'), array);
    }),
  );
});

test('bytes at any offset are read', (t) => {
  fc.assert(
    fc.property(arrays, fc.nat(9), (array, offset) => {
      const bytes = formatNpy(array);
      const shifted = new Uint8Array(offset + bytes.length);
      shifted.set(bytes, offset);
      t.deepEqual(parseNpy(shifted.subarray(offset), 'x.npy'), array);
    }),
    { numRuns: 50 },
  );
});

test('an .npz is read back, and equal arrays make equal bytes', (t) => {
  fc.assert(
    fc.property(arrays, arrays, (input, expected) => {
      const map = new Map([
        ['input', input],
        ['expected_xnn', expected],
      ]);
      const bytes = formatNpz(map);
      t.deepEqual(parseNpz(bytes, 'g.npz', 1 << 20), map);
      t.deepEqual(formatNpz(map), bytes);
    }),
    { numRuns: 30 },
  );
});

test('any bytes give an array or an input-invalid error', (t) => {
  const valid = formatNpy({ type: 'int8', shape: [3, 2], data: new Int8Array(6) });
  const damaged = fc
    .tuple(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length))
    .map(([at, value, length]) => {
      const copy = Uint8Array.from(valid);
      copy[at] = value;
      return copy.subarray(0, length);
    });
  const check = (parse: (bytes: Uint8Array) => unknown) => (bytes: Uint8Array) => {
    try {
      parse(bytes);
    } catch (error) {
      t.true(error instanceof DunlinError && error.code === 'input-invalid', String(error));
    }
  };
  const bytes = fc.oneof(damaged, fc.uint8Array({ maxLength: 200 }));
  fc.assert(
    fc.property(
      bytes,
      check((data) => parseNpy(data, 'x.npy')),
    ),
  );
  fc.assert(
    fc.property(
      bytes,
      check((data) => parseNpz(data, 'x.npz', 1000)),
    ),
  );
  t.throws(() => parseNpy(valid.subarray(0, 20), 'x.npy'), { message: /cut off/ });
});

test('an .npz that unpacks past the limit is refused before it is unpacked', (t) => {
  const big: NpyArray = { type: 'int8', shape: [4096], data: new Int8Array(4096) };
  const error = t.throws(() => parseNpz(formatNpz(new Map([['a', big]])), 'g.npz', 4000));
  t.regex(error.message, /more than 4000 bytes/);
});
