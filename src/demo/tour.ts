import { type Clock, DunlinError } from '../core/index.ts';
import type { Link } from '../link/index.ts';
import type { DeviceEvent, InferenceSample, ModelState } from '../telemetry/index.ts';
import type { DemoBroker } from './broker.ts';
import type { FleetView } from './fleet-view.ts';
import type { Microcontroller } from './microcontroller.ts';
import type { TourView } from './view.ts';
import type { WeakLink } from './weak-link.ts';
import { type AgentProcess, DEVICE, type Workshop } from './workshop.ts';

export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  /** The code that was seen, or what went wrong. */
  readonly reason: string;
}

export interface TourFigures {
  chunksFetchedAfterRestart: number;
  chunksTotal: number;
}

/** Everything a step may use. What it claims it takes from `fleet`: what arrived signed over the broker. */
export interface Tour {
  readonly workshop: Workshop;
  readonly broker: DemoBroker;
  readonly weakLink: WeakLink;
  /** The publisher's and the observer's connection; not over the weak link. */
  readonly link: Link;
  readonly fleet: FleetView;
  readonly view: TourView;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly figures: TourFigures;
  readonly startAgent: () => AgentProcess;
  readonly microcontroller: Microcontroller;
  agent: AgentProcess;
}

export interface Step {
  readonly name: string;
  readonly title: string;
  /** @returns the reason that was observed */
  readonly run: (tour: Tour) => Promise<string>;
}

export const PUBLISHER = 'publisher';
const WAIT_MS = 40_000;

export function waitFor<T>(
  tour: Tour,
  what: string,
  find: () => T | undefined | false,
): Promise<T> {
  const { clock, signal } = tour;
  return tour.fleet.waitFor(what, find, { clock, signal, timeoutMs: WAIT_MS });
}

/** Waits until a release is committed in its place; one that is refused fails at once. */
export async function waitCommitted(
  tour: Tour,
  version: string,
  activeOf: () => ModelState['active'] | undefined,
): Promise<void> {
  const outcome = await waitFor(tour, `v${version} in service`, () => {
    const refusals = ['update-refused', 'update-rolled-back'] as const;
    const active = activeOf();
    const isDone = active?.version === version && active.phase === 'committed';
    return findEvent(tour.fleet.events, version, refusals) ?? isDone;
  });
  if (outcome !== true) throw failed(`v${version} was ${outcome.name}: ${outcome.message}`);
}

/** Waits until some more windows are classified that `isOne` tells from others. */
export async function waitInferences(
  tour: Tour,
  what: string,
  goal: number,
  isOne: (inference: InferenceSample) => boolean,
): Promise<void> {
  const count = (): number => tour.fleet.inferences.filter(isOne).length;
  const wanted = count() + goal;
  await waitFor(tour, `inferences of ${what}`, () => count() >= wanted);
}

export function eventOf(
  tour: Tour,
  version: string,
  names: readonly DeviceEvent['name'][],
): Promise<DeviceEvent> {
  return waitFor(tour, `the outcome of v${version}`, () =>
    findEvent(tour.fleet.events, version, names),
  );
}

export function findEvent(
  events: readonly DeviceEvent[],
  version: string,
  names: readonly DeviceEvent['name'][],
): DeviceEvent | undefined {
  return events.find(({ name, model }) => model?.version === version && names.includes(name));
}

export function reasonOf(event: DeviceEvent): string {
  return event.reason ?? event.name;
}

export function failed(message: string): DunlinError {
  return new DunlinError(message, { code: 'transfer-failed', context: { device: DEVICE } });
}
