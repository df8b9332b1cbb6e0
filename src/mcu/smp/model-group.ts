import { DunlinError, type Static, type TSchema, Type } from '../../core/index.ts';
import { GROUP_MODEL, printable } from './answer-errors.ts';
import { Bytes, type CborMap, Uint32 } from './cbor.ts';
import { SMP_READ, SMP_WRITE, type SmpClient, type SmpRequest } from './client.ts';
import { FRAME_OVERHEAD_BYTES, MAX_PACKET_BYTES } from './console-framing.ts';
import { DEFAULT_ERASE_TIMEOUT_MS, type ImageGroupOptions } from './image-group.ts';
import { SMP_HEADER_BYTES } from './packet.ts';
import { parametersOf, type UploadOptions, upload } from './upload.ts';

/* docs/smp-model-group.md; fields are explained there. */
const ID_STATE = 0;
const ID_UPLOAD = 1;
const ID_SELF_TEST = 2;
const ID_INFER = 3;
const ID_STATISTICS = 4;
const ID_ERASE = 5;
const ID_LOG = 6;

export const MAX_GOLDEN_VECTORS = 64;
const MAX_SLOTS = 8;
const MAX_LOG_LINES = 256;
const HASH_BYTES = 32;
/** Field names and numbers of a chunk at most. */
const CHUNK_FIELDS_BYTES = 48;
/** An inference and a self-test on a slow device. */
const DEFAULT_RUN_TIMEOUT_MS = 30_000;
/** Answers that bring a transfer no further, in a row. */
const MAX_STALLED_CHUNKS = 4;
const MAX_TENSOR_BYTES = 16 * 1024 * 1024;

const Flag = Type.Optional(Type.Boolean());
const Name = Type.String({ maxLength: 64 });

export const ModelSlot = Type.Object({
  slot: Uint32,
  size: Uint32,
  hash: Type.Optional(Bytes(HASH_BYTES, HASH_BYTES)),
  version: Type.Optional(Name),
  counter: Type.Optional(Uint32),
  active: Flag,
  confirmed: Flag,
  pending: Flag,
  tested: Flag,
});
export type ModelSlot = Static<typeof ModelSlot>;

export const ModelState = Type.Object({
  board: Name,
  engine: Name,
  format: Uint32,
  target: Name,
  arena: Uint32,
  slots: Type.Array(ModelSlot, { maxItems: MAX_SLOTS }),
  in: Type.Optional(Uint32),
  out: Type.Optional(Uint32),
});
export type ModelState = Static<typeof ModelState>;

export const ModelStatistics = Type.Object({
  up: Uint32,
  resets: Uint32,
  cause: Type.Optional(Name),
  runs: Uint32,
  failures: Uint32,
  us: Type.Optional(Uint32),
  usmin: Type.Optional(Uint32),
  usmax: Type.Optional(Uint32),
  cycles: Type.Optional(Uint32),
  arena: Uint32,
  stack: Type.Optional(Uint32),
  lines: Uint32,
  trials: Uint32,
  reverts: Uint32,
});
export type ModelStatistics = Static<typeof ModelStatistics>;

const Log = Type.Object({
  next: Uint32,
  lost: Type.Optional(Uint32),
  lines: Type.Array(
    Type.Object({
      n: Uint32,
      ms: Uint32,
      level: Uint32,
      text: Type.String({ maxLength: 512 }),
    }),
    { maxItems: MAX_LOG_LINES },
  ),
});
export type ModelLog = Static<typeof Log>;

const SelfTestAnswer = Type.Object({
  off: Uint32,
  equal: Flag,
  differ: Type.Optional(Uint32),
  max: Type.Optional(Uint32),
  us: Type.Optional(Uint32),
});
const InferAnswer = Type.Object({
  off: Uint32,
  len: Type.Optional(Uint32),
  out: Type.Optional(Bytes(MAX_PACKET_BYTES)),
  us: Type.Optional(Uint32),
  cycles: Type.Optional(Uint32),
});
type InferAnswer = Static<typeof InferAnswer>;

