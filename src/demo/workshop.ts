import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { DunlinError, nodeFiles } from '../core/index.ts';
import { parseModel, serializeModel } from '../tflite/index.ts';
import type { DemoBroker } from './broker.ts';

export const FLEET = 'demo';
export const DEVICE = 'press-7';
export const GROUP = 'presses';
export const MODEL = 'motor';
/** The microcontroller behind the gateway, and the model that runs there. */
export const MCU = 'spindle';
export const MCU_MODEL = 'bearing';
const MCU_BOARD = 'native';
/** Small, so that a transfer of some tens of kilobytes can be watched. */
export const CHUNK_BYTES = 4096;
const WINDOW_SAMPLES = 256;
/** Fewer windows than the gateway has: those that come before the device has a model wait for it. */
const MCU_RATE_HZ = 400;
const CHANNELS = 3;
const RATE_HZ = 1600;
const PASSPHRASE = 'correct horse battery staple';
const MAX_COMMAND_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Says that a folder may be emptied. */
const MARKER = 'dunlin-demo.txt';
const STOP_AFTER_MS = 5_000;

const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const EXAMPLE = join(PROJECT, 'examples/motor/');
const SENSOR = fileURLToPath(new URL('../../examples/motor/stream.js', import.meta.url));

export interface WorkshopOptions {
  readonly dir: string;
  readonly broker: DemoBroker;
  /** Told of every command, as a person would type it. */
  readonly onCommand: (line: string) => void;
}

/** The people of the tour and their folders: a publisher with keys and a repository, a stranger with others. */
export class Workshop {
  readonly dir: string;
  readonly #options: WorkshopOptions;

  constructor(options: WorkshopOptions) {
    this.dir = options.dir;
    this.#options = options;
  }

  /** @throws `input-invalid` for a folder that holds what no tour has put there */
  static async clean(options: WorkshopOptions): Promise<Workshop> {
    const { dir } = options;
    const names = await nodeFiles.list(dir);
    if (names.length > 0 && !names.includes(MARKER)) {
      throw new DunlinError(`${dir}: not empty, and not made by a tour; choose another --dir`, {
        code: 'input-invalid',
      });
    }
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    await writeFile(
      join(dir, MARKER),
      'Made by dunlin demo, which empties this folder at each start.\n',
    );
    return new Workshop(options);
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  example(...parts: string[]): string {
    return join(EXAMPLE, ...parts);
  }

  /** An example's model with the weights of its last layer upside down: a sound file that answers nonsense. */
  async spoilt(...parts: string[]): Promise<string> {
    const file = this.example(...parts);
    const model = parseModel(await readFile(file), file);
    const { operators, tensors } = model.subgraphs[0]!;
    const last = operators.findLast(
      ({ code }) => model.operatorCodes[code]!.builtin === 'FULLY_CONNECTED',
    );
    const place = tensors[last!.inputs[1]!]!.buffer;
    const weights = Int8Array.from(new Int8Array(model.buffers[place]!), (weight) => -weight);
    model.buffers[place] = new Uint8Array(weights.buffer);
    const spoilt = this.path('spoilt.tflite');
    await writeFile(spoilt, serializeModel(model));
    return spoilt;
  }

  /** Where the microcontroller has its line. */
  get serialPort(): string {
    return this.path('tty-spindle');
  }

  /** Runs `dunlin …`. @throws `input-invalid` with what the command said */
  async dunlin(...args: string[]): Promise<void> {
    const shown = args.map((word) => word.replace(`${this.dir}/`, '').replace(PROJECT, ''));
    this.#options.onCommand(`dunlin ${shown.join(' ')}`);
    await new Promise<void>((resolve, reject) => {
      execFile(
        process.execPath,
        [CLI, ...args],
        {
          env: { ...process.env, DUNLIN_PASSPHRASE: PASSPHRASE },
          maxBuffer: MAX_COMMAND_OUTPUT_BYTES,
        },
        (cause, _stdout, stderr) => {
          if (cause === null) return resolve();
          const said = stderr.trim().split('\n').at(-1);
          reject(
            new DunlinError(`dunlin ${args.slice(0, 2).join(' ')}: ${said}`, {
              code: 'input-invalid',
              cause,
            }),
          );
        },
      );
    });
  }

  keysInit(owner: string): Promise<void> {
    const to = (kind: string): string => this.path(owner, kind);
    return this.dunlin('keys', 'init', '--offline', to('offline'), '--online', to('online'));
  }

  /** @param files the model, and what its golden outputs are taken from where that is another file */
  build(
    owner: string,
    version: string,
    files: { readonly cpu: string; readonly reference?: string },
  ): Promise<void> {
    return this.#build(owner, MODEL, version, files);
  }

  /** A release for the microcontroller: the model as a plan, and the firmware if it is named. */
  buildForMcu(
    owner: string,
    version: string,
    files: { readonly cpu: string; readonly reference?: string; readonly firmware?: string },
  ): Promise<void> {
    const { firmware } = files;
    return this.#build(
      ...([owner, MCU_MODEL, version, files] as const),
      ...['--mcu', 'native', '--mcu-key', this.path(owner, 'offline', 'mcu.key.json')],
      ...(firmware === undefined ? [] : ['--firmware', `${MCU_BOARD}=${firmware}`]),
    );
  }

