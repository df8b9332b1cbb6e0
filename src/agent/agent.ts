import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  type Clock,
  errorCode,
  errorMessage,
  type Files,
  type Logger,
  readNamedFile,
} from '../core/index.ts';
import { findDelegate, findEdgeTpus, librarySearchFolders } from '../inference/index.ts';
import { fleetTopics, Link, Outbox } from '../link/index.ts';
import { Reporter, readHealth } from '../telemetry/index.ts';
import {
  AssignmentFloors,
  ChunkStore,
  MqttBlockSource,
  openAssignment,
  Slots,
  TrustStore,
} from '../update/index.ts';
import { BrokerReader } from './broker-reader.ts';
import type { AgentConfig } from './config.ts';
import { GatewayPlace } from './gateway-place.ts';
import { loadIdentity } from './identity.ts';
import type { McuKeeper } from './microcontrollers/mcu-keeper.ts';
import {
  type OpenLine,
  openMicrocontrollers,
  serialLineOf,
} from './microcontrollers/open-microcontrollers.ts';
import { ModelLoader } from './model-loader.ts';
import { ModelUpdate } from './model-update.ts';
import { Pipeline, type WindowHost } from './pipeline.ts';
import { StateReporter } from './state-reporter.ts';
import { Turns } from './turns.ts';
import { Updater } from './updater.ts';

const MAX_ROOT_BYTES = 64 * 1024;
const RECONNECT_MIN_MS = 200;
/** Inferences that are forgiven while a release is on probation, and starts of the agent. */
const MAX_BAD_INFERENCES = 3;
const MAX_PROBATION_STARTS = 3;
const GOOD = { good: 1, bad: 0 };
const BAD = { good: 0, bad: 1 };
/** At a stop the outbox has two seconds, and everything that is still to be said has three. */
const FLUSH_TRIES = 100;
const FLUSH_PAUSE_MS = 20;
const GOODBYE_MS = 3_000;

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly agentVersion: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `/sys` and `/proc` on a device. */
  readonly sysfsRoot: string;
  readonly procRoot: string;
  /** Lines to microcontrollers; serial ports without it. */
  readonly openLine?: OpenLine;
}

/**
 * The composer on the device. Builds the rooms' parts out of the configuration and runs them until the
 * signal: models in service first, so that no broker is needed to infer; then reports and updates.
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const agent = await compose(options, cleanups);
    const { updates, updater, states, outbox, control } = agent;
    await agent.reporter.event('agent-started');
    for (const update of updates.values()) await update.start();
    const stopped = new AbortController();
    const watching = control.subscribe(agent.watchedTopics, () => updater.poke(), { qos: 1 });
    // What reports goes on while the rest stops, so that the last word gets out.
    const reporting = [states.run(stopped.signal), outbox.run(control, stopped.signal)];
    const working = [
      updater.run(signal),
      healthLoop(options, agent, signal),
      ...agent.keepers.map((keeper) => keeper.run(signal)),
    ];
    try {
      await Promise.race([...reporting, ...working, aborted(signal)]);
      await Promise.all(working);
    } finally {
      watching.close();
      for (const pipeline of agent.pipelines) await pipeline.rest();
      await sayGoodbye(agent, options.clock);
      stopped.abort();
      await Promise.all(reporting);
    }
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

interface Agent {
  readonly reporter: Reporter;
  readonly outbox: Outbox;
  readonly control: Link;
  /** A goodbye: the broker keeps the last will to itself when a client leaves in order. */
  readonly sayOffline: () => Promise<void>;
  readonly pipelines: readonly Pipeline[];
  readonly updates: ReadonlyMap<string, ModelUpdate>;
  readonly keepers: readonly McuKeeper[];
  readonly updater: Updater;
  readonly states: StateReporter;
  readonly watchedTopics: readonly string[];
}

