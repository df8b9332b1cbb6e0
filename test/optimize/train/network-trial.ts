import type { LoadModel } from '../../../src/inference/index.ts';
import { openFloatModel } from '../../../src/optimize/float-model.ts';
import { inferReals } from '../../../src/optimize/measure/sample-runs.ts';
import { Network } from '../../../src/optimize/train/network.ts';
import { fusedActivation } from '../../../src/optimize/train/operations/activation.ts';
import type { Parameter } from '../../../src/optimize/train/parameter.ts';
import { serializeModel, type TfliteModel } from '../../../src/tflite/index.ts';
import type { RandomValues } from '../random-values.ts';

/** A gradient that was compared with finite differences. */
export interface GradientError {
  /** Largest difference, as a share of the largest gradient of the parameter. */
  readonly worst: number;
  readonly compared: number;
  /** A kink lay between the ends of the difference. */
  readonly skipped: number;
}

/** A way for all parameters to go at once. */
export interface Direction {
  /** The slope, by the gradients. */
  readonly wanted: number;
  /** How large slopes are along other directions. */
  readonly scale: number;
  /** By a central difference. */
  slope(step: number): number;
}

/** A network, its samples, and a loss in which every output value has a weight of its own. */
export class NetworkTrial {
  readonly network: Network;
  readonly #model: TfliteModel;
  readonly #samples: readonly (readonly Float32Array[])[];
  /** Of the loss, for each output. */
  readonly weights: readonly Float32Array[];
  readonly #random: RandomValues;

  /** @param samples for each sample, the values of each input */
  constructor(
    model: TfliteModel,
    samples: readonly (readonly Float32Array[])[],
    random: RandomValues,
  ) {
    this.#model = model;
    this.#random = random;
    this.#samples = samples;
    this.network = new Network(
      openFloatModel(serializeModel(model), 'trial.tflite'),
      samples.length,
    );
    for (const [sample, values] of samples.entries()) {
      for (const [place, index] of this.network.float.subgraph.inputs.entries()) {
        const { computed, size } = this.network.tensor(index);
        computed.floats.set(values[place]!, sample * size);
      }
    }
    this.weights = this.#outputs.map(({ computed }) =>
      Float32Array.from(random.normals(computed.length, 1)),
    );
  }

  get #outputs() {
    return this.network.float.subgraph.outputs.map((index) => this.network.tensor(index));
  }

  /** All outputs, in the order of the graph's, each [batch, ...shape]. */
  forward(): Float32Array[] {
    this.network.forward();
    return this.#outputs.map(({ values }) => Float32Array.from(values.floats));
  }

  /** Largest difference from the runtime, as a share of the output's largest value. */
  async distance(load: LoadModel): Promise<number> {
    const found = this.forward();
    const loaded = await load(serializeModel(this.#model), 'trial', 'stock');
    try {
      let worst = 0;
      for (const [sample, values] of this.#samples.entries()) {
        const wanted = await inferReals(loaded, values);
        for (const [place, row] of wanted.entries()) {
          const got = found[place]!.subarray(sample * row.length, (sample + 1) * row.length);
          const scale = row.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
          for (const [at, value] of row.entries()) {
            const difference = Math.abs(got[at]! - value) / scale;
            worst = Number.isNaN(difference) ? Number.NaN : Math.max(worst, difference);
          }
        }
      }
      return worst;
    } finally {
      await loaded.close();
    }
  }

  /** Gradients of all parameters, by what the network says. */
  backward(): void {
    this.network.forward();
    this.network.clearGradients();
    for (const { gradient } of this.network.parameters) gradient.floats.fill(0);
    for (const [place, { gradient }] of this.#outputs.entries()) {
      gradient.floats.set(this.weights[place]!);
    }
    this.network.backward();
  }

  /** Central differences of every element, or of so many. */
  elementErrors(parameter: Parameter, step: number, most: number): GradientError {
    const { floats } = parameter.learned;
    const gradient = parameter.gradient.floats;
    const scale = gradient.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
    const count = Math.min(most, floats.length);
    let [worst, skipped] = [0, 0];
    for (let turn = 0; turn < count; turn++) {
      const at = count === floats.length ? turn : this.#random.whole(0, floats.length - 1);
      const before = floats[at]!;
      const { slope, bends } = this.#slope(step, (by) => {
        floats[at] = before + by;
        parameter.refresh();
        // What float32 makes of it.
        return floats[at]! - before;
      });
      floats[at] = before;
      parameter.refresh();
      if (bends) skipped += 1;
      else worst = Math.max(worst, Math.abs(slope - gradient[at]!) / scale);
    }
    return { worst, compared: count - skipped, skipped };
  }

  /** A random direction of all parameters, of length 1. */
  direction(): Direction {
    const { parameters } = this.network;
    const before = parameters.map(({ learned }) => Float32Array.from(learned.floats));
    const count = before.reduce((sum, { length }) => sum + length, 0);
    const steps = before.map(({ length }) => this.#random.normals(length, 1 / Math.sqrt(count)));
    let [wanted, squares] = [0, 0];
    for (const [place, { gradient }] of parameters.entries()) {
      for (const [at, value] of gradient.floats.entries()) {
        wanted += value * steps[place]![at]!;
        squares += value * value;
      }
    }
    const move = (by: number): number => {
      for (const [place, parameter] of parameters.entries()) {
        const { floats } = parameter.learned;
        for (let at = 0; at < floats.length; at++) {
          floats[at] = before[place]![at]! + by * steps[place]![at]!;
        }
        parameter.refresh();
      }
      return by;
    };
    const slope = (step: number): number => {
      const found = this.#slope(step, move);
      move(0);
      return found.slope;
    };
    return { wanted, scale: Math.max(Math.sqrt(squares / count), 1e-3), slope };
  }

  /** Difference of the loss by that of a parameter, both as they were in float32. */
  #slope(step: number, move: (by: number) => number): { slope: number; bends: boolean } {
    const end = (by: number): End => {
      const moved = move(by);
      return { moved, outputs: this.forward(), pattern: this.#pattern() };
    };
    const [high, low] = [end(step), end(-step)];
    let difference = 0;
    for (const [place, weights] of this.weights.entries()) {
      for (const [at, weight] of weights.entries()) {
        difference += weight * (high.outputs[place]![at]! - low.outputs[place]![at]!);
      }
    }
    const slope = difference / (high.moved - low.moved);
    return { slope, bends: high.pattern !== low.pattern };
  }

  /** Which values of fused activations lie at a limit: between two of the same pattern there is no kink of theirs. */
  #pattern(): string {
    const { graph, subgraph } = this.network.float;
    return subgraph.operators
      .flatMap(({ outputs, options }) => {
        const limits = fusedActivation(options['fusedActivationFunction']);
        if (limits === undefined || limits === 'unknown') return [];
        return outputs.map((index) =>
          Array.from(this.network.tensor(index).computed.floats, (value) =>
            value === limits.low ? 'l' : value === limits.high ? 'h' : '-',
          ).join(''),
        );
      })
      .join(`${graph.what}`);
  }
}

interface End {
  readonly moved: number;
  readonly outputs: readonly Float32Array[];
  readonly pattern: string;
}
