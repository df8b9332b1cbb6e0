import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import {
  type McuKeeper,
  openMicrocontrollers,
  parseAgentConfig,
  Turns,
} from '../../src/agent/index.ts';
import { DunlinError, formatNpz, sha256Hex, silentLogger } from '../../src/core/index.ts';
import type { GoldenVector } from '../../src/mcu/index.ts';
import type {
  EventDetails,
  EventName,
  Reporting,
  TelemetrySample,
} from '../../src/telemetry/index.ts';
import {
  type AssignedTarget,
  type BlockSource,
  ChunkStore,
  cutIntoArtifact,
  firmwareArtifact,
  type ReleaseDocument,
  type TrustedReleases,
} from '../../src/update/index.ts';
import { CrashFiles } from '../fakes/crash-files.ts';
import { EagerClock } from '../fakes/eager-clock.ts';
import { MemoryLine } from '../fakes/memory-line.ts';
import { SmpDevice } from '../fakes/smp-device.ts';
import { FAKE_TENSOR_BYTES } from '../fakes/smp-models.ts';
import type { SmpDeviceOptions } from '../fakes/smp-upload.ts';
import { firmware, golden, hashOf, KEY, model } from '../mcu/device.ts';

export const BOARD = 'mps2-an386';
export const MODEL = 'motor';
export const STATE_DIR = '/state';
/** Of the model group, all that the agent uses. */
export const MODEL_COMMANDS = [0, 1, 2, 3, 4, 5, 6].map((id) => `64:${id}`);
const CHUNK_BYTES = 4096;
/** Turns of the event loop after which what a test waits for will not come. */
const MAX_TURNS = 400_000;

export interface McuReleaseOptions {
  readonly version: string;
  /** What the fake model adds; a golden test of another key fails. */
  readonly key: number;
  readonly goldenKey?: number;
  readonly firmware?: Uint8Array;
  readonly file?: Uint8Array;
  readonly artifact?: string;
  readonly board?: string;
  /** Of a real model. */
  readonly golden?: readonly GoldenVector[];
  readonly document?: Partial<ReleaseDocument>;
}

export interface McuRelease {
  readonly document: ReleaseDocument;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly chunks: ReadonlyMap<string, Uint8Array>;
}

/** A release for the fake device, as `dunlin release build --mcu` would make it. */
export function mcuRelease(options: McuReleaseOptions): McuRelease {
  const { version, key, goldenKey = key, file = model(key), artifact = 'mcu.plan' } = options;
  const vectors = options.golden ?? golden(goldenKey);
  const int8 = (rows: readonly Uint8Array[]) =>
    ({
      type: 'int8',
      shape: [rows.length, rows[0]!.byteLength],
      data: new Int8Array(Buffer.concat(rows)),
    }) as const;
  const npz = formatNpz(
    new Map([
      ['input_mcu', int8(vectors.map(({ input }) => input))],
      ['expected_mcu', int8(vectors.map(({ output }) => output))],
    ]),
  );
  const files = new Map<string, Uint8Array>([
    [artifact, file],
    ['golden.npz', npz],
    ...(options.firmware === undefined
      ? []
      : [[firmwareArtifact(options.board ?? BOARD), options.firmware] as const]),
  ]);
  const chunks = new Map<string, Uint8Array>();
  const artifacts = [...files].map(([name, bytes]) => {
    const cut = cutIntoArtifact(bytes, { chunkBytes: CHUNK_BYTES, encoding: 'br' });
    for (const [sha256, chunk] of cut.chunks) chunks.set(sha256, chunk);
    return [name, cut.artifact] as const;
  });
  const tensor = { type: 'int8', shape: [1, FAKE_TENSOR_BYTES], scale: 1, zeroPoint: 0 };
  const document: ReleaseDocument = {
    ...{ type: 'dunlin-release', formatVersion: 1, model: MODEL, version },
    createdAt: '2026-01-01T00:00:00Z',
    task: { kind: 'regression', labels: [] },
    ...{ input: tensor, output: tensor, metrics: {}, provenance: {} },
    golden: {
      count: vectors.length,
      on: 'output',
      paths: { mcu: { toleranceAbs: 0 } },
      latencyBudgetUs: 1000,
    },
    artifacts: Object.fromEntries(artifacts),
    ...options.document,
  };
  return { document, files, chunks };
}