async function compose(options: AgentOptions, cleanups: (() => Promise<void>)[]): Promise<Agent> {
  const { config, files, clock, logger } = options;
  const { fleet, device, stateDir } = config;
  const key = await loadIdentity(files, stateDir);
  const bootId = randomUUID();
  const outbox = await Outbox.open({
    dir: join(stateDir, 'outbox'),
    maxEntries: config.telemetry.outboxMaxEntries,
    maxBytes: config.telemetry.outboxMaxBytes,
    clock,
    logger,
  });
  cleanups.push(() => outbox.close());
  const { control, bulk, sayOffline } = await openLinks(options, bootId);
  cleanups.push(async () => void (await Promise.all([control.close(), bulk.close()])));
  const reporter = new Reporter({ fleet, device, bootId, key, outbox, clock });
  const pipelines: Pipeline[] = [];
  const onChange = (): void => states.poke();
  const shared = { reporter, bulk, onChange };
  const { updates, keepers } = await openModels(options, { ...shared, pipelines, cleanups });
  const updater = await openUpdater(options, { ...shared, updates, keepers });
  const states = new StateReporter({
    ...{ fleet, device, bootId, key, clock, logger, outbox, pipelines, updater, keepers },
    link: control,
    agentVersion: options.agentVersion,
    intervalMs: config.telemetry.stateIntervalMs,
  });
  const topics = fleetTopics(fleet);
  const groups = config.groups.map((name) => topics.assignment({ kind: 'group', name }));
  const own = topics.assignment({ kind: 'device', name: device });
  const watchedTopics = [topics.tuf('timestamp.json'), own, ...groups];
  return {
    ...{ reporter, outbox, control, sayOffline, pipelines, updates, keepers, updater, states },
    watchedTopics,
  };
}

/** Two connections: a persistent session for what must arrive, a clean one for bulk. */
async function openLinks(
  { config, clock, logger }: AgentOptions,
  bootId: string,
): Promise<{ control: Link; bulk: Link; sayOffline: () => Promise<void> }> {
  const { fleet, device, broker } = config;
  const status = fleetTopics(fleet).status(device);
  const { reconnectMaxMs, ...address } = broker;
  const backoff = { minMs: RECONNECT_MIN_MS, maxMs: reconnectMaxMs };
  const base = { ...address, backoff, clock, logger };
  const control = await Link.open({
    ...base,
    clientId: `dunlin-${fleet}-${device}`,
    clean: false,
    will: { topic: status, payload: JSON.stringify({ online: false, bootId }), retain: true },
  });
  const say = async (online: boolean): Promise<void> => {
    if (!control.connected) return;
    await control
      .publish(status, JSON.stringify({ online, bootId }), { qos: 1, retain: true })
      .catch((error) => logger.debug(() => `status: ${errorMessage(error)}`));
  };
  control.onConnection(() => void say(true));
  const bulk = await Link.open({
    ...base,
    clientId: `dunlin-${fleet}-${device}-bulk`,
    clean: true,
  });
  return { control, bulk, sayOffline: () => say(false) };
}

interface Shared {
  readonly reporter: Reporter;
  readonly bulk: Link;
  readonly onChange: () => void;
}

interface Models {
  readonly updates: Map<string, ModelUpdate>;
  readonly keepers: readonly McuKeeper[];
}

async function openModels(
  options: AgentOptions,
  shared: Shared & {
    readonly pipelines: Pipeline[];
    readonly cleanups: (() => Promise<void>)[];
  },
): Promise<Models> {
  const { config, files, clock, logger, openLine = serialLineOf(files) } = options;
  const { reporter, bulk, pipelines, cleanups, onChange } = shared;
  const store = await ChunkStore.open({ files, dir: join(config.stateDir, 'chunks'), logger });
  const topics = fleetTopics(config.fleet);
  const source = new MqttBlockSource({ link: bulk, topics, clock, logger });
  const transfer = { store, source, transfers: new Turns() };
  const common = { reporter, clock, logger, onChange };
  const updates = await openGatewayModels(options, { ...shared, ...transfer });
  const fed = new Map<string, Pipeline>();
  for (const [name, pipelineConfig] of Object.entries(config.pipelines)) {
    const { on } = pipelineConfig;
    if (on === undefined) continue;
    // A device's own statistics are what its probation counts.
    const onOutcome = (): void => {};
    const pipeline = new Pipeline({ name, ...common, config: pipelineConfig, onOutcome });
    pipelines.push(pipeline);
    fed.set(on, pipeline);
  }
  const keepers = await openMicrocontrollers({
    ...{ config, files, ...common, ...transfer, openLine },
    pipelineOn: (name) => fed.get(name),
  });
  cleanups.push(async () => void (await Promise.all(keepers.map((keeper) => keeper.close()))));
  return { updates, keepers };
}

