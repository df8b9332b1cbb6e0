import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import sharp from 'sharp';
import { formatNpy } from '../../src/core/index.ts';
import { MAX_IMAGE_PIXELS, readSamples } from '../../src/optimize/samples/index.ts';
import { makeFolder, refused } from './samples-folder.ts';

const evaluation = { use: 'evaluation' } as const;
const bytes = { low: 0, high: 255 };
const colour = { name: 'image', shape: [1, 2, 2, 3] };
const grey = { name: 'image', shape: [1, 2, 2, 1] };
type Rgb = readonly [red: number, green: number, blue: number];

const solid = ([r, g, b]: Rgb, alpha = 1, width = 8, height = 8) =>
  sharp({ create: { width, height, channels: 4, background: { r, g, b, alpha } } });
const pixels = (width: number, height: number, data: number[]) =>
  sharp(Buffer.from(data), { raw: { width, height, channels: 3 } });
const repeat = (values: readonly number[], count: number) =>
  Array.from({ length: count }, () => values).flat();

test('known colours become known values, in every format', async (t) => {
  const { path, put } = makeFolder(t);
  const rgb: Rgb = [10, 20, 30];
  put('a.png', await solid(rgb).png().toBuffer());
  put('b.webp', await solid(rgb).webp({ lossless: true }).toBuffer());
  put('c.gif', await solid(rgb).gif().toBuffer());
  put('d.TIFF', await solid(rgb).tiff({ compression: 'none' }).toBuffer());
  put('e.avif', await solid(rgb).avif({ lossless: true }).toBuffer());
  put('f.JPG', await solid([128, 128, 128]).jpeg({ quality: 100 }).toBuffer());
  put('g.png', await solid([255, 255, 255]).toColourspace('b-w').png().toBuffer());
  put('h.png', await solid(rgb).toColourspace('rgb16').png().toBuffer());
  const set = await readSamples(path, colour, { ...evaluation, imageRange: bytes });
  t.deepEqual(
    [...set.values],
    [
      ...repeat(rgb, 4 * 5),
      ...repeat([128, 128, 128], 4),
      ...repeat([255, 255, 255], 4),
      ...repeat(rgb, 4),
    ],
  );
  t.like(set, { count: 8, sourceCount: 8, elementCount: 12, ignoredFileCount: 0 });
  t.is(set.labels, undefined);
});

test('pixels keep their places: rows, columns, channels', async (t) => {
  const { path, put } = makeFolder(t);
  const data = Array.from({ length: 2 * 3 * 3 }, (_, index) => index * 10);
  put('x.png', await pixels(3, 2, data).png().toBuffer());
  const wide = { name: 'x', shape: [1, 2, 3, 3] };
  const set = await readSamples(path, wide, { use: 'calibration', imageRange: bytes });
  t.deepEqual([...set.values], data);
});

test('a resize averages, and stays within the range', async (t) => {
  const { path, put } = makeFolder(t);
  const left = repeat([0, 0, 0], 4);
  const right = repeat([255, 255, 255], 4);
  put(
    'x.png',
    await pixels(8, 8, repeat([...left, ...right], 8))
      .png()
      .toBuffer(),
  );
  const { values } = await readSamples(path, { name: 'x', shape: [1, 4, 2, 1] }, evaluation);
  t.is(values.length, 8);
  t.true(values.every((value, index) => (index % 2 === 0 ? value < 0.2 : value > 0.8)));
  t.true(values.every((value) => value >= 0 && value <= 1));
});

test('the range maps 0 and 255 exactly, and what is between linearly', async (t) => {
  const { path, put } = makeFolder(t);
  const levels = [0, 51, 127, 255];
  put(
    'x.png',
    await pixels(
      2,
      2,
      levels.flatMap((level) => [level, level, level]),
    )
      .png()
      .toBuffer(),
  );
  for (const [imageRange, low, high] of [
    [undefined, 0, 1],
    [{ low: -1, high: 1 }, -1, 1],
    [{ low: 0.1, high: 0.7 }, 0.1, 0.7],
  ] as const) {
    const options = { ...evaluation, ...(imageRange === undefined ? {} : { imageRange }) };
    const { values } = await readSamples(path, grey, options);
    const wanted = levels.map((level) => low + (level * (high - low)) / 255);
    t.deepEqual(values.slice(0, 3), Float32Array.from(wanted.slice(0, 3)));
    t.is(values[3], Math.fround(high));
  }
  const upsideDown = { ...evaluation, imageRange: { low: 1, high: 0 } };
  await t.throwsAsync(readSamples(path, grey, upsideDown), { instanceOf: RangeError });
});

