import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { DunlinError, formatNpy, formatNpz, type NpyArray } from '../../src/core/index.ts';
import { readSamples, type SampleInput } from '../../src/optimize/samples/index.ts';
import { makeFolder, refused } from './samples-folder.ts';

const input: SampleInput = { name: 'x', shape: [1, 2, 3, 1] };
const evaluation = { use: 'evaluation' } as const;
const ramp = (length: number) => Float32Array.from({ length }, (_, index) => index / 4);
const float32 = (shape: number[]): NpyArray => ({
  type: 'float32',
  shape,
  data: ramp(shape.reduce((product, size) => product * size, 1)),
});

test('float32 samples come as they are, with what a report needs', async (t) => {
  const { put } = makeFolder(t);
  const path = put('windows.npy', formatNpy(float32([4, 2, 3, 1])));
  const set = await readSamples(path, input, { use: 'calibration' });
  t.deepEqual(set.values, ramp(24));
  t.like(set, { count: 4, sourceCount: 4, elementCount: 6, source: 'windows.npy' });
  t.regex(set.sha256, /^[0-9a-f]{64}$/);
  t.is(set.labels, undefined);
});

test('shapes that hold the same values in the same order are taken', async (t) => {
  const { put } = makeFolder(t);
  const digests = new Set<string>();
  const counts: number[] = [];
  for (const shape of [
    [2, 2, 3, 1],
    [2, 2, 3],
    [2, 6],
    [2, 1, 2, 3],
  ]) {
    const set = await readSamples(put('x.npy', formatNpy(float32(shape))), input, evaluation);
    digests.add(set.sha256);
    counts.push(set.count);
  }
  t.deepEqual(counts, [2, 2, 2, 2]);
  t.is(digests.size, 1, 'the digest is of the samples, not of the file');
  for (const shape of [
    [2, 3, 1],
    [2, 3],
    [1, 2, 3, 1],
    [1, 6],
  ]) {
    const set = await readSamples(put('x.npy', formatNpy(float32(shape))), input, evaluation);
    t.is(set.count, 1, String(shape));
  }
  const pairs = { name: 'x', shape: [2, 3] };
  const set = await readSamples(put('x.npy', formatNpy(float32([4, 3]))), pairs, evaluation);
  t.is(set.count, 2);
});

test('shapes that do not fit are refused with both shapes', async (t) => {
  const { put } = makeFolder(t);
  for (const shape of [[4, 3, 2, 1], [4, 5], [6], [], [4, 2, 3, 2]]) {
    const path = put('x.npy', formatNpy(float32(shape)));
    const given = `shape (${shape.join(', ')})`;
    await refused(t, readSamples(path, input, evaluation), 'input-invalid', path, given, '1, 2, 3');
  }
  const photo = { name: 'x', shape: [1, 4, 5, 3] };
  const path = put('x.npy', formatNpy(float32([2, 3, 4, 5])));
  await refused(t, readSamples(path, photo, evaluation), 'input-invalid', 'moveaxis(x, -3, -1)');
  const odd = put('x.npy', formatNpy(float32([5, 3])));
  const pairs = { name: 'x', shape: [2, 3] };
  await refused(t, readSamples(odd, pairs, evaluation), 'input-invalid', '(5, 3)');
});

test('every other type becomes float32', async (t) => {
  const { path: folder } = makeFolder(t);
  const exactly = { minLength: 12, maxLength: 12 };
  const limit = { noNaN: true, min: -1e30, max: 1e30 };
  const arrays: fc.Arbitrary<NpyArray> = fc.oneof(
    fc.float32Array({ ...exactly, ...limit, min: -(2 ** 99), max: 2 ** 99 }).map((data) => {
      return { type: 'float32' as const, shape: [2, 6], data };
    }),
    fc
      .float64Array({ ...exactly, ...limit })
      .map((data) => ({ type: 'float64' as const, shape: [2, 6], data })),
    fc.uint8Array(exactly).map((data) => ({ type: 'uint8' as const, shape: [2, 6], data })),
    fc.int16Array(exactly).map((data) => ({ type: 'int16' as const, shape: [2, 6], data })),
    fc.int32Array(exactly).map((data) => ({ type: 'int32' as const, shape: [2, 6], data })),
    fc.bigInt64Array(exactly).map((data) => ({ type: 'int64' as const, shape: [2, 6], data })),
    fc
      .uint8Array({ ...exactly, max: 1 })
      .map((data) => ({ type: 'bool' as const, shape: [2, 6], data })),
  );
  await fc.assert(
    fc.asyncProperty(arrays, fc.constantFrom(undefined, 1), async (array, maxCount) => {
      const path = join(folder, 'x.npy');
      writeFileSync(path, formatNpy(array));
      const options = { ...evaluation, ...(maxCount === undefined ? {} : { maxCount }) };
      const { values, sourceCount } = await readSamples(path, input, options);
      const wanted = Array.from(array.data as Iterable<number | bigint>, (value) =>
        Math.fround(Number(value)),
      );
      t.deepEqual([...values], wanted.slice(0, (maxCount ?? 2) * 6));
      t.is(sourceCount, 2);
    }),
    { numRuns: 60 },
  );
});

