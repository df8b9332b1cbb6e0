/** A vibration sensor as a process: one line `x,y,z` (g, 4 decimals) a sample on stdout, in real time. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../../src/core/index.ts';
import { AXES, CONDITIONS, type Condition, Machine, SAMPLE_RATE_HZ } from './simulate.ts';

const USAGE = `usage: stream.js [--rate-hz HZ] [--seed N] [--schedule CONDITION:SECONDSs,…]
  Writes x,y,z in g, a line a sample, in real time. The schedule repeats.
  conditions: ${CONDITIONS.join(', ')}
  example: stream.js --seed 3 --schedule healthy:20s,bearing-fault:10s`;

export const DEFAULT_SCHEDULE = CONDITIONS.map((condition) => `${condition}:20s`).join(',');
/** Below, a bearing's impacts would be closer than two samples; above, no sensor of this kind goes. */
const RATE_HZ = { low: 400, high: 6400 } as const;
const MAX_SCHEDULE_STEPS = 64;
const MAX_STEP_S = 86_400;
const TICK_MS = 20;
/** What a reader may be late. Older samples are lost, as they are when a sensor's own queue runs over. */
const MAX_BACKLOG_MS = 1000;

export interface ScheduleStep {
  readonly condition: Condition;
  readonly durationS: number;
}

/** @throws RangeError saying which part of the schedule is wrong */
export function parseSchedule(text: string): ScheduleStep[] {
  const parts = text.split(',');
  if (parts.length > MAX_SCHEDULE_STEPS) {
    throw new RangeError(`--schedule has ${parts.length} steps; ${MAX_SCHEDULE_STEPS} are allowed`);
  }
  return parts.map((part) => {
    const match = /^([a-z-]+):(\d{1,5}(?:\.\d{1,3})?)s$/.exec(part);
    const condition = CONDITIONS.find((name) => name === match?.[1]);
    const durationS = Number(match?.[2]);
    if (condition === undefined || !(durationS > 0 && durationS <= MAX_STEP_S)) {
      throw new RangeError(`--schedule: "${part}" is not like healthy:20s`);
    }
    return { condition, durationS };
  });
}

/** The condition that the schedule, repeated for ever, asks for `timeS` after its start. */
export function conditionAt(schedule: readonly ScheduleStep[], timeS: number): Condition {
  const periodS = schedule.reduce((sum, step) => sum + step.durationS, 0);
  let restS = timeS % periodS;
  for (const step of schedule) {
    if (restS < step.durationS) return step.condition;
    restS -= step.durationS;
  }
  return schedule[schedule.length - 1]!.condition;
}

export interface StreamOptions {
  readonly seed: number;
  readonly rateHz: number;
  readonly schedule: readonly ScheduleStep[];
}

/** The samples of one machine whose condition follows a schedule: everything but the clock. */
export class SampleStream {
  readonly #options: StreamOptions;
  readonly #machine: Machine;
  readonly #sample = new Float32Array(AXES);
  #condition: Condition;
  #count = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#condition = conditionAt(options.schedule, 0);
    this.#machine = new Machine({
      random: new Random(options.seed),
      condition: this.#condition,
      rateHz: options.rateHz,
    });
  }

  /** The next `count` lines. */
  take(count: number): string {
    let text = '';
    for (let i = 0; i < count; i++) {
      const { schedule, rateHz } = this.#options;
      const condition = conditionAt(schedule, this.#count / rateHz);
      if (condition !== this.#condition) this.#machine.setCondition(condition);
      this.#condition = condition;
      this.#machine.next(this.#sample);
      this.#count += 1;
      text += `${Array.from(this.#sample, (value) => value.toFixed(4)).join(',')}\n`;
    }
    return text;
  }

  /** Samples that nobody read: the schedule goes by the clock and moves on. */
  skip(count: number): void {
    this.#count += count;
  }
}

/** How many samples are due, and how many of them are too old to be delivered; counts since the start. */
export function samplesDue(
  elapsedMs: number,
  sentOrLost: number,
  rateHz: number,
): { send: number; lost: number } {
  const due = Math.max(0, Math.floor((elapsedMs * rateHz) / 1000) - sentOrLost);
  const send = Math.min(due, Math.floor((MAX_BACKLOG_MS * rateHz) / 1000));
  return { send, lost: due - send };
}

function parseOptions(args: readonly string[]): StreamOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'rate-hz': { type: 'string', default: String(SAMPLE_RATE_HZ) },
      seed: { type: 'string', default: '1' },
      schedule: { type: 'string', default: DEFAULT_SCHEDULE },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const rateHz = Number(values['rate-hz']);
  if (!(rateHz >= RATE_HZ.low && rateHz <= RATE_HZ.high)) {
    throw new RangeError(`--rate-hz must be ${RATE_HZ.low} to ${RATE_HZ.high}`);
  }
  if (!/^\d{1,9}$/.test(values.seed)) throw new RangeError('--seed must be a whole number');
  return { rateHz, seed: Number(values.seed), schedule: parseSchedule(values.schedule) };
}

function run({ stdout }: NodeJS.Process, options: StreamOptions): void {
  const samples = new SampleStream(options);
  const startMs = performance.now();
  let sentOrLost = 0;
  let isBlocked = false;
  stdout.on('drain', () => {
    isBlocked = false;
  });
  const timer = setInterval(() => {
    if (isBlocked) return;
    const { send, lost } = samplesDue(performance.now() - startMs, sentOrLost, options.rateHz);
    if (lost > 0) process.stderr.write(`the reader is too slow: ${lost} samples lost\n`);
    samples.skip(lost);
    sentOrLost += send + lost;
    if (send > 0) isBlocked = !stdout.write(samples.take(send));
  }, TICK_MS);
  const stop = (): void => {
    clearInterval(timer);
    process.exit(0);
  };
  // A reader that leaves is no error: there is nobody left to tell.
  stdout.on('error', stop);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function main(): void {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options === undefined) process.stdout.write(`${USAGE}\n`);
    else run(process, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    process.stderr.write(`stream: ${reason}\n${USAGE}\n`);
    process.exitCode = 2;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main();