test('grey is BT.601 luma, and grey stays what it is', async (t) => {
  const { path, put } = makeFolder(t);
  const data = [255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77];
  put('x.png', await pixels(2, 2, data).png().toBuffer());
  const { values } = await readSamples(path, grey, { ...evaluation, imageRange: bytes });
  t.deepEqual([...values], [76, 150, 29, 77], "Pillow's convert('L')");
});

test('what is transparent is over black', async (t) => {
  const { path, put } = makeFolder(t);
  put('x.png', await solid([200, 100, 50], 0).png().toBuffer());
  put('y.png', await solid([200, 100, 50], 0.5).png().toBuffer());
  const { values } = await readSamples(path, colour, { ...evaluation, imageRange: bytes });
  t.deepEqual([...values.subarray(0, 12)], repeat([0, 0, 0], 4));
  t.true(
    [...values.subarray(12, 15)].every((value, index) => {
      return Math.abs(value - [100, 50, 25][index]!) <= 1;
    }),
  );
});

test('a photo is turned as a viewer turns it', async (t) => {
  const { path, put } = makeFolder(t);
  const image = pixels(2, 1, [255, 0, 0, 0, 255, 0]).withMetadata({ orientation: 6 });
  put('x.png', await image.png().toBuffer());
  const upright = { name: 'x', shape: [1, 2, 1, 3] };
  const { values } = await readSamples(path, upright, { ...evaluation, imageRange: bytes });
  t.deepEqual([...values], [255, 0, 0, 0, 255, 0]);
});

test('folders are classes, in the order of their names', async (t) => {
  const { path, put } = makeFolder(t);
  const image = async (level: number) => solid([level, level, level]).png().toBuffer();
  put('dog/b.png', await image(4));
  put('dog/a.png', await image(3));
  put('cat/10.png', await image(1));
  put('cat/9.png', await image(2));
  put('cat/notes.txt', 'not an image');
  put('cat/.hidden.png', 'not seen');
  put('.git/x.png', 'not seen');
  mkdirSync(join(path, 'cow'));
  const options = { ...evaluation, imageRange: bytes };
  const set = await readSamples(`${path}/`, grey, options);
  t.deepEqual(
    [...set.values].filter((_, index) => index % 4 === 0),
    [1, 2, 3, 4],
  );
  t.deepEqual(set.labels, Int32Array.of(0, 0, 2, 2));
  t.deepEqual(set.labelNames, ['cat', 'cow', 'dog']);
  t.is(set.ignoredFileCount, 1);
  t.true(path.endsWith(set.source));

  const some = await readSamples(path, grey, { ...options, maxCount: 2 });
  t.deepEqual([...some.labels!], [0, 2]);
  t.is(some.sourceCount, 4);
});

test('images side by side with folders, deeper, or in one folder have no labels', async (t) => {
  const { path, put } = makeFolder(t);
  const image = await solid([1, 2, 3]).png().toBuffer();
  put('one/a.png', image);
  t.is((await readSamples(path, grey, evaluation)).labels, undefined);
  put('two/b.png', image);
  t.deepEqual((await readSamples(path, grey, evaluation)).labels, Int32Array.of(0, 1));
  put('two/three/c.png', image);
  const deeper = await readSamples(path, grey, evaluation);
  t.deepEqual([deeper.count, deeper.labels], [3, undefined]);
});

test('links to files are followed, links to folders are not', async (t) => {
  const { path, put } = makeFolder(t);
  const target = put('a.png', await solid([1, 2, 3]).png().toBuffer());
  symlinkSync(target, join(path, 'b.png'));
  symlinkSync(path, join(path, 'circle'));
  const set = await readSamples(path, grey, evaluation);
  t.like(set, { count: 2, ignoredFileCount: 1 });
  symlinkSync(join(path, 'gone.png'), join(path, 'c.png'));
  await refused(t, readSamples(path, grey, evaluation), 'file-missing', 'c.png');
});

