/**
 * What training engine to have: one step (forward, loss, backward, Adam; batch 32) of two networks of MLPerf Tiny in
 * the optimizer's engine, in TensorFlow.js, and in plain JavaScript. All must find the same loss and the same gradients
 * first; then they take turns, each in a process of its own, so that a busy machine disturbs them alike.
 *
 *   node dist/bench/training.js [--network kws|ad01] [--rounds N] [--json]
 *
 * TensorFlow.js is 4.9.0, the tfjs-core that tfjs-tflite-node brings along. Its WebAssembly backend runs with SIMD on
 * one thread: with threads it does not start on Node, which makes no workers from blob: URLs. A convolution's gradient
 * by its weights it lacks: "tf.grads" writes convolutions as slices and products, whose gradients it has; "own
 * gradients" goes backward as well as its kernels allow. Threads are worth their memory where the team of two is faster.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { percentile } from '../src/inference/index.ts';
import { BATCH, NAMES, type Name, problem } from './training/problem.ts';
import { type Gradients, type Order, SIDES, type SideName, type Steps } from './training/side.ts';

const CONTESTANT = fileURLToPath(new URL('./training/contestant.js', import.meta.url));
/** Sums in another order differ by no more. */
const TOLERANCE = 1e-4;
const TURN_MS = 200;
/** Who takes longer for a step is done with the steps of the check. */
const SLOW_MS = 2000;
const CHECKED_STEPS = 2;
const KIB = 1024;

/** A side at work. */
class Contestant {
  readonly side: SideName;
  readonly turns: { readonly ms: number; readonly cpuMs: number }[] = [];
  /** Largest distance of a parameter's gradient from that of plain JavaScript, as a share of it. */
  error: number | undefined;
  readonly #child: ChildProcess;

  constructor(name: Name, side: SideName) {
    this.side = side;
    this.#child = fork(CONTESTANT, [name, side], { serialization: 'advanced' });
  }

  /** The next message of the child. */
  async hear<T>(): Promise<T> {
    const abort = new AbortController();
    const { signal } = abort;
    const ended = once(this.#child, 'exit', { signal }).then(([code]) => {
      throw new Error(`${this.side} ended with status ${code}`);
    });
    try {
      return (await Promise.race([once(this.#child, 'message', { signal }), ended]))[0] as T;
    } finally {
      ended.catch(() => {});
      abort.abort();
    }
  }

  async ask<T>(order: Order): Promise<T> {
    this.#child.send(order);
    return await this.hear<T>();
  }

  async turn(): Promise<void> {
    const { stepsMs, cpuMs } = await this.ask<Steps>({ do: 'steps', least: 1, leastMs: TURN_MS });
    this.turns.push({ ms: percentile([...stepsMs], 0.5), cpuMs });
  }

  get peakBytes(): number {
    return peakBytes(this.#child.pid!);
  }

  close(): void {
    this.#child.kill();
  }
}

/** Largest resident set so far (proc(5), VmHWM). */
function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * KIB;
}

async function bareNodeBytes(): Promise<number> {
  const bare = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)']);
  await once(bare.stdout, 'data');
  const bytes = peakBytes(bare.pid!);
  bare.kill();
  return bytes;
}

/** A benchmark of different computations says nothing. @throws where two sides disagree */
async function check(contestants: readonly Contestant[]): Promise<void> {
  const alone = contestants.filter(({ side }) => !side.startsWith('team'));
  const reference = alone.find(({ side }) => side === 'plain')!;
  const wanted = await reference.ask<Gradients>({ do: 'gradients' });
  for (const contestant of alone.filter((each) => each !== reference)) {
    const found = await contestant.ask<Gradients>({ do: 'gradients' });
    agree(contestant.side, 'loss', [found.loss], [wanted.loss]);
    const errors = wanted.gradients.map((values, index) =>
      agree(contestant.side, `gradient ${index}`, found.gradients[index] ?? [], values),
    );
    contestant.error = Math.max(...errors);
  }
  const losses = new Map<SideName, readonly number[]>();
  for (const contestant of contestants) {
    const order: Order = { do: 'steps', least: CHECKED_STEPS, leastMs: 0 };
    const steps = await contestant.ask<Steps>(order);
    losses.set(contestant.side, steps.losses);
    const ms = steps.stepsMs.at(-1)!;
    if (ms > SLOW_MS) contestant.turns.push({ ms, cpuMs: steps.cpuMs });
  }
  for (const { side } of alone) agree(side, 'loss', losses.get(side)!, losses.get('plain')!);
  if (String(losses.get('team-1')) !== String(losses.get('team-2'))) {
    throw new Error('the losses of a team depend on its threads');
  }
}

/** @returns the distance, as a share of what is wanted */
function agree(
  side: SideName,
  what: string,
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
): number {
  let [misses, squares] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    misses += (found[i]! - wanted[i]!) ** 2;
    squares += wanted[i]! ** 2;
  }
  const error = Math.sqrt(misses / squares);
  if (found.length === wanted.length && error <= TOLERANCE) return error;
  throw new Error(`${SIDES[side]}: another ${what} than ${SIDES.plain}, by ${error}`);
}

interface Row {
  readonly side: SideName;
  readonly ms: number;
  /** Time and processor time in those of our network. */
  readonly times: number;
  readonly cpuTimes: number;
  readonly peakBytes: number;
  readonly gradientError?: number;
}

interface Result {
  readonly network: Name;
  readonly parameters: number;
  readonly rows: readonly Row[];
  /** Time of the team of one in that of the team of two: of turns in the same round, and of the quickest of each. */
  readonly threadsBring: number;
  readonly threadsBringAtBest: number;
}

const median = (values: readonly number[]): number => percentile([...values], 0.5);

/** Of turns that were taken in the same round. */
function ratio(a: Contestant, b: Contestant, of: 'ms' | 'cpuMs'): number {
  const rounds = Math.min(a.turns.length, b.turns.length);
  return median(
    Array.from({ length: rounds }, (_, round) => a.turns[round]![of] / b.turns[round]![of]),
  );
}

/** What a busy machine disturbed least. */
function quickestMs({ turns }: Contestant): number {
  return Math.min(...turns.map(({ ms }) => ms));
}

async function compete(name: Name, rounds: number): Promise<Result> {
  const sides = Object.keys(SIDES) as SideName[];
  const contestants: Contestant[] = [];
  try {
    for (const side of sides) {
      const contestant = new Contestant(name, side);
      contestants.push(contestant);
      await contestant.hear();
    }
    await check(contestants);
    const quick = contestants.filter(({ turns }) => turns.length === 0);
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const contestant of quick) {
        await contestant.turn();
        if (round === 0) contestant.turns.pop();
      }
    }
    const find = (side: SideName) => contestants.find((each) => each.side === side)!;
    const own = find('network');
    const rows = contestants.map((each) => ({
      side: each.side,
      ms: median(each.turns.map(({ ms }) => ms)),
      times: ratio(each, own, 'ms'),
      cpuTimes: ratio(each, own, 'cpuMs'),
      peakBytes: each.peakBytes,
      ...(each.error === undefined ? {} : { gradientError: each.error }),
    }));
    const parameters = problem(name).layers.reduce(
      (sum, { weights, bias }) => sum + weights.length + bias.length,
      0,
    );
    const [one, two] = [find('team-1'), find('team-2')];
    return {
      ...{ network: name, parameters, rows },
      threadsBring: ratio(one, two, 'ms'),
      threadsBringAtBest: quickestMs(one) / quickestMs(two),
    };
  } finally {
    for (const contestant of contestants) contestant.close();
  }
}

