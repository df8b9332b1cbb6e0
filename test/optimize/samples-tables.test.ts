import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { formatNpy, type NpyArray } from '../../src/core/index.ts';
import { MAX_LABEL, readLabels, readSamples } from '../../src/optimize/samples/index.ts';
import { makeFolder, refused } from './samples-folder.ts';

const input = { name: 'x', shape: [1, 4] };
const evaluation = { use: 'evaluation' } as const;
const VALUES = [1, 2.5, -3, 4e-3, 5, 6, 7, 8].map(Math.fround);

test('tables are read with each delimiter, line ending, header and blank lines', async (t) => {
  const { put } = makeFolder(t);
  const tables: Record<string, string> = {
    'plain.csv': '1,2.5,-3,4e-3\n5,6,7,8\n',
    'no-end.csv': '1,2.5,-3,4e-3\n5,6,7,8',
    'header.csv': 'a,b,c,d\n1,2.5,-3,.004\n5,6,7,8\n',
    'windows.csv': '\ufeff"a","b","c","d"\r\n\r\n 1 , +2.5,"-3",4e-3\r\n   \r\n5.,6,7,8\r\n\r\n',
    'mixed-ends.csv': '1,2.5,-3,4e-3\r\n5,6,7,8\n',
    'semicolon.csv': 'a;b;c;d\n1;2.5;-3;4e-3\n5;6;7;8\n',
    'tab.tsv': '1\t2.5\t-3\t4e-3\n5\t6\t7\t8\n',
    'tab.csv': '\n1\t2.5\t-3\t4e-3\n5\t6\t7\t8\n',
  };
  const digests = new Set<string>();
  for (const [name, text] of Object.entries(tables)) {
    const set = await readSamples(put(name, text), input, { use: 'calibration' });
    t.deepEqual([...set.values], VALUES, name);
    t.is(set.source, name);
    digests.add(set.sha256);
  }
  const data = Float32Array.from(VALUES);
  const npy = put('x.npy', formatNpy({ type: 'float32', shape: [2, 4], data }));
  digests.add((await readSamples(npy, input, evaluation)).sha256);
  t.is(digests.size, 1);
});

test('float32 values survive a table', async (t) => {
  const { path: folder } = makeFolder(t);
  const rows = fc.array(fc.float32Array({ minLength: 4, maxLength: 4, noNaN: true }), {
    minLength: 1,
    maxLength: 20,
  });
  const finite = rows.filter((all) => all.every((row) => row.every(Number.isFinite)));
  await fc.assert(
    fc.asyncProperty(finite, fc.constantFrom(',', ';', '\t'), async (all, delimiter) => {
      const path = join(folder, 'x.csv');
      const header = ['a', 'b', 'c', 'd'].join(delimiter);
      const text = all.map((row) => [...row].map(numberText).join(delimiter));
      writeFileSync(path, [header, ...text].join('\n'));
      const { values } = await readSamples(path, input, evaluation);
      t.deepEqual(
        [...values],
        all.flatMap((row) => [...row]),
      );
    }),
    { numRuns: 60 },
  );
});

const numberText = (value: number) => (Object.is(value, -0) ? '-0' : String(value));

test('a first line that only counts is the header that pandas writes', async (t) => {
  const { put } = makeFolder(t);
  const eight = { name: 'x', shape: [1, 8] };
  const path = put('x.csv', '0,1,2,3,4,5,6,7\n1,1,2,3,4,5,6,7\n0,1,2,3,4,5,6,7\n');
  const { values } = await readSamples(path, eight, evaluation);
  t.deepEqual([...values.filter((_, index) => index % 8 === 0)], [1, 0]);
  const narrow = await readSamples(put('x.csv', '0,1,2,3\n'), input, evaluation);
  t.deepEqual([...narrow.values], [0, 1, 2, 3]);
});

test('many rows come whole, and maxCount takes some of them', async (t) => {
  const { put } = makeFolder(t);
  const wide = { name: 'x', shape: [1, 64, 64, 1] };
  const width = 64 * 64;
  const row = (index: number) => `${index}${',0.5'.repeat(width - 1)}\n`;
  const path = put('x.csv', Array.from({ length: 150 }, (_, index) => row(index)).join(''));
  const firsts = ({ values }: { values: Float32Array }) =>
    [...values].filter((_, index) => index % width === 0);
  const all = await readSamples(path, wide, evaluation);
  t.deepEqual(firsts(all), [...Array(150).keys()]);
  t.true(all.values.every((value, index) => index % width === 0 || value === 0.5));
  const some = await readSamples(path, wide, { ...evaluation, maxCount: 5 });
  t.deepEqual(firsts(some), [0, 30, 60, 90, 120]);
  t.is(some.sourceCount, 150);
});

