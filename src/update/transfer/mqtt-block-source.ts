import { type Clock, DunlinError, type Logger } from '../../core/index.ts';
import type { FleetTopics, Link, LinkMessage, Subscription } from '../../link/index.ts';
import type { Chunk } from '../documents.ts';
import { type AnswerTimeouts, DEFAULT_ANSWER_TIMEOUTS } from './answer-timer.ts';
import type { BlockSource, Deliver } from './block-source.ts';
import { type Batch, FetchPlan } from './fetch-plan.ts';

export interface MqttBlockSourceOptions {
  /** A clean session: with a persistent one a weak link delivers the same chunks for ever. */
  readonly link: Link;
  readonly topics: FleetTopics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeouts?: AnswerTimeouts;
}

/**
 * Chunks as retained messages: subscribing to a chunk's exact topic is the request, the retained message the answer.
 * Never a wildcard: brokers drop retained messages beyond their queue limits and say nothing.
 */
export class MqttBlockSource implements BlockSource {
  readonly #options: MqttBlockSourceOptions;

  constructor(options: MqttBlockSourceOptions) {
    this.#options = options;
  }

  async fetch(chunks: readonly Chunk[], deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { timeouts = DEFAULT_ANSWER_TIMEOUTS, logger } = this.#options;
    const plan = new FetchPlan(chunks, timeouts);
    const transfer = new Transfer(this.#options, plan, deliver);
    try {
      await transfer.run(signal);
    } finally {
      await transfer.close();
    }
    const { missing, tampered } = plan;
    if (missing.length + tampered.length === 0) return;
    logger.warn('transfer failed', { missing: missing.length, tampered: tampered.length });
    if (tampered.length > 0) {
      throw new DunlinError(
        `${tampered.length} of ${chunks.length} chunks came with wrong bytes each time, first ${tampered[0]}`,
        { code: 'digest-mismatch', context: { missing, tampered } },
      );
    }
    throw new DunlinError(
      `${missing.length} of ${chunks.length} chunks did not come, first ${missing[0]}; run "release refresh"`,
      { code: 'transfer-failed', context: { missing, tampered } },
    );
  }
}

/** One call of `fetch`: carries out what the plan decides. */
class Transfer {
  readonly #link: Link;
  readonly #topics: FleetTopics;
  readonly #clock: Clock;
  readonly #plan: FetchPlan;
  readonly #deliver: Deliver;
  readonly #open = new Map<Batch, Subscription>();
  readonly #deliveries = new Set<Promise<void>>();
  readonly #stopListening: () => void;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};
  readonly #onAbort = (): void => this.#wake();

  constructor(options: MqttBlockSourceOptions, plan: FetchPlan, deliver: Deliver) {
    this.#link = options.link;
    this.#topics = options.topics;
    this.#clock = options.clock;
    this.#plan = plan;
    this.#deliver = deliver;
    this.#stopListening = this.#link.onConnection((connected) => {
      if (!connected) this.#plan.disconnected();
      this.#closeSettled();
      this.#wake();
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', this.#onAbort);
    try {
      await this.#untilFinished(signal);
    } finally {
      signal.removeEventListener('abort', this.#onAbort);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Nothing of this transfer is left behind: no subscription, no listener, no write under way. */
  async close(): Promise<void> {
    this.#stopListening();
    for (const subscription of this.#open.values()) subscription.close();
    this.#open.clear();
    await Promise.all(this.#deliveries);
  }

  async #untilFinished(signal: AbortSignal): Promise<void> {
    while (!this.#plan.finished) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure.error;
      if (!this.#link.connected) {
        await this.#link.waitConnected(signal);
        continue;
      }
      this.#plan.expire(this.#clock.monotonicMs());
      this.#closeSettled();
      this.#ask();
      await this.#untilSomethingHappens();
    }
  }

  #ask(): void {
    const batch = this.#plan.next(this.#clock.monotonicMs());
    if (batch === undefined) return;
    const digests = new Map(batch.chunks.map(({ sha256 }) => [this.#topics.chunk(sha256), sha256]));
    const onMessage = ({ topic, payload }: LinkMessage): void => {
      const sha256 = digests.get(topic);
      if (sha256 !== undefined && payload.byteLength > 0) this.#arrived(sha256, payload);
    };
    const onGranted = (refused: readonly string[]): void => {
      if (refused.length === 0) return;
      const message = `the broker refuses to send ${refused[0]}; the device needs the right to read it`;
      this.#fail(new DunlinError(message, { code: 'broker-refused' }));
    };
    const subscription = this.#link.subscribe([...digests.keys()], onMessage, {
      qos: 0,
      onGranted,
    });
    this.#open.set(batch, subscription);
  }

  #arrived(sha256: string, payload: Uint8Array): void {
    if (!this.#plan.arrived(sha256, this.#clock.monotonicMs())) return;
    const delivery = this.#deliver(sha256, payload)
      .then(
        (verdict) => this.#plan[verdict](sha256),
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        this.#deliveries.delete(delivery);
        this.#wake();
      });
    this.#deliveries.add(delivery);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  #closeSettled(): void {
    for (const [batch, subscription] of this.#open) {
      if (this.#plan.isOpen(batch)) continue;
      subscription.close();
      this.#open.delete(batch);
    }
  }

  async #untilSomethingHappens(): Promise<void> {
    if (this.#plan.finished || this.#failure !== undefined) return;
    const { deadlineMs } = this.#plan;
    await new Promise<void>((resolve) => {
      const woken = new AbortController();
      this.#wake = () => {
        woken.abort();
        resolve();
      };
      if (deadlineMs === undefined) return;
      const restMs = Math.max(0, deadlineMs - this.#clock.monotonicMs());
      this.#clock.sleep(restMs, woken.signal).then(resolve, resolve);
    });
    this.#wake = () => {};
  }
}
