import { createHash } from 'node:crypto';
import { DunlinError, errorCode, type InnerAbort, innerAbort, Type } from '../../core/index.ts';
import { protocolRc, SMP_RC } from './answer-errors.ts';
import { type CborMap, encodeMap, Uint32 } from './cbor.ts';
import { MAX_OUTSTANDING, SMP_WRITE, type SmpClient } from './client.ts';
import { FRAME_OVERHEAD_BYTES, MAX_PACKET_BYTES } from './console-framing.ts';
import { readParameters, type SmpParameters } from './os-group.ts';
import { SMP_HEADER_BYTES } from './packet.ts';

/*
 * A file goes to the device chunk by chunk. The device is the one who knows: whatever offset it answers is
 * where the upload goes on, forwards (it had some of this file already) or backwards (a chunk was lost, the
 * device started anew). Chunks at offset 0 carry the length and the digest, by which the device knows the
 * file again.
 */

/** For devices that do not tell: Zephyr's smallest default, CONFIG_MCUMGR_TRANSPORT_UART_MTU. */
const FALLBACK_PACKET_BYTES = 256;
/** No packet is made smaller than this, however often the device finds it too long. */
const MIN_PACKET_BYTES = 64;
const MAX_WINDOW = 8;
/** Flash is written in words; a chunk that ends on a whole one saves the device a buffer. */
const CHUNK_ALIGNMENT_BYTES = 8;
/** What a byte string's length takes more than an empty one's. RFC 8949, 3. */
const MAX_LENGTH_GROWTH_BYTES = 2;
/** Rounds in a row that brought nothing forward. */
const MAX_STALLED_ROUNDS = 6;
/** Bytes sent, as a multiple of the file, after which a device that goes back and forth is given up. */
const MAX_RESENT_FACTOR = 6;
const DEFAULT_CHUNK_TIMEOUT_MS = 2_000;
const DEFAULT_ERASE_TIMEOUT_MS = 30_000;

export interface UploadProgress {
  /** Bytes that the device says it has. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: UploadProgress) => void;
  /** The first chunk may have to erase a slot. */
  readonly eraseTimeoutMs?: number;
  readonly chunkTimeoutMs?: number;
  /** Fields of the chunks at offset 0, besides the length and the digest. */
  readonly first?: CborMap;
}

export interface UploadTarget {
  readonly what: string;
  readonly group: number;
  readonly id: number;
  readonly bytes: Uint8Array;
}

const Answer = Type.Object({
  off: Uint32,
  match: Type.Optional(Type.Boolean()),
});
interface Answer {
  readonly off: number;
  readonly match?: boolean;
}

/**
 * @throws `mcu-verify-failed` (the device found another digest), `mcu-garbled` (offsets that make no sense),
 * what the device answers, `mcu-silent` and the like after several rounds, the signal's reason
 */
export async function upload(
  client: SmpClient,
  target: UploadTarget,
  options: UploadOptions = {},
): Promise<void> {
  const parameters = await parametersOf(client, options.signal);
  await new Upload(client, target, options, parameters).run();
}

/** Small packets, one at a time, where the device does not tell. */
export async function parametersOf(
  client: SmpClient,
  signal: AbortSignal | undefined,
): Promise<SmpParameters> {
  try {
    return await readParameters(client, { signal });
  } catch (error) {
    if (protocolRc(error) === undefined) throw error;
    return { bufferBytes: FALLBACK_PACKET_BYTES, bufferCount: 1 };
  }
}

/** One upload; see `upload`. `#offset` is what the device said last. */
class Upload {
  readonly #client: SmpClient;
  readonly #target: UploadTarget;
  readonly #options: UploadOptions;
  readonly #digest: Uint8Array;
  readonly #window: number;
  #packetBytes: number;
  #offset = 0;
  #sentBytes = 0;
  #match: boolean | undefined;

  constructor(
    client: SmpClient,
    target: UploadTarget,
    options: UploadOptions,
    { bufferBytes, bufferCount }: SmpParameters,
  ) {
    this.#client = client;
    this.#target = target;
    this.#options = options;
    this.#digest = createHash('sha256').update(target.bytes).digest();
    const room = Math.min(bufferBytes, MAX_PACKET_BYTES) - FRAME_OVERHEAD_BYTES;
    this.#packetBytes = Math.max(room, MIN_PACKET_BYTES);
    this.#window = Math.max(1, Math.min(bufferCount - 1, MAX_WINDOW, MAX_OUTSTANDING));
  }

