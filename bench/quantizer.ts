/**
 * The quantizer against TensorFlow's own int8 files of the same models, and, where a Python with ai-edge-quantizer is
 * named, against that: error of the logits on the evaluation inputs, size, time and memory, all in one run.
 *
 *   node dist/bench/quantizer.js [--json]
 *   python3 -m venv peer && peer/bin/pip install ai-edge-quantizer && \
 *     DUNLIN_PEER_PYTHON=peer/bin/python node dist/bench/quantizer.js
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseNpy, silentLogger, systemClock } from '../src/core/index.ts';
import { sandboxLoader } from '../src/inference/index.ts';
import {
  agreementOf,
  compareModels,
  type Report,
  readSamples,
  samplesOf,
} from '../src/optimize/index.ts';
import {
  logitsView,
  parseModel,
  renameInner,
  repackModel,
  serializeModel,
} from '../src/tflite/index.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const SHARED = process.env['DUNLIN_SHARED'] ?? join(REPOSITORY, '../shared');
const PEER_PYTHON = process.env['DUNLIN_PEER_PYTHON'];
const MODELS = ['ad01', 'kws', 'ic'];
const MEMORY_SAMPLING_MS = 20;

const load = sandboxLoader({ clock: systemClock, logger: silentLogger });
const signal = new AbortController().signal;

interface Row {
  readonly model: string;
  readonly side: string;
  readonly sqnrDb: number;
  readonly top1: number;
  readonly sizeBytes: number;
  readonly seconds?: number;
  readonly peakMb?: number;
}

/** Proportional set size of a process and all below it. */
function treeBytes(root: number): number {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = Number(
        readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ')[1],
      );
      parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  const sizeOf = (pid: number): number => {
    let own = 0;
    try {
      own =
        Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) *
        1024;
    } catch {
      // Likewise.
    }
    return (parents.get(pid) ?? []).reduce((sum, child) => sum + sizeOf(child), own || 0);
  };
  return sizeOf(root);
}

/** Runs a command to its end. @returns its standard output, wall-clock seconds, largest memory of all its processes */
async function measured(command: string, args: readonly string[]) {
  const startMs = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let [out, peakBytes] = ['', 0];
  child.stdout.on('data', (text) => (out += text));
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, treeBytes(child.pid!));
  }, MEMORY_SAMPLING_MS);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(sampler);
  if (status !== 0) throw new Error(`${command} ${args[0]} ended with status ${status}`);
  return { out, seconds: (performance.now() - startMs) / 1000, peakMb: peakBytes / 1e6 };
}

async function ours(model: string, dir: string): Promise<Row> {
  const run = await measured(process.execPath, [
    join(REPOSITORY, 'dist/src/cli/main.js'),
    'optimize',
    join(SHARED, `models/${model}_float.tflite`),
    ...['--calibration', join(SHARED, `data/${model}_cal.npy`)],
    ...['--eval', join(SHARED, `data/${model}_eval.npy`)],
    ...['--out', join(dir, model), '--json'],
  ]);
  const { variants } = JSON.parse(run.out) as Report;
  const int8 = variants.find(({ name }) => name === 'int8')!;
  const { sqnrDb, top1 } = int8.logits ?? int8.output;
  const { seconds, peakMb } = run;
  return {
    model,
    side: 'dunlin',
    sqnrDb: sqnrDb!,
    top1,
    sizeBytes: int8.sizeBytes,
    seconds,
    peakMb,
  };
}

async function tensorflow(model: string): Promise<Row> {
  const [float, int8] = ['float', 'int8'].map((kind) =>
    readFileSync(join(SHARED, `models/${model}_${kind}.tflite`)),
  );
  const graph = parseModel(float!, model).subgraphs[0]!;
  const input = graph.tensors[graph.inputs[0]!]!;
  const path = join(SHARED, `data/${model}_eval.npy`);
  const samples = samplesOf([await readSamples(path, input, { use: 'evaluation' })]);
  const { logits, output } = await compareModels(
    { bytes: float!, what: 'float' },
    { bytes: int8!, what: 'int8' },
    samples,
    undefined,
    { load, signal, onProgress: () => {} },
  );
  const { sqnrDb, top1 } = logits ?? output;
  const repacked = serializeModel(renameInner(repackModel(parseModel(int8!, model)), 'short'));
  return { model, side: 'TensorFlow', sqnrDb: sqnrDb!, top1, sizeBytes: repacked.byteLength };
}

