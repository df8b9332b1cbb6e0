import { readFile } from 'node:fs/promises';
import {
  type Clock,
  DunlinError,
  type Logger,
  type PublicKey,
  publicKeyFromHex,
} from '../core/index.ts';
import { Link } from '../link/index.ts';
import type { DemoBroker } from './broker.ts';
import { FleetView } from './fleet-view.ts';
import { Microcontroller } from './microcontroller.ts';
import { runStep } from './steps.ts';
import type { Step, StepResult, Tour } from './tour.ts';
import type { TourStatus, TourView } from './view.ts';
import { WeakLink } from './weak-link.ts';
import { AgentProcess, DEVICE, FLEET, MODEL, Workshop } from './workshop.ts';

/** The device's link: a transfer of some chunks takes a second or two. */
const LINK_BYTES_PER_SECOND = 32_000;
const KEY_POLL_MS = 50;
const MAX_KEY_POLLS = 400;
const MAX_RECENT = 48;
const VIEW_INTERVAL_MS = 200;
const SETTLE_MS = 15_000;

export interface DemoOptions {
  /** Emptied first. */
  readonly dir: string;
  readonly broker: DemoBroker;
  /** The whole tour, or some of it. */
  readonly steps: readonly Step[];
  readonly view: TourView;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly onAgentLog: (line: string) => void;
  /** Whether broker and agent go on after the last step, until the signal. */
  readonly stay: boolean;
  readonly onFinished: (report: DemoReport) => void;
}

export interface DemoReport {
  readonly steps: readonly StepResult[];
  readonly inferences: number;
  readonly droppedInferences: number;
  readonly telemetrySent: number;
  readonly telemetryReceived: number;
  readonly chunksFetchedAfterRestart: number;
  readonly chunksTotal: number;
}

/** The guided tour. Starts everything, runs the steps, reports what was observed, stops everything. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const cleanups: (() => Promise<void> | void)[] = [];
  try {
    const tour = await setTheStage(options, cleanups);
    const timer = setInterval(() => options.view.refresh(statusOf(tour)), VIEW_INTERVAL_MS);
    cleanups.push(() => clearInterval(timer));
    const steps: StepResult[] = [];
    for (const step of options.steps) steps.push(await runStep(step, tour));
    options.onFinished(await report(tour, steps));
    if (options.stay) {
      tour.agent = tour.startAgent();
      await stopped(options.signal);
    }
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
    options.view.close();
  }
}

async function setTheStage(
  options: DemoOptions,
  cleanups: (() => Promise<void> | void)[],
): Promise<Tour> {
  const { dir, broker, view, logger, clock, signal } = options;
  view.begin(`a broker (${broker.name}), keys and a release repository in ${dir}`);
  const onCommand = (line: string): void => view.note(`$ ${line}`);
  const workshop = await Workshop.clean({ dir, broker, onCommand });
  await broker.start();
  cleanups.push(() => broker.kill());
  await workshop.keysInit('publisher');
  const microcontroller = await Microcontroller.make({
    flash: workshop.path('spindle-flash.bin'),
    link: workshop.serialPort,
    publicKey: workshop.path('publisher', 'online', 'mcu.pub.pem'),
  });
  cleanups.push(() => microcontroller.powerOff());
  const weakLink = await WeakLink.open(broker.port, LINK_BYTES_PER_SECOND);
  cleanups.push(() => weakLink.close());
  const configPath = await workshop.writeAgentConfig(weakLink.port);
  const startAgent = (): AgentProcess => AgentProcess.start(configPath, options.onAgentLog);
  let agent = startAgent();
  cleanups.push(() => agent.stop());
  const link = await openObserver(broker, clock, logger);
  cleanups.push(() => link.close());
  const fleet = new FleetView(await deviceKey(workshop, clock, signal), logger);
  fleet.watch(link, FLEET, DEVICE);
  await link.waitConnected(signal);
  return {
    ...{
      workshop,
      broker,
      weakLink,
      link,
      fleet,
      view,
      clock,
      signal,
      startAgent,
      microcontroller,
    },
    figures: { chunksFetchedAfterRestart: 0, chunksTotal: 0 },
    get agent() {
      return agent;
    },
    set agent(next) {
      agent = next;
    },
  };
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}

/** The observer keeps its session, so that nothing is lost while it is away and the broker is not. */
function openObserver(broker: DemoBroker, clock: Clock, logger: Logger): Promise<Link> {
  const { scheme, ...access } = broker.access;
  const url = `${scheme}://localhost:${broker.port}`;
  const backoff = { minMs: 100, maxMs: 500 };
  return Link.open({
    ...{ url, ...access, backoff, clock, logger },
    clientId: 'dunlin-demo-fleet',
    clean: false,
  });
}

/** Enrolment: the public key is read from the device itself, not believed from the broker. */
async function deviceKey(
  workshop: Workshop,
  clock: Clock,
  signal: AbortSignal,
): Promise<PublicKey> {
  const path = workshop.path('agent', 'device-key.pub');
  for (let tries = 0; tries < MAX_KEY_POLLS; tries++) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.trim() !== '') return publicKeyFromHex(text.trim());
    await clock.sleep(KEY_POLL_MS, signal);
  }
  throw new DunlinError(`${path}: the agent has not made its key`, { code: 'file-missing' });
}

/** Waits until what was sent has arrived, then counts. */
async function report(tour: Tour, steps: readonly StepResult[]): Promise<DemoReport> {
  const { fleet, clock, signal, figures } = tour;
  await tour.agent.stop();
  const sent = (): number => fleet.state?.telemetry.enqueued ?? 0;
  const complete = (): boolean =>
    fleet.state?.telemetry.waiting === 0 && fleet.messages.highest >= sent();
  await fleet
    .waitFor('the last telemetry', complete, { clock, timeoutMs: SETTLE_MS, signal })
    .catch(() => {});
  return {
    steps,
    inferences: fleet.inferences.length,
    droppedInferences: fleet.missingInferences() + (fleet.state?.inferences.dropped ?? 0),
    telemetrySent: sent(),
    telemetryReceived: fleet.messages.receivedCount,
    ...figures,
  };
}

function statusOf({ broker, agent, fleet }: Tour): TourStatus {
  const model = fleet.state?.models[MODEL];
  const last = fleet.inferences.at(-1);
  const recent = fleet.inferences.slice(-MAX_RECENT).map(({ confidence }) => confidence ?? 0);
  return {
    brokerName: broker.name,
    brokerRunning: broker.running,
    agentPid: agent.pid,
    activeVersion: model?.active?.version ?? '–',
    activePath: model?.active?.path ?? '–',
    update: model?.update ? `v${model.update.version} ${model.update.phase}` : '',
    chunksPresent: model?.update?.chunksPresent ?? 0,
    chunksTotal: model?.update?.chunksTotal ?? 0,
    lastLabel: last?.label ?? '',
    lastConfidence: last?.confidence ?? 0,
    recent,
    inferences: fleet.inferences.length,
    received: fleet.messages.receivedCount,
    waiting: fleet.state?.telemetry.waiting ?? 0,
  };
}
