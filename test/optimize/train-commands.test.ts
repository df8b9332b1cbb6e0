import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Command } from 'commander';
import { addChangeOptions, changeSettings } from '../../src/cli/change-options.ts';
import { formatNpy, parseJson } from '../../src/core/index.ts';
import { DEFAULT_FINETUNE, Report } from '../../src/optimize/index.ts';
import { serializeModel } from '../../src/tflite/index.ts';
import { CLASSES, classifier } from './classifier.ts';
import { DunlinProcess, dunlin, type Ended } from './dunlin-process.ts';
import { RandomValues } from './random-values.ts';

const COMMAND_MS = 300_000;
const SAMPLES = 40;
const CHECKPOINT = 'training.checkpoint';

/** A folder with a model, samples and labels for it, gone after the test. */
async function folderOf(t: ExecutionContext): Promise<(name: string) => string> {
  t.timeout(COMMAND_MS);
  const folder = await mkdtemp(join(tmpdir(), 'dunlin-train-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = (name: string): string => join(folder, name);
  await writeFile(path('float.tflite'), serializeModel(classifier()));
  const data = Float32Array.from(new RandomValues(5).normals(SAMPLES * 128, 1));
  const shape = [SAMPLES, 8, 8, 2];
  await writeFile(path('cal.npy'), formatNpy({ type: 'float32', shape, data }));
  for (const [name, count, classes] of [
    ['labels', SAMPLES, CLASSES],
    ['few', SAMPLES - 1, CLASSES],
    ['high', SAMPLES, CLASSES + 1],
  ] as const) {
    const labels = Int32Array.from({ length: count }, (_, index) => index % classes);
    const bytes = formatNpy({ type: 'int32', shape: [count], data: labels });
    await writeFile(path(`${name}.npy`), bytes);
  }
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

const WRONG_USAGE: readonly (readonly [string, RegExp])[] = [
  ['--prune', /argument missing/],
  ['--prune lots', /--prune: "lots" is not a number/],
  ['--prune 0', /--prune: 0 is no share above 0 and up to 0\.98; write 0\.75 for 75 %/],
  ['--prune -0.5', /--prune.*/],
  ['--prune 0.99', /--prune: 0\.99 is no share/],
  ['--prune 75', /--prune: 75 is no share .*; write 0\.75 for 75 %/],
  ['--prune NaN', /--prune: "NaN" is not a number/],
  ['--structured', /--structured says how to prune; say how much with --prune 0\.4/],
  ['--prune-scope layer', /--prune-scope says where to prune; say how much with --prune 0\.75/],
  ['--prune 0.4 --prune-scope best', /Allowed choices are layer, global/],
  ['--prune 0.4 --structured --prune-scope layer', /--prune-scope is about single weights/],
  ['--steps 5', /--steps is about training; add --finetune/],
  ['--seed 5', /--seed is about training; add --finetune/],
  ['--learning-rate 0.1', /--learning-rate is about training; add --finetune/],
  ['--prune 0.4 --weight-bits 5', /--weight-bits is about training; add --finetune/],
  ['--calibration-labels l.npy', /--calibration-labels is about training; add --finetune/],
  ['--finetune --steps 0', /--steps: "0" is no whole number above 0/],
  ['--finetune --steps 2.5', /--steps: "2\.5" is no whole number/],
  ['--finetune --steps 500001', /--steps: 500001 is more than 500000/],
  ['--finetune --seed x', /--seed: "x" is not a number/],
  ['--finetune --seed 2147483648', /--seed: 2147483648 is more than 2147483647/],
  ['--finetune --learning-rate 0', /--learning-rate: give more than 0, up to 1/],
  ['--finetune --learning-rate 1.5', /--learning-rate: give more than 0, up to 1/],
  ['--finetune --learning-rate fast', /--learning-rate: "fast" is not a number/],
  ['--finetune --prune 0.4 --weight-bits 3', /--weight-bits: give 4 to 8, not 3/],
  ['--finetune --prune 0.4 --weight-bits 9', /--weight-bits: 9 is more than 8/],
  ['--finetune --weight-bits 5', /--weight-bits is about single weights that are pruned/],
  [
    '--finetune --prune 0.4 --structured --weight-bits 5',
    /--weight-bits is about single weights that are pruned/,
  ],
];

/** What the options of a command line ask for, in this process. */
function settingsOf(options: string): unknown {
  const command = addChangeOptions(new Command('optimize')).exitOverride();
  command.configureOutput({ outputError: () => {} });
  command.parse(options.split(' '), { from: 'user' });
  return changeSettings(command.opts());
}

test('every option of pruning and training says what is wrong with it', (t) => {
  for (const [options, says] of WRONG_USAGE) t.throws(() => settingsOf(options), { message: says });
  const finetune = { ...DEFAULT_FINETUNE };
  const prune = { share: 0.75, structured: false, scope: 'global' };
  t.deepEqual(settingsOf('--prune 0.75'), { prune });
  t.deepEqual(settingsOf('--finetune --calibration-labels l.npy'), { finetune });
  t.deepEqual(settingsOf('--prune 0.98 --prune-scope layer --finetune --weight-bits 4'), {
    prune: { ...prune, share: 0.98, scope: 'layer' },
    finetune: { ...finetune, weightBits: 4 },
  });
  t.deepEqual(settingsOf('--prune 0.4 --structured --finetune --steps 9 --seed 7'), {
    prune: { ...prune, share: 0.4, structured: true },
    finetune: { ...finetune, steps: 9, seed: 7 },
  });
});

test.serial('wrong usage is said before anything is read', async (t) => {
  const path = await folderOf(t);
  for (const [options, says] of [WRONG_USAGE[0]!, WRONG_USAGE[4]!, WRONG_USAGE[9]!]) {
    const ended = await dunlin(
      ...['optimize', path('absent.tflite'), '--calibration', path('absent.npy')],
      ...['--out', path('out'), ...options.split(' ')],
    );
    refused(t, ended, 2, says);
    t.regex(ended.err, /\[usage\]\n$/, options);
  }
  t.false((await readdir(path('.'))).includes('out'));
});

test.serial(
  'labels and samples that do not fit are said before the work, help says what there is',
  async (t) => {
    const path = await folderOf(t);
    const run = (...more: string[]) =>
      dunlin(
        ...['optimize', path('float.tflite'), '--calibration', path('cal.npy')],
        ...['--out', path('out'), '--finetune', ...more],
      );
    for (const [options, status, says] of [
      [['--calibration-labels', path('few.npy')], 3, /few\.npy: 39 labels for 40 samples/],
      [['--calibration-labels', path('absent.npy')], 3, /absent\.npy.*\[file-missing\]/],
      [
        ['--calibration-labels', path('high.npy')],
        3,
        /--calibration-labels: a label of 4, and float\.tflite tells 4 classes apart/,
      ],
      [['--max-samples', '31'], 3, /31 calibration samples are too few to train its 5 layers/],
    ] as const) {
      const ended = await run(...options);
      refused(t, ended, status, says);
      t.notRegex(ended.err, /calibrating/);
    }
    const { status, out } = await dunlin('optimize', '--help');
    t.is(status, 0);
    for (const words of [
      ...['--prune <share>', '--structured', '--prune-scope <scope>', '--finetune', '--steps <n>'],
      ...['--calibration-labels <l>', '--learning-rate <r>', '--weight-bits <n>', '--seed <n>'],
      ...['--prune 0.75 makes variants', '--prune 0.4 --structured takes', 'it takes minutes'],
      ...['the same command goes on where it was', 'equal commands give equal files'],
      '--prune 0.75 --finetune --budget drop=3%',
    ]) {
      t.true(out.replaceAll(/\s+/g, ' ').includes(words), words);
    }
  },
);

/** A training long enough to be interrupted. */
const TRAINING = ['--prune', '0.75', '--finetune', '--steps', '400'];

function training(path: (name: string) => string, out: string, ...more: string[]): DunlinProcess {
  return new DunlinProcess(
    ...['optimize', path('float.tflite'), '--calibration', path('cal.npy'), '--json'],
    ...['--out', path(out), '--no-microcontroller', ...TRAINING, ...more],
  );
}

/** Every file that a run leaves but for what has measured times in it. */
async function filesOf(directory: string): Promise<Map<string, Buffer>> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('report.')).sort();
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, await readFile(join(directory, name))] as const),
    ),
  );
}

