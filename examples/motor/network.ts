import type { Random } from '../../src/core/index.ts';
import { Conv, Depthwise, type Layer, Mean, type Parameter, type Shape, sizeOf } from './layers.ts';
import { AXES, CONDITIONS, WINDOW_SAMPLES } from './simulate.ts';

/** Layers in a row, and the buffers that one window needs on its way through and back. */
export class Network {
  readonly layers: readonly Layer[];
  /** activations[i] is the input of layer i; the last one holds the logits. */
  readonly activations: readonly Float32Array[];
  readonly #gradients: readonly Float32Array[];

  constructor(layers: readonly Layer[]) {
    const first = layers[0];
    if (first === undefined) throw new RangeError('a network needs a layer');
    this.layers = layers;
    const sizes = [sizeOf(first.input), ...layers.map((layer) => sizeOf(layer.output))];
    this.activations = sizes.map((size) => new Float32Array(size));
    this.#gradients = sizes.map((size) => new Float32Array(size));
  }

  get parameters(): Parameter[] {
    return this.layers.flatMap((layer) => layer.parameters);
  }

  /** The logits of one window; valid until the next call. */
  forward(input: Float32Array): Float32Array {
    this.activations[0]!.set(input);
    this.layers.forEach((layer, i) => {
      layer.forward(this.activations[i]!, this.activations[i + 1]!);
    });
    return this.activations[this.layers.length]!;
  }

  /**
   * Forward, then backward from softmax cross-entropy: adds to every parameter's gradient.
   * @returns the loss of this window, in nats
   */
  learn(input: Float32Array, label: number): number {
    const probabilities = softmax(this.forward(input));
    const last = this.#gradients[this.layers.length]!;
    probabilities.forEach((p, c) => {
      last[c] = p - (c === label ? 1 : 0);
    });
    for (let i = this.layers.length - 1; i >= 0; i--) {
      this.layers[i]!.backward(
        this.activations[i]!,
        this.activations[i + 1]!,
        this.#gradients[i + 1]!,
        this.#gradients[i]!,
      );
    }
    return -Math.log(Math.max(probabilities[label]!, 1e-12));
  }

  /** The gradient of the input after `learn`; valid until the next call. */
  get inputGradient(): Float32Array {
    return this.#gradients[0]!;
  }
}

export function softmax(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const exponentials = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/** Vibration is about a tenth of gravity; the first layer's weights start as much larger. */
const FIRST_LAYER_GAIN = 8;

/**
 * The motor network. It sees 97 samples (61 ms) at once before it averages over time: one turn of the
 * slowest shaft, three of the fastest.
 */
export function createMotorNetwork(random: Random): Network {
  const input: Shape = { length: WINDOW_SAMPLES, channels: AXES };
  const first = new Conv(input, 16, { kernel: 9, stride: 2, relu: true }, random);
  ignoreGravity(first);
  const second = new Conv(first.output, 24, { kernel: 5, stride: 2, relu: true }, random);
  const third = new Conv(second.output, 48, { kernel: 5, stride: 2, relu: true }, random);
  const filters = new Depthwise(third.output, 9, random);
  const mixing = new Conv(filters.output, 64, { kernel: 1, stride: 1, relu: true }, random);
  const mean = new Mean(mixing.output);
  const hidden = new Conv(mean.output, 48, { kernel: 1, stride: 1, relu: true }, random);
  const logits = new Conv(
    hidden.output,
    CONDITIONS.length,
    { kernel: 1, stride: 1, relu: false },
    random,
  );
  return new Network([first, second, third, filters, mixing, mean, hidden, logits]);
}

/** Filters that start with a sum of zero over time start blind to gravity, ten times the signal. */
function ignoreGravity(layer: Conv): void {
  const { values } = layer.weights;
  const { kernel } = layer.options;
  for (let o = 0; o < layer.output.channels; o++) {
    for (let axis = 0; axis < AXES; axis++) {
      const indices = Array.from({ length: kernel }, (_, k) => (o * kernel + k) * AXES + axis);
      const mean = indices.reduce((sum, index) => sum + values[index]!, 0) / kernel;
      for (const index of indices) values[index] = FIRST_LAYER_GAIN * (values[index]! - mean);
    }
  }
}
