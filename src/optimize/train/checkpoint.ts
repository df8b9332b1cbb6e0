import { parseJson, type Static, Type } from '../../core/index.ts';
import type { Region } from './memory.ts';
import type { Network } from './network.ts';

/** Where a checkpoint is kept; what it belongs to is the store's concern. */
export interface CheckpointStore {
  /** Undefined where there is none, or one of another run. */
  read(): Promise<Uint8Array | undefined>;
  /** Replaces what was there, at once or not at all. */
  write(bytes: Uint8Array): Promise<void>;
}

const strict = { additionalProperties: false } as const;
const MAX_NOTES = 100_000;
const MAX_GRIDS = 1_000_000;
const Grid = Type.Object({ scale: Type.Number(), low: Type.Number(), high: Type.Number() }, strict);

/** Everything of a run that is not in its parameters. */
const Checkpoint = Type.Object(
  {
    step: Type.Integer({ minimum: 0 }),
    /** Summed up since the last note. */
    loss: Type.Object({ sum: Type.Number(), steps: Type.Integer({ minimum: 0 }) }, strict),
    curve: Type.Array(
      Type.Object(
        {
          step: Type.Integer(),
          loss: Type.Number(),
          validationLoss: Type.Optional(Type.Number()),
          sparsity: Type.Number(),
          quantized: Type.Boolean(),
        },
        strict,
      ),
      { maxItems: MAX_NOTES },
    ),
    /** By tensor, once int8 is simulated. */
    grids: Type.Optional(Type.Array(Type.Tuple([Type.Integer(), Grid]), { maxItems: MAX_GRIDS })),
  },
  strict,
);
export type Checkpoint = Static<typeof Checkpoint>;

/** A length and JSON, then of each parameter what was learned, Adam's moments, and the mask. Little-endian. */
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
  await store.write(Buffer.concat([length, json, ...parts]));
}

/** Puts the parameters back as they were. @throws `input-invalid` for a checkpoint that is not this network's */
export async function readCheckpoint(
  store: CheckpointStore,
  network: Network,
): Promise<Checkpoint | undefined> {
  const bytes = await store.read();
  if (bytes === undefined || bytes.byteLength < LENGTH_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = LENGTH_BYTES + view.getUint32(0, true);
  const numbers = network.parameters.reduce((sum, parameter) => {
    const floats = floatsOf(parameter).reduce((total, { length }) => total + length, 0);
    return sum + floats * Float32Array.BYTES_PER_ELEMENT + parameter.mask.length;
  }, 0);
  if (at + numbers !== bytes.byteLength) return undefined;
  const state = parseJson(Checkpoint, bytes.subarray(LENGTH_BYTES, at), 'the checkpoint');
  for (const parameter of network.parameters) {
    for (const { floats } of floatsOf(parameter)) {
      const into = bytesOf(floats);
      into.set(bytes.subarray(at, at + into.byteLength));
      at += into.byteLength;
    }
    parameter.mask.set(bytes.subarray(at, at + parameter.mask.length));
    at += parameter.mask.length;
  }
  return state;
}

const LENGTH_BYTES = 4;

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
