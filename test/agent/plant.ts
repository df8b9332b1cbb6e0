import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import {
  type AgentConfig,
  loadIdentity,
  type OpenLine,
  parseAgentConfig,
  runAgent,
} from '../../src/agent/index.ts';
import {
  type Clock,
  type Logger,
  nodeFiles,
  readNamedFile,
  type SigningKey,
  silentLogger,
  systemClock,
} from '../../src/core/index.ts';
import { fleetTopics, Link } from '../../src/link/index.ts';
import {
  DEFAULT_LIFETIMES,
  initKeys,
  type Lifetimes,
  loadOfflineKey,
  loadOnlineKeys,
  loadRoot,
  type OnlineKeys,
  Publisher,
  type PublishReport,
  Repository,
  type RootFile,
  signAssignment,
  signRelease,
} from '../../src/release/index.ts';
import type { AssignmentSubject } from '../../src/update/index.ts';
import { FakeBroker } from '../fakes/broker.ts';
import { DeviceObserver } from '../fakes/device-observer.ts';
import { MODEL, RECORDING } from './motor.ts';

const PASSPHRASE = 'correct horse battery staple';
export const FLEET = 'plant';
export const DEVICE = 'press-7';
export const GROUP: AssignmentSubject = { kind: 'group', name: 'presses' };
export const OWN: AssignmentSubject = { kind: 'device', name: DEVICE };
export const WINDOW = 256;
export const WINDOWS_PER_SECOND = 10;

/** Keys and built releases, made once and copied for each test. */
export class Blueprint {
  readonly dir: string;
  readonly targetsKey: SigningKey;

  private constructor(dir: string, targetsKey: SigningKey) {
    this.dir = dir;
    this.targetsKey = targetsKey;
  }

