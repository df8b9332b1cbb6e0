import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { formatNpy, nodeFiles, parseJson, parseNpy, sha256Hex } from '../../src/core/index.ts';
import { Report, readOptimized } from '../../src/optimize/index.ts';
import {
  parseModel,
  serializeModel,
  type TfliteModel,
  verifyModel,
} from '../../src/tflite/index.ts';
import { buildFirmware } from '../plan/board/firmware.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { CLASSES, classifier } from './classifier.ts';
import { computationOf } from './computation.ts';
import { DunlinProcess, dunlin, type Ended } from './dunlin-process.ts';
import { layer, withTensor } from './hostile-models.ts';
import { RandomValues } from './random-values.ts';

const COMMAND_MS = 180_000;
const SAMPLES = 20;

/** A folder with a model and samples for it, gone after the test. */
async function folderOf(t: ExecutionContext): Promise<(name: string) => string> {
  t.timeout(COMMAND_MS);
  const folder = await mkdtemp(join(tmpdir(), 'dunlin-optimize-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = (name: string): string => join(folder, name);
  await writeFile(path('float.tflite'), serializeModel(classifier()));
  for (const [seed, name] of ['cal', 'eval'].entries()) {
    const data = Float32Array.from(new RandomValues(seed).normals(SAMPLES * 128, 1));
    await writeFile(
      path(`${name}.npy`),
      formatNpy({ type: 'float32', shape: [SAMPLES, 8, 8, 2], data }),
    );
  }
  const labels = Int32Array.from({ length: SAMPLES }, (_, index) => index % CLASSES);
  await writeFile(path('labels.npy'), formatNpy({ type: 'int32', shape: [SAMPLES], data: labels }));
  return path;
}

/** One line on standard error, with the code at its end. */
function refused(t: ExecutionContext, { status, out, err }: Ended, wanted: number, says: RegExp) {
  t.is(status, wanted, err);
  t.is(out, '');
  const last = err.trim().split('\n').at(-1)!;
  t.regex(last, /^dunlin: .+ \[[a-z-]+\]$/);
  t.regex(last, says);
  t.notRegex(err, /internal error|at .*\.js:\d/);
}

const ALL_FILES = [
  ...['dynamic.tflite', 'float.tflite', 'float16.tflite', 'golden-inputs.npy', 'int8.tflite'],
  ...['report.html', 'report.json'],
];

test('optimize, optimize again into the same directory, compare and repack what it made', async (t) => {
  const path = await folderOf(t);
  const out = path('out');
  const sets = ['--calibration', path('cal.npy'), '--eval', path('eval.npy')];
  const first = await dunlin(
    ...['optimize', path('float.tflite'), ...sets, '--labels', path('labels.npy')],
    ...['--mode', 'all', '--out', out, '--json'],
  );
  t.is(first.status, 0, first.err);
  const report = parseJson(Report, first.out, 'standard output');
  t.is(first.out.trim().split('\n').length, 1);
  for (const task of [
    'calibrating float.tflite',
    'choosing ranges for float.tflite',
    'measuring int8',
  ]) {
    t.true(first.err.includes(`${task}\n`), task);
  }
  t.deepEqual((await readdir(out)).sort(), ALL_FILES);
  t.deepEqual(parseJson(Report, await readFile(join(out, 'report.json')), 'report.json'), report);
  t.deepEqual(
    report.variants.map(({ name }) => name),
    ['float', 'float16', 'dynamic', 'int8'],
  );
  for (const { file, sha256, sizeBytes } of report.variants) {
    const bytes = await readFile(join(out, file));
    t.is(sha256Hex(bytes), sha256);
    t.is(bytes.byteLength, sizeBytes);
    verifyModel(parseModel(bytes, file), file);
  }
  t.like(report.evaluation, { source: 'eval.npy', count: SAMPLES, separate: true, labelled: true });
  t.true(report.variants.every(({ accuracy }) => accuracy !== undefined));
  // Of those of about the same size it is the fastest, which on a busy machine may be either.
  const chosen = report.choice.variant!;
  t.true(['int8', 'dynamic'].includes(chosen), chosen);
  const golden = parseNpy(await readFile(join(out, 'golden-inputs.npy')), 'golden');
  t.deepEqual(golden.shape, [SAMPLES, 8, 8, 2]);
  t.is((await readOptimized(nodeFiles, out)).variant.name, chosen);

  // The same directory again: one mode, and a budget that nothing keeps.
  const second = await dunlin(
    ...['optimize', path('float.tflite'), ...sets, '--ranges', 'minmax', '--out', out],
    ...['--budget', 'size=1', '--json'],
  );
  refused(
    t,
    { ...second, out: '' },
    8,
    /No variant fits the budget; closest is \w+, .*\[budget-not-met\]/,
  );
  const worse = parseJson(Report, second.out, 'standard output');
  t.is(worse.choice.variant, undefined);
  t.is(worse.calibration.ranges, 'minmax');
  t.deepEqual(
    (await readdir(out)).sort(),
    ALL_FILES.filter((name) => !/dynamic|float16/.test(name)),
  );
  t.deepEqual(parseJson(Report, await readFile(join(out, 'report.json')), 'report.json'), worse);

  await compares(t, path, out);
  await repacks(t, path, out);
});

async function compares(t: ExecutionContext, path: (name: string) => string, out: string) {
  const models = [path('float.tflite'), join(out, 'int8.tflite')];
  const input = ['--input', path('eval.npy'), '--labels', path('labels.npy')];
  const { status, out: text, err } = await dunlin('compare', ...models, ...input, '--json');
  t.is(status, 0, err);
  const comparison = JSON.parse(text);
  t.is(comparison.count, SAMPLES);
  t.true(comparison.logits.sqnrDb > 20, `${comparison.logits.sqnrDb} dB`);
  t.deepEqual(
    comparison.layers.map(({ name }: { name: string }) => name),
    ['CONV_2D', 'CONV_2D', 'MEAN', 'FULLY_CONNECTED', 'SOFTMAX'],
  );
  t.true(comparison.accuracy.a >= 0 && comparison.accuracy.b >= 0);
  t.true(err.includes('running float.tflite\n') && err.includes('running int8.tflite\n'), err);
  const table = await dunlin('compare', models[0]!, models[0]!, ...input.slice(0, 2));
  t.is(table.status, 0, table.err);
  t.regex(table.out, /identical/);
}

async function repacks(t: ExecutionContext, path: (name: string) => string, out: string) {
  const source = path('float.tflite');
  const before = await readFile(source);
  const { status, out: text, err } = await dunlin('repack', source, '--json');
  t.is(status, 0, err);
  const packed = await readFile(path('float.repacked.tflite'));
  t.deepEqual(JSON.parse(text), {
    file: path('float.repacked.tflite'),
    sizeBytes: { before: before.byteLength, after: packed.byteLength },
  });
  t.true(packed.byteLength < before.byteLength);
  t.deepEqual(computationOf(parseModel(packed, 'packed')), computationOf(classifier32(before)));
  t.true(await readFile(source).then((bytes) => bytes.equals(before)));
  // What is as small already stays as it is.
  const again = await dunlin(
    'repack',
    path('float.repacked.tflite'),
    '--out',
    join(out, 'x.tflite'),
  );
  t.is(again.status, 0, again.err);
  t.true((await readFile(join(out, 'x.tflite'))).equals(packed));
}

const classifier32 = (bytes: Uint8Array): TfliteModel => parseModel(bytes, 'float');

/** The sample of the tour: all that a plan has, and more than one kind of layer. */
const MOTOR = fileURLToPath(new URL('../../../examples/motor/', import.meta.url));

test('int8 variants come with what they take of a microcontroller, and nothing else does', async (t) => {
  const path = await folderOf(t);
  await buildFirmware();
  const run = (...more: string[]) =>
    dunlin(
      ...['optimize', join(MOTOR, 'v1/float.tflite'), '--out', path('out')],
      ...['--calibration', join(MOTOR, 'golden-inputs.npy'), ...more],
    );
  const json = await run('--json');
  t.is(json.status, 0, json.err);
  t.true(json.err.includes('compiling int8 for a microcontroller\n'));
  const report = parseJson(Report, json.out, 'report');
  const [float, int8] = report.variants;
  t.is(float!.microcontroller, undefined);
  const compiled = await dunlin(
    ...['compile', join(path('out'), 'int8.tflite'), '--target', 'cortex-m4', '--json'],
    ...['--out', path('int8.plan')],
  );
  t.is(compiled.status, 0, compiled.err);
  const { planBytes, arenaBytes } = JSON.parse(compiled.out);
  const facts = int8!.microcontroller!;
  if ('refused' in facts) throw new Error(facts.refused);
  t.like(facts, { target: 'cortex-m4', planBytes, ramBytes: arenaBytes + 1024 });
  t.true(facts.weightBytes > 10_000 && facts.weightBytes < planBytes);
  // Without QEMU a machine that is no CI may do, and the report says what to do about it.
  if (process.env['CI'] !== undefined || facts.instructionsReason === undefined) {
    t.true(facts.instructions! > 100_000 && facts.instructions! < 10_000_000);
  } else {
    t.regex(facts.instructionsReason, /make firmware.*qemu-system-arm/);
  }

  const text = await run('--budget', `flash=${planBytes},ram=20k`);
  t.is(text.status, 0, text.err);
  t.regex(text.out, /variant +bytes +brotli +latency +flash +RAM/);
  t.regex(
    text.out,
    new RegExp(
      `int8 .* ${planBytes.toLocaleString('en')} +${facts.ramBytes.toLocaleString('en')} `,
    ),
  );
  const tight = await run('--budget', 'flash=1k');
  t.is(tight.status, 8);
  t.regex(tight.err, /closest is int8, which takes 17\.\d kB of flash where 1\.0 kB are allowed/);
  const without = await run('--no-microcontroller');
  t.is(without.status, 0, without.err);
  t.notRegex(without.err + without.out, /microcontroller|flash/);
  refused(
    t,
    await run('--no-microcontroller', '--budget', 'ram=20k'),
    2,
    /ram and instructions are not known with --no-microcontroller.*\[usage\]/,
  );
});

test('an interrupted run leaves no report', async (t) => {
  const path = await folderOf(t);
  // QEMU is what the last of these takes its time for.
  await buildFirmware();
  const out = path('out');
  const run = (...more: string[]): DunlinProcess =>
    new DunlinProcess(
      ...['optimize', path('float.tflite'), '--calibration', path('cal.npy')],
      ...['--out', out, ...more],
    );
  for (const task of [
    ...[/calibrating/, /choosing ranges/, /measuring int8/, /compiling int8 for a micro/],
  ]) {
    const interrupted = run();
    interrupted.signalWhen(task, 'SIGINT');
    const { status, out: text, err } = await interrupted.ended;
    t.is(status, 130, err);
    t.is(text, '');
    const names = await readdir(out).catch((): string[] => []);
    t.deepEqual(names, [], String(task));
  }
});

test('a directory of something else is left alone, before any work', async (t) => {
  const path = await folderOf(t);
  await mkdir(path('notes'));
  await writeFile(path('notes/thesis.txt'), 'mine');
  const ended = await dunlin(
    ...['optimize', path('float.tflite'), '--calibration', path('cal.npy')],
    ...['--out', path('notes')],
  );
  refused(t, ended, 3, /notes holds something else \(thesis\.txt\); name a new directory/);
  t.notRegex(ended.err, /calibrating/);
  t.deepEqual(await readdir(path('notes')), ['thesis.txt']);
  t.is(await readFile(path('notes/thesis.txt'), 'utf8'), 'mine');
});

test('what cannot be done is said in one line, and nothing is written', async (t) => {
  const path = await folderOf(t);
  const models: Readonly<Record<string, Uint8Array>> = {
    'open.tflite': serializeModel(withTensor(0, { shape: [-1, 6, 6, 4] })),
    'half.tflite': serializeModel(withTensor(2, { type: 'float16', buffer: 0 })),
    'nan.tflite': serializeModel(layer({ change: (w) => void w.fill(Number.NaN, 0, 1) })),
    'rubbish.tflite': Buffer.from('this is no model, and never was one'),
  };
  for (const [name, bytes] of Object.entries(models)) await writeFile(path(name), bytes);
  await writeFile(
    path('wrong.npy'),
    formatNpy({ type: 'float32', shape: [3, 5], data: new Float32Array(15) }),
  );
  await writeFile(
    path('same.npy'),
    formatNpy({ type: 'float32', shape: [3, 8, 8, 2], data: new Float32Array(384).fill(2) }),
  );
  const data = new Float32Array(384).fill(2);
  data[130] = Number.NaN;
  await writeFile(path('nan.npy'), formatNpy({ type: 'float32', shape: [3, 8, 8, 2], data }));
  const good = path('float.tflite');
  const cal = path('cal.npy');
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [
      [path('open.tflite'), '--calibration', cal],
      4,
      /tensor 0 "t0" has the open shape.*\[model-unsupported\]/,
    ],
    [[path('half.tflite'), '--calibration', cal], 4, /tensor 2 "t2".*\[model-/],
    [[path('nan.tflite'), '--calibration', cal], 4, /tensor 2 "t2" is NaN.*\[model-unsupported\]/],
    [[path('rubbish.tflite'), '--calibration', cal], 4, /\[model-malformed\]/],
    [[path('absent.tflite'), '--calibration', cal], 3, /absent\.tflite.*\[file-missing\]/],
    [[good, '--calibration', path('absent.npy')], 3, /absent\.npy.*\[file-missing\]/],
    [[good, '--calibration', path('wrong.npy')], 3, /wrong\.npy.*\(3, 5\).*\[input-invalid\]/],
    [[good, '--calibration', path('same.npy')], 3, /every value is 2.*\[input-invalid\]/],
    [[good, '--calibration', path('nan.npy')], 3, /sample 1, element 2 .*NaN.*\[input-invalid\]/],
    [[good, '--calibration', cal, '--labels', path('absent.npy')], 3, /\[file-missing\]/],
    [[good, '--calibration', cal, '--budget', 'size=big'], 2, /--budget: "size=big".*\[usage\]/],
    [[good, '--calibration', cal, '--budget', 'constructor=1'], 2, /--budget.*\[usage\]/],
    [[good, '--calibration', cal, '--mode', 'int4'], 2, /int4.*\[usage\]/],
    [[good, '--calibration', cal, '--max-samples', '0'], 2, /--max-samples.*\[usage\]/],
    [[good], 2, /--calibration.*\[usage\]/],
  ];
  const before = await readdir(path('.'));
  for (const [args, status, says] of cases) {
    refused(t, await dunlin('optimize', ...args, '--out', path('out')), status, says);
  }
  t.deepEqual(await readdir(path('.')), before);
});

test('models that do not compare, and files that cannot be repacked, in one line', async (t) => {
  const path = await folderOf(t);
  await writeFile(path('other.tflite'), serializeModel(layer()));
  await writeFile(path('rubbish.tflite'), Buffer.from('this is no model, and never was one'));
  const broken = withTensor(1, { buffer: 99 });
  await writeFile(path('broken.tflite'), serializeModel(broken));
  const input = ['--input', path('eval.npy')];
  const good = path('float.tflite');
  refused(
    t,
    await dunlin('compare', good, path('other.tflite'), ...input),
    3,
    /float\.tflite and other\.tflite do not compare: input 0 is 1 x 8 x 8 x 2 and 1 x 6 x 6 x 4/,
  );
  refused(t, await dunlin('compare', good, path('rubbish.tflite'), ...input), 4, /rubbish\.tflite/);
  refused(t, await dunlin('compare', good, good), 2, /--input.*\[usage\]/);
  const before = await readdir(path('.'));
  refused(
    t,
    await dunlin('repack', path('rubbish.tflite')),
    4,
    /rubbish\.tflite.*\[model-malformed\]/,
  );
  refused(
    t,
    await dunlin('repack', path('broken.tflite')),
    4,
    /buffer 99 does not exist.*\[model-malformed\]/,
  );
  refused(t, await dunlin('repack', path('absent.tflite')), 3, /absent\.tflite.*\[file-missing\]/);
  refused(
    t,
    await dunlin('repack', good, '--out', path('no/such/folder.tflite')),
    3,
    /folder\.tflite: cannot be written/,
  );
  t.deepEqual(await readdir(path('.')), before);
});

test('folders of images are labels where there is one for each class, and are said to be', async (t) => {
  const path = await folderOf(t);
  const { default: sharp } = await import('sharp');
  // A model that takes grey images, of as many classes as there are folders or not.
  const b = new ModelBuilder();
  const random = new RandomValues(4);
  const [input, flat, logits, output] = [
    b.tensor([1, 4, 4, 1]),
    b.tensor([1, 16]),
    b.tensor([1, 3]),
    b.tensor([1, 3]),
  ];
  const weights = b.tensor([3, 16], { data: random.normals(48, 0.5) });
  const model = b
    .operator('RESHAPE', [input, b.control([2], [1, 16])], [flat])
    .operator('FULLY_CONNECTED', [flat, weights, b.tensor([3], { data: [0, 0, 0] })], [logits])
    .operator('SOFTMAX', [logits], [output], { beta: 1 })
    .build([input], [output]);
  await writeFile(path('grey.tflite'), serializeModel(model));
  for (const [folder, names] of [
    ['two', ['no', 'yes']],
    ['three', ['a', 'b', 'c']],
  ] as const) {
    for (const name of names) {
      await mkdir(path(`${folder}/${name}`), { recursive: true });
      for (let image = 0; image < 4; image++) {
        const pixels = Buffer.from(random.normals(16, 60).map((value) => Math.abs(value) & 0xff));
        await sharp(pixels, { raw: { width: 4, height: 4, channels: 1 } })
          .png()
          .toFile(path(`${folder}/${name}/${image}.png`));
      }
    }
  }
  const arguments_ = (folder: string): string[] => [
    ...['optimize', path('grey.tflite'), '--calibration', path(folder)],
    ...['--out', path(`out-${folder}`), '--json'],
  ];
  const two = await dunlin(...arguments_('two'));
  t.is(two.status, 0, two.err);
  t.regex(two.err, /2 folders of images and 3 outputs: folders are not taken as labels/);
  t.false(parseJson(Report, two.out, 'report').evaluation.labelled);
  const three = await dunlin(...arguments_('three'));
  t.is(three.status, 0, three.err);
  t.regex(three.err, /labels are the folders of the images, by their names: 0 a, 1 b, 2 c/);
  t.true(parseJson(Report, three.out, 'report').evaluation.labelled);
});