const { values: options } = parseArgs({
  options: {
    network: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
});
const names = NAMES.filter((name) => [name, undefined].includes(options.network as Name));
if (names.length === 0) throw new Error(`--network is one of ${NAMES.join(', ')}`);
const results: Result[] = [];
for (const name of names) results.push(await compete(name, Number(options.rounds)));
const machine = { bareNodeBytes: await bareNodeBytes(), loadAverage: loadavg()[0]! };
process.stdout.write(
  options.json
    ? `${JSON.stringify({ results, ...machine })}\n`
    : `${results.map(describe).join('\n')}${footer()}`,
);

function describe(result: Result): string {
  const { network, parameters, rows, threadsBring, threadsBringAtBest } = result;
  const lines = rows.map(({ side, ms, times, cpuTimes, peakBytes, gradientError }) =>
    [
      `  ${SIDES[side].padEnd(26)}`,
      ms.toFixed(1).padStart(9),
      times.toFixed(2).padStart(9),
      cpuTimes.toFixed(2).padStart(9),
      (peakBytes / 1e6).toFixed(0).padStart(9),
      (gradientError?.toExponential(0) ?? '').padStart(9),
    ]
      .join('')
      .trimEnd(),
  );
  const heads = ['ms', 'x ours', 'CPU x', 'peak MB', 'error'].map((head) => head.padStart(9));
  return [
    `${network}, ${parameters} parameters: a training step of ${BATCH} samples`,
    `${' '.repeat(28)}${heads.join('')}`,
    ...lines,
    `  two threads make a team ${threadsBring.toFixed(2)} x as fast as one; by their quickest turns ` +
      `${threadsBringAtBest.toFixed(2)} x`,
    '',
  ].join('\n');
}

function footer(): string {
  return [
    '',
    '* with the answers of a teacher of the same size, and samples that are varied, as the optimizer trains',
    'x ours: of turns in the same round, median; error: of gradients, as a share of those of the last side',
    `Node by itself: ${(machine.bareNodeBytes / 1e6).toFixed(0)} MB; load average ` +
      `${machine.loadAverage.toFixed(1)} on ${availableParallelism()} cores`,
    '',
  ].join('\n');
}
