import { MqttClient } from 'mqtt';
import { type Clock, DunlinError, errorMessage, type Logger } from '../core/index.ts';
import { type Backoff, backoffMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type BrokerAddress, type Endpoint, readEndpoint } from './socket.ts';
import {
  type MessageHandler,
  type Qos,
  type Registration,
  type SubscribeOptions,
  Subscriptions,
} from './subscriptions.ts';

/** MQTT 3.1.1: what every broker speaks. */
const PROTOCOL_VERSION = 4;
/** MQTT 3.1.1, 3.9.3 */
const SUBACK_FAILURE = 0x80;
const DEFAULT_KEEPALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 10_000;
const PUBLISH_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 1000;
/** A connection that lived this long was a good one: the next loss starts with the shortest wait. */
const STABLE_MS = 1000;

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  readonly qos?: Qos;
  readonly retain?: boolean;
}

export interface LinkOptions extends BrokerAddress {
  readonly clientId: string;
  /** false: the broker keeps the session (control); true: it forgets it (bulk, which livelocks otherwise). */
  readonly clean: boolean;
  readonly will?: Will;
  readonly keepaliveS?: number;
  readonly backoff?: Backoff;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1); spreads reconnects. */
  readonly random?: () => number;
}

export interface PublishOptions {
  readonly qos?: Qos;
  readonly retain?: boolean;
  readonly signal?: AbortSignal;
}

export interface Subscription {
  /** Unsubscribes what nobody else wants; no handler call follows. */
  close(): void;
}

