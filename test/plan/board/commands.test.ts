import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { formatNpy, parseNpy } from '../../../src/core/index.ts';
import { decodePlan, referenceExecutor } from '../../../src/plan/index.ts';
import { serializeModel } from '../../../src/tflite/index.ts';
import { dunlin, type Ended } from '../../optimize/dunlin-process.ts';
import { plain } from '../../tflite/sample-plan.ts';
import { Int8Graph, randomWeights } from '../compile/int8-graph.ts';
import { lcg } from '../lcg.ts';
import { buildFirmware } from './firmware.ts';

test.before(async () => {
  await buildFirmware();
});

const MAIN = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));
const COMMAND_MS = 120_000;
const SAMPLES = 3;
/** Bytes of a plan: one in front of its CRC, one behind it. All of them are for changed-bytes.test.ts. */
const CHANGED = [9, 300];

/** Two inputs and two outputs: a convolution with a head, and the sum of both inputs. */
function network() {
  const graph = new Int8Graph(5);
  const affine = { scale: 0.05, zeroPoint: -3 };
  const [a, b] = [graph.input([1, 4, 4, 2], affine), graph.input([1, 4, 4, 2], affine)];
  const weights = randomWeights(graph.random, [6, 3, 3, 2], 0, affine.scale, true);
  const options = {
    ...{ padding: 1, strideH: 1, strideW: 1, dilationHFactor: 1, dilationWFactor: 1 },
    fusedActivationFunction: 1,
  };
  const hidden = { scale: 0.4, zeroPoint: -128 };
  const conv = graph.weighted('CONV_2D', a, weights, [1, 2, 2, 6], hidden, options);
  const mean = graph.operator('MEAN', [conv, graph.control(1, 2)], [1, 6], hidden);
  graph.operator('SOFTMAX', [mean], [1, 6], { scale: 1 / 256, zeroPoint: -128 }, { beta: 1 });
  graph.operator('ADD', [a, b], a.shape, { scale: 0.1, zeroPoint: 0 });
  return graph.model();
}

