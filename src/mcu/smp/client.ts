import {
  type Clock,
  DunlinError,
  errorCode,
  innerAbort,
  type Logger,
  type Static,
  type TSchema,
} from '../../core/index.ts';
import type { SerialLine } from '../serial/line.ts';
import { answerError, protocolRc, SMP_RC, unreachable } from './answer-errors.ts';
import { type CborMap, checkMap, decodeMap, encodeMap } from './cbor.ts';
import { type DecoderCounts, encodePacketLines, PacketDecoder } from './console-framing.ts';
import {
  decodePacket,
  encodePacket,
  SMP_READ,
  SMP_VERSION_1,
  SMP_VERSION_2,
  SMP_WRITE,
  type SmpPacket,
  type SmpVersion,
} from './packet.ts';

/** Requests under way at once; sequence numbers have 8 bits, so no two of them can meet. */
export const MAX_OUTSTANDING = 16;
const SEQUENCES = 256;
export const DEFAULT_TIMEOUT_MS = 2_000;
export const DEFAULT_ATTEMPTS = 3;
/** An answer waits behind what else is on the line: so much longer than its own bytes take. */
const LINE_TIME_FACTOR = 4;

export interface SmpClientOptions {
  readonly line: SerialLine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeoutMs?: number;
  /** How often a request is sent at most, the first time included. */
  readonly attempts?: number;
}

export interface SmpRequest<T extends TSchema> {
  /** For messages: "upload". */
  readonly what: string;
  readonly operation: typeof SMP_READ | typeof SMP_WRITE;
  readonly group: number;
  readonly id: number;
  readonly body?: CborMap;
  readonly answer: T;
  readonly timeoutMs?: number;
  /** 1 for what must not be done twice. */
  readonly attempts?: number;
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  readonly packet: SmpPacket;
  settle(result: { readonly body: Uint8Array } | { readonly error: unknown }): void;
}

/**
 * Requests and answers over one serial line. Answers are found by sequence, group and id, so those that come
 * late, twice or unasked do no harm; a request that is sent again keeps its sequence, so that an answer to
 * either counts.
 */
export class SmpClient {
  readonly #options: SmpClientOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #decoder: PacketDecoder;
  #version: SmpVersion = SMP_VERSION_2;
  #sequence = 0;
  #isOpen = false;

  constructor(options: SmpClientOptions) {
    this.#options = options;
    this.#decoder = new PacketDecoder((packet) => this.#receive(packet));
  }

  get counts(): DecoderCounts {
    return this.#decoder.counts;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get lineName(): string {
    return this.#options.line.name;
  }

