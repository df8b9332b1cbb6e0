import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { CommandFactory } from '../../src/cli/command.ts';
import { devicesCommand } from '../../src/cli/devices.ts';
import { runCommand } from '../../src/cli/run.ts';
import { type ErrorCode, formatNpy, parseNpy } from '../../src/core/index.ts';
import { findEdgeTpus } from '../../src/inference/index.ts';
import { sharedFile } from '../shared-folder.ts';
import { edgeTpuModel, firstElementModel } from './models.ts';

const folder = mkdtempSync(join(tmpdir(), 'dunlin-run-'));
test.after.always(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Runs a command as main.ts does; gives what it wrote to standard output. */
async function dunlin(command: CommandFactory, ...args: string[]): Promise<string> {
  let written = '';
  const io = {
    out: (text: string) => {
      written += text;
    },
    err: () => {},
    env: {},
    interactive: false,
    signal: new AbortController().signal,
  };
  await command(io).parseAsync(args, { from: 'user' });
  return written;
}

const model = fileOf('first.tflite', firstElementModel(4));
const samples = fileOf(
  'samples.npy',
  formatNpy({
    type: 'float32',
    shape: [3, 4],
    data: Float32Array.of(1, 0, 0, 0, -2, 0, 0, 0, 300, 0, 0, 0),
  }),
);

test('run quantizes float32 samples and writes float32 results', async (t) => {
  const output = join(folder, 'results.npy');
  const json = await dunlin(runCommand, model, '--input', samples, '--output', output, '--json');
  const document = JSON.parse(json);
  t.like(document, { count: 3, output: { type: 'float32', shape: [3, 1] }, file: output });
  t.true(['xnn', 'stock'].includes(document.path));
  t.true(document.latency.p50Us > 0 && document.latency.p99Us >= document.latency.p50Us);
  const { data } = parseNpy(readFileSync(output), 'results');
  t.deepEqual([...data], [1, -2, 127]);
});

test('run takes int8 samples as they are and writes the raw tensor', async (t) => {
  const output = join(folder, 'raw.npy');
  const input = fileOf(
    'int8.npy',
    formatNpy({ type: 'int8', shape: [2, 4], data: Int8Array.of(5, 0, 0, 0, -6, 0, 0, 0) }),
  );
  const text = await dunlin(runCommand, model, '--input', input, '--output', output, '--raw');
  t.regex(text, /^2 inferences on the (xnn|stock) path/);
  const { type, data } = parseNpy(readFileSync(output), 'raw');
  t.is(type, 'int8');
  t.deepEqual([...data], [5, -6]);
});

test('run without an output file shows the largest output of each sample', async (t) => {
  const json = await dunlin(runCommand, model, '--input', samples, '--json', '--path', 'stock');
  t.like(JSON.parse(json), {
    path: 'stock',
    pathReason: 'requested',
    results: [
      { top: 0, value: 1 },
      { top: 0, value: -2 },
      { top: 0, value: 127 },
    ],
  });
});

const rubbish = fileOf('rubbish.tflite', Buffer.from('this is no model at all, and never was'));
const compiled = fileOf('compiled_edgetpu.tflite', edgeTpuModel());
const REFUSED: [string, ErrorCode, string[]][] = [
  ['rubbish', 'model-malformed', [rubbish, '--input', samples]],
  ['a missing model', 'file-missing', [join(folder, 'absent'), '--input', samples]],
  ['a missing input', 'file-missing', [model, '--input', join(folder, 'absent')]],
  ['an input that is no array', 'input-invalid', [model, '--input', rubbish]],
  [
    'an Edge TPU model on the CPU',
    'inference-refused',
    [compiled, '--input', samples, '--path', 'stock'],
  ],
];
for (const [what, code, args] of REFUSED) {
  test(`run refuses ${what} in one line with a code`, async (t) => {
    const error = await t.throwsAsync(dunlin(runCommand, ...args), { code });
    t.false(error.message.includes('\n'));
  });
}

for (const [name, code] of [
  ['keyword_scrambled_8bit', 'model-unsupported'],
  ['mobilenet_v1_0.25_128_quant_edgetpu', 'edgetpu-unavailable'],
] as const) {
  test(`run refuses ${name} in one line with a code`, async (t) => {
    const file = sharedFile(`models/${name}.tflite`, t);
    // Where there is an Edge TPU the compiled model is wanted, and its input is another.
    if (file === undefined || findEdgeTpus().length > 0) return t.pass();
    const error = await t.throwsAsync(dunlin(runCommand, file, '--input', samples), { code });
    t.false(error.message.includes('\n'));
  });
}

test('devices list names the processor', async (t) => {
  const document = JSON.parse(await dunlin(devicesCommand, 'list', '--json'));
  t.is(document.devices[0].kind, 'cpu');
  t.true('delegate' in document);
  t.regex(await dunlin(devicesCommand, 'list'), /^cpu +.*(xnn|stock) path/);
});