test('what is no image, cut off or too large is named', async (t) => {
  const noise = Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * 7919) % 251);
  const half = (data: Buffer) => data.subarray(0, data.length >> 1);
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>';
  const side = Math.ceil(Math.sqrt(MAX_IMAGE_PIXELS)) + 1;
  const bomb = solid([0, 0, 0], 1, side, side).png({ compressionLevel: 1 });
  const bad: [name: string, data: string | Buffer, part?: string][] = [
    ['text.png', 'hello'],
    ['empty.png', ''],
    ['vector.png', svg, 'svg is not read'],
    ['half.png', half(await pixels(64, 64, noise).png().toBuffer())],
    ['half.jpg', half(await pixels(64, 64, noise).jpeg().toBuffer())],
    ['half.webp', half(await pixels(64, 64, noise).webp().toBuffer())],
    ['bomb.png', await bomb.toBuffer(), 'pixel limit'],
  ];
  for (const [name, data, part = 'repair'] of bad) {
    const { path, put } = makeFolder(t);
    put('a.png', await solid([1, 2, 3]).png().toBuffer());
    const file = put(name, data);
    await refused(t, readSamples(path, grey, evaluation), 'input-invalid', file, part);
  }
});

test('images are for inputs of images', async (t) => {
  const { path, put } = makeFolder(t);
  put('a.png', await solid([1, 2, 3]).png().toBuffer());
  for (const shape of [
    [1, 490],
    [1, 8, 8, 2],
    [2, 8, 8, 3],
    [1, 1, 8, 8, 3],
  ]) {
    const found = `x (${shape.join(', ')})`;
    await refused(t, readSamples(path, { name: 'x', shape }, evaluation), 'input-invalid', found);
  }
  const huge = { name: 'x', shape: [1, 20_000, 20_000, 3] };
  await refused(t, readSamples(path, huge, evaluation), 'input-invalid', path, 'take fewer');
});

test('progress is told for each image, and the signal stops it', async (t) => {
  const { path, put } = makeFolder(t);
  const image = await solid([1, 2, 3]).png().toBuffer();
  for (let index = 0; index < 20; index++) put(`${index}.png`, image);
  const seen: string[] = [];
  const onProgress = (doneCount: number, totalCount: number) =>
    void seen.push(`${doneCount}/${totalCount}`);
  await readSamples(path, grey, { ...evaluation, onProgress });
  t.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, index) => `${index + 1}/20`),
  );

  const controller = new AbortController();
  let doneCount = 0;
  const stopping = readSamples(path, grey, {
    ...evaluation,
    signal: controller.signal,
    onProgress: () => {
      doneCount += 1;
      controller.abort(new Error('enough'));
    },
  });
  await t.throwsAsync(stopping, { message: 'enough' });
  t.true(doneCount < 20);
});

test('without sharp arrays are still read, and images say what is missing', async (t) => {
  const { path, put } = makeFolder(t);
  put('photos/a.png', await solid([1, 2, 3]).png().toBuffer());
  const npy = put('x.npy', formatNpy({ type: 'uint8', shape: [1, 4], data: new Uint8Array(4) }));
  const hook = `export const resolve = (name, context, next) => {
    if (name === 'sharp') throw new Error('Could not load\\nthe module');
    return next(name, context);
  };`;
  const room = new URL('../../src/optimize/samples/index.js', import.meta.url).href;
  const script = put(
    'script.mjs',
    `import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));
    const { readSamples } = await import(${JSON.stringify(room)});
    const input = { name: 'x', shape: [1, 2, 2, 1] };
    const { count } = await readSamples(${JSON.stringify(npy)}, input, { use: 'evaluation' });
    const error = await readSamples(${JSON.stringify(join(path, 'photos'))}, input, {
      use: 'evaluation',
    }).catch((error) => error);
    console.log(JSON.stringify({ count, code: error.code, message: error.message }));`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const { count, code, message } = JSON.parse(stdout);
  t.deepEqual([count, code], [1, 'input-invalid']);
  t.regex(message, /photos: images need the npm package sharp.*Could not load the module.*install/);
});
