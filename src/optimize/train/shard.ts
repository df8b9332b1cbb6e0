import { Random } from '../../core/index.ts';
import type { FloatModel } from '../float-model.ts';
import type { Samples } from '../measure/sample-runs.ts';
import { Augmenter } from './augment.ts';
import { lossGradients, type Target } from './loss.ts';
import { Network } from './network.ts';
import { BATCH_SAMPLES, SHARD_SAMPLES } from './plan.ts';
import type { Grid } from './tensor.ts';

export interface LabelledSamples {
  readonly samples: Samples;
  /** Of each sample. */
  readonly labels: Int32Array | undefined;
}

/** What learns, from whom, and what from. */
export interface Lesson extends LabelledSamples {
  readonly teacher: FloatModel;
  readonly student: FloatModel;
  /** Whether samples are varied, or learned from as they are. */
  readonly augment: boolean;
  readonly targets: readonly Target[];
  readonly seed: number;
}

/** Computes shards of a batch, one after the other. */
export class ShardRunner {
  readonly student: Network;
  readonly #teacher: Network;
  readonly #lesson: Lesson;
  readonly #augmenter: Augmenter;

  constructor(lesson: Lesson) {
    const { teacher, student, samples, augment } = lesson;
    this.#lesson = lesson;
    this.student = new Network(student, SHARD_SAMPLES);
    this.#teacher = new Network(teacher, SHARD_SAMPLES);
    const shapes = teacher.subgraph.inputs.map((index) => teacher.graph.tensor(index).shape);
    this.#augmenter = new Augmenter(samples, shapes, augment);
  }

  roundTo(grids: ReadonlyMap<number, Grid>): void {
    for (const [index, grid] of grids) this.student.tensor(index).roundTo(grid);
  }

  /**
   * One shard of one step: its samples depend on the seed, the step and the shard alone. Adds to the gradients of the
   * student's parameters.
   * @returns the shard's part of the mean loss
   */
  learn(step: number, shard: number): number {
    const { labels, seed, targets } = this.#lesson;
    const drawn = labels && new Int32Array(SHARD_SAMPLES).fill(-1);
    for (let place = 0; place < SHARD_SAMPLES; place++) {
      const random = new Random(seed, step, shard * SHARD_SAMPLES + place);
      const { index, keepsLabel } = this.#augmenter.draw(random, this.#inputsAt(place));
      if (drawn !== undefined && keepsLabel) drawn[place] = labels![index]!;
    }
    this.#answer();
    this.student.clearGradients();
    const loss = lossGradients(this.student, this.#teacher, targets, drawn, BATCH_SAMPLES);
    this.student.backward();
    return loss;
  }

  /** Mean loss over samples as they are. */
  validate({ samples, labels }: LabelledSamples): number {
    const { targets } = this.#lesson;
    const found = labels && new Int32Array(SHARD_SAMPLES);
    let sum = 0;
    for (let from = 0; from < samples.count; from += SHARD_SAMPLES) {
      this.#take(samples, from);
      for (let place = 0; found !== undefined && place < SHARD_SAMPLES; place++) {
        found[place] = labels![(from + place) % samples.count]!;
      }
      this.#answer();
      this.student.clearGradients();
      sum += lossGradients(this.student, this.#teacher, targets, found, SHARD_SAMPLES);
    }
    return sum / Math.ceil(samples.count / SHARD_SAMPLES);
  }

  /** Adds what the samples do in the student to its moments. */
  addMoments(samples: Samples): void {
    for (let from = 0; from < samples.count; from += SHARD_SAMPLES) {
      this.#take(samples, from);
      this.student.forward();
      this.student.addMoments();
    }
  }

  /** Samples as they are, from one on; after the last comes the first again. */
  #take(samples: Samples, from: number): void {
    for (let place = 0; place < SHARD_SAMPLES; place++) {
      const sample = samples.at((from + place) % samples.count);
      for (const [input, target] of this.#inputsAt(place).entries()) target.set(sample[input]!);
    }
  }

  /** Where the student takes its inputs of one sample of the batch. */
  #inputsAt(place: number): Float32Array[] {
    return this.student.float.subgraph.inputs.map((index) => {
      const { computed, size } = this.student.tensor(index);
      return computed.floats.subarray(place * size, (place + 1) * size);
    });
  }

  #answer(): void {
    const [from, to] = [this.student.float.subgraph.inputs, this.#teacher.float.subgraph.inputs];
    for (const [place, index] of to.entries()) {
      this.#teacher
        .tensor(index)
        .computed.floats.set(this.student.tensor(from[place]!).computed.floats);
    }
    this.#teacher.forward();
    this.student.forward();
  }
}