/** Inputs and what must come out, each in the model's order, one tensor behind the other. */
export interface GoldenVector {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

export interface McuInference {
  readonly output: Uint8Array;
  readonly durationUs: number | undefined;
  readonly cycles: number | undefined;
}

/** Commands of the model group. Every one may throw what `SmpClient.request` does. */
export class ModelGroup {
  readonly #client: SmpClient;
  readonly #eraseTimeoutMs: number;
  #chunkBytes: number | undefined;

  constructor(client: SmpClient, { eraseTimeoutMs }: ImageGroupOptions = {}) {
    this.#client = client;
    this.#eraseTimeoutMs = eraseTimeoutMs ?? DEFAULT_ERASE_TIMEOUT_MS;
  }

  async readState(signal?: AbortSignal): Promise<ModelState> {
    return await this.#request(
      { what: 'model state', operation: SMP_READ, id: ID_STATE, answer: ModelState },
      signal,
    );
  }

  /** Loads a stored model and lets it run, until it is confirmed or the device resets. */
  async test(hash: Uint8Array, signal?: AbortSignal): Promise<ModelState> {
    return await this.#writeState('model test', { hash, confirm: false }, signal);
  }

  /** Makes the tested model the one that runs after a reset. */
  async confirm(hash: Uint8Array, signal?: AbortSignal): Promise<ModelState> {
    return await this.#writeState('model confirm', { hash, confirm: true }, signal);
  }

