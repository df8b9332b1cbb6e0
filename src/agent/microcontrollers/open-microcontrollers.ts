import type { KeyObject } from 'node:crypto';
import { dirname, join } from 'node:path';
import {
  type Clock,
  DunlinError,
  type Files,
  type Logger,
  readNamedFile,
  verifyingKeyFromPem,
} from '../../core/index.ts';
import {
  FlashJournal,
  kernelLineLock,
  resolveSerialPath,
  type SerialLine,
  SmpClient,
  SmpFlasher,
  serialPortLine,
} from '../../mcu/index.ts';
import { readSmpBoard, type SmpBoard } from '../../plan/index.ts';
import type { Reporting } from '../../telemetry/index.ts';
import { type BlockSource, type ChunkStore, Slots } from '../../update/index.ts';
import type { AgentConfig, MicrocontrollerConfig } from '../config.ts';
import { ModelUpdate } from '../model-update.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Turns } from '../turns.ts';
import { McuDevice } from './mcu-device.ts';
import { McuKeeper } from './mcu-keeper.ts';
import { McuPlace } from './mcu-place.ts';
import type { McuTakes } from './mcu-release.ts';
import { McuWatch } from './mcu-watch.ts';
import { Rollout, type RolloutMember, refusalOf } from './rollout.ts';

const MAX_KEY_BYTES = 64 * 1024;
/** Failed inferences and resets that are forgiven on probation. */
const MAX_BAD = 3;
/** Starts of the agent say nothing about what a device runs. */
const ANY_STARTS = Number.MAX_SAFE_INTEGER;

export interface OpenLineOptions extends MicrocontrollerConfig {
  readonly name: string;
}
export type OpenLine = (options: OpenLineOptions) => SerialLine;

export interface McuDependencies {
  readonly config: AgentConfig;
  readonly files: Files;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reporter: Reporting;
  readonly store: ChunkStore;
  readonly source: BlockSource;
  readonly transfers: Turns;
  /** Real ports unless a test says otherwise. */
  readonly openLine: OpenLine;
  /** The pipeline that feeds a device, by the device's name. */
  readonly pipelineOn: (name: string) => Pipeline | undefined;
  readonly onChange: () => void;
}

/** The real port of a microcontroller; names under /dev/serial/by-id are looked up at every opening. */
export function serialLineOf(files: Files): OpenLine {
  const lock = kernelLineLock(`dunlin agent (process ${process.pid})`);
  return ({ name, port, baudRate }) =>
    serialPortLine({
      name,
      resolvePath: () => resolveSerialPath(files, port),
      ...(baudRate === undefined ? {} : { baudRate }),
      lock,
    });
}

/**
 * The keepers of the configured microcontrollers, not running yet; each has read its slots.
 * @throws `file-missing`, `input-invalid` (key), `usage` (board: none, or not by SMP), what the disk throws
 */
export async function openMicrocontrollers(deps: McuDependencies): Promise<McuKeeper[]> {
  const rollout = new Rollout(deps.config.mcu.atOnce);
  const members: (RolloutMember & { readonly slots: Slots })[] = [];
  const keepers: McuKeeper[] = [];
  for (const [name, config] of Object.entries(deps.config.microcontrollers)) {
    const slots = await openSlots(deps, name, config.model);
    members.push({ name, model: config.model, slots });
    keepers.push(await openKeeper(deps, { name, config, slots, rollout, members }));
  }
  return keepers;
}

interface Parts {
  readonly name: string;
  readonly config: MicrocontrollerConfig;
  readonly slots: Slots;
  readonly rollout: Rollout;
  /** Complete once all are open. */
  readonly members: readonly (RolloutMember & { readonly slots: Slots })[];
}

async function openKeeper(deps: McuDependencies, parts: Parts): Promise<McuKeeper> {
  const { clock, logger, reporter, onChange } = deps;
  const { name, config, slots, rollout, members } = parts;
  const { model, port } = config;
  const { update: intervals, mcu, telemetry } = deps.config;
  const { smp } = await readSmpBoard(config.board);
  const takes = takesOf(name, config, smp.models);
  const device = await openDevice(deps, { ...parts, takes, smp });
  const place = new McuPlace({
    ...{ device, takes, pipeline: deps.pipelineOn(name) },
    onWanted: () => keeper.poke(),
  });
  const others = (): Slots[] =>
    members.flatMap((member) =>
      member.name !== name && member.model === model ? [member.slots] : [],
    );
  const update = new ModelUpdate({
    ...{ model, slots, place, reporter, clock, logger, onChange, microcontroller: name },
    ...{ store: deps.store, source: deps.source, transfers: deps.transfers, siblings: others },
  });
  const watch = new McuWatch({
    ...{ name, reporter, clock, sampleIntervalMs: telemetry.healthIntervalMs },
    probation: { goodInferences: intervals.probationInferences, quietMs: mcu.probationMs },
  });
  const refusal = (sha256: string) => refusalOf(members, { name, model }, sha256);
  const keeper: McuKeeper = new McuKeeper({
    ...{ model, port, device, slots, place, update, watch, rollout, refusal },
    ...{ reporter, clock, logger, onChange, intervals: { ...intervals, ...mcu } },
  });
  await update.start();
  return keeper;
}

/** @throws `config-invalid` where nothing is left */
function takesOf(name: string, config: MicrocontrollerConfig, models: boolean): McuTakes {
  const install = config.install.filter((part) => part === 'firmware' || models);
  if (install.length > 0) return { board: config.board, install };
  throw new DunlinError(`microcontrollers.${name}: firmware of ${config.board} takes no models`, {
    code: 'config-invalid',
  });
}

async function openDevice(
  { files, clock, logger, openLine, config: { stateDir } }: McuDependencies,
  { name, config, takes, smp }: Parts & { readonly takes: McuTakes } & Pick<SmpBoard, 'smp'>,
): Promise<McuDevice> {
  const line = openLine({ name, ...config, baudRate: config.baudRate ?? smp.baudRate });
  const client = new SmpClient({ line, clock, logger });
  const journalDir = join(deviceDir(stateDir, name), 'journal');
  const keys = config.signingKeyFile === undefined ? {} : await keysOf(config.signingKeyFile);
  const flasher = new SmpFlasher({ client, files, journalDir, clock, logger, ...keys });
  const journal = new FlashJournal(files, journalDir);
  return new McuDevice({
    ...{ name, boards: smp.names, takes, client, flasher, journal, clock, logger },
  });
}

/** `microcontrollers/<name>/models/<model>` are the slots, `microcontrollers/<name>/journal` the flasher's. */
async function openSlots(
  { files, clock, logger, config: { stateDir, update } }: McuDependencies,
  name: string,
  model: string,
): Promise<Slots> {
  const dir = deviceDir(stateDir, name);
  await files.makeDirectory(dir);
  for (const made of [dirname(dir), stateDir]) await files.syncDirectory(made);
  const probation = {
    goodInferences: update.probationInferences,
    maxBadInferences: MAX_BAD,
    maxStarts: ANY_STARTS,
  };
  return await Slots.open({ files, model, probation, clock, logger, dir: join(dir, 'models') });
}

function deviceDir(stateDir: string, name: string): string {
  return join(stateDir, 'microcontrollers', name);
}

/** @throws `file-missing`, `input-invalid` */
async function keysOf(path: string): Promise<{ readonly keys: readonly KeyObject[] }> {
  const pem = Buffer.from(await readNamedFile(path, MAX_KEY_BYTES)).toString('utf8');
  return { keys: [verifyingKeyFromPem(pem, path)] };
}
