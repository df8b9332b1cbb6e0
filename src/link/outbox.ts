import { setMaxListeners } from 'node:events';
import { ClassicLevel } from 'classic-level';
import { type Clock, DunlinError, errnoOf, errorMessage, type Logger } from '../core/index.ts';
import type { Link } from './link.ts';
import { decodeEntry, encodeEntry, keyOf, sequenceOf } from './outbox-entry.ts';

export interface OutboxOptions {
  /** Its own directory; one process at a time. */
  readonly dir: string;
  readonly maxEntries: number;
  /** Topics and payloads together. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What sends. */
export type Uplink = Pick<Link, 'connected' | 'waitConnected' | 'publish'>;

/** Messages that are sent and not acknowledged yet. */
const WINDOW = 16;
/** After a refusal that is not the connection's fault. */
const RETRY_MS = 1000;
/** A block that is not what it was, a table that ends too early. */
const REPAIRABLE: ReadonlySet<string> = new Set(['LEVEL_CORRUPTION', 'LEVEL_IO_ERROR']);
/** The disk's affair (strerror(3)), which a repair would only make worse. */
const DISK_TROUBLE = /No space left|Permission denied|Read-only file system|Input\/output error/;
/** Deleting from the front leaves tombstones that every read of the oldest entry has to step over. */
const COMPACT_AFTER_DELETES = 4096;
/** Sorts before the entries: the next sequence and what was dropped, so that both survive an empty outbox. */
const COUNTERS_KEY = 'counters';
/** MQTT 3.1.1, 4.7.3 and 3.3.2.1 */
const PUBLISHABLE = /^[^+#\0]+$/;
const MAX_TOPIC_BYTES = 65_535;
const FIRST_KEY = keyOf(0);
const LAST_KEY = keyOf(Number.MAX_SAFE_INTEGER);

/** Sending, from one interruption to the next. */
interface Flow {
  /** Every entry that is sent and not settled. */
  readonly underWay: Map<number, Promise<void>>;
  /** One was not acknowledged: no later one may overtake it. */
  interrupted: boolean;
  readonly stopping: AbortController;
}

/** Bytes, or a function that makes them when the message's number is known (to sign it with the rest). */
export type Payload = Uint8Array | string | ((sequence: number) => Uint8Array);

interface Waiting {
  readonly topic: string;
  readonly payload: Payload;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: unknown) => void;
}

function refusal(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}

type Database = ClassicLevel<string, Uint8Array>;
type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/**
 * Messages that wait on disk for the broker, oldest first. Each is there until the broker acknowledged it, so it may
 * arrive twice and is never lost, except when the outbox is full: then the oldest go, and are counted.
 */
export class Outbox {
  readonly #db: Database;
  readonly #options: OutboxOptions;
  readonly #logger: Logger;
  /** Sizes of the entries on disk, oldest first. */
  readonly #sizes = new Map<number, number>();
  /** Wakes `run` when it has nothing to do. */
  #wake: () => void = () => {};
  #waiting: Waiting[] = [];
  #writing: Promise<void> = Promise.resolve();
  #totalBytes = 0;
  #next = 1;
  #dropped = 0;
  #deletes = 0;

  private constructor(db: Database, options: OutboxOptions) {
    this.#db = db;
    this.#options = options;
    this.#logger = options.logger.child('outbox');
  }

  /**
   * Opens or creates. A damaged database is repaired: an agent that lost a part of its backlog is better than none.
   * @throws `input-invalid` when another process has it open; what the disk throws
   */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const { dir, logger } = options;
    try {
      return await Outbox.#tryOpen(options);
    } catch (error) {
      const code = levelCode(error);
      if (code === 'LEVEL_LOCKED') {
        const message = `${dir}: another process has this outbox open; stop it first`;
        throw new DunlinError(message, { code: 'input-invalid', cause: error });
      }
      const said = error instanceof Error ? errorMessage(error.cause ?? error) : '';
      if (DISK_TROUBLE.test(said)) {
        const message = `${dir}: the outbox cannot be opened: ${said}`;
        throw new DunlinError(message, { code: 'file-unreadable', cause: error });
      }
      if (!REPAIRABLE.has(code ?? '')) throw error;
      logger.error('the outbox is damaged and is being repaired', { problem: errorMessage(error) });
    }
    await ClassicLevel.repair(dir);
    return await Outbox.#tryOpen(options);
  }

