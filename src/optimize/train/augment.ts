import type { Random } from '../../core/index.ts';
import type { Samples } from '../measure/sample-runs.ts';

/**
 * Variations of samples. The teacher answers for whatever comes out, so they need not look real: they only have to
 * cover what lies between and around the samples.
 */

/** How often a sample is mixed with another, and with how much of it at the most. */
const MIX_SHARE = 0.5;
const MOST_MIX = 0.5;
/** Largest factor by which a sample is louder or softer. */
const MOST_GAIN = 0.15;
/** Largest shift along the first dimension after the batch, as a share of its length. */
const MOST_SHIFT = 0.15;
/** Largest deviation of the noise, in deviations of what stands at the same place of any row and sample. */
const MOST_NOISE = 0.3;

export interface Augmented {
  /** The sample that it came from. */
  readonly index: number;
  /** Whether the sample's label still holds. */
  readonly keepsLabel: boolean;
}

/** One input of the model: its shape without the batch, and how far its values spread. */
interface InputFacts {
  readonly shape: readonly number[];
  /** Of each place in a row. */
  readonly deviation: Float64Array;
}

export class Augmenter {
  readonly #samples: Samples;
  readonly #inputs: readonly InputFacts[];
  readonly #spares: readonly Float32Array[];
  readonly #varies: boolean;

  /**
   * @param shapes of the model's inputs, [1, …]
   * @param varies whether samples are varied at all
   */
  constructor(samples: Samples, shapes: readonly (readonly number[])[], varies: boolean) {
    this.#samples = samples;
    this.#varies = varies;
    this.#inputs = shapes.map((shape, place) => ({
      shape: shape.slice(1),
      deviation: deviations(samples, place, rowsOf(shape.slice(1))),
    }));
    this.#spares = shapes.map((shape) => new Float32Array(shape.reduce((a, b) => a * b, 1)));
  }

  /** Writes a random sample, or a variation of one, into `targets`, one for each input of the model. */
  draw(random: Random, targets: readonly Float32Array[]): Augmented {
    const { count } = this.#samples;
    const index = random.integer(count);
    if (!this.#varies) {
      for (const [place, values] of this.#samples.at(index).entries()) targets[place]!.set(values);
      return { index, keepsLabel: true };
    }
    const other = random.integer(count);
    const mix = random.uniform() < MIX_SHARE ? random.uniform(0, MOST_MIX) : 0;
    const gain = 1 + random.uniform(-MOST_GAIN, MOST_GAIN);
    const shift = random.uniform(-MOST_SHIFT, MOST_SHIFT);
    const noise = random.uniform(0, MOST_NOISE);
    const [sample, second] = [this.#samples.at(index), this.#samples.at(other)];
    for (const [place, target] of targets.entries()) {
      const facts = this.#inputs[place]!;
      shiftRows(sample[place]!, target, facts.shape, shift);
      if (mix > 0) {
        const spare = this.#spares[place]!;
        shiftRows(second[place]!, spare, facts.shape, shift);
        for (let i = 0; i < target.length; i++) target[i]! += mix * (spare[i]! - target[i]!);
      }
      addNoise(random, target, facts.deviation, { gain, noise });
    }
    return { index, keepsLabel: mix === 0 };
  }
}

/** Of an image its lines, of a series its times; a vector is one row. */
function rowsOf(shape: readonly number[]): number {
  return shape.length > 1 ? shape[0]! : 1;
}

/** What is shifted in is the row at the edge. Vectors stay as they are: their places are not neighbours. */
function shiftRows(
  from: Float32Array,
  to: Float32Array,
  shape: readonly number[],
  share: number,
): void {
  const rows = rowsOf(shape);
  const by = Math.round(share * rows);
  const width = from.length / rows;
  for (let row = 0; row < rows; row++) {
    const source = Math.min(rows - 1, Math.max(0, row - by));
    to.set(from.subarray(source * width, (source + 1) * width), row * width);
  }
}

function addNoise(
  random: Random,
  values: Float32Array,
  deviation: Float64Array,
  { gain, noise }: { readonly gain: number; readonly noise: number },
): void {
  const depth = deviation.length;
  for (let i = 0; i < values.length; i++) {
    values[i] = values[i]! * gain + random.gaussian() * noise * deviation[i % depth]!;
  }
}

function deviations(samples: Samples, place: number, rowCount: number): Float64Array {
  const depth = samples.at(0)[place]!.length / rowCount;
  const [sums, squares] = [new Float64Array(depth), new Float64Array(depth)];
  let rows = 0;
  for (let index = 0; index < samples.count; index++) {
    const values = samples.at(index)[place]!;
    for (let i = 0; i < values.length; i++) {
      sums[i % depth]! += values[i]!;
      squares[i % depth]! += values[i]! ** 2;
    }
    rows += values.length / depth;
  }
  return sums.map((sum, i) => Math.sqrt(Math.max(0, squares[i]! / rows - (sum / rows) ** 2)));
}
