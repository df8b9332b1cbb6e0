import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { SampleSink, SampleSource, SourceDependencies } from './source.ts';

const MAX_LINE_CHARACTERS = 4096;
const RESTART_MIN_MS = 250;
const RESTART_MAX_MS = 30_000;
/** A run this long counts as healthy: the next restart starts again at the shortest pause. */
const HEALTHY_RUN_MS = 10_000;
const KILL_AFTER_MS = 2_000;

interface CommandConfig {
  readonly argv: readonly string[];
  readonly workingDir?: string;
  readonly channels: number;
}

/** Reads samples from a process, `1.0,2.0,3.0` a line, and starts it again when it ends. */
export class CommandSource implements SampleSource {
  readonly #config: CommandConfig;
  readonly #sink: SampleSink;
  readonly #dependencies: SourceDependencies;
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;
  #child: ChildProcess | undefined;
  #rest = '';
  #faults = 0;

  constructor(config: CommandConfig, sink: SampleSink, dependencies: SourceDependencies) {
    this.#config = config;
    this.#sink = sink;
    this.#dependencies = dependencies;
    this.#finished = this.#keepRunning();
  }

  get faultCount(): number {
    return this.#faults;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      await this.#finished;
      clearTimeout(timer);
    }
    await this.#finished;
  }

  async #keepRunning(): Promise<void> {
    const { clock, logger } = this.#dependencies;
    let pauseMs = RESTART_MIN_MS;
    while (!this.#stop.signal.aborted) {
      const startedMs = clock.monotonicMs();
      const reason = await this.#runOnce();
      if (this.#stop.signal.aborted) return;
      this.#faults += 1;
      this.#sink.gap();
      if (clock.monotonicMs() - startedMs > HEALTHY_RUN_MS) pauseMs = RESTART_MIN_MS;
      logger.warn('source ended, it is started again', { reason, pauseMs });
      await clock.sleep(pauseMs, this.#stop.signal).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, RESTART_MAX_MS);
    }
  }

  async #runOnce(): Promise<string> {
    const { argv, workingDir } = this.#config;
    const [command, ...args] = argv;
    this.#rest = '';
    const child = spawn(command!, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(workingDir === undefined ? {} : { cwd: workingDir }),
    });
    this.#child = child;
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => this.#read(text));
    try {
      const [code, signal] = await once(child, 'close');
      return `exit ${code ?? signal}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
    if (this.#rest.length > MAX_LINE_CHARACTERS) {
      this.#rest = '';
      this.#faults += 1;
    }
  }

  #line(line: string): void {
    const values = line.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
    if (values.length !== this.#config.channels || !values.every(Number.isFinite)) {
      this.#faults += 1;
      this.#dependencies.logger.debug(() => `not a sample: ${line.slice(0, 80)}`);
      return;
    }
    this.#sink.sample(values);
  }
}