  static async #tryOpen(options: OutboxOptions): Promise<Outbox> {
    const db: Database = new ClassicLevel(options.dir, {
      keyEncoding: 'utf8',
      valueEncoding: 'view',
    });
    await db.open();
    const outbox = new Outbox(db, options);
    try {
      await outbox.#load();
      return outbox;
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  /** Entries on disk. */
  get depth(): number {
    return this.#sizes.size;
  }

  /** Number of the last message that was ever enqueued; numbers have no gaps, across restarts too. */
  get lastSequence(): number {
    return this.#next - 1;
  }

  /** Entries that were given up because the outbox was full, since it was created. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Durable when it resolves, with a sequence that only rises.
   * @throws `input-invalid` (a topic nobody can publish to, a message larger than the outbox, more messages waiting for
   * the disk than the outbox holds); what the disk throws
   */
  async enqueue(topic: string, payload: Payload): Promise<number> {
    this.#check(topic);
    return await new Promise<number>((resolve, reject) => {
      this.#waiting.push({ topic, payload, resolve, reject });
      // Whoever comes while a write is under way shares the next one, and its fsync.
      if (this.#waiting.length === 1) this.#writing = this.#writing.then(() => this.#write());
    });
  }

  /** Sends what is there and what comes, oldest first, until the signal; resolves then. Once at a time. */
  async run(link: Uplink, signal: AbortSignal): Promise<void> {
    const flow: Flow = {
      underWay: new Map(),
      interrupted: false,
      stopping: new AbortController(),
    };
    // Every message under way listens to it; the caller's own signal has ten listeners at most.
    setMaxListeners(0, flow.stopping.signal);
    const stop = (): void => {
      flow.stopping.abort(signal.reason);
      this.#wake();
    };
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      try {
        await link.waitConnected(signal);
        await this.#fill(link, flow);
        if (flow.interrupted) await this.#beginAnew(link, signal, flow);
        else if (flow.underWay.size > 0) await Promise.race(flow.underWay.values());
        else await this.#untilArrival(signal);
        if (this.#deletes >= COMPACT_AFTER_DELETES) await this.#compact();
      } catch (error) {
        if (signal.aborted) break;
        this.#logger.warn('sending is interrupted', { problem: errorMessage(error) });
        await this.#options.clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
    await Promise.all(flow.underWay.values());
  }

  /** Waits for writes under way. Entries stay for the next time. */
  async close(): Promise<void> {
    await this.#writing;
    if (this.#deletes > 0) await this.#compact();
    await this.#db.close();
  }

  #check(topic: string): void {
    if (!PUBLISHABLE.test(topic) || Buffer.byteLength(topic) > MAX_TOPIC_BYTES) {
      throw refusal(`"${topic.slice(0, 100)}" is no topic to publish to`);
    }
    if (this.#waiting.length >= this.#options.maxEntries) {
      throw refusal('messages come faster than the disk takes them');
    }
  }

  #encode({ topic, payload }: Waiting, sequence: number): Uint8Array {
    const made = typeof payload === 'function' ? payload(sequence) : payload;
    const bytes = typeof made === 'string' ? Buffer.from(made) : made;
    const value = encodeEntry(topic, bytes);
    const { maxBytes } = this.#options;
    if (value.byteLength <= maxBytes) return value;
    throw refusal(`a message of ${bytes.byteLength} bytes for an outbox of ${maxBytes}`);
  }

  async #load(): Promise<void> {
    const counters = await this.#db.get(COUNTERS_KEY);
    if (counters !== undefined) [this.#next, this.#dropped] = decodeCounters(counters);
    for await (const [key, value] of this.#db.iterator({ gte: FIRST_KEY, lte: LAST_KEY })) {
      const sequence = sequenceOf(key);
      this.#sizes.set(sequence, value.byteLength);
      this.#totalBytes += value.byteLength;
      this.#next = Math.max(this.#next, sequence + 1);
    }
  }

  async #write(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    const batch: Waiting[] = [];
    const added = new Map<number, number>();
    const operations: Operation[] = [];
    let next = this.#next;
    for (const message of waiting) {
      try {
        const value = this.#encode(message, next);
        operations.push({ type: 'put', key: keyOf(next), value });
        added.set(next++, value.byteLength);
        batch.push(message);
      } catch (error) {
        message.reject(error);
      }
    }
    if (batch.length === 0) return;
    const evicted = this.#evict(added);
    for (const sequence of evicted) operations.push({ type: 'del', key: keyOf(sequence) });
    const dropped = this.#dropped + evicted.length;
    operations.push({ type: 'put', key: COUNTERS_KEY, value: encodeCounters(next, dropped) });
    try {
      await this.#db.batch(operations, { sync: true });
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const [sequence, sizeBytes] of added) {
      this.#sizes.set(sequence, sizeBytes);
      this.#totalBytes += sizeBytes;
    }
    const first = this.#next;
    this.#next = next;
    this.#dropped = dropped;
    for (const sequence of evicted) this.#forget(sequence);
    if (evicted.length > 0) this.#logger.warn('full: the oldest messages are dropped', { dropped });
    for (const [index, { resolve }] of batch.entries()) resolve(first + index);
    this.#wake();
  }

  /** The oldest entries that have to go for the new ones to fit. */
  #evict(added: ReadonlyMap<number, number>): number[] {
    const { maxEntries, maxBytes } = this.#options;
    let count = this.#sizes.size + added.size;
    let bytes = this.#totalBytes + [...added.values()].reduce((sum, size) => sum + size, 0);
    const evicted: number[] = [];
    for (const entries of [this.#sizes, added]) {
      for (const [sequence, sizeBytes] of entries) {
        if (count <= maxEntries && bytes <= maxBytes) return evicted;
        evicted.push(sequence);
        count--;
        bytes -= sizeBytes;
      }
    }
    return evicted;
  }

  async #fill(link: Uplink, flow: Flow): Promise<void> {
    for (const sequence of this.#oldest(WINDOW)) {
      if (flow.underWay.has(sequence)) continue;
      const value = await this.#db.get(keyOf(sequence));
      if (value === undefined) continue;
      if (flow.interrupted) return;
      const { topic, payload } = decodeEntry(value);
      const sending = link
        .publish(topic, payload, { qos: 1, signal: flow.stopping.signal })
        .then(() => this.#sent(sequence))
        .catch((error: unknown) => {
          flow.interrupted = true;
          this.#logger.debug('not acknowledged', { sequence, problem: errorMessage(error) });
        })
        .finally(() => flow.underWay.delete(sequence));
      flow.underWay.set(sequence, sending);
    }
  }

  #oldest(count: number): number[] {
    const found: number[] = [];
    for (const sequence of this.#sizes.keys()) {
      if (found.length === count) break;
      found.push(sequence);
    }
    return found;
  }

  async #sent(sequence: number): Promise<void> {
    await this.#db.del(keyOf(sequence));
    this.#forget(sequence);
  }

  #forget(sequence: number): void {
    this.#totalBytes -= this.#sizes.get(sequence) ?? 0;
    if (this.#sizes.delete(sequence)) this.#deletes++;
  }

  /** All that were sent are waited for, so that the order begins again with the oldest. */
  async #beginAnew(link: Uplink, signal: AbortSignal, flow: Flow): Promise<void> {
    await Promise.all(flow.underWay.values());
    flow.interrupted = false;
    if (link.connected) await this.#options.clock.sleep(RETRY_MS, signal);
  }

  async #untilArrival(signal: AbortSignal): Promise<void> {
    if (this.#sizes.size > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  async #compact(): Promise<void> {
    this.#deletes = 0;
    await this.#db.compactRange(FIRST_KEY, LAST_KEY);
  }
}

/** The code of LevelDB's own error, which may be wrapped in "failed to open". */
function levelCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return errnoOf(cause) ?? errnoOf(error);
}

function encodeCounters(next: number, dropped: number): Uint8Array {
  return Buffer.from(JSON.stringify([next, dropped]));
}

function decodeCounters(value: Uint8Array): [number, number] {
  const [next, dropped] = JSON.parse(Buffer.from(value).toString('utf8')) as [number, number];
  return [next, dropped];
}