export class RecordingReporter implements Reporting {
  readonly events: (EventDetails & { readonly name: EventName })[] = [];
  readonly sent: TelemetrySample[] = [];

  async event(name: EventName, details: EventDetails = {}): Promise<void> {
    this.events.push({ name, ...details });
  }

  async samples(samples: readonly TelemetrySample[]): Promise<void> {
    this.sent.push(...samples);
  }

  named(name: EventName) {
    return this.events.filter((event) => event.name === name);
  }
}

/** Serves chunks out of memory, as a broker that loses nothing. */
class MemorySource implements BlockSource {
  readonly chunks = new Map<string, Uint8Array>();
  fetched = 0;

  async fetch(...[chunks, deliver]: Parameters<BlockSource['fetch']>): Promise<void> {
    for (const { sha256 } of chunks) {
      const bytes = this.chunks.get(sha256);
      if (bytes === undefined) throw new DunlinError('lost', { code: 'transfer-failed' });
      this.fetched++;
      await deliver(sha256, bytes);
    }
  }
}

export interface BenchOptions {
  readonly devices?: Readonly<Record<string, SmpDeviceOptions>>;
  /** Beside the configuration's defaults here. */
  readonly mcu?: Record<string, unknown>;
  readonly device?: Record<string, unknown>;
  readonly signedBy?: string;
}