/** A folder with a model, its plan and samples for it, gone after the test. */
async function folderOf(t: ExecutionContext): Promise<(name: string) => string> {
  t.timeout(COMMAND_MS);
  const folder = await mkdtemp(join(tmpdir(), 'dunlin-plan-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = (name: string): string => join(folder, name);
  await writeFile(path('net.tflite'), serializeModel(network()));
  for (const [seed, name] of ['a', 'b'].entries()) {
    const next = lcg(seed);
    const data = Int8Array.from({ length: SAMPLES * 32 }, () => next() >>> 24);
    const array = formatNpy({ type: 'int8', shape: [SAMPLES, 4, 4, 2], data });
    await writeFile(path(`${name}.npy`), array);
  }
  return path;
}

async function planOf(t: ExecutionContext): Promise<(name: string) => string> {
  const path = await folderOf(t);
  const made = await dunlin('compile', path('net.tflite'), '--target', 'cortex-m4');
  t.is(made.status, 0, made.err);
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

test('compile writes the plan beside the model, and says what each operator takes', async (t) => {
  const path = await folderOf(t);
  const text = await dunlin('compile', path('net.tflite'), '--board', 'nrf52840-dk');
  t.is(text.status, 0, text.err);
  const bytes = await readFile(path('net.plan'));
  const plan = decodePlan(bytes, 'net.plan');
  t.is(plan.target, 'CORTEX_M4');
  for (const says of [
    /operator +step +MACs +flash bytes +arena bytes\n/,
    /0 \(CONV_2D\) +CONV_2D/,
    /2 \(SOFTMAX\) +SOFTMAX/,
    new RegExp(`net\\.plan: for cortex-m4, ${bytes.length.toLocaleString('en')} bytes of flash`),
    new RegExp(`arena: ${plan.arenaBytes} bytes of RAM`),
    /nrf52840-dk: has room \(1,048,576 bytes of flash, 262,144 of RAM\)\n$/,
  ]) {
    t.regex(text.out, says);
  }
  const again = ['compile', path('net.tflite'), '--target', 'cortex-m4', '--json', '--profile'];
  const json = await dunlin(...again, '--out', path('other.plan'));
  t.is(json.status, 0, json.err);
  t.true((await readFile(path('other.plan'))).equals(bytes));
  t.is(json.out.trim().split('\n').length, 1);
  const document = JSON.parse(json.out);
  t.like(document, {
    ...{ file: path('other.plan'), target: 'cortex-m4', planBytes: bytes.length },
    ...{ arenaBytes: plan.arenaBytes, macs: 4 * 6 * 18 },
  });
  t.deepEqual(
    document.operators.map(({ kind }: { kind: string }) => kind),
    ['CONV_2D', 'MEAN', 'SOFTMAX', 'ADD'],
  );
  const counts = document.operators.map(
    ({ instructions }: { instructions: number }) => instructions,
  );
  t.true(counts.every((count: number) => count > 0 && count < document.instructions));
});

test('plan run gives the same bytes at all three places', async (t) => {
  const path = await planOf(t);
  const inputs = ['--input', path('a.npy'), '--input', path('b.npy')];
  const executor = referenceExecutor(network(), 'net');
  const samples = await Promise.all(
    ['a', 'b'].map(async (name) => parseNpy(await readFile(path(`${name}.npy`)), name).data),
  );
  const expected = Array.from({ length: SAMPLES }, (_, sample) =>
    executor.run(samples.map((all) => (all as Int8Array).slice(32 * sample, 32 * (sample + 1)))),
  );
  for (const on of ['reference', 'native', 'mps2-an386']) {
    const outputs = ['--output', path(`y-${on}.npy`), '--output', path(`z-${on}.npy`)];
    const args = ['plan', 'run', path('net.plan'), ...inputs, ...outputs, '--on', on];
    const ended = await dunlin(...args, ...(on === 'native' ? [] : ['--json']));
    t.is(ended.status, 0, ended.err);
    if (on === 'native') t.regex(ended.out, /^3 samples on native\n/);
    else t.like(JSON.parse(ended.out), { on, samples: SAMPLES });
    if (on === 'mps2-an386') t.true(JSON.parse(ended.out).stackBytes <= 1024);
    for (const [index, [name, shape]] of [
      ['y', [SAMPLES, 6]],
      ['z', [SAMPLES, 4, 4, 2]],
    ].entries()) {
      const array = parseNpy(await readFile(path(`${name}-${on}.npy`)), `${name}`);
      t.is(array.type, 'int8');
      t.deepEqual(array.shape, shape as number[]);
      t.deepEqual(
        [...array.data],
        expected.flatMap((outputs_) => [...outputs_[index]!]),
        on,
      );
    }
  }
});

test('models and boards that do not go together are refused, and nothing is written', async (t) => {
  const path = await folderOf(t);
  const shape = [1, 4, 6, 3];
  const one = { inputs: [shape], outputs: [shape] };
  const graph = new Int8Graph(1);
  const large = graph.input([1, 400, 400, 2], { scale: 0.1, zeroPoint: 0 });
  graph.operator('TANH', [large], large.shape, { scale: 1 / 128, zeroPoint: 0 });
  const models = {
    'float.tflite': plain({ operator: 'RELU', type: 'float32', ...one }),
    'swish.tflite': plain({ operator: 'HARD_SWISH', type: 'int8', ...one }),
    'large.tflite': graph.model(),
  };
  for (const [name, model] of Object.entries(models)) {
    await writeFile(path(name), serializeModel(model));
  }
  const before = await readdir(path('.'));
  const m4 = ['--target', 'cortex-m4'];
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [[path('float.tflite'), ...m4], 4, /tensor 0 .*float32.*\[model-unsupported\]/],
    [[path('swish.tflite'), ...m4], 4, /HARD_SWISH.*\[model-unsupported\]/],
    [
      [path('large.tflite'), '--board', 'nrf52840-dk'],
      4,
      /large\.tflite: does not fit on nrf52840-dk: 320000 bytes of RAM and 1024 .* 262144 \[model-too-large\]/,
    ],
    [[path('net.tflite')], 2, /--target native\|cortex-m0.*--board mps2-an386\|.*\[usage\]/],
    [[path('net.tflite'), '--board', 'uno'], 2, /uno: no such board.*\[usage\]/],
    [[path('net.tflite'), ...m4, '--out', path('no/such/x.plan')], 3, /x\.plan: cannot be written/],
  ];
  for (const [args, status, says] of cases) {
    refused(t, await dunlin('compile', ...args), status, says);
  }
  t.deepEqual(await readdir(path('.')), before);
});

test('inputs of other types, sizes and numbers, and changed plans, are refused', async (t) => {
  const path = await planOf(t);
  const write = async (name: string, shape: number[], type: 'int8' | 'float32') => {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = type === 'int8' ? new Int8Array(length) : new Float32Array(length);
    await writeFile(path(name), formatNpy({ type, shape, data } as never));
  };
  await write('float.npy', [3, 4, 4, 2], 'float32');
  await write('short.npy', [3, 5], 'int8');
  await write('two.npy', [2, 4, 4, 2], 'int8');
  const bytes = await readFile(path('net.plan'));
  for (const at of CHANGED) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    await writeFile(path(`changed-${at}.plan`), changed);
  }
  await writeFile(path('cut.plan'), bytes.subarray(0, bytes.length - 4));
  const before = await readdir(path('.'));
  const good = ['--input', path('a.npy'), '--input', path('b.npy')];
  const plan = path('net.plan');
  const with_ = (name: string): string[] => [plan, '--input', path('a.npy'), '--input', path(name)];
  const changed = CHANGED.map((at) => `changed-${at}.plan`);
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [with_('float.npy'), 3, /float\.npy: float32 \(3, 4, 4, 2\); input 1 takes int8.*\[input-inv/],
    [
      with_('short.npy'),
      3,
      /short\.npy: int8 \(3, 5\); input 1 .*\(1, 4, 4, 2\) \[input-invalid\]/,
    ],
    [with_('two.npy'), 3, /two\.npy: 2 samples; .*a\.npy has 3 \[input-invalid\]/],
    [[plan, '--input', path('a.npy')], 2, /has 2 inputs; give --input 2 times.*\[usage\]/],
    [[plan, ...good, '--output', path('y.npy')], 2, /has 2 outputs.*\[usage\]/],
    ...[...changed, 'cut.plan'].map(
      (name) => [[path(name), ...good], 4, /\.plan: .*\[plan-malformed\]/] as const,
    ),
  ] as never;
  for (const [args, status, says] of cases) {
    refused(t, await dunlin('plan', 'run', ...args), status, says);
  }
  t.deepEqual(await readdir(path('.')), before);
});

test('without QEMU a run there says what to install', async (t) => {
  const path = await planOf(t);
  const inputs = ['--input', path('a.npy'), '--input', path('b.npy')];
  const args = [MAIN, 'plan', 'run', path('net.plan'), ...inputs, '--on', 'mps2-an386'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: '' },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  await once(child, 'close');
  const ended = { status: child.exitCode, out, err };
  refused(t, ended, 3, /qemu-system-arm: not there; install the Debian package qemu-system-arm/);
});
