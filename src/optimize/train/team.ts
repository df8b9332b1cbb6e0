import { Worker } from 'node:worker_threads';
import { errorMessage } from '../../core/index.ts';
import { serializeModel } from '../../tflite/index.ts';
import { SHARDS } from './plan.ts';
import { type Lesson, ShardRunner } from './shard.ts';
import type { Grid } from './tensor.ts';

/** Seen by all threads. */
export interface SharedNumbers {
  /** Of all parameters, one after the other: what the operations multiply with. */
  readonly values: Float32Array;
  /** Of each shard, likewise. */
  readonly gradients: readonly Float32Array[];
  readonly losses: Float64Array;
}

/** What a thread is started with. */
export interface WorkerSetup extends Omit<Lesson, 'teacher' | 'student' | 'samples'> {
  readonly teacher: Uint8Array;
  readonly student: Uint8Array;
  readonly what: string;
  readonly sampleCount: number;
  /** Of each input of the model, sample by sample. */
  readonly sampleValues: readonly Float32Array[];
  readonly shared: SharedNumbers;
}

/** Shards for a thread to compute, perhaps with int8 steps from now on. It answers with the step's number. */
export interface WorkerOrder {
  readonly step: number;
  readonly shards: readonly number[];
  readonly grids?: ReadonlyMap<number, Grid>;
}

/** Computes one shard and leaves its gradients in their place. */
export function learnShard(
  runner: ShardRunner,
  { gradients, losses }: SharedNumbers,
  step: number,
  shard: number,
): void {
  losses[shard] = runner.learn(step, shard);
  let at = 0;
  for (const { gradient } of runner.student.parameters) {
    gradients[shard]!.set(gradient.floats, at);
    gradient.floats.fill(0);
    at += gradient.length;
  }
}

/** A thread. It may fail at any time, also while nobody waits for it: whoever asks next hears of it. */
class Helper {
  readonly #worker: Worker;
  #failure: Error | undefined;
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;

  constructor(setup: WorkerSetup) {
    this.#worker = new Worker(new URL('./shard-worker.js', import.meta.url), { workerData: setup });
    this.#worker.on('message', () => this.#waiting?.resolve());
    // Errors of another thread are of no class that this one knows.
    this.#worker.on('error', (cause) =>
      this.#fail(new Error(`a thread of the training failed: ${errorMessage(cause)}`, { cause })),
    );
    this.#worker.on('exit', () => this.#fail(new Error('a thread of the training has ended')));
  }

  /** One question at a time. */
  ask(order: WorkerOrder): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#failure === undefined) this.#worker.postMessage(order);
      else reject(this.#failure);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
  }
}

/**
 * Computes the shards of a batch on several threads. Gradients are added up shard by shard, so that their sum does not
 * depend on how many threads there are.
 */
export class ShardTeam {
  /** The one whose parameters learn. */
  readonly runner: ShardRunner;
  readonly #shared: SharedNumbers;
  readonly #helpers: readonly Helper[];
  #grids: ReadonlyMap<number, Grid> | undefined;

  /** @param threads this one counted in */
  constructor(lesson: Lesson, threads: number) {
    this.runner = new ShardRunner(lesson);
    const numbers = this.runner.student.parameters.reduce(
      (sum, { values }) => sum + values.length,
      0,
    );
    this.#shared = {
      values: sharedFloats(numbers),
      gradients: Array.from({ length: SHARDS }, () => sharedFloats(numbers)),
      losses: new Float64Array(new SharedArrayBuffer(SHARDS * Float64Array.BYTES_PER_ELEMENT)),
    };
    const count = Math.min(threads, SHARDS) - 1;
    // Alone, it needs no copy of the samples to share.
    const setup = count > 0 ? setupOf(lesson, this.#shared) : undefined;
    this.#helpers = Array.from({ length: count }, () => new Helper(setup!));
  }

  roundTo(grids: ReadonlyMap<number, Grid>): void {
    this.runner.roundTo(grids);
    this.#grids = grids;
  }

  /**
   * Leaves the gradients of the whole batch in the runner's parameters.
   * @returns its mean loss
   * @throws what a thread failed of, also before this step
   */
  async learn(step: number): Promise<number> {
    this.#publish();
    const parts = this.#helpers.length + 1;
    const shardsOf = (part: number): number[] =>
      Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => shard % parts === part);
    const grids = this.#grids === undefined ? {} : { grids: this.#grids };
    const answers = Promise.all(
      this.#helpers.map((helper, index) =>
        helper.ask({ step, shards: shardsOf(index + 1), ...grids }),
      ),
    );
    this.#grids = undefined;
    try {
      for (const shard of shardsOf(0)) learnShard(this.runner, this.#shared, step, shard);
    } finally {
      // Also where this thread has failed: nobody else would hear of the others' end.
      await answers;
    }
    this.#collect();
    return this.#shared.losses.reduce((sum, loss) => sum + loss, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#helpers.map((helper) => helper.close()));
  }

  #publish(): void {
    let at = 0;
    for (const { values } of this.runner.student.parameters) {
      this.#shared.values.set(values.floats, at);
      at += values.length;
    }
  }

  #collect(): void {
    let at = 0;
    for (const { gradient } of this.runner.student.parameters) {
      const sums = gradient.floats;
      for (const shard of this.#shared.gradients) {
        for (let index = 0; index < sums.length; index++) sums[index]! += shard[at + index]!;
      }
      at += sums.length;
    }
  }
}

function sharedFloats(count: number): Float32Array {
  return new Float32Array(new SharedArrayBuffer(count * Float32Array.BYTES_PER_ELEMENT));
}

function setupOf(
  { teacher, student, samples, labels, augment, targets, seed }: Lesson,
  shared: SharedNumbers,
): WorkerSetup {
  const sizes = samples.at(0).map(({ length }) => length);
  const sampleValues = sizes.map((size, input) => {
    const values = sharedFloats(size * samples.count);
    for (let index = 0; index < samples.count; index++) {
      values.set(samples.at(index)[input]!, index * size);
    }
    return values;
  });
  return {
    labels,
    augment,
    targets,
    seed,
    teacher: serializeModel(teacher.model),
    student: serializeModel(student.model),
    what: student.what,
    sampleCount: samples.count,
    sampleValues,
    shared,
  };
}