test('what is wrong in a table is named by line and column', async (t) => {
  const { put } = makeFolder(t);
  const cases: [text: string, ...parts: string[]][] = [
    ['a,b,c,d\n1,2,x,4\n', 'line 2, column 3', '"x" is not a number'],
    ['a,2,3,4\n1,2,3,4\n', 'line 1, column 1', '"a"'],
    ['\n\n1,2,3,4\n\n1,,3,4\n', 'line 5, column 2', 'no value'],
    ['1,2,3,nan\n', 'line 1, column 4', 'not finite'],
    ['1,2,3,4\n1,-Infinity,3,4\n', 'line 2, column 2', 'not finite'],
    ['1;2;3;4\n1;2,5;3;4\n', 'line 2, column 2', 'decimal comma'],
    ['1,2,3,4\n0x10,2,3,4\n', 'line 2, column 1', '0x10'],
    ['1,2,3,4\n1,2,3\n', 'line 2 has 3 columns', 'takes 4'],
    [',0,1,2,3\n0,1,2,3,4\n', 'line 1 has 5 columns', 'without an index'],
    ['1 2 3 4\n', 'no samples'],
    ['1 2 3 4\n5 6 7 8\n', 'line 2 has 1 column'],
    ['a,b,c,d\n', 'no samples'],
    ['', 'no samples'],
    ['1,2,"3,4\n5,6,7,8\n', 'quotation marks'],
    [`1,2,3,4\n${'7'.repeat(100_000)}`, 'line 2 is too long'],
    ['1,2,3,1e39\n', 'sample 0, element 3'],
  ];
  for (const [text, ...parts] of cases) {
    const path = put('x.csv', text);
    await refused(t, readSamples(path, input, evaluation), 'input-invalid', path, ...parts);
  }
  const long = put('x.csv', `1,2,3,4\n1,2,3,${'a'.repeat(3000)}\n`);
  const error = await t.throwsAsync(readSamples(long, input, evaluation));
  t.true(error.message.length < long.length + 150, error.message);
});

test('a table is left in the middle when the signal says so', async (t) => {
  const { put } = makeFolder(t);
  const path = put('x.csv', '1,2,3,4\n'.repeat(200_000));
  const reason = new Error('enough');
  const controller = new AbortController();
  const reading = readSamples(path, input, { ...evaluation, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 10);
  t.is(await t.throwsAsync(reading), reason);
});

const labelsOf = (count: number) => ({ count, sourceCount: count });

test('labels of every whole type, and of text', async (t) => {
  const { put } = makeFolder(t);
  const arrays: NpyArray[] = [
    { type: 'int64', shape: [3], data: BigInt64Array.of(2n, 0n, 1n) },
    { type: 'int32', shape: [3, 1], data: Int32Array.of(2, 0, 1) },
    { type: 'uint8', shape: [3], data: Uint8Array.of(2, 0, 1) },
    { type: 'int16', shape: [1, 3], data: Int16Array.of(2, 0, 1) },
    { type: 'float32', shape: [3], data: Float32Array.of(2, 0, 1) },
  ];
  for (const array of arrays) {
    const path = put('y.npy', formatNpy(array));
    t.deepEqual(await readLabels(path, labelsOf(3)), Int32Array.of(2, 0, 1), array.type);
  }
  for (const [name, text] of [
    ['y.txt', '2\n0\n1'],
    ['y.csv', 'label\r\n2\r\n\r\n0\r\n1\r\n'],
  ] as const) {
    t.deepEqual(await readLabels(put(name, text), labelsOf(3)), Int32Array.of(2, 0, 1));
  }
});

test('labels follow the samples that maxCount took', async (t) => {
  const { put } = makeFolder(t);
  const rows = Array.from({ length: 10 }, (_, index) => `${index},1,2,3\n`).join('');
  const samples = await readSamples(put('x.csv', rows), input, { ...evaluation, maxCount: 4 });
  const labels = put('y.txt', Array.from({ length: 10 }, (_, index) => `${index}\n`).join(''));
  const taken = samples.values.filter((_, index) => index % 4 === 0);
  t.deepEqual([...(await readLabels(labels, samples))], [...taken]);
});

test('labels that are wrong say what to do', async (t) => {
  const { put, path: folder } = makeFolder(t);
  const npy = (array: NpyArray) => put('y.npy', formatNpy(array));
  const refuse = (path: string, ...parts: string[]) =>
    refused(t, readLabels(path, labelsOf(3)), 'input-invalid', path, ...parts);
  await refuse(put('y.txt', '1\n2\n'), '2 labels for 3 samples', 'in their order');
  await refuse(put('y.txt', '1\n2\n-1\n'), 'line 3 is -1', 'index of the class');
  await refuse(put('y.txt', '1\n\n2.5\n1\n'), 'line 3 is 2.5', 'whole number');
  await refuse(put('y.csv', 'label\ncat\ndog\n'), 'line 2, column 1', 'cat');
  await refuse(put('y.csv', '0,1\n1,2\n'), 'line 1 has 2 columns', 'one label a line');
  await refuse(put('y.csv', `${MAX_LABEL + 1}\n`), `from 0 to ${MAX_LABEL}`);
  await refuse(
    npy({ type: 'int64', shape: [3], data: BigInt64Array.of(0n, -7n, 1n) }),
    'label 1',
    '-7',
  );
  await refuse(npy({ type: 'int64', shape: [1], data: BigInt64Array.of(2n ** 62n) }), 'label 0');
  await refuse(npy({ type: 'float32', shape: [1], data: Float32Array.of(Number.NaN) }), 'NaN');
  await refuse(npy({ type: 'uint8', shape: [3, 2], data: new Uint8Array(6) }), 'argmax');
  await refuse(put('y.json', '[]'), '.npy, .csv or .txt');
  for (const name of ['no.npy', 'no.csv']) {
    await refused(t, readLabels(join(folder, name), labelsOf(3)), 'file-missing', name);
  }
});
