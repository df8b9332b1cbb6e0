import type { Chunk } from '../documents.ts';
import { type AnswerTimeouts, AnswerTimer } from './answer-timer.ts';

/** Chunks asked for and not yet answered. */
export const WINDOW_CHUNKS = 8;
/** A new batch goes out when this few are under way: the link never idles, and a SUBSCRIBE names several topics. */
const REFILL_BELOW_CHUNKS = 4;
/** How often one chunk is asked for in vain. */
export const MAX_TRIES = 5;
/** How often one chunk may come with wrong bytes. */
export const MAX_REFUSALS = 3;
/** Connections in a row that were lost before a single chunk came. */
export const MAX_FRUITLESS_CONNECTIONS = 10;

export interface Batch {
  readonly chunks: readonly Chunk[];
}

interface OpenBatch extends Batch {
  readonly pending: Set<string>;
  /** When it was asked for, or the last time that the broker was seen working towards it. */
  progressAtMs: number;
}

interface Entry {
  readonly chunk: Chunk;
  state: 'queued' | 'asked' | 'checking' | 'accepted' | 'missing' | 'tampered';
  tries: number;
  refusals: number;
  batch: OpenBatch | undefined;
}

/**
 * Decides what to ask the broker for and when to give up. Holds no timers and does no IO: the caller tells the time
 * and what happened. Invariants: at most WINDOW_CHUNKS are asked or checking; every chunk ends as accepted, missing
 * or tampered after at most MAX_TRIES + MAX_REFUSALS questions; a lost connection costs no chunk a try.
 */
export class FetchPlan {
  readonly #entries: Map<string, Entry>;
  readonly #timer: AnswerTimer;
  /** In the order in which they were asked for, which is the order in which brokers answer. */
  #batches: OpenBatch[] = [];
  #queue: string[];
  #lastArrivalMs = Number.NEGATIVE_INFINITY;
  #fruitless = 0;

  constructor(chunks: readonly Chunk[], timeouts: AnswerTimeouts) {
    this.#timer = new AnswerTimer(timeouts);
    this.#entries = new Map(
      chunks.map((chunk) => [
        chunk.sha256,
        { chunk, state: 'queued', tries: 0, refusals: 0, batch: undefined },
      ]),
    );
    this.#queue = [...this.#entries.keys()];
  }

  get finished(): boolean {
    return this.#count('queued') + this.#underWay === 0;
  }

  get missing(): string[] {
    return this.#inState('missing');
  }

  get tampered(): string[] {
    return this.#inState('tampered');
  }

  /** What to ask for now, if anything. */
  next(nowMs: number): Batch | undefined {
    if (this.#queue.length === 0 || this.#underWay > REFILL_BELOW_CHUNKS) return undefined;
    const taken = this.#queue.splice(0, WINDOW_CHUNKS - this.#underWay);
    const entries = taken.map((sha256) => this.#entries.get(sha256)!);
    const chunks = entries.map(({ chunk }) => chunk);
    const batch: OpenBatch = { chunks, pending: new Set(taken), progressAtMs: nowMs };
    for (const entry of entries) {
      entry.state = 'asked';
      entry.batch = batch;
    }
    this.#batches.push(batch);
    return batch;
  }

  /** Bytes came on a chunk's topic. @returns whether they are wanted; then `accepted` or `refused` has to follow */
  arrived(sha256: string, nowMs: number): boolean {
    const entry = this.#entries.get(sha256);
    if (entry?.state !== 'asked') return false;
    const batch = entry.batch!;
    if (entry.tries + entry.refusals === 0) {
      this.#timer.sample(nowMs - Math.max(batch.progressAtMs, this.#lastArrivalMs));
    }
    this.#lastArrivalMs = nowMs;
    const index = this.#batches.indexOf(batch);
    for (const later of this.#batches.slice(index)) later.progressAtMs = nowMs;
    this.#leaveBatch(entry);
    entry.state = 'checking';
    return true;
  }

  accepted(sha256: string): void {
    this.#entries.get(sha256)!.state = 'accepted';
    this.#fruitless = -1;
  }

  /** The bytes were not the chunk: it goes to the end of the queue, so that it holds up no other. */
  refused(sha256: string): void {
    const entry = this.#entries.get(sha256)!;
    entry.refusals++;
    this.#again(entry, entry.refusals < MAX_REFUSALS ? undefined : 'tampered');
  }

  /** When `expire` has to be called next. */
  get deadlineMs(): number | undefined {
    if (this.#batches.length === 0) return undefined;
    const oldest = Math.min(...this.#batches.map(({ progressAtMs }) => progressAtMs));
    return oldest + this.#timer.timeoutMs;
  }

  /** Gives up on batches that nothing came for in time; their chunks are asked for again, or are missing. */
  expire(nowMs: number): void {
    const overdue = this.#batches.filter(
      ({ progressAtMs }) => nowMs >= progressAtMs + this.#timer.timeoutMs,
    );
    if (overdue.length > 0) this.#timer.expired();
    for (const { pending } of overdue) {
      for (const sha256 of [...pending]) {
        const entry = this.#entries.get(sha256)!;
        this.#leaveBatch(entry);
        entry.tries++;
        this.#again(entry, entry.tries < MAX_TRIES ? undefined : 'missing');
      }
    }
  }

  /** Everything that was asked for goes back to the head of the queue. */
  disconnected(): void {
    const asked = this.#inState('asked');
    for (const sha256 of asked) {
      const entry = this.#entries.get(sha256)!;
      this.#leaveBatch(entry);
      entry.state = 'queued';
    }
    this.#queue.unshift(...asked);
    this.#lastArrivalMs = Number.NEGATIVE_INFINITY;
    this.#fruitless++;
    if (this.#fruitless < MAX_FRUITLESS_CONNECTIONS) return;
    for (const sha256 of this.#queue.splice(0)) this.#entries.get(sha256)!.state = 'missing';
  }

  /** Whether a batch still waits for something. */
  isOpen(batch: Batch): boolean {
    return this.#batches.some((open) => open === batch);
  }

  get #underWay(): number {
    return this.#count('asked') + this.#count('checking');
  }

  #count(state: Entry['state']): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.state === state) count++;
    return count;
  }

  #inState(state: Entry['state']): string[] {
    return [...this.#entries].filter(([, entry]) => entry.state === state).map(([sha]) => sha);
  }

  #leaveBatch(entry: Entry): void {
    const { batch } = entry;
    entry.batch = undefined;
    batch?.pending.delete(entry.chunk.sha256);
    if (batch?.pending.size === 0) this.#batches = this.#batches.filter((open) => open !== batch);
  }

  #again(entry: Entry, end: 'missing' | 'tampered' | undefined): void {
    entry.state = end ?? 'queued';
    if (end === undefined) this.#queue.push(entry.chunk.sha256);
  }
}
