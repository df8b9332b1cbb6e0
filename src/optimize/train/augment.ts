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
/** Largest factor, less one, by which rows lie further apart or closer together. */
const MOST_STRETCH = 0.2;
/** Largest deviation of what is added to a place of all rows alike, in the same measure as noise. */
const MOST_OFFSET = 0.4;
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
    const move = {
      shift: random.uniform(-MOST_SHIFT, MOST_SHIFT),
      stretch: random.uniform(1 / (1 + MOST_STRETCH), 1 + MOST_STRETCH),
    };
    const noise = random.uniform(0, MOST_NOISE);
    const offset = random.uniform(0, MOST_OFFSET);
    const [sample, second] = [this.#samples.at(index), this.#samples.at(other)];
    for (const [place, target] of targets.entries()) {
      const facts = this.#inputs[place]!;
      moveRows(sample[place]!, target, facts.shape, move);
      if (mix > 0) {
        const spare = this.#spares[place]!;
        moveRows(second[place]!, spare, facts.shape, move);
        for (let i = 0; i < target.length; i++) target[i]! += mix * (spare[i]! - target[i]!);
      }
      addNoise(random, target, facts.deviation, { gain, noise, offset });
    }
    return { index, keepsLabel: mix === 0 };
  }
}

/** Of an image its lines, of a series its times; a vector is one row. */
function rowsOf(shape: readonly number[]): number {
  return shape.length > 1 ? shape[0]! : 1;
}

/**
 * Shifts the rows and stretches what they show about the middle, between rows in a straight line. What comes in is the
 * row at the edge. Vectors stay as they are: their places are not neighbours.
 */
function moveRows(
  from: Float32Array,
  to: Float32Array,
  shape: readonly number[],
  { shift, stretch }: { readonly shift: number; readonly stretch: number },
): void {
  const rows = rowsOf(shape);
  const width = from.length / rows;
  const middle = (rows - 1) / 2;
  for (let row = 0; row < rows; row++) {
    const source = middle + (row - middle) * stretch - shift * rows;
    const inside = Math.min(rows - 1, Math.max(0, source));
    const above = Math.min(rows - 1, Math.floor(inside));
    const below = Math.min(rows - 1, above + 1);
    const share = inside - above;
    for (let place = 0; place < width; place++) {
      const [first, second] = [from[above * width + place]!, from[below * width + place]!];
      to[row * width + place] = first + share * (second - first);
    }
  }
}

function addNoise(
  random: Random,
  values: Float32Array,
  deviation: Float64Array,
  size: { readonly gain: number; readonly noise: number; readonly offset: number },
): void {
  const depth = deviation.length;
  const { gain, noise, offset } = size;
  // A vector's places have no other rows to be alike in.
  const rows = values.length / depth;
  const offsets = deviation.map((spread) => (rows > 1 ? random.gaussian() * offset * spread : 0));
  for (let i = 0; i < values.length; i++) {
    const place = i % depth;
    const added = offsets[place]! + random.gaussian() * noise * deviation[place]!;
    values[i] = values[i]! * gain + added;
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
