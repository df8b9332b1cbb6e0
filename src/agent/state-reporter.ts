import {
  type Clock,
  errorMessage,
  innerAbort,
  type Logger,
  type SigningKey,
} from '../core/index.ts';
import { fleetTopics, type Link, type Outbox } from '../link/index.ts';
import { type DeviceState, sealState } from '../telemetry/index.ts';
import type { McuKeeper } from './microcontrollers/mcu-keeper.ts';
import type { InferenceCounts, Pipeline } from './pipeline.ts';
import type { Updater } from './updater.ts';

/** Changes that come closer together than this share a report. */
const MIN_INTERVAL_MS = 50;
const RETAINED = { qos: 1, retain: true } as const;

export interface StateReporterOptions {
  readonly fleet: string;
  readonly device: string;
  readonly bootId: string;
  readonly key: SigningKey;
  readonly agentVersion: string;
  readonly link: Link;
  readonly outbox: Outbox;
  readonly pipelines: readonly Pipeline[];
  readonly updater: Updater;
  readonly keepers: readonly McuKeeper[];
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Publishes the device's signed, retained state: at every change and at an interval. Only the newest counts, so a
 * report that cannot be published is not kept.
 */
export class StateReporter {
  readonly #options: StateReporterOptions;
  #reports = 0;
  #poked = false;
  #wake: (() => void) | undefined;

  constructor(options: StateReporterOptions) {
    this.#options = options;
  }

  /** Something that the state shows has changed. */
  poke(): void {
    this.#poked = true;
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { link, clock, intervalMs } = this.#options;
    const stopWatching = link.onConnection((connected) => connected && this.poke());
    while (!signal.aborted) {
      this.#poked = false;
      await this.report(signal);
      await clock.sleep(MIN_INTERVAL_MS, signal).catch(() => {});
      if (this.#poked) continue;
      const pause = innerAbort(signal);
      this.#wake = () => pause.abort();
      await clock.sleep(intervalMs, pause.signal).catch(() => {});
      this.#wake = undefined;
      pause.abort();
    }
    stopWatching();
  }

  async report(signal?: AbortSignal): Promise<void> {
    const { link, fleet, device, key, logger } = this.#options;
    if (!link.connected) return;
    const topic = fleetTopics(fleet).state(device);
    const payload = sealState(this.#state(), key);
    await link
      .publish(topic, payload, { ...RETAINED, ...(signal === undefined ? {} : { signal }) })
      .catch((error) => logger.debug(() => `state: ${errorMessage(error)}`));
  }

  #state(): DeviceState {
    const { fleet, device, bootId, key, clock, outbox, pipelines, updater, keepers } =
      this.#options;
    this.#reports += 1;
    return {
      type: 'dunlin-state',
      formatVersion: 1,
      fleet,
      device,
      bootId,
      at: new Date(clock.nowMs()).toISOString(),
      report: this.#reports,
      agentVersion: this.#options.agentVersion,
      publicKey: key.publicHex,
      models: updater.models,
      ...(keepers.length === 0
        ? {}
        : {
            microcontrollers: Object.fromEntries(keepers.map(({ name, state }) => [name, state])),
          }),
      metadata: updater.metadata,
      inferences: sum(pipelines.map(({ counts }) => counts)),
      telemetry: {
        enqueued: outbox.lastSequence,
        waiting: outbox.depth,
        dropped: outbox.dropped,
      },
      sourceFaults: pipelines.reduce((total, { sourceFaults }) => total + sourceFaults, 0),
    };
  }
}

function sum(counts: readonly InferenceCounts[]): InferenceCounts {
  const total = { windows: 0, done: 0, dropped: 0, failed: 0 };
  for (const { windows, done, dropped, failed } of counts) {
    total.windows += windows;
    total.done += done;
    total.dropped += dropped;
    total.failed += failed;
  }
  return total;
}