  async run(): Promise<void> {
    const total = this.#target.bytes.byteLength;
    if (total === 0) throw this.#error('nothing to send', 'input-invalid');
    let stalled = 0;
    let before = -1;
    do {
      let failure: unknown;
      try {
        if (this.#offset === 0) this.#follow(await this.#sendChunk(0));
        else await this.#sendWindow();
      } catch (error) {
        failure = this.#recoverable(error);
      }
      stalled = this.#offset > before ? 0 : stalled + 1;
      before = this.#offset;
      if (stalled >= MAX_STALLED_ROUNDS) {
        throw failure ?? this.#error(`the device stays at ${this.#offset} of ${total} bytes`);
      }
    } while (this.#offset < total);
    if (this.#match === false) {
      throw this.#error('the device found another digest than was sent', 'mcu-verify-failed');
    }
  }

  /**
   * Keeps the window full until the end, or until an answer says that a chunk was lost. Answers come in the
   * order of the requests: those before an answered one are not waited for any more, those behind it are, so
   * that the device has its buffers free when the next round starts.
   */
  async #sendWindow(): Promise<void> {
    const total = this.#target.bytes.byteLength;
    const { signal } = this.#options;
    const flying = new Map<InnerAbort, Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    let isOver = false;
    let next = this.#offset;
    const fly = async (start: number, lost: InnerAbort): Promise<void> => {
      const end = start + this.#chunkBytes(start);
      try {
        const { off } = this.#follow(await this.#sendChunk(start, lost.signal));
        for (const [earlier] of flying) {
          if (earlier === lost) break;
          earlier.abort();
        }
        if (off !== end) isOver = true;
      } catch (error) {
        if (lost.signal.aborted && signal?.aborted !== true) return;
        failure ??= { error };
        isOver = true;
      } finally {
        lost.abort();
        flying.delete(lost);
      }
    };
    while (!isOver && this.#offset < total) {
      for (
        ;
        !isOver && flying.size < this.#window && next < total;
        next += this.#chunkBytes(next)
      ) {
        const lost = innerAbort(signal);
        flying.set(lost, fly(next, lost));
      }
      if (flying.size === 0) break;
      await Promise.race(flying.values());
    }
    await Promise.all(flying.values());
    if (failure !== undefined) throw failure.error;
  }

  async #sendChunk(start: number, signal = this.#options.signal): Promise<Answer> {
    const { what, group, id, bytes } = this.#target;
    const chunkBytes = this.#chunkBytes(start);
    this.#sentBytes += chunkBytes;
    if (this.#sentBytes > MAX_RESENT_FACTOR * (bytes.byteLength + this.#packetBytes)) {
      throw this.#error('the device goes back again and again', 'mcu-garbled');
    }
    const { eraseTimeoutMs, chunkTimeoutMs } = this.#options;
    return await this.#client.request({
      what,
      operation: SMP_WRITE,
      group,
      id,
      body: { ...this.#fields(start), data: bytes.subarray(start, start + chunkBytes) },
      answer: Answer,
      timeoutMs:
        start === 0
          ? (eraseTimeoutMs ?? DEFAULT_ERASE_TIMEOUT_MS)
          : (chunkTimeoutMs ?? DEFAULT_CHUNK_TIMEOUT_MS) * this.#window,
      attempts: 1,
      signal,
    });
  }

  #fields(start: number): CborMap {
    if (start > 0) return { off: start };
    const { bytes } = this.#target;
    return { ...this.#options.first, off: 0, len: bytes.byteLength, sha: this.#digest };
  }

  #chunkBytes(start: number): number {
    const fields = encodeMap({ ...this.#fields(start), data: new Uint8Array() }).byteLength;
    const room = this.#packetBytes - SMP_HEADER_BYTES - fields - MAX_LENGTH_GROWTH_BYTES;
    const aligned = room - (room % CHUNK_ALIGNMENT_BYTES);
    const left = this.#target.bytes.byteLength - start;
    return Math.min(Math.max(aligned, CHUNK_ALIGNMENT_BYTES), left);
  }

  #follow(answer: Answer): Answer {
    const totalBytes = this.#target.bytes.byteLength;
    if (answer.off > totalBytes) {
      throw this.#error(`answered offset ${answer.off} of ${totalBytes} bytes`, 'mcu-garbled');
    }
    this.#offset = answer.off;
    this.#match = answer.match ?? this.#match;
    this.#options.onProgress?.({ doneBytes: answer.off, totalBytes });
    return answer;
  }

  /** Another round may help against what the line lost, and smaller chunks against what the device cannot hold. */
  #recoverable(error: unknown): unknown {
    if (protocolRc(error) === SMP_RC.messageTooLong && this.#packetBytes > MIN_PACKET_BYTES) {
      this.#packetBytes = Math.max(MIN_PACKET_BYTES, this.#packetBytes >> 1);
      return error;
    }
    const code = errorCode(error);
    if (code !== 'mcu-silent' && code !== 'mcu-garbled') throw error;
    return error;
  }

  #error(
    reason: string,
    code: 'mcu-garbled' | 'mcu-verify-failed' | 'input-invalid' | 'mcu-silent' = 'mcu-silent',
  ): DunlinError {
    return new DunlinError(`${this.#client.lineName}: ${this.#target.what}: ${reason}`, { code });
  }
}