/** Models that this gateway itself infers. */
async function openGatewayModels(
  { config, files, clock, logger, env, sysfsRoot }: AgentOptions,
  {
    pipelines,
    ...shared
  }: Omit<Shared, 'bulk'> & {
    readonly pipelines: Pipeline[];
    readonly store: ChunkStore;
    readonly source: MqttBlockSource;
    readonly transfers: Turns;
  },
): Promise<Map<string, ModelUpdate>> {
  const { stateDir, inference } = config;
  const loader = new ModelLoader({
    path: inference.path,
    limits: { inferTimeoutMs: inference.timeoutMs, memoryBytes: inference.memoryLimitBytes },
    findEdgeTpu: () => ({
      edgeTpus: findEdgeTpus(sysfsRoot),
      delegate: findDelegate(librarySearchFolders(env), inference.delegateFile),
    }),
    clock,
    logger,
  });
  const probation = {
    goodInferences: config.update.probationInferences,
    maxBadInferences: MAX_BAD_INFERENCES,
    maxStarts: MAX_PROBATION_STARTS,
  };
  const updates = new Map<string, ModelUpdate>();
  const { reporter, onChange, store, source, transfers } = shared;
  for (const [name, pipelineConfig] of Object.entries(config.pipelines)) {
    const { model, on } = pipelineConfig;
    if (on !== undefined) continue;
    const slots = await Slots.open({
      ...{ files, model, probation, clock, logger },
      dir: join(stateDir, 'models'),
    });
    const onOutcome = (host: WindowHost, error: unknown): void => {
      const told =
        errorCode(error) === 'edgetpu-unavailable'
          ? place.edgeTpuLost(host)
          : update.count(host.release.releaseSha256, error === undefined ? GOOD : BAD);
      told.catch((cause) => logger.error(`${model}: ${errorMessage(cause)}`));
    };
    const pipeline = new Pipeline({
      ...{ name, reporter, clock, logger, onOutcome },
      config: pipelineConfig,
    });
    const place = new GatewayPlace({ model, slots, loader, pipeline, reporter, onChange });
    const update = new ModelUpdate({
      ...{ model, slots, place, store, source, transfers, reporter, clock, logger, onChange },
      siblings: () => [],
    });
    pipelines.push(pipeline);
    updates.set(model, update);
  }
  return updates;
}

async function openUpdater(
  { config, files, clock, logger }: AgentOptions,
  { reporter, bulk, updates, keepers, onChange }: Shared & Models,
): Promise<Updater> {
  const { fleet, device, groups, stateDir, trust, update } = config;
  const dir = join(stateDir, 'trust');
  const reader = new BrokerReader(bulk, fleet);
  const store = await TrustStore.open({
    ...{ files, dir, clock, logger },
    initialRoot: await readNamedFile(trust.rootFile, MAX_ROOT_BYTES),
    fetchMetadata: (name, maxBytes, signal) => reader.metadata(name, maxBytes, signal),
  });
  const floors = await AssignmentFloors.open(files, dir);
  return new Updater({
    ...{ device, groups, updates, keepers, reporter, clock, logger, onChange },
    intervals: update,
    refresh: async (signal) => {
      await bulk.waitConnected(signal);
      return store.refresh(signal);
    },
    readAssignments: (subjects, signal) => reader.assignments(subjects, signal),
    openAssignment: (bytes, subject, trusted) =>
      openAssignment(bytes, trusted, { fleet, subject, floors, nowMs: store.nowMs }),
  });
}

async function healthLoop(
  { config, clock, logger, sysfsRoot, procRoot }: AgentOptions,
  { pipelines, reporter }: Agent,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  while (!signal.aborted) {
    await clock.sleep(config.telemetry.healthIntervalMs, signal).catch(() => {});
    if (signal.aborted) return;
    const pids = pipelines.flatMap(({ host }) => (host?.pid === undefined ? [] : [host.pid]));
    const { loadAverage1m, cpuTemperatureC, ...memory } = await readHealth(
      { sysfsRoot, procRoot },
      pids,
    );
    const samples = pipelines.map((pipeline) => ({
      kind: 'health' as const,
      pipeline: pipeline.name,
      at: new Date(clock.nowMs()).toISOString(),
      uptimeS: (clock.monotonicMs() - startedMs) / 1000,
      memory,
      loadAverage1m,
      ...(cpuTemperatureC === undefined ? {} : { cpuTemperatureC }),
      latencyUs: pipeline.latencyUs.report(),
      confidence: pipeline.confidence.report(),
    }));
    await reporter
      .samples(samples)
      .catch((error) => logger.error(`health could not be stored: ${errorMessage(error)}`));
  }
}

/** Flushes, and says that the device goes; a broker that does not answer cannot hold up the stop. */
async function sayGoodbye(agent: Agent, clock: Clock): Promise<void> {
  const done = new AbortController();
  const saying = flush(agent, clock)
    .then(() => agent.sayOffline())
    .finally(() => done.abort());
  await Promise.race([saying, clock.sleep(GOODBYE_MS, done.signal).catch(() => {})]);
}

/** A last chance for what waits; what does not get out now goes out after the next start. */
async function flush({ outbox, states, control }: Agent, clock: Clock): Promise<void> {
  for (let tries = 0; tries < FLUSH_TRIES && control.connected && outbox.depth > 0; tries++) {
    await clock.sleep(FLUSH_PAUSE_MS);
  }
  await states.report();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
