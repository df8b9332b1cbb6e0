import { type PublicKey, parseJson, type Static } from '../../src/core/index.ts';
import { fleetTopics } from '../../src/link/index.ts';
import {
  type DeviceEvent,
  type DeviceState,
  DeviceStatus,
  type EventName,
  type InferenceSample,
  openEvent,
  openState,
  openTelemetry,
  SequenceTracker,
  type TelemetrySample,
} from '../../src/telemetry/index.ts';
import type { FakeBroker, Packet } from './broker.ts';

const WAIT_MS = 30_000;

export interface SeenInference extends InferenceSample {
  readonly bootId: string;
}

/** What one device said through a broker, every signature checked with the device's key. */
export class DeviceObserver {
  readonly inferences: SeenInference[] = [];
  /** Samples of all kinds but inferences. */
  readonly samples: TelemetrySample[] = [];
  readonly events: DeviceEvent[] = [];
  readonly states: DeviceState[] = [];
  readonly statuses: Static<typeof DeviceStatus>[] = [];
  readonly messages = new SequenceTracker();
  /** What did not open with the device's key. */
  readonly refusals: string[] = [];
  readonly #key: PublicKey;
  readonly #broker: FakeBroker;
  readonly #handlers: ReadonlyMap<string, (payload: Uint8Array) => void>;
  readonly #listener = (packet: Packet): void => this.#receive(packet);

  constructor(broker: FakeBroker, key: PublicKey, fleet: string, device: string) {
    this.#broker = broker;
    this.#key = key;
    const topics = fleetTopics(fleet);
    this.#handlers = new Map([
      [topics.telemetry(device), (payload) => this.#telemetry(payload)],
      [topics.events(device), (payload) => this.#event(payload)],
      [topics.state(device), (payload) => void this.states.push(openState(payload, this.#key))],
      [
        topics.status(device),
        (payload) => void this.statuses.push(parseJson(DeviceStatus, payload, 'status')),
      ],
    ]);
    broker.listeners.add(this.#listener);
  }

  close(): void {
    this.#broker.listeners.delete(this.#listener);
  }

  get state(): DeviceState | undefined {
    return this.states.at(-1);
  }

  inferencesOf(version: string): SeenInference[] {
    return this.inferences.filter(({ model }) => model.version === version);
  }

  eventsOf(version: string, name: EventName): DeviceEvent[] {
    return this.events.filter((event) => event.name === name && event.model?.version === version);
  }

  /** Waits for messages until something is found. @throws naming `what` after the deadline */
  async waitFor<T>(what: string, find: () => T | undefined | false, waitMs = WAIT_MS): Promise<T> {
    let listener = (): void => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        listener = () => {
          const found = find();
          if (found !== undefined && found !== false) resolve(found);
        };
        const late = () => {
          const last = JSON.stringify({ state: this.state, events: this.events.slice(-5) });
          reject(new Error(`${what}: not seen within ${waitMs} ms; last seen: ${last}`));
        };
        timer = setTimeout(late, waitMs);
        this.#broker.listeners.add(listener);
        listener();
      });
    } finally {
      clearTimeout(timer);
      this.#broker.listeners.delete(listener);
    }
  }

  /** Numbers of windows whose result is missing before a later one, start by start of the agent. */
  missingWindows(): string[] {
    const bootIds = new Set(this.inferences.map(({ bootId }) => bootId));
    return [...bootIds].flatMap((bootId) => {
      const samples = this.inferences.filter((sample) => sample.bootId === bootId);
      const seen = new Set(samples.map(({ window }) => window));
      const all = Array.from({ length: Math.max(...seen) }, (_, index) => index + 1);
      return all.filter((window) => !seen.has(window)).map((window) => `${bootId} ${window}`);
    });
  }

  #receive({ topic, payload }: Packet): void {
    try {
      this.#handlers.get(topic)?.(payload);
    } catch (error) {
      this.refusals.push(String(error));
    }
  }

  #telemetry(payload: Uint8Array): void {
    const { sequence, samples, bootId } = openTelemetry(payload, this.#key);
    if (!this.messages.accept(sequence)) return;
    for (const sample of samples) {
      if (sample.kind === 'inference') this.inferences.push({ ...sample, bootId });
      else this.samples.push(sample);
    }
  }

  #event(payload: Uint8Array): void {
    const event = openEvent(payload, this.#key);
    if (this.messages.accept(event.sequence)) this.events.push(event);
  }
}