test('a bool that is neither 0 nor 1 is true', async (t) => {
  const { put } = makeFolder(t);
  const data = Uint8Array.of(0, 1, 255, 0, 0, 2);
  const path = put('x.npy', formatNpy({ type: 'bool', shape: [1, 6], data }));
  const { values } = await readSamples(path, input, evaluation);
  t.deepEqual([...values], [0, 1, 1, 0, 0, 1]);
});

test('int8 is refused: it is quantized already', async (t) => {
  const { put } = makeFolder(t);
  const array: NpyArray = { type: 'int8', shape: [2, 6], data: new Int8Array(12) };
  const path = put('x.npy', formatNpy(array));
  await refused(
    t,
    readSamples(path, input, evaluation),
    'input-invalid',
    path,
    'quantized already',
  );
});

test('at most maxCount samples are taken, evenly spread', async (t) => {
  const { put } = makeFolder(t);
  const one = { name: 'x', shape: [1, 1] };
  const data = Float32Array.from({ length: 10 }, (_, index) => index);
  const path = put('x.npy', formatNpy({ type: 'float32', shape: [10, 1], data }));
  const take = async (maxCount: number) => {
    const { values, sourceCount } = await readSamples(path, one, { ...evaluation, maxCount });
    t.is(sourceCount, 10);
    return [...values];
  };
  t.deepEqual(await take(1), [0]);
  t.deepEqual(await take(4), [0, 2, 5, 7]);
  t.deepEqual(await take(10), [...data]);
  t.deepEqual(await take(11), [...data]);
  await t.throwsAsync(take(0), { instanceOf: RangeError });
  await t.throwsAsync(take(1.5), { instanceOf: RangeError });
});

test('of an .npz the array that fits is taken, or the one that is named', async (t) => {
  const { put } = makeFolder(t);
  const labels: NpyArray = { type: 'int64', shape: [4], data: new BigInt64Array(4) };
  const [train, held] = [float32([4, 2, 3, 1]), float32([3, 6])];
  const npz = (arrays: Record<string, NpyArray>) =>
    put('data.npz', formatNpz(new Map(Object.entries(arrays))));
  const sole = await readSamples(npz({ y: labels, x: train }), input, evaluation);
  t.is(sole.count, 4);

  const both = npz({ y: labels, x_train: train, x_test: held });
  await refused(
    t,
    readSamples(both, input, evaluation),
    'input-invalid',
    both,
    'x_train (4, 2, 3, 1), x_test (3, 6)',
  );
  const named = await readSamples(both, input, { ...evaluation, arrayName: 'x_test' });
  t.is(named.count, 3);
  const wrong = { ...evaluation, arrayName: 'z' };
  await refused(t, readSamples(both, input, wrong), 'input-invalid', 'y, x_train, x_test');
  const unfit = { ...evaluation, arrayName: 'y' };
  await refused(t, readSamples(both, input, unfit), 'input-invalid', `${both}: y`, 'shape (4)');
  const none = npz({ y: labels });
  await refused(t, readSamples(none, input, evaluation), 'input-invalid', 'no array fits', 'y (4)');
  const int8: NpyArray = { type: 'int8', shape: [2, 6], data: new Int8Array(12) };
  await refused(t, readSamples(npz({ q: int8 }), input, evaluation), 'input-invalid', 'quantized');
});

test('an array of an unknown type does not stand in the way', async (t) => {
  const { put } = makeFolder(t);
  const names = Buffer.from(formatNpy({ type: 'int32', shape: [1], data: new Int32Array(1) }));
  names.write("'<U1'", names.indexOf("'<i4'"));
  const { zipSync } = await import('fflate');
  const zip = zipSync({ 'names.npy': names, 'x.npy': formatNpy(float32([4, 6])) });
  const set = await readSamples(put('data.npz', zip), input, evaluation);
  t.is(set.count, 4);
  const alone = put('names.npz', zipSync({ 'names.npy': names }));
  await refused(t, readSamples(alone, input, evaluation), 'input-invalid', 'names: ', '<U1');
});

