import test from 'ava';
import { cutIntoInputs, outputArray, type TensorSpec } from '../../src/inference/index.ts';

const spec: TensorSpec = {
  name: 'x',
  type: 'int8',
  shape: [1, 2, 3],
  lengthBytes: 6,
  scale: 0.5,
  zeroPoint: 1,
};
const int8 = (shape: number[]) => ({
  type: 'int8' as const,
  shape,
  data: Int8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => index),
});

test('an array is cut into inputs by its leading dimension', (t) => {
  t.is(cutIntoInputs(int8([1, 2, 3]), spec, 'x').length, 1);
  t.is(cutIntoInputs(int8([2, 3]), spec, 'x').length, 1);
  const three = cutIntoInputs(int8([3, 2, 3]), spec, 'x');
  t.deepEqual(
    three.map((input) => [...input]),
    [
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9, 10, 11],
      [12, 13, 14, 15, 16, 17],
    ],
  );
  const batched: TensorSpec = { ...spec, shape: [2, 2, 3], lengthBytes: 12 };
  t.is(cutIntoInputs(int8([4, 2, 3]), batched, 'x').length, 2);
});

test('float32 is quantized and other types are refused', (t) => {
  const array = {
    type: 'float32' as const,
    shape: [2, 3],
    data: Float32Array.of(0, 1, 2, -1, 99, -99),
  };
  const [input] = cutIntoInputs(array, spec, 'x');
  t.deepEqual([...new Int8Array(input!)], [1, 3, 5, -1, 127, -128]);
  const uint8 = { type: 'uint8' as const, shape: [2, 3], data: new Uint8Array(6) };
  t.throws(() => cutIntoInputs(uint8, spec, 'x.npy'), {
    code: 'input-invalid',
    message: /^x\.npy: uint8 values/,
  });
});

test('shapes that do not fit are refused', (t) => {
  for (const shape of [[6], [3, 2], [2, 2, 4], [0, 2, 3], [1, 1, 2, 3]]) {
    t.throws(() => cutIntoInputs(int8(shape), spec, 'x'), { code: 'input-invalid' }, String(shape));
  }
  const batched: TensorSpec = { ...spec, shape: [2, 2, 3], lengthBytes: 12 };
  t.throws(() => cutIntoInputs(int8([3, 2, 3]), batched, 'x'), { code: 'input-invalid' });
});

test('outputs come dequantized, or raw as they are', (t) => {
  const bytes = Uint8Array.of(1, 3, 5, 255, 1, 1, 1, 1, 1, 1, 1, 1);
  t.deepEqual(outputArray(bytes, spec, 2, false), {
    type: 'float32',
    shape: [2, 2, 3],
    data: Float32Array.of(0, 1, 2, -1, 0, 0, 0, 0, 0, 0, 0, 0),
  });
  t.like(outputArray(bytes, spec, 2, true), { type: 'int8', shape: [2, 2, 3] });
  t.deepEqual(outputArray(bytes, { ...spec, type: 'int16' }, 1, true), {
    type: 'int16',
    shape: [1, 2, 3],
    data: Int16Array.of(0x301, -251, 0x101, 0x101, 0x101, 0x101),
  });
});
