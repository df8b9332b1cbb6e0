/**
 * Inference speed and memory as ratios: a model in the sandbox against the stock runtime in this process,
 * and what the sandbox itself costs. All contestants take turns in one run, so that a busy machine
 * disturbs them alike.
 *
 *   node dist/bench/inference.js [--model FILE] [--rounds N] [--json]
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, loadavg } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { silentLogger, systemClock } from '../src/core/index.ts';
import { findNativeFiles, percentile, Sandbox } from '../src/inference/index.ts';
import { firstElementModel } from '../test/inference/models.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const CALLS_A_TURN = 200;
/** The first turns warm the JIT and the caches. */
const WARM_UP_SHARE = 0.2;
const TRIVIAL_INPUT_BYTES = 27_000;

interface Contestant {
  readonly name: string;
  readonly call: () => Promise<void> | void;
  readonly roundTripsUs: number[];
}

interface Tensor {
  data(): { buffer: ArrayBuffer; byteOffset: number; byteLength: number };
}
interface Interpreter {
  getInputs(): Tensor[];
  infer(): void;
}

const { addonPath, xnnPath } = findNativeFiles();
const require = createRequire(import.meta.url);
const runtime = require(addonPath) as {
  Interpreter: new (model: ArrayBuffer, options: object) => Interpreter;
};

/** The runtime in this process at one thread, its input written anew for each call as the sandbox does. */
function inProcess(name: string, model: Uint8Array, delegatePath?: string): Contestant {
  const delegate =
    delegatePath === undefined ? {} : { delegate: { path: delegatePath, options: [] } };
  const interpreter = new runtime.Interpreter(new Uint8Array(model).buffer, {
    threads: 1,
    ...delegate,
  });
  const { buffer, byteOffset, byteLength } = interpreter.getInputs()[0]!.data();
  const input = new Uint8Array(buffer, byteOffset, byteLength);
  const given = new Uint8Array(byteLength);
  return {
    name,
    roundTripsUs: [],
    call: () => {
      input.set(given);
      interpreter.infer();
    },
  };
}

function sandboxed(name: string, sandbox: Sandbox): Contestant {
  const given = [new Uint8Array(sandbox.inputs[0]!.lengthBytes)];
  return {
    name,
    roundTripsUs: [],
    call: async () => {
      await sandbox.infer(given);
    },
  };
}

async function open(model: Uint8Array, what: string, path: 'stock' | 'xnn'): Promise<Sandbox> {
  return await Sandbox.load({ model, what, path, clock: systemClock, logger: silentLogger });
}

async function compete(contestants: readonly Contestant[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const { call, roundTripsUs } of contestants) {
      for (let index = 0; index < CALLS_A_TURN; index++) {
        const startMs = performance.now();
        await call();
        roundTripsUs.push((performance.now() - startMs) * 1000);
      }
    }
  }
}

function p50Us({ roundTripsUs }: Contestant): number {
  return percentile(roundTripsUs.slice(Math.floor(roundTripsUs.length * WARM_UP_SHARE)), 0.5);
}

/** Proportional set size: pages shared with other processes count in part. */
function pssBytes(pid: number | 'self'): number {
  const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

function chooseModel(named: string | undefined): string {
  const shared = process.env['DUNLIN_SHARED'] ?? join(REPOSITORY, '../shared');
  const candidates = [
    named,
    join(shared, 'models/kws_int8.tflite'),
    join(REPOSITORY, 'examples/motor/v1/int8.tflite'),
  ];
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) throw new Error('no model found: name one with --model');
  return found;
}

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    rounds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
if (xnnPath === undefined) throw new Error('XNNPACK is not built: nothing to compare');
const file = chooseModel(options.model);
const rounds = Number(options.rounds);
const model = readFileSync(file);
const trivial = firstElementModel(TRIVIAL_INPUT_BYTES);

const modelSandbox = await open(model, basename(file), 'xnn');
const trivialSandbox = await open(trivial, 'trivial', 'stock');
try {
  const stock = inProcess('stock, in process', model);
  const xnn = inProcess('xnn, in process', model, xnnPath);
  const sandbox = sandboxed('xnn, sandbox', modelSandbox);
  const trivialHere = inProcess('27 KB in, in process', trivial);
  const trivialThere = sandboxed('27 KB in, sandbox', trivialSandbox);
  const contestants = [stock, xnn, sandbox, trivialHere, trivialThere];
  await compete(contestants, rounds);

  const result = {
    model: basename(file),
    p50Us: Object.fromEntries(contestants.map((each) => [each.name, p50Us(each)])),
    stockOverSandbox: p50Us(stock) / p50Us(sandbox),
    overheadUs: p50Us(sandbox) - p50Us(xnn),
    overhead27KbUs: p50Us(trivialThere) - p50Us(trivialHere),
    childPssBytes: pssBytes(modelSandbox.pid!),
    loadAverage: loadavg()[0]!,
  };
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : describe(result));
} finally {
  await modelSandbox.close();
  await trivialSandbox.close();
}

function describe(result: {
  model: string;
  p50Us: Record<string, number>;
  stockOverSandbox: number;
  overheadUs: number;
  overhead27KbUs: number;
  childPssBytes: number;
  loadAverage: number;
}): string {
  const rows = Object.entries(result.p50Us).map(
    ([name, us]) => `  ${name.padEnd(24)}${us.toFixed(1).padStart(10)} us`,
  );
  return [
    `${result.model}, p50 of one inference, one thread`,
    ...rows,
    `  stock / sandbox         ${result.stockOverSandbox.toFixed(2).padStart(10)}     (target: 3 at least)`,
    `  sandbox overhead        ${result.overheadUs.toFixed(1).padStart(10)} us`,
    `  overhead with 27 KB in  ${result.overhead27KbUs.toFixed(1).padStart(10)} us  (target: 40 at most)`,
    `  PSS of the child        ${(result.childPssBytes / 1e6).toFixed(1).padStart(10)} MB`,
    `  load average ${result.loadAverage.toFixed(1)} on ${availableParallelism()} cores; the overheads hold on a quiet machine`,
    '',
  ].join('\n');
}