  /** Opens the line; again after it was lost. @throws `mcu-unreachable`, `mcu-busy` */
  async open(): Promise<void> {
    if (this.#isOpen) return;
    this.#decoder.reset();
    // What answers now may be other firmware.
    this.#version = SMP_VERSION_2;
    await this.#options.line.open({
      data: (bytes) => this.#decoder.push(bytes),
      vanished: (cause) => this.#lost(cause),
    });
    this.#isOpen = true;
  }

  async close(): Promise<void> {
    this.#lost('closed');
    await this.#options.line.close();
  }

  /**
   * @returns the answer's fields
   * @throws `mcu-silent`, `mcu-garbled`, `mcu-unreachable`, what the device answers, the signal's reason
   */
  async request<T extends TSchema>(request: SmpRequest<T>): Promise<Static<T>> {
    try {
      return await this.#requestOnce(request);
    } catch (error) {
      const rc = protocolRc(error);
      const isVersion = rc === SMP_RC.versionTooNew || rc === SMP_RC.versionTooOld;
      if (!isVersion || this.#version === SMP_VERSION_1) throw error;
      this.#version = SMP_VERSION_1;
      return await this.#requestOnce(request);
    }
  }

  async #requestOnce<T extends TSchema>(request: SmpRequest<T>): Promise<Static<T>> {
    request.signal?.throwIfAborted();
    if (this.#pending.size >= MAX_OUTSTANDING) throw new RangeError('too many requests at once');
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) % SEQUENCES;
    const { operation, group, id } = request;
    const body = encodeMap(request.body ?? {});
    const packet = { operation, version: this.#version, group, sequence, id, body };
    const map = decodeMap(await this.#exchange(request, packet), request.what);
    const error = answerError(map, `${this.lineName}: ${request.what}`);
    if (error !== undefined) throw error;
    return checkMap(request.answer, map, `${this.lineName}: ${request.what}`);
  }

  async #exchange<T extends TSchema>(
    request: SmpRequest<T>,
    packet: SmpPacket,
  ): Promise<Uint8Array> {
    const { line, clock, logger } = this.#options;
    const lines = encodePacketLines(encodePacket(packet));
    const lineMs = (LINE_TIME_FACTOR * 1000 * lines.byteLength) / line.bytesPerSecond;
    const timeoutMs = (request.timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS) + lineMs;
    const attempts = request.attempts ?? this.#options.attempts ?? DEFAULT_ATTEMPTS;
    const before = this.counts;
    const answered = new Promise<Uint8Array>((resolve, reject) => {
      this.#pending.set(packet.sequence, {
        packet,
        settle: (result) => ('body' in result ? resolve(result.body) : reject(result.error)),
      });
    });
    answered.catch(() => {});
    const waiting = innerAbort(request.signal);
    try {
      for (let attempt = 1; attempt <= attempts; attempt++) {
        if (!this.#isOpen) throw unreachable(this.lineName, 'not open');
        const body = await Promise.race([
          answered,
          this.#writeFailure(lines),
          clock.sleep(timeoutMs, waiting.signal).then(() => undefined),
        ]);
        if (body !== undefined) return body;
        logger.debug(() => `${this.lineName}: no answer to ${request.what} (attempt ${attempt})`);
      }
    } finally {
      waiting.abort();
      this.#pending.delete(packet.sequence);
    }
    throw this.#noAnswer(request.what, attempts, before);
  }

  /**
   * Rejects when the bytes cannot be written, and the line is lost then for every request. Else it never
   * settles: a line that hangs is a line without answers.
   */
  #writeFailure(lines: Uint8Array): Promise<never> {
    return new Promise((_, reject) => {
      this.#options.line.write(lines).catch((cause: unknown) => {
        this.#lost(cause);
        reject(unreachable(this.lineName, cause));
      });
    });
  }

  #noAnswer(what: string, attempts: number, before: DecoderCounts): DunlinError {
    const { bytes, packets, damaged } = this.counts;
    const isGarbled = damaged > before.damaged || (bytes > before.bytes && packets === 0);
    const seen = `${bytes - before.bytes} bytes came, ${damaged - before.damaged} broken lines`;
    const message = isGarbled
      ? `${this.lineName}: no readable answer to ${what} (${seen}); check the baud rate and what else writes there`
      : `${this.lineName}: no answer to ${what} in ${attempts} attempts`;
    return new DunlinError(message, { code: isGarbled ? 'mcu-garbled' : 'mcu-silent' });
  }

  #receive(bytes: Uint8Array): void {
    const answer = decodePacket(bytes);
    const pending = answer === undefined ? undefined : this.#pending.get(answer.sequence);
    if (answer === undefined || pending === undefined) return;
    const { operation, group, id } = pending.packet;
    // Read requests have answers with operation 1, writes 3.
    if (answer.operation !== operation + 1 || answer.group !== group || answer.id !== id) return;
    this.#pending.delete(answer.sequence);
    pending.settle({ body: answer.body });
  }

  #lost(cause: unknown): void {
    this.#isOpen = false;
    const error = unreachable(this.lineName, cause);
    for (const pending of this.#pending.values()) pending.settle({ error });
    this.#pending.clear();
  }
}

/** True of errors that the line made, not the device: a new connection may help. */
export function isLineError(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'mcu-unreachable' || code === 'mcu-silent' || code === 'mcu-garbled';
}

export { SMP_READ, SMP_WRITE };