  static async make(build: (repository: Repository) => Promise<void>): Promise<Blueprint> {
    const dir = await mkdtemp(join(tmpdir(), 'dunlin-blueprint-'));
    try {
      await initKeys({
        files: nodeFiles,
        offlineDir: join(dir, 'offline'),
        onlineDir: join(dir, 'online'),
        passphrase: PASSPHRASE,
        nowMs: Date.now(),
        lifetimes: DEFAULT_LIFETIMES,
      });
      await build(new Repository(join(dir, 'repo')));
      return new Blueprint(dir, await loadOfflineKey(join(dir, 'offline'), 'targets', PASSPHRASE));
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** One broker, one publisher, one device's folder and what can be heard of the device. */
export class Plant {
  readonly dir: string;
  readonly broker: FakeBroker;
  readonly repository: Repository;
  readonly online: OnlineKeys;
  readonly seen: DeviceObserver;
  readonly #targetsKey: SigningKey;
  readonly #root: RootFile;
  readonly #link: Link;
  /** How often the device read its assignments. */
  #looks = 0;

  private constructor(parts: {
    dir: string;
    broker: FakeBroker;
    online: OnlineKeys;
    seen: DeviceObserver;
    targetsKey: SigningKey;
    root: RootFile;
    link: Link;
  }) {
    this.dir = parts.dir;
    this.broker = parts.broker;
    this.repository = new Repository(join(parts.dir, 'repo'));
    this.online = parts.online;
    this.seen = parts.seen;
    this.#targetsKey = parts.targetsKey;
    this.#root = parts.root;
    this.#link = parts.link;
    const own = fleetTopics(FLEET).assignment(OWN);
    this.broker.hooks.onSubscribe = (topics, clientId) => {
      if (clientId.endsWith('-bulk') && topics.includes(own)) this.#looks += 1;
    };
  }

  static async open(t: ExecutionContext, blueprint: Blueprint): Promise<Plant> {
    const dir = await mkdtemp(join(tmpdir(), 'dunlin-agent-'));
    await cp(blueprint.dir, dir, { recursive: true });
    const broker = await FakeBroker.start();
    const key = await loadIdentity(nodeFiles, join(dir, 'state'));
    const seen = new DeviceObserver(broker, key, FLEET, DEVICE);
    const [clock, logger] = [systemClock, silentLogger];
    const backoff = { minMs: 5, maxMs: 50 };
    const link = await Link.open({
      ...{ url: broker.url, clientId: 'publisher', clean: true, backoff, clock, logger },
    });
    const online = await loadOnlineKeys(join(dir, 'online'));
    const root = await loadRoot(join(dir, 'online'));
    const { targetsKey } = blueprint;
    // Agents' teardowns are registered later, so they run before this one.
    t.teardown(async () => {
      seen.close();
      await link.close();
      await broker.stop();
      await rm(dir, { recursive: true, force: true });
    });
    return new Plant({ dir, broker, online, seen, targetsKey, root, link });
  }

  /** Signs a release that was built and publishes it. */
  async publish(version: string, lifetimes: Lifetimes = DEFAULT_LIFETIMES): Promise<void> {
    const nowMs = Date.now();
    const [root, targetsKey, online] = [this.#root, this.#targetsKey, this.online];
    await signRelease(this.repository, MODEL, version, {
      ...{ root, targetsKey, online, nowMs, lifetimes },
    });
    await this.#send((publisher) => publisher.publishRelease(MODEL, version));
  }

  async assign(version: string, subject: AssignmentSubject = GROUP): Promise<void> {
    await signAssignment({
      repository: this.repository,
      online: this.online,
      fleet: FLEET,
      subject,
      releases: [`${MODEL}/${version}`],
      nowMs: Date.now(),
      lifetimeMs: DEFAULT_LIFETIMES.assignmentMs,
    });
    await this.#send((publisher) => publisher.publishAssignment(subject));
  }

  /** Publishes, assigns and waits until the device has committed it. */
  async bringTo(version: string): Promise<void> {
    await this.publish(version);
    await this.assign(version);
    await this.committed(version);
  }

  committed(version: string): Promise<unknown> {
    return this.seen.waitFor(`v${version} committed`, () => {
      const active = this.seen.state?.models[MODEL]?.active;
      return active?.version === version && active.phase === 'committed';
    });
  }

  /** Pokes the device and waits for its next look at the assignments, so many times: all but the last are over then. */
  async passes(count: number, poke: () => Promise<unknown>): Promise<void> {
    for (let done = 0; done < count; done++) {
      const before = this.#looks;
      await poke();
      await this.seen.waitFor('a pass of the updater', () => this.#looks > before);
    }
  }

  /** Waits until the version has classified so many more windows. */
  inferences(version: string, count = 5): Promise<unknown> {
    const goal = this.seen.inferencesOf(version).length + count;
    return this.seen.waitFor(
      `inferences of v${version}`,
      () => this.seen.inferencesOf(version).length >= goal,
    );
  }

  /** The agent's configuration as a person writes it; quick where a device has time. */
  yaml(more: Record<string, unknown> = {}): string {
    return stringify({
      fleet: FLEET,
      device: DEVICE,
      groups: [GROUP.name],
      stateDir: 'state',
      broker: { url: this.broker.url, reconnectMaxMs: 200 },
      trust: { rootFile: 'online/root.json' },
      pipelines: {
        vibration: {
          model: MODEL,
          source: {
            kind: 'npy',
            file: RECORDING,
            channels: 3,
            rateHz: WINDOW * WINDOWS_PER_SECOND,
          },
          window: { samples: WINDOW, stride: WINDOW },
          schedule: '* * * * * *',
        },
      },
      update: { retryMinMs: 100, retryMaxMs: 1_000, probationInferences: 5 },
      telemetry: { stateIntervalMs: 1_000 },
      ...more,
    });
  }

  /** Writes the configuration where a process of its own finds it. */
  async writeConfig(more: Record<string, unknown> = {}): Promise<string> {
    const path = join(this.dir, 'agent.yaml');
    await writeFile(path, this.yaml(more));
    return path;
  }

  /** Starts the agent in this process. */
  start(t: ExecutionContext, options: AgentStart = {}): RunningAgent {
    const config = parseAgentConfig(this.yaml(options.config), join(this.dir, 'agent.yaml'));
    const agent = new RunningAgent(config, options);
    t.teardown(() => agent.stop().catch(() => {}));
    return agent;
  }

  readFile(...parts: string[]): Promise<Uint8Array> {
    return readNamedFile(join(this.dir, ...parts), 1024 * 1024);
  }

  async #send(work: (publisher: Publisher) => Promise<PublishReport>): Promise<void> {
    const { signal } = new AbortController();
    await this.#link.waitConnected(signal);
    const { repository } = this;
    const publisher = new Publisher({
      ...{ link: this.#link, fleet: FLEET, repository, logger: silentLogger, signal },
    });
    await work(publisher);
  }
}

export interface AgentStart {
  readonly config?: Record<string, unknown>;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly sysfsRoot?: string;
  readonly openLine?: OpenLine;
}

/** `runAgent` and the signal that ends it. */
export class RunningAgent {
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();

  constructor(config: AgentConfig, options: AgentStart) {
    const { clock = systemClock, logger = silentLogger, sysfsRoot = '/nonexistent' } = options;
    this.ended = runAgent(
      {
        ...{ config, clock, logger, sysfsRoot },
        agentVersion: 'test',
        files: nodeFiles,
        env: {},
        ...(options.openLine === undefined ? {} : { openLine: options.openLine }),
        procRoot: '/proc',
      },
      this.#stop.signal,
    );
    this.ended.catch(() => {});
  }

  /** @throws what ended the agent, when that was not this */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }
}