/**
 * A connection to the broker that comes back by itself. Every connection has an MQTT client of its own, so nothing
 * that was under way on the old one is silently sent again on the new one: whoever published is told, and decides.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #subscriptions = new Subscriptions();
  readonly #connectionListeners = new Set<(connected: boolean) => void>();
  readonly #pending = new Set<(error: DunlinError) => void>();
  #client: MqttClient | undefined;
  #connected = false;
  #lastProblem = 'not connected yet';
  #running: Promise<void> = Promise.resolve();

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#logger = options.logger.child('link');
  }

  /**
   * Checks the options and begins to connect; does not wait for the broker.
   * @throws `config-invalid`, `file-missing`, `file-unreadable`
   */
  static async open(options: LinkOptions): Promise<Link> {
    await readEndpoint(options);
    const link = new Link(options);
    link.#running = link.#run();
    return link;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Why there is no connection, for people. */
  get lastProblem(): string {
    return this.#lastProblem;
  }

  /** Calls back on every change. @returns a function that ends it */
  onConnection(listener: (connected: boolean) => void): () => void {
    this.#connectionListeners.add(listener);
    return () => void this.#connectionListeners.delete(listener);
  }

  /** @throws the signal's reason; `broker-unreachable` once the link is closed */
  async waitConnected(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#connected) return;
    if (this.#closing.signal.aborted) throw this.#unreachable('the link is closed');
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => (): void => {
        stop();
        signal?.removeEventListener('abort', onAbort);
        this.#closing.signal.removeEventListener('abort', onClose);
        settle();
      };
      const onAbort = end(() => reject(signal?.reason));
      const onClose = end(() => reject(this.#unreachable('the link is closed')));
      const onConnected = end(resolve);
      const stop = this.onConnection((connected) => connected && onConnected());
      signal?.addEventListener('abort', onAbort);
      this.#closing.signal.addEventListener('abort', onClose);
    });
  }

  /**
   * Resolves when the broker has it (QoS 1) or the socket took it (QoS 0). Nothing is queued for later.
   * @throws `broker-unreachable`, also when the connection was lost before the answer; the signal's reason
   */
  async publish(
    topic: string,
    payload: Uint8Array | string,
    { qos = 1, retain = false, signal }: PublishOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    const client = this.#client;
    if (client === undefined || !this.#connected) throw this.#unreachable(this.#lastProblem);
    const ended = new AbortController();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#pending.add(reject);
        ended.signal.addEventListener('abort', () => this.#pending.delete(reject));
        signal?.addEventListener('abort', () => reject(signal.reason), { signal: ended.signal });
        const late = (): void => reject(this.#unreachable(`no answer to a message on ${topic}`));
        this.#options.clock.sleep(PUBLISH_TIMEOUT_MS, ended.signal).then(late, () => {});
        const bytes = typeof payload === 'string' ? payload : Buffer.from(payload);
        client.publish(topic, bytes, { qos, retain }, (error) => {
          if (error) reject(this.#unreachable(errorMessage(error), error));
          else resolve();
        });
      });
    } finally {
      ended.abort();
    }
  }

  /** Subscribes now and after every reconnect; retained messages come again each time. */
  subscribe(
    filters: readonly string[],
    handler: MessageHandler,
    { qos = 1, onGranted }: SubscribeOptions = {},
  ): Subscription {
    const registration: Registration = { filters, handler, qos, onGranted };
    this.#subscriptions.add(registration);
    if (this.#connected) this.#sendSubscribe(registration);
    return {
      close: () => {
        const unwanted = this.#subscriptions.remove(registration);
        if (unwanted.length > 0 && this.#connected) this.#client?.unsubscribe(unwanted, () => {});
      },
    };
  }

  /** Says goodbye (the will is not sent) and ends everything; publications under way are rejected. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, backoff = DEFAULT_BACKOFF, random = Math.random } = this.#options;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const endpoint = await readEndpoint(this.#options);
        if (signal.aborted) return;
        if ((await this.#connection(endpoint)) >= STABLE_MS) failures = 0;
      } catch (error) {
        this.#lastProblem = errorMessage(error);
      }
      if (signal.aborted) return;
      const waitMs = backoffMs(backoff, failures, random());
      this.#logger.warn('no connection to the broker', {
        problem: this.#lastProblem,
        waitMs: Math.round(waitMs),
      });
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  /** Lives as long as one connection. @returns how long it was connected, in milliseconds */
  async #connection(endpoint: Endpoint): Promise<number> {
    const { clock } = this.#options;
    const client = this.#openClient(endpoint);
    const { signal } = this.#closing;
    let sinceMs: number | undefined;
    const goodbye = (): void => void this.#end(client);
    await new Promise<void>((resolve) => {
      client.on('error', (error) => {
        this.#lastProblem = errorMessage(error);
      });
      client.on('message', (topic, payload, { retain }) => this.#deliver(topic, payload, retain));
      client.on('connect', () => {
        sinceMs = clock.monotonicMs();
        this.#lastProblem = 'the connection was lost';
        for (const registration of this.#subscriptions.registrations()) {
          this.#sendSubscribe(registration, client);
        }
        this.#changeConnected(true, client);
      });
      client.once('close', resolve);
      signal.addEventListener('abort', goodbye);
    });
    signal.removeEventListener('abort', goodbye);
    this.#changeConnected(false, undefined);
    client.end(true);
    return sinceMs === undefined ? 0 : clock.monotonicMs() - sinceMs;
  }

  #openClient({ credentials, open }: Endpoint): MqttClient {
    const { clientId, clean, will, keepaliveS = DEFAULT_KEEPALIVE_S } = this.#options;
    return new MqttClient(open, {
      protocolId: 'MQTT',
      protocolVersion: PROTOCOL_VERSION,
      clientId,
      clean,
      keepalive: keepaliveS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      ...credentials,
      ...(will === undefined ? {} : { will: willPacket(will) }),
    });
  }

  /** DISCONNECT where the broker listens, and never longer than the close timeout. */
  async #end(client: MqttClient): Promise<void> {
    this.#rejectPending();
    if (!this.#connected) {
      client.end(true);
      return;
    }
    client.end(false);
    const done = new AbortController();
    client.once('close', () => done.abort());
    await this.#options.clock.sleep(CLOSE_TIMEOUT_MS, done.signal).then(
      () => client.stream.destroy(),
      () => {},
    );
  }

  #changeConnected(connected: boolean, client: MqttClient | undefined): void {
    this.#client = client;
    if (!connected) this.#rejectPending();
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#logger.info(connected ? 'connected to the broker' : 'disconnected from the broker');
    for (const listener of [...this.#connectionListeners]) listener(connected);
  }

  #rejectPending(): void {
    for (const reject of [...this.#pending]) reject(this.#unreachable('the connection was lost'));
    this.#pending.clear();
  }

  #sendSubscribe({ filters, qos, onGranted }: Registration, client = this.#client): void {
    client?.subscribe([...filters], { qos }, (_error, _requests, answer) => {
      // Without an answer the connection is gone; the next one subscribes again.
      if (answer === undefined) return;
      const refused = filters.filter((_, index) => answer.granted[index] === SUBACK_FAILURE);
      if (refused.length > 0)
        this.#logger.warn('subscription refused', { filters: refused.join() });
      onGranted?.(refused);
    });
  }

  #deliver(topic: string, payload: Uint8Array, retain: boolean): void {
    for (const { handler } of this.#subscriptions.matching(topic)) {
      try {
        handler({ topic, payload, retain });
      } catch (error) {
        this.#logger.error('a message could not be handled', {
          topic,
          problem: errorMessage(error),
        });
      }
    }
  }

  #unreachable(problem: string, cause?: unknown): DunlinError {
    const { url } = this.#options;
    return new DunlinError(`broker ${url}: ${problem}`, { code: 'broker-unreachable', cause });
  }
}

function willPacket({ topic, payload, qos = 1, retain = false }: Will) {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload);
  return { topic, payload: bytes, qos, retain };
}
