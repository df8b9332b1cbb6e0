import {
  type Clock,
  DunlinError,
  errorMessage,
  type Logger,
  type PublicKey,
} from '../core/index.ts';
import { fleetTopics, type Link } from '../link/index.ts';
import {
  type DeviceEvent,
  type DeviceState,
  type InferenceSample,
  openEvent,
  openState,
  openTelemetry,
  SequenceTracker,
} from '../telemetry/index.ts';

/** Inferences kept for the view and for the count of losses. */
const MAX_INFERENCES_KEPT = 20_000;
const MAX_EVENTS_KEPT = 1_000;

export interface ReceivedInference extends InferenceSample {
  readonly bootId: string;
}

/**
 * What a fleet server would know of one device: only what arrived over the broker, signed by the device's key.
 * Everything that the tour claims is read from here.
 */
export class FleetView {
  readonly inferences: ReceivedInference[] = [];
  readonly events: DeviceEvent[] = [];
  readonly messages = new SequenceTracker();
  state: DeviceState | undefined;
  /** Messages that did not open with the device's key. */
  refusedCount = 0;
  readonly #key: PublicKey;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();

  constructor(key: PublicKey, logger: Logger) {
    this.#key = key;
    this.#logger = logger;
  }

  /** Subscribes, now and at every reconnect. */
  watch(link: Link, fleet: string, device: string): void {
    const topics = fleetTopics(fleet);
    const handlers: [string, (payload: Uint8Array) => void][] = [
      [topics.telemetry(device), (payload) => this.#telemetry(payload)],
      [topics.events(device), (payload) => this.#event(payload)],
      [topics.state(device), (payload) => this.#state(payload)],
    ];
    for (const [topic, handle] of handlers) {
      link.subscribe([topic], ({ payload }) => this.#receive(handle, payload), { qos: 1 });
    }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws `transfer-failed` naming `what` when it has not come true in time */
  async waitFor<T>(
    what: string,
    find: () => T | undefined | false,
    options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<T> {
    const { clock, timeoutMs, signal } = options;
    const stop = new AbortController();
    try {
      return await Promise.race([
        new Promise<T>((resolve) => {
          const check = (): void => {
            const found = find();
            if (found !== undefined && found !== false) resolve(found);
          };
          stop.signal.addEventListener('abort', this.onChange(check));
          check();
        }),
        clock.sleep(timeoutMs, AbortSignal.any([stop.signal, signal])).then(() => {
          throw new DunlinError(`${what}: not seen within ${timeoutMs / 1000} s`, {
            code: 'transfer-failed',
          });
        }),
      ]);
    } finally {
      stop.abort();
    }
  }

  /** Windows that were cut and whose result never came, start by start of the agent, pipeline by pipeline. */
  missingInferences(): number {
    const boots = new Map<string, { highest: number; seen: Set<number> }>();
    for (const { bootId, pipeline, window } of this.inferences) {
      const key = `${bootId} ${pipeline}`;
      const boot = boots.get(key) ?? { highest: 0, seen: new Set() };
      boots.set(key, boot);
      boot.seen.add(window);
      boot.highest = Math.max(boot.highest, window);
    }
    return [...boots.values()].reduce((sum, { highest, seen }) => sum + highest - seen.size, 0);
  }

  #receive(handle: (payload: Uint8Array) => void, payload: Uint8Array): void {
    try {
      handle(payload);
    } catch (error) {
      this.refusedCount += 1;
      this.#logger.warn(`a message of the device was refused: ${errorMessage(error)}`);
      return;
    }
    for (const listener of this.#listeners) listener();
  }

  #telemetry(payload: Uint8Array): void {
    const batch = openTelemetry(payload, this.#key);
    if (!this.messages.accept(batch.sequence)) return;
    for (const sample of batch.samples) {
      if (sample.kind === 'inference') this.inferences.push({ ...sample, bootId: batch.bootId });
    }
    this.inferences.splice(0, this.inferences.length - MAX_INFERENCES_KEPT);
  }

  #event(payload: Uint8Array): void {
    const event = openEvent(payload, this.#key);
    if (!this.messages.accept(event.sequence)) return;
    this.events.push(event);
    this.events.splice(0, this.events.length - MAX_EVENTS_KEPT);
  }

  #state(payload: Uint8Array): void {
    this.state = openState(payload, this.#key);
  }
}