  #build(
    owner: string,
    model: string,
    version: string,
    files: { readonly cpu: string; readonly reference?: string },
    ...more: string[]
  ): Promise<void> {
    const reference = files.reference === undefined ? [] : ['--golden-reference', files.reference];
    return this.dunlin(
      ...['release', 'build', '--repo', this.path(owner, 'repo')],
      ...['--model', model, '--version', version, ...more],
      ...['--cpu', files.cpu, '--golden-inputs', this.example('golden-inputs.npy'), ...reference],
      ...['--labels', this.example('labels.json'), '--chunk-bytes', String(CHUNK_BYTES)],
    );
  }

  publish(owner: string, version: string, model = MODEL): Promise<void> {
    return this.dunlin(
      ...['release', 'publish', `${model}/${version}`, ...this.#ownerOptions(owner)],
      ...['--offline', this.path(owner, 'offline')],
    );
  }

  /** @param forMcu the version that the microcontroller is to run besides */
  assign(owner: string, version: string, forMcu?: string): Promise<void> {
    const more = forMcu === undefined ? [] : [`${MCU_MODEL}/${forMcu}`];
    return this.dunlin(
      ...['assign', '--group', GROUP, `${MODEL}/${version}`, ...more],
      ...this.#ownerOptions(owner),
    );
  }

  refresh(owner: string): Promise<void> {
    return this.dunlin('release', 'refresh', ...this.#ownerOptions(owner));
  }

  /** The agent's configuration, its broker behind the weak link. */
  async writeAgentConfig(brokerPort: number): Promise<string> {
    const { scheme, ...access } = this.#options.broker.access;
    const path = this.path('agent.yaml');
    const config = {
      fleet: FLEET,
      device: DEVICE,
      groups: [GROUP],
      stateDir: 'agent',
      broker: { url: `${scheme}://localhost:${brokerPort}`, ...access, reconnectMaxMs: 1_000 },
      trust: { rootFile: 'publisher/online/root.json' },
      pipelines: {
        vibration: pipeline(MODEL, RATE_HZ),
        [MCU_MODEL]: { ...pipeline(MCU_MODEL, MCU_RATE_HZ), on: MCU },
      },
      microcontrollers: {
        [MCU]: {
          port: this.serialPort,
          board: MCU_BOARD,
          model: MCU_MODEL,
          signingKeyFile: 'publisher/online/mcu.pub.pem',
        },
      },
      mcu: { pollIntervalMs: 1_000, returnIntervalMs: 500 },
      update: { retryMinMs: 500, retryMaxMs: 4_000, probationInferences: 6 },
      telemetry: { healthIntervalMs: 5_000, stateIntervalMs: 500 },
    };
    await writeFile(path, stringify(config));
    return path;
  }

  #ownerOptions(owner: string): string[] {
    const { broker } = this.#options;
    const { scheme, caFile, certFile, keyFile, username, passwordFile } = broker.access;
    const optional = (name: string, value: string | undefined): string[] =>
      value === undefined ? [] : [name, value];
    return [
      ...['--repo', this.path(owner, 'repo'), '--online', this.path(owner, 'online')],
      ...['--broker', `${scheme}://localhost:${broker.port}`, '--fleet', FLEET],
      ...optional('--ca', caFile),
      ...optional('--cert', certFile),
      ...optional('--key', keyFile),
      ...optional('--username', username),
      ...optional('--password-file', passwordFile),
    ];
  }
}

/** A stream of vibration, from a seed. */
function pipeline(model: string, rateHz: number) {
  return {
    model,
    source: {
      kind: 'command',
      argv: [process.execPath, SENSOR, '--rate-hz', String(rateHz), '--seed', '7'],
      channels: CHANNELS,
    },
    window: { samples: WINDOW_SAMPLES, stride: WINDOW_SAMPLES },
    schedule: '* * * * * *',
  };
}

/** The agent, a process of its own: `dunlin agent --config FILE`. */
export class AgentProcess {
  readonly pid: number;
  readonly #exited: Promise<unknown>;
  readonly #kill: (signal: NodeJS.Signals) => void;

  private constructor(
    pid: number,
    exited: Promise<unknown>,
    kill: (signal: NodeJS.Signals) => void,
  ) {
    this.pid = pid;
    this.#exited = exited;
    this.#kill = kill;
  }

  static start(configPath: string, onLog: (line: string) => void): AgentProcess {
    const child = spawn(process.execPath, [CLI, 'agent', '--config', configPath], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.setEncoding('utf8').on('data', onLog);
    return new AgentProcess(child.pid!, once(child, 'exit'), (signal) => child.kill(signal));
  }

  /** SIGKILL: no chance to tidy up. */
  async kill(): Promise<void> {
    this.#kill('SIGKILL');
    await this.#exited;
  }

  /** SIGTERM, then SIGKILL for one that does not listen. */
  async stop(): Promise<void> {
    this.#kill('SIGTERM');
    const timer = setTimeout(() => this.#kill('SIGKILL'), STOP_AFTER_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}
