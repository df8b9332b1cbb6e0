import test from 'ava';
import fc from 'fast-check';
import {
  dequantize,
  elementsOf,
  percentile,
  quantize,
  type TensorSpec,
} from '../../src/inference/index.ts';

const RANGE = { int8: [-128, 127], uint8: [0, 255], int16: [-32_768, 32_767] } as const;

const specs = fc
  .record({
    type: fc.constantFrom('int8' as const, 'uint8' as const, 'int16' as const),
    scale: fc.double({ min: 1e-6, max: 1e4, noNaN: true }).map(Math.fround),
    zero: fc.nat(),
  })
  .map(({ type, scale, zero }): TensorSpec => {
    const [low, high] = RANGE[type];
    const zeroPoint = low + (zero % (high - low + 1));
    return { name: 'x', type, shape: [1], lengthBytes: 1, scale, zeroPoint };
  });

test('what is representable survives quantize after dequantize', (t) => {
  fc.assert(
    fc.property(specs, fc.uint8Array({ minLength: 2, maxLength: 64 }), (spec, raw) => {
      const bytes = raw.subarray(0, raw.byteLength - (raw.byteLength % 2));
      t.deepEqual([...quantize(dequantize(bytes, spec), spec)], [...bytes]);
    }),
  );
});

test('a value inside the range is off by half a step at most, one outside is clamped', (t) => {
  fc.assert(
    fc.property(specs, fc.double({ min: -2, max: 2, noNaN: true }), (spec, position) => {
      const { scale, zeroPoint, type } = spec as Required<TensorSpec>;
      const [low, high] = RANGE[type as keyof typeof RANGE];
      const value = Math.fround(position * (high - low) * scale);
      const bytes = quantize(Float32Array.of(value), spec);
      const q = elementsOf(bytes, type)[0]!;
      const exact = value / scale + zeroPoint;
      if (exact >= high) t.is(q, high);
      else if (exact <= low) t.is(q, low);
      else t.true(Math.abs(q - exact) <= 0.5 + 1e-2 * Number(type === 'int16') + 1e-4);
    }),
  );
});

test('halves are rounded away from zero, as TFLite does', (t) => {
  const spec: TensorSpec = {
    name: 'x',
    type: 'int8',
    shape: [4],
    lengthBytes: 4,
    scale: 1,
    zeroPoint: 0,
  };
  const q = quantize(Float32Array.of(0.5, -0.5, 2.5, -2.5), spec);
  t.deepEqual([...elementsOf(q, 'int8')], [1, -1, 3, -3]);
});

test('float32 passes unchanged, and NaN or a plain integer input is refused', (t) => {
  const base = { name: 'x', shape: [2], lengthBytes: 8 } as const;
  const values = Float32Array.of(1.5, -2.25);
  t.deepEqual(
    dequantize(quantize(values, { ...base, type: 'float32' }), { ...base, type: 'float32' }),
    values,
  );
  const int8 = { ...base, type: 'int8', scale: 1, zeroPoint: 0 } as const;
  t.throws(() => quantize(Float32Array.of(1, Number.NaN), int8), { code: 'input-invalid' });
  t.throws(() => quantize(values, { ...base, type: 'int32' }), { code: 'input-invalid' });
  t.throws(() => dequantize(new Uint8Array(3), { ...base, type: 'float32' }), {
    code: 'input-invalid',
  });
  t.deepEqual([...quantize(Float32Array.of(Number.POSITIVE_INFINITY), int8)], [127]);
});

test('unaligned bytes are read all the same', (t) => {
  const bytes = new Uint8Array(9);
  new DataView(bytes.buffer).setFloat32(1, 1.5, true);
  t.is(elementsOf(bytes.subarray(1, 5), 'float32')[0], 1.5);
});

test('percentile is the nearest rank', (t) => {
  t.is(percentile([4, 1, 3, 2], 0.5), 2);
  t.is(percentile([1], 0.99), 1);
  t.is(percentile([], 0.5), Number.NaN);
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const found = percentile(values, share);
        const below = values.filter((value) => value <= found).length;
        t.true(values.includes(found));
        t.true(below >= share * values.length);
      },
    ),
  );
});