  /** Ends a trial where there is one: the confirmed model runs again when it resolves. */
  async erase(slot?: number, signal?: AbortSignal): Promise<void> {
    const answer = Type.Object({});
    await this.#request(
      {
        what: 'model erase',
        operation: SMP_WRITE,
        id: ID_ERASE,
        body: { slot },
        answer,
        timeoutMs: this.#eraseTimeoutMs,
      },
      signal,
    );
  }

  /** @param bytes the whole signed container. @throws what `upload` does */
  async upload(bytes: Uint8Array, options: UploadOptions = {}): Promise<void> {
    const target = { what: 'model upload', group: GROUP_MODEL, id: ID_UPLOAD, bytes };
    await upload(this.#client, target, { eraseTimeoutMs: this.#eraseTimeoutMs, ...options });
  }

  /**
   * Runs golden vectors on the device; all have to give their outputs byte for byte.
   * @returns how long each took on the device in µs, where it says that
   * @throws `golden-mismatch`, naming the vector
   */
  async selfTest(
    vectors: readonly GoldenVector[],
    signal?: AbortSignal,
  ): Promise<(number | undefined)[]> {
    if (vectors.length === 0 || vectors.length > MAX_GOLDEN_VECTORS) {
      throw new DunlinError(`a self-test takes 1 to ${MAX_GOLDEN_VECTORS} vectors`, {
        code: 'input-invalid',
      });
    }
    const durationsUs: (number | undefined)[] = [];
    for (const [index, { input, output }] of vectors.entries()) {
      const body = { n: index, of: vectors.length };
      const request = { what: 'self-test', id: ID_SELF_TEST, answer: SelfTestAnswer };
      const data = Buffer.concat([input, output]);
      const { equal, differ, max, us } = await this.#transfer(request, body, data, signal);
      durationsUs.push(us);
      if (equal === true) continue;
      throw new DunlinError(
        `${this.#client.lineName}: golden vector ${index}: ` +
          `${differ ?? 'some'} of ${output.byteLength} bytes differ, by ${max ?? '?'} at most`,
        { code: 'golden-mismatch', context: { vector: index, differ, max } },
      );
    }
    return durationsUs;
  }

  /** @param input of exactly the active model's size (`in` of the state) */
  async infer(input: Uint8Array, signal?: AbortSignal): Promise<McuInference> {
    const request = { what: 'infer', id: ID_INFER, answer: InferAnswer };
    const first: InferAnswer = await this.#transfer(request, {}, input, signal);
    const outputBytes = first.len ?? 0;
    if (first.out === undefined || outputBytes > MAX_TENSOR_BYTES) {
      throw this.#garbled('infer: no outputs came');
    }
    const parts = [first.out];
    let offset = first.out.byteLength;
    while (offset < outputBytes) {
      const more: InferAnswer = await this.#request(
        { ...request, operation: SMP_READ, body: { off: offset } },
        signal,
      );
      if (more.off !== offset || more.out === undefined || more.out.byteLength === 0) {
        throw this.#garbled(`infer: outputs from ${offset} on did not come`);
      }
      parts.push(more.out);
      offset += more.out.byteLength;
    }
    if (offset > outputBytes) throw this.#garbled('infer: more outputs than announced');
    return { output: Buffer.concat(parts), durationUs: first.us, cycles: first.cycles };
  }

  async readStatistics(signal?: AbortSignal): Promise<ModelStatistics> {
    return await this.#request(
      { what: 'statistics', operation: SMP_READ, id: ID_STATISTICS, answer: ModelStatistics },
      signal,
    );
  }

  /** @param since the `next` of the last answer, 0 at first */
  async readLog(since: number, signal?: AbortSignal): Promise<ModelLog> {
    const body = { since };
    const log = await this.#request(
      { what: 'log', operation: SMP_READ, id: ID_LOG, body, answer: Log },
      signal,
    );
    return { ...log, lines: log.lines.map((line) => ({ ...line, text: printable(line.text) })) };
  }

  /** Sends data in chunks, follows the device's offset, and gives the answer to the last one. */
  async #transfer<T extends typeof SelfTestAnswer | typeof InferAnswer>(
    request: { readonly what: string; readonly id: number; readonly answer: T },
    fields: CborMap,
    data: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Static<T>> {
    const chunkBytes = await this.#chunk(signal);
    let offset = 0;
    for (let stalled = 0; stalled < MAX_STALLED_CHUNKS; ) {
      const body = { ...fields, off: offset, data: data.subarray(offset, offset + chunkBytes) };
      const timeoutMs = DEFAULT_RUN_TIMEOUT_MS;
      const answer = await this.#request(
        { ...request, operation: SMP_WRITE, body, timeoutMs },
        signal,
      );
      if (answer.off === data.byteLength) return answer;
      if (answer.off > data.byteLength) break;
      stalled = answer.off > offset ? 0 : stalled + 1;
      offset = answer.off;
    }
    throw this.#garbled(`${request.what}: the device stays at ${offset} of ${data.byteLength}`);
  }

  async #chunk(signal: AbortSignal | undefined): Promise<number> {
    if (this.#chunkBytes === undefined) {
      const { bufferBytes } = await parametersOf(this.#client, signal);
      const room = Math.min(bufferBytes, MAX_PACKET_BYTES) - FRAME_OVERHEAD_BYTES;
      this.#chunkBytes = Math.max(room - SMP_HEADER_BYTES - CHUNK_FIELDS_BYTES, 16);
    }
    return this.#chunkBytes;
  }

  async #writeState(what: string, body: CborMap, signal: AbortSignal | undefined) {
    const timeoutMs = this.#eraseTimeoutMs;
    return await this.#request(
      { what, operation: SMP_WRITE, id: ID_STATE, body, answer: ModelState, timeoutMs },
      signal,
    );
  }

  async #request<T extends TSchema>(
    request: Omit<SmpRequest<T>, 'group' | 'signal'>,
    signal: AbortSignal | undefined,
  ): Promise<Static<T>> {
    return await this.#client.request<T>({ ...request, group: GROUP_MODEL, signal });
  }

  #garbled(reason: string): DunlinError {
    return new DunlinError(`${this.#client.lineName}: ${reason}`, { code: 'mcu-garbled' });
  }
}