/** The peer reads signatures, and its files run in its own runtime alone: it is given the logits as its output. */
async function peer(model: string, dir: string, python: string): Promise<Row> {
  const whole = parseModel(readFileSync(join(SHARED, `models/${model}_float.tflite`)), model);
  // Without what the softmax leaves behind: the peer looks at every tensor.
  const view = repackModel(logitsView(whole) ?? whole);
  const graph = view.subgraphs[0]!;
  const signature = {
    key: 'serving_default',
    subgraph: 0,
    inputs: [{ name: 'x', tensor: graph.inputs[0]! }],
    outputs: [{ name: 'y', tensor: graph.outputs[0]! }],
  };
  const [from, to] = [join(dir, `${model}.tflite`), join(dir, `${model}_peer.tflite`)];
  writeFileSync(from, serializeModel({ ...view, signatures: [signature] }));
  const script = join(REPOSITORY, 'bench/peer-ai-edge-quantizer.py');
  const run = await measured(python, [
    script,
    'quantize',
    from,
    to,
    join(SHARED, `data/${model}_cal.npy`),
  ]);
  const outputs = ([file, name]: readonly [string, string]) => {
    const npy = join(dir, `${name}.npy`);
    execFileSync(python, [script, 'run', file, join(SHARED, `data/${model}_eval.npy`), npy], {
      stdio: 'ignore',
    });
    const { data, shape } = parseNpy(readFileSync(npy), npy);
    return {
      count: shape[0]!,
      width: data.length / shape[0]!,
      perInput: 1,
      values: Float32Array.from(data as Float32Array),
    };
  };
  const { sqnrDb, top1 } = agreementOf(outputs([from, 'wanted']), outputs([to, 'found']));
  const sizeBytes = readFileSync(to).byteLength;
  const { seconds, peakMb } = run;
  return { model, side: 'ai-edge-quantizer', sqnrDb: sqnrDb!, top1, sizeBytes, seconds, peakMb };
}

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
if (!existsSync(SHARED)) {
  process.stdout.write(
    'quantizer: there are no reference models (DUNLIN_SHARED names their folder): nothing to compare\n',
  );
  process.exit(0);
}
const dir = mkdtempSync(join(tmpdir(), 'dunlin-bench-'));
const rows: Row[] = [];
try {
  for (const model of MODELS) {
    rows.push(await ours(model, dir), await tensorflow(model));
    if (PEER_PYTHON !== undefined) rows.push(await peer(model, dir, PEER_PYTHON));
  }
} finally {
  rmSync(dir, { recursive: true });
}
process.stdout.write(options.json ? `${JSON.stringify(rows)}\n` : describe(rows));

function describe(all: readonly Row[]): string {
  const lines = all.map((row) => {
    const own = all.find(({ model, side }) => model === row.model && side === 'dunlin')!;
    const cells = [
      row.model.padEnd(5),
      row.side.padEnd(18),
      `${row.sqnrDb.toFixed(2)} dB`.padStart(9),
      `${(100 * row.top1).toFixed(1)} %`.padStart(8),
      `${row.sizeBytes}`.padStart(8),
      row.seconds === undefined ? ' '.repeat(7) : `${row.seconds.toFixed(1)} s`.padStart(7),
      row.peakMb === undefined ? ' '.repeat(8) : `${row.peakMb.toFixed(0)} MB`.padStart(8),
      row === own
        ? ''
        : `  error x ${(10 ** ((own.sqnrDb - row.sqnrDb) / 20)).toFixed(2)}, bytes x ${(row.sizeBytes / own.sizeBytes).toFixed(3)} of ours`,
    ];
    return `  ${cells.join(' ')}`.trimEnd();
  });
  return `int8 against float, logits on the evaluation inputs (SQNR, top-1, bytes, time, memory)\n${lines.join('\n')}\n`;
}
