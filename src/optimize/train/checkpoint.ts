import { createHash } from 'node:crypto';
import { DunlinError, parseJson, type Static, Type } from '../../core/index.ts';
import { Training } from '../report-document.ts';
import type { Region } from './memory.ts';
import type { Network } from './network.ts';
import { quantizedFrom, type TrainingPlan } from './plan.ts';

/** Where a checkpoint is kept; what it belongs to is the store's concern. */
export interface CheckpointStore {
  /** Undefined where there is none, or one of another run. */
  read(): Promise<Uint8Array | undefined>;
  /** Replaces what was there, at once or not at all. */
  write(bytes: Uint8Array): Promise<void>;
}

const strict = { additionalProperties: false } as const;
const MAX_GRIDS = 1_000_000;
const Grid = Type.Object({ scale: Type.Number(), low: Type.Number(), high: Type.Number() }, strict);

/** Everything of a run that is not in its parameters. */
const Checkpoint = Type.Object(
  {
    step: Type.Integer({ minimum: 0 }),
    /** Summed up since the last note. */
    loss: Type.Object({ sum: Type.Number(), steps: Type.Integer({ minimum: 0 }) }, strict),
    curve: Training.properties.curve,
    /** By tensor, once int8 is simulated. */
    grids: Type.Optional(Type.Array(Type.Tuple([Type.Integer(), Grid]), { maxItems: MAX_GRIDS })),
  },
  strict,
);
export type Checkpoint = Static<typeof Checkpoint>;

/**
 * A SHA-256 of what follows; a length and JSON, then of each parameter what was learned, Adam's moments, and the mask.
 * Little-endian.
 */
export async function writeCheckpoint(
  store: CheckpointStore,
  state: Checkpoint,
  network: Network,
): Promise<void> {
  const json = Buffer.from(JSON.stringify(state));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.byteLength);
  const parts = network.parameters.flatMap((parameter) => [
    ...floatsOf(parameter).map(({ floats }) => bytesOf(floats)),
    parameter.mask,
  ]);
  const body = Buffer.concat([length, json, ...parts]);
  await store.write(Buffer.concat([digestOf(body), body]));
}

/**
 * Puts the parameters back as they were. What is not a whole checkpoint of this network and plan is none: training from
 * the start is slow, and training from a wrong state is wrong.
 */
export async function readCheckpoint(
  store: CheckpointStore,
  network: Network,
  plan: TrainingPlan,
): Promise<Checkpoint | undefined> {
  const bytes = await store.read();
  if (bytes === undefined || bytes.byteLength < DIGEST_BYTES + LENGTH_BYTES) return undefined;
  const body = Buffer.from(bytes.subarray(DIGEST_BYTES));
  if (!digestOf(body).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
  const end = LENGTH_BYTES + body.readUInt32LE();
  const numbers = network.parameters.reduce((sum, parameter) => {
    const floats = floatsOf(parameter).reduce((total, { length }) => total + length, 0);
    return sum + floats * Float32Array.BYTES_PER_ELEMENT + parameter.mask.length;
  }, 0);
  if (end + numbers !== body.byteLength) return undefined;
  const state = parseState(body.subarray(LENGTH_BYTES, end));
  if (state === undefined || !fits(state, network, plan)) return undefined;
  const parts = partsOf(body.subarray(end), network);
  if (!parts.every(isSound)) return undefined;
  for (const { into, from } of parts) into.set(from);
  return state;
}

function parseState(json: Uint8Array): Checkpoint | undefined {
  try {
    return parseJson(Checkpoint, json, 'the checkpoint');
  } catch (error) {
    if (error instanceof DunlinError) return undefined;
    throw error;
  }
}

/** Whether a run of the plan passes through a state. */
function fits({ step, loss, curve, grids }: Checkpoint, network: Network, plan: TrainingPlan) {
  const isRounded = step > quantizedFrom(plan);
  const isGrid = ([tensor, { scale, low, high }]: [number, Static<typeof Grid>]): boolean =>
    network.has(tensor) && scale > 0 && low <= 0 && high >= 0 && low < high;
  return (
    step <= plan.steps &&
    Number.isFinite(loss.sum) &&
    loss.steps <= step &&
    curve.every((note, place) => note.step > (curve[place - 1]?.step ?? 0) && note.step <= step) &&
    (grids !== undefined) === isRounded &&
    (grids ?? []).every(isGrid)
  );
}

/** Bytes of a checkpoint, and where in a network they belong. */
interface Part {
  readonly kind: 'floats' | 'squares' | 'mask';
  readonly into: Uint8Array;
  readonly from: Uint8Array;
}

function partsOf(numbers: Buffer, network: Network): Part[] {
  let at = 0;
  const part = (kind: Part['kind'], into: Uint8Array): Part => {
    const from = numbers.subarray(at, at + into.byteLength);
    at += into.byteLength;
    return { kind, into, from };
  };
  return network.parameters.flatMap(({ learned, mean, square, mask }) => [
    part('floats', bytesOf(learned.floats)),
    part('floats', bytesOf(mean.floats)),
    part('squares', bytesOf(square.floats)),
    part('mask', mask),
  ]);
}

function isSound({ kind, from }: Part): boolean {
  if (kind === 'mask') return from.every((value) => value <= 1);
  const floats = new Float32Array(Uint8Array.from(from).buffer);
  return floats.every((value) => Number.isFinite(value) && (kind === 'floats' || value >= 0));
}

const DIGEST_BYTES = 32;
const LENGTH_BYTES = 4;

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

interface Learning {
  readonly learned: Region;
  readonly mean: Region;
  readonly square: Region;
}

function floatsOf({ learned, mean, square }: Learning): Region[] {
  return [learned, mean, square];
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