/** Bytes of the checkpoint before the state: whose it is, its digest, and a length. */
const HEAD = 64 + 32 + 4;

async function stepOf(file: string): Promise<number> {
  const bytes = await readFile(file);
  const length = bytes.readUInt32LE(HEAD - 4);
  return JSON.parse(bytes.subarray(HEAD, HEAD + length).toString('utf8')).step;
}

test.serial(
  'interrupted, the same command goes on where it was, and gives the files of one that was not',
  async (t) => {
    const path = await folderOf(t);
    const whole = await training(path, 'whole').ended;
    t.is(whole.status, 0, whole.err);
    const report = parseJson(Report, whole.out, 'report');
    t.like(report.training, { steps: 400, plannedSteps: 400, stopped: 'steps', labelled: false });
    t.like(report.pruning, { share: 0.75, structured: false, scope: 'global', zeroWeights: 3456 });
    t.deepEqual(
      report.variants.map(({ name }) => name),
      ['float', 'int8', 'pruned-float', 'pruned-int8'],
    );
    t.false((await readdir(path('whole'))).includes(CHECKPOINT));
    t.regex(whole.err, /training float\.tflite/);

    let before = 0;
    for (let turn = 0; turn < 2; turn++) {
      const interrupted = training(path, 'out');
      interrupted.signalWhen(/training float\.tflite/, turn === 0 ? 'SIGINT' : 'SIGTERM');
      const { status, out, err } = await interrupted.ended;
      t.is(status, 130, err);
      t.is(out, '');
      t.notRegex(err, /internal error|at .*\.js:\d/);
      t.deepEqual(await readdir(path('out')), [CHECKPOINT]);
      const step = await stepOf(path(`out/${CHECKPOINT}`));
      t.true(step > before && step < 400, `${step} after ${before}`);
      before = step;
    }
    const again = await training(path, 'out').ended;
    t.is(again.status, 0, again.err);
    t.deepEqual(await filesOf(path('out')), await filesOf(path('whole')));
    const found = parseJson(Report, again.out, 'report');
    t.deepEqual([found.training, found.pruning], [report.training, report.pruning]);
  },
);

