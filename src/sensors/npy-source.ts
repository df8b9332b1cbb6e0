import { DunlinError, parseNpy, readNamedFile } from '../core/index.ts';
import type { SampleSink, SampleSource, SourceDependencies } from './source.ts';

const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** Samples are delivered in bursts of this period. */
const BURST_MS = 20;
/** After a stall, at most this much is made up for. */
const MAX_CATCH_UP_MS = 1_000;

interface NpyConfig {
  readonly file: string;
  readonly channels: number;
  readonly rateHz: number;
}

/** Replays a recording in a loop at a fixed rate. */
export class NpySource implements SampleSource {
  readonly faultCount = 0;
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;

  private constructor(
    data: Float32Array,
    config: NpyConfig,
    sink: SampleSink,
    dependencies: SourceDependencies,
  ) {
    this.#finished = this.#replay(data, config, sink, dependencies);
  }

  static async open(
    config: NpyConfig,
    sink: SampleSink,
    dependencies: SourceDependencies,
  ): Promise<NpySource> {
    const array = parseNpy(await readNamedFile(config.file, MAX_FILE_BYTES), config.file);
    if (array.type !== 'float32' || array.data.length === 0) {
      throw new DunlinError(`${config.file}: a source needs float32 samples`, {
        code: 'input-invalid',
      });
    }
    if (array.shape.at(-1) !== config.channels) {
      throw new DunlinError(
        `${config.file}: the last dimension of (${array.shape.join(', ')}) is not the ` +
          `${config.channels} channels of the configuration`,
        { code: 'input-invalid' },
      );
    }
    return new NpySource(array.data, config, sink, dependencies);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
  }

  async #replay(
    data: Float32Array,
    { channels, rateHz }: NpyConfig,
    sink: SampleSink,
    { clock }: SourceDependencies,
  ): Promise<void> {
    const sampleCount = data.length / channels;
    let sent = 0;
    let startedMs = clock.monotonicMs();
    while (!this.#stop.signal.aborted) {
      const elapsedMs = clock.monotonicMs() - startedMs;
      const due = Math.floor((elapsedMs / 1000) * rateHz);
      const behindMs = ((due - sent) / rateHz) * 1000;
      if (behindMs > MAX_CATCH_UP_MS) {
        startedMs += behindMs;
        sink.gap();
        continue;
      }
      for (; sent < due; sent++) {
        const at = (sent % sampleCount) * channels;
        sink.sample(data.subarray(at, at + channels));
      }
      await clock.sleep(BURST_MS, this.#stop.signal).catch(() => {});
    }
  }
}