/** A gateway with devices on memory lines; no broker, no clock but an eager one, a disk that can lose power. */
export class McuBench {
  readonly clock = new EagerClock();
  readonly devices = new Map<string, SmpDevice>();
  readonly #lines = new Map<string, MemoryLine>();
  readonly source = new MemorySource();
  readonly reporter = new RecordingReporter();
  files = new CrashFiles();
  keepers: McuKeeper[] = [];
  readonly #options: BenchOptions;
  readonly #targets = new Map<string, { bytes: Uint8Array; target: AssignedTarget }>();
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: BenchOptions = {}) {
    this.#options = options;
    for (const [name, more] of Object.entries(options.devices ?? { left: {} })) {
      this.#lines.set(name, new MemoryLine(this.clock));
      this.exchange(name, more);
    }
  }

  static async open(t: ExecutionContext, options: BenchOptions = {}): Promise<McuBench> {
    const bench = new McuBench(options);
    await bench.files.makeDirectory(STATE_DIR);
    await bench.files.syncDirectory('/');
    await bench.start();
    t.teardown(() => bench.stop());
    return bench;
  }

  device(name = 'left'): SmpDevice {
    return this.devices.get(name)!;
  }

  line(name = 'left'): MemoryLine {
    return this.#lines.get(name)!;
  }

  /** Another device in the place of the one before, on the same line. */
  exchange(name: string, options: SmpDeviceOptions): void {
    const all = { board: BOARD, keys: [KEY.publicKey], ...options };
    this.devices.set(name, new SmpDevice(this.line(name), all).install(firmware(1)));
  }

  keeper(name = 'left'): McuKeeper {
    return this.keepers.find((keeper) => keeper.name === name)!;
  }

  /** A new process on the same disk. */
  async start(): Promise<void> {
    const { clock, files, reporter, source } = this;
    const logger = silentLogger;
    this.#stop = new AbortController();
    const store = await ChunkStore.open({ files, dir: join(STATE_DIR, 'chunks'), logger });
    this.keepers = await openMicrocontrollers({
      config: this.#config(),
      ...{ files, clock, logger, reporter, store, source, transfers: new Turns() },
      openLine: ({ name }) => this.line(name),
      pipelineOn: () => undefined,
      onChange: () => {},
    });
    const { signal } = this.#stop;
    this.#running = Promise.all(this.keepers.map((keeper) => keeper.run(signal)));
    this.#running.catch(() => {});
  }

  /** @throws what a keeper threw */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    for (const keeper of this.keepers) await keeper.close();
  }

  /** Assigns a release to the model; every device is told, as at a pass of the updater. */
  assign(release: McuRelease, names: readonly string[] = [...this.devices.keys()]): void {
    const bytes = Buffer.from(JSON.stringify(release.document));
    const { version } = release.document;
    const releaseSha256 = sha256Hex(bytes);
    this.#targets.set(version, { bytes, target: { model: MODEL, version, releaseSha256 } });
    for (const [sha256, chunk] of release.chunks) this.source.chunks.set(sha256, chunk);
    for (const [sha256, chunk] of this.#cut(bytes).chunks) this.source.chunks.set(sha256, chunk);
    for (const name of names) {
      this.keeper(name).want(this.#targets.get(version)!.target, this.#trusted);
    }
  }

  get #trusted(): TrustedReleases {
    return {
      expiresAtMs: Number.POSITIVE_INFINITY,
      releaseTarget: (_model, version) => {
        const found = this.#targets.get(version);
        if (found === undefined) return undefined;
        const { artifact } = this.#cut(found.bytes);
        const { sha256, lengthBytes, chunks } = artifact;
        return { sha256, lengthBytes, chunks };
      },
    };
  }

  #cut(bytes: Uint8Array) {
    return cutIntoArtifact(bytes, { chunkBytes: CHUNK_BYTES, encoding: 'identity' });
  }

  /** Until something holds; nothing but the event loop turns meanwhile. @throws after MAX_TURNS */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      if (holds()) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const states = this.keepers.map(({ name, state }) => `${name} ${JSON.stringify(state)}`);
    throw new Error(`${what}: not seen; ${states.join('; ')}`);
  }

  /** The release that a device has in service, and whether it is committed: "1", "2 on probation". */
  active(name = 'left'): string {
    const { active } = this.keeper(name).state.release;
    if (active === null) return 'none';
    return `${active.version}${active.phase === 'committed' ? '' : ' on probation'}`;
  }

  /** What a device's model adds to its inputs; after a reset it would be the same. */
  runs(name = 'left'): number {
    const { models } = this.device(name);
    return models.slots[models.confirmedSlot]?.[32] ?? 0;
  }

  firmwareOf(name = 'left'): string {
    const device = this.device(name);
    return `${device.running?.version.major}${device.slots[0]!.confirmed ? '' : ' on trial'}`;
  }

  /** Inferences of a device's own, as others on its line would ask for. */
  infer(name: string, { good = 0, bad = 0 }): void {
    const { statistics } = this.device(name).models;
    statistics.runs += good;
    statistics.failures += bad;
  }

  /** In service and committed, helped along by inferences. */
  async committed(version: string, name = 'left'): Promise<void> {
    await this.until(`${version} on ${name}`, () => this.active(name).startsWith(version));
    await this.until(`${version} committed`, () => {
      this.infer(name, { good: 1 });
      return this.active(name) === version;
    });
  }

  #config() {
    const { mcu, device, signedBy } = this.#options;
    const one = { board: BOARD, model: MODEL, ...device };
    const signed = signedBy === undefined ? {} : { signingKeyFile: signedBy };
    const text = stringify({
      ...{ fleet: 'plant', device: 'press-7', stateDir: STATE_DIR },
      broker: { url: 'mqtt://localhost' },
      trust: { rootFile: 'root.json' },
      microcontrollers: Object.fromEntries(
        [...this.devices.keys()].map((name) => [name, { ...one, ...signed, port: `usb-${name}` }]),
      ),
      mcu: { pollIntervalMs: 1_000, returnIntervalMs: 500, ...mcu },
      update: { retryMinMs: 1_000, retryMaxMs: 60_000, probationInferences: 5 },
    });
    return parseAgentConfig(text, '/etc/dunlin/agent.yaml');
  }
}

/** The public half of the fake releases' key, or of another, as a file. */
export async function keyFile(t: ExecutionContext, pem: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'dunlin-mcu-key-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'mcu.pub.pem');
  await writeFile(path, pem);
  return path;
}

export { firmware, hashOf, KEY, model };