test('values that are not finite are named', async (t) => {
  const { put } = makeFolder(t);
  const data = ramp(12);
  data[9] = Number.NaN;
  const path = put('x.npy', formatNpy({ type: 'float32', shape: [2, 6], data }));
  await refused(
    t,
    readSamples(path, input, evaluation),
    'input-invalid',
    'sample 1, element 3',
    'NaN',
  );
  const large = Float64Array.of(0, 1, 1e300, 0, 0, 0);
  const wide = put('y.npy', formatNpy({ type: 'float64', shape: [6], data: large }));
  const place = 'sample 0, element 2';
  await refused(
    t,
    readSamples(wide, { name: 'x', shape: [1, 6] }, evaluation),
    'input-invalid',
    place,
  );
});

test('samples that are all the same calibrate nothing, and evaluate all the same', async (t) => {
  const { put } = makeFolder(t);
  const level = { type: 'float32' as const, shape: [2, 6], data: new Float32Array(12).fill(0.5) };
  const equal = { ...level, data: Float32Array.from({ length: 12 }, (_, index) => index % 6) };
  for (const [array, part] of [
    [level, 'every value is 0.5'],
    [equal, 'all 2 samples'],
  ] as const) {
    const path = put('x.npy', formatNpy(array));
    await refused(t, readSamples(path, input, { use: 'calibration' }), 'input-invalid', path, part);
    t.is((await readSamples(path, input, evaluation)).count, 2);
  }
  const single = put('x.npy', formatNpy(float32([1, 6])));
  t.is((await readSamples(single, input, { use: 'calibration' })).count, 1);
});

test('what is empty, missing, unknown or a folder without images is refused', async (t) => {
  const { path: folder, put } = makeFolder(t);
  const empty = put('empty.npy', formatNpy(float32([0, 6])));
  await refused(t, readSamples(empty, input, evaluation), 'input-invalid', empty, 'no samples');
  const missing = join(folder, 'missing.npy');
  await refused(t, readSamples(missing, input, evaluation), 'file-missing', missing);
  const text = put('x.json', '[]');
  await refused(t, readSamples(text, input, evaluation), 'input-invalid', text, '.npy, .npz, .csv');
  const image = put('x.PNG', '');
  await refused(t, readSamples(image, input, evaluation), 'input-invalid', image, 'the folder');
  mkdirSync(join(folder, 'none'));
  await refused(
    t,
    readSamples(join(folder, 'none'), input, evaluation),
    'input-invalid',
    'no images',
  );
  const dynamic = { name: 'x', shape: [-1, 6] };
  await refused(t, readSamples(empty, dynamic, evaluation), 'model-unsupported', '(-1, 6)');
  const vast = { name: 'x', shape: [1, 2 ** 29] };
  const rows = put('vast.csv', '1\n');
  await refused(t, readSamples(rows, vast, evaluation), 'input-invalid', 'take fewer');
});

test('damaged files give an array or an error of ours', async (t) => {
  const { path: folder } = makeFolder(t);
  const valid = new Map<string, Uint8Array>([
    ['x.npy', formatNpy(float32([2, 6]))],
    ['x.npz', formatNpz(new Map([['x', float32([2, 6])]]))],
    ['x.csv', Buffer.from('a,b,c,d,e,f\n1,2,3,4,5,6\n"7",8,9,10,11,12\n')],
  ]);
  const damage = fc.tuple(
    fc.constantFrom(...valid.keys()),
    fc.nat(400),
    fc.nat(255),
    fc.option(fc.nat(400)),
  );
  await fc.assert(
    fc.asyncProperty(damage, async ([name, at, value, length]) => {
      const bytes = Uint8Array.from(valid.get(name)!);
      bytes[at % bytes.length] = value;
      const path = join(folder, name);
      writeFileSync(path, bytes.subarray(0, length ?? bytes.length));
      try {
        const { values, count } = await readSamples(path, input, evaluation);
        t.is(values.length, count * 6);
      } catch (error) {
        t.true(error instanceof DunlinError && error.code === 'input-invalid', String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test('an aborted signal stops the reading with its reason', async (t) => {
  const { put } = makeFolder(t);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  for (const path of [put('x.npy', formatNpy(float32([2, 6]))), put('x.csv', '1,2,3,4,5,6\n')]) {
    t.is(await t.throwsAsync(readSamples(path, input, { ...evaluation, signal })), reason);
  }
});
