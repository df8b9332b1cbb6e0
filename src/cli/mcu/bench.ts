import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { DunlinError, systemClock } from '../../core/index.ts';
import {
  buildMcubootImage,
  echo,
  IMAGE_FLAG_NON_BOOTABLE,
  ifKnown,
  ModelGroup,
  type SmpClient,
  UploadRate,
} from '../../mcu/index.ts';
import type { CommandIo } from '../command.ts';
import { integerValue } from '../option-values.ts';
import { ProgressLine } from '../progress-line.ts';
import { grouped } from '../table.ts';
import {
  type Connection,
  type LineOptions,
  PORT_HELP,
  withDevice,
  withLineOptions,
} from './connection.ts';
import { transferText } from './flash-job.ts';
import { durationText, medianOf } from './text.ts';

const DEFAULT_RUNS = 20;
const MAX_RUNS = 10_000;
const MAX_UPLOAD_BYTES = 16 * 1024 * 1024;

const HELP = `
Round trips of a short request, and, where a model runs, inferences on an input of zeros: time on the device, cycles
where it counts them, and what a caller here waits for. Nothing on the device changes.

--upload sends so many random bytes into the model slot that is not confirmed and erases them: what was in that slot is
lost, and flash wears. Its goodput is payload bytes a second, beside what the line carries at its speed.

Examples:
  dunlin mcu bench J-Link
  dunlin mcu bench J-Link --runs 200 --upload 65536 --json`;

interface BenchOptions extends LineOptions {
  readonly runs: string;
  readonly upload?: string;
}

export function benchCommand(io: CommandIo): Command {
  const command = new Command('bench')
    .description('how fast a device and its line are')
    .argument('<port>', PORT_HELP)
    .option('--runs <n>', 'round trips and inferences', String(DEFAULT_RUNS))
    .option('--upload <bytes>', 'measure an upload too; overwrites the spare model slot');
  return withLineOptions(command)
    .addHelpText('after', HELP)
    .action((port: string, options: BenchOptions) => bench(io, port, options));
}

async function bench(io: CommandIo, port: string, options: BenchOptions): Promise<void> {
  const runs = bounded(integerValue(options.runs, '--runs'), MAX_RUNS, '--runs');
  const uploadBytes =
    options.upload === undefined
      ? undefined
      : bounded(integerValue(options.upload, '--upload'), MAX_UPLOAD_BYTES, '--upload');
  const report = await withDevice(io, port, options, async (connection) => {
    const { client, lineBytesPerSecond } = connection;
    const roundTrip = await measureRoundTrips(client, runs, io.signal);
    const models = new ModelGroup(client);
    const inference = await measureInference(models, runs, io.signal);
    const upload =
      uploadBytes === undefined ? null : await measureUpload(io, connection, models, uploadBytes);
    return { port, lineBytesPerSecond, roundTrip, inference, upload };
  });
  io.out(options.json ? `${JSON.stringify(report)}\n` : describe(report));
}

async function measureRoundTrips(client: SmpClient, count: number, signal: AbortSignal) {
  const durationsUs: number[] = [];
  for (let run = 0; run < count; run++) {
    durationsUs.push(await timedUs(() => echo(client, 'x', { signal })));
  }
  return { count, medianUs: medianOf(durationsUs)!, maxUs: Math.max(...durationsUs) };
}

/** Null where no model runs, or the firmware knows none. */
async function measureInference(models: ModelGroup, count: number, signal: AbortSignal) {
  const state = await ifKnown(models.readState(signal));
  if (state?.in === undefined) return null;
  const input = new Uint8Array(state.in);
  const onDeviceUs: (number | undefined)[] = [];
  const cycles: (number | undefined)[] = [];
  const fromHereUs: number[] = [];
  for (let run = 0; run < count; run++) {
    const callUs = await timedUs(async () => {
      const result = await models.infer(input, signal);
      onDeviceUs.push(result.durationUs);
      cycles.push(result.cycles);
    });
    fromHereUs.push(callUs);
  }
  return {
    ...{ count, engine: state.engine },
    medianUs: medianOf(onDeviceUs),
    medianCycles: medianOf(cycles),
    fromHereMedianUs: medianOf(fromHereUs)!,
  };
}

