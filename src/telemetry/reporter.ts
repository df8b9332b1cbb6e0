import type { Clock, SigningKey } from '../core/index.ts';
import type { Outbox } from '../link/index.ts';
import { fleetTopics } from '../link/index.ts';
import type { DeviceEvent, EventName, TelemetrySample } from './documents.ts';
import { sealEvent, sealTelemetry } from './wire.ts';

export interface ReporterOptions {
  readonly fleet: string;
  readonly device: string;
  readonly bootId: string;
  readonly key: SigningKey;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

export type EventDetails = Pick<
  DeviceEvent,
  'model' | 'microcontroller' | 'reason' | 'message' | 'chunksFetched' | 'chunksTotal'
>;

const MAX_MESSAGE_CHARACTERS = 512;

/** Where what the device has to say goes. */
export type Reporting = Pick<Reporter, 'samples' | 'event'>;

/** Signs what the device has to say and puts it into the outbox: durable when the promise resolves. */
export class Reporter {
  readonly #options: ReporterOptions;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  async samples(samples: readonly TelemetrySample[]): Promise<void> {
    if (samples.length === 0) return;
    const { outbox, fleet, device, key } = this.#options;
    await outbox.enqueue(fleetTopics(fleet).telemetry(device), (sequence) =>
      sealTelemetry(
        { type: 'dunlin-telemetry', ...this.#header(), sequence, samples: [...samples] },
        key,
      ),
    );
  }

  async event(name: EventName, details: EventDetails = {}): Promise<void> {
    const { outbox, fleet, device, key } = this.#options;
    const message = details.message?.slice(0, MAX_MESSAGE_CHARACTERS);
    await outbox.enqueue(fleetTopics(fleet).events(device), (sequence) =>
      sealEvent(
        {
          type: 'dunlin-event',
          ...this.#header(),
          sequence,
          name,
          ...details,
          ...(message === undefined ? {} : { message }),
        },
        key,
      ),
    );
  }

  #header() {
    const { fleet, device, bootId, clock } = this.#options;
    const at = new Date(clock.nowMs()).toISOString();
    return { formatVersion: 1 as const, fleet, device, bootId, at };
  }
}