test.serial('another command starts afresh in the directory of an interrupted one', async (t) => {
  const path = await folderOf(t);
  const interrupted = training(path, 'out');
  interrupted.signalWhen(/training float\.tflite/, 'SIGINT');
  t.is((await interrupted.ended).status, 130);
  const checkpoint = await readFile(path(`out/${CHECKPOINT}`));
  const other = ['--seed', '2', '--steps', '60'];
  const fresh = await training(path, 'fresh', ...other).ended;
  t.is(fresh.status, 0, fresh.err);
  const taken = await training(path, 'out', ...other).ended;
  t.is(taken.status, 0, taken.err);
  t.deepEqual(await filesOf(path('out')), await filesOf(path('fresh')));
  t.deepEqual(
    parseJson(Report, taken.out, 'report').training,
    parseJson(Report, fresh.out, 'report').training,
  );
  // The first command in that directory finds no checkpoint any more; damaged ones do not stop it either.
  await writeFile(path(`out/${CHECKPOINT}`), checkpoint.subarray(0, checkpoint.length - 7));
  const damaged = await training(path, 'out', ...other).ended;
  t.is(damaged.status, 0, damaged.err);
  t.deepEqual(await filesOf(path('out')), await filesOf(path('fresh')));
});

test.serial('killed without a word, it goes on from the last checkpoint', async (t) => {
  const path = await folderOf(t);
  const whole = await training(path, 'whole').ended;
  t.is(whole.status, 0, whole.err);
  const killed = training(path, 'out');
  const timer = setInterval(async () => {
    if ((await readdir(path('out')).catch((): string[] => [])).includes(CHECKPOINT)) {
      killed.kill('SIGKILL');
    }
  }, 5);
  await killed.ended;
  clearInterval(timer);
  const names = await readdir(path('out'));
  t.true(
    names.every((name) => name.startsWith(CHECKPOINT)),
    names.join(),
  );
  t.is(await stepOf(path(`out/${CHECKPOINT}`)), 250);
  const again = await training(path, 'out').ended;
  t.is(again.status, 0, again.err);
  t.deepEqual(await filesOf(path('out')), await filesOf(path('whole')));
});