async function measureUpload(
  io: CommandIo,
  { lineBytesPerSecond }: Connection,
  models: ModelGroup,
  sizeBytes: number,
) {
  const { slots } = await models.readState(io.signal);
  if (slots.some(({ pending }) => pending === true)) {
    throw new DunlinError('a model is on trial in the spare slot; an upload would end its trial', {
      code: 'mcu-busy',
    });
  }
  // Of the right form, so that the device takes it, and unsigned, so that it never runs.
  const file = buildMcubootImage({
    body: randomBytes(sizeBytes),
    version: { major: 0, minor: 0, revision: 0, build: 0 },
    flags: IMAGE_FLAG_NON_BOOTABLE,
  });
  const progress = new ProgressLine(io, systemClock.monotonicMs);
  const rate = new UploadRate(systemClock, 'upload', file.byteLength);
  const startedMs = systemClock.monotonicMs();
  try {
    await models.upload(file, {
      signal: io.signal,
      onProgress: ({ doneBytes, totalBytes }) =>
        progress.show('upload', doneBytes, totalBytes, transferText(rate.at(doneBytes))),
    });
  } finally {
    progress.end();
  }
  const durationMs = systemClock.monotonicMs() - startedMs;
  await models.erase(undefined, io.signal);
  const goodputBytesPerSecond = (1000 * file.byteLength) / durationMs;
  return {
    sizeBytes: file.byteLength,
    durationMs: Math.round(durationMs),
    goodputBytesPerSecond: Math.round(goodputBytesPerSecond),
    shareOfLine: goodputBytesPerSecond / lineBytesPerSecond,
  };
}

async function timedUs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  await work();
  return Math.round(1000 * (systemClock.monotonicMs() - startedMs));
}

interface Report {
  readonly port: string;
  readonly lineBytesPerSecond: number;
  readonly roundTrip: Awaited<ReturnType<typeof measureRoundTrips>>;
  readonly inference: Awaited<ReturnType<typeof measureInference>>;
  readonly upload: Awaited<ReturnType<typeof measureUpload>> | null;
}

function describe({ port, lineBytesPerSecond, roundTrip, inference, upload }: Report): string {
  const { count, medianUs, maxUs } = roundTrip;
  const lines = [
    `${port}: a line of ${grouped(lineBytesPerSecond)} bytes/s each way`,
    `round trip: ${durationText(medianUs)} median of ${count}, ${durationText(maxUs)} at most`,
  ];
  if (inference === null) {
    lines.push('inference: no model runs');
  } else {
    const { medianUs: us, medianCycles, fromHereMedianUs, engine } = inference;
    const onDevice = us === null ? 'does not say' : durationText(us);
    const cycles = medianCycles === null ? '' : ` (${grouped(medianCycles)} cycles)`;
    lines.push(
      `inference: ${onDevice} on the device${cycles}, ${durationText(fromHereMedianUs)} from here; engine ${engine}`,
    );
  }
  if (upload !== null) {
    const { sizeBytes, durationMs, goodputBytesPerSecond, shareOfLine } = upload;
    lines.push(
      `upload: ${grouped(sizeBytes)} bytes in ${durationText(1000 * durationMs)}, ` +
        `${grouped(goodputBytesPerSecond)} bytes/s, ${shareText(shareOfLine)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** A pty, and a USB device's own serial line, are as fast as they are, whatever speed is set. */
function shareText(shareOfLine: number): string {
  if (shareOfLine > 1) return 'more than the speed that is set: no real line';
  return `${(100 * shareOfLine).toFixed(0)} % of the line`;
}

function bounded(value: number, most: number, option: string): number {
  if (value <= most) return value;
  throw new DunlinError(`${option}: at most ${most}`, { code: 'usage' });
}
