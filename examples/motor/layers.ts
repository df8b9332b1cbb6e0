/**
 * Forward and backward kernels, one window at a time, in plain Float32Array code. Activations are
 * [length, channels], time first, so a convolution's receptive field is one contiguous run of values and
 * both passes are sums over runs. All sums are in double precision and in one order: reproducible.
 */
import type { Random } from '../../src/core/index.ts';

export interface Shape {
  readonly length: number;
  readonly channels: number;
}

/** Trainable values with their gradient, summed over the windows of a batch. */
export interface Parameter {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
}

export interface Layer {
  readonly kind: 'conv' | 'depthwise' | 'mean' | 'dense';
  readonly input: Shape;
  readonly output: Shape;
  readonly parameters: readonly Parameter[];
  forward(input: Float32Array, output: Float32Array): void;
  /**
   * Adds to the parameters' gradients and writes the input's, from the output and the gradient of the
   * output, which is overwritten (masked by the RELU).
   */
  backward(
    input: Float32Array,
    output: Float32Array,
    outputGradient: Float32Array,
    inputGradient: Float32Array,
  ): void;
}

export interface KernelOptions {
  readonly kernel: number;
  readonly stride: number;
  readonly relu: boolean;
}

export function sizeOf({ length, channels }: Shape): number {
  return length * channels;
}

function parameter(size: number): Parameter {
  return { values: new Float32Array(size), gradient: new Float32Array(size) };
}

/** He et al. 2015, "Delving Deep into Rectifiers", eq. 10. */
function initialise(values: Float32Array, fanIn: number, random: Random): void {
  const deviation = Math.sqrt(2 / fanIn);
  for (let i = 0; i < values.length; i++) values[i] = deviation * random.gaussian();
}

function maskByRelu(output: Float32Array, gradient: Float32Array): void {
  for (let i = 0; i < output.length; i++) if (output[i]! <= 0) gradient[i] = 0;
}

/** Output channels that share one pass over the receptive field: twice as fast as one at a time. */
const ROWS = 4;

/**
 * Convolution along time without padding; weights [out, kernel, in]. A fully connected layer is the case
 * of length 1 and kernel 1.
 */
export class Conv implements Layer {
  readonly kind: 'conv' | 'dense';
  readonly input: Shape;
  readonly output: Shape;
  readonly options: KernelOptions;
  readonly weights: Parameter;
  readonly bias: Parameter;
  readonly parameters: readonly Parameter[];

  constructor(input: Shape, channels: number, options: KernelOptions, random: Random) {
    if (channels % ROWS !== 0) throw new RangeError(`${channels} channels: not a multiple of 4`);
    this.kind = input.length === 1 ? 'dense' : 'conv';
    this.input = input;
    const length = Math.floor((input.length - options.kernel) / options.stride) + 1;
    this.output = { length, channels };
    this.options = options;
    const fanIn = options.kernel * input.channels;
    this.weights = parameter(channels * fanIn);
    this.bias = parameter(channels);
    this.parameters = [this.weights, this.bias];
    initialise(this.weights.values, fanIn, random);
  }

  forward(input: Float32Array, output: Float32Array): void {
    const { channels, length } = this.output;
    const fanIn = this.options.kernel * this.input.channels;
    const step = this.options.stride * this.input.channels;
    const weights = this.weights.values;
    const bias = this.bias.values;
    const { relu } = this.options;
    for (let t = 0; t < length; t++) {
      const start = t * step;
      for (let o = 0; o < channels; o += ROWS) {
        const row0 = o * fanIn;
        const [row1, row2, row3] = [row0 + fanIn, row0 + 2 * fanIn, row0 + 3 * fanIn];
        let [sum0, sum1, sum2, sum3] = [bias[o]!, bias[o + 1]!, bias[o + 2]!, bias[o + 3]!];
        for (let k = 0; k < fanIn; k++) {
          const x = input[start + k]!;
          sum0 += x * weights[row0 + k]!;
          sum1 += x * weights[row1 + k]!;
          sum2 += x * weights[row2 + k]!;
          sum3 += x * weights[row3 + k]!;
        }
        const at = t * channels + o;
        output[at] = relu ? Math.max(0, sum0) : sum0;
        output[at + 1] = relu ? Math.max(0, sum1) : sum1;
        output[at + 2] = relu ? Math.max(0, sum2) : sum2;
        output[at + 3] = relu ? Math.max(0, sum3) : sum3;
      }
    }
  }

  backward(
    input: Float32Array,
    output: Float32Array,
    outputGradient: Float32Array,
    inputGradient: Float32Array,
  ): void {
    if (this.options.relu) maskByRelu(output, outputGradient);
    const { channels, length } = this.output;
    const fanIn = this.options.kernel * this.input.channels;
    const step = this.options.stride * this.input.channels;
    const { values: weights, gradient: weightsGradient } = this.weights;
    const biasGradient = this.bias.gradient;
    inputGradient.fill(0);
    for (let t = 0; t < length; t++) {
      const start = t * step;
      for (let o = 0; o < channels; o += ROWS) {
        const at = t * channels + o;
        const [g0, g1] = [outputGradient[at]!, outputGradient[at + 1]!];
        const [g2, g3] = [outputGradient[at + 2]!, outputGradient[at + 3]!];
        if (g0 === 0 && g1 === 0 && g2 === 0 && g3 === 0) continue;
        biasGradient[o]! += g0;
        biasGradient[o + 1]! += g1;
        biasGradient[o + 2]! += g2;
        biasGradient[o + 3]! += g3;
        const row0 = o * fanIn;
        const [row1, row2, row3] = [row0 + fanIn, row0 + 2 * fanIn, row0 + 3 * fanIn];
        for (let k = 0; k < fanIn; k++) {
          const x = input[start + k]!;
          weightsGradient[row0 + k]! += g0 * x;
          weightsGradient[row1 + k]! += g1 * x;
          weightsGradient[row2 + k]! += g2 * x;
          weightsGradient[row3 + k]! += g3 * x;
          inputGradient[start + k]! +=
            g0 * weights[row0 + k]! +
            g1 * weights[row1 + k]! +
            g2 * weights[row2 + k]! +
            g3 * weights[row3 + k]!;
        }
      }
    }
  }
}

/** One filter along time for each channel, without padding, stride 1; weights [kernel, channels]. */
export class Depthwise implements Layer {
  readonly kind = 'depthwise';
  readonly input: Shape;
  readonly output: Shape;
  readonly options: KernelOptions;
  readonly weights: Parameter;
  readonly bias: Parameter;
  readonly parameters: readonly Parameter[];

  constructor(input: Shape, kernel: number, random: Random) {
    this.input = input;
    this.output = { length: input.length - kernel + 1, channels: input.channels };
    this.options = { kernel, stride: 1, relu: true };
    this.weights = parameter(kernel * input.channels);
    this.bias = parameter(input.channels);
    this.parameters = [this.weights, this.bias];
    initialise(this.weights.values, kernel, random);
  }

  forward(input: Float32Array, output: Float32Array): void {
    const { channels, length } = this.output;
    const taps = this.options.kernel * channels;
    const weights = this.weights.values;
    for (let t = 0; t < length; t++) {
      for (let c = 0; c < channels; c++) {
        let sum = this.bias.values[c]!;
        for (let k = c; k < taps; k += channels) sum += input[t * channels + k]! * weights[k]!;
        output[t * channels + c] = Math.max(0, sum);
      }
    }
  }

  backward(
    input: Float32Array,
    output: Float32Array,
    outputGradient: Float32Array,
    inputGradient: Float32Array,
  ): void {
    maskByRelu(output, outputGradient);
    const { channels, length } = this.output;
    const taps = this.options.kernel * channels;
    const { values: weights, gradient: weightsGradient } = this.weights;
    inputGradient.fill(0);
    for (let t = 0; t < length; t++) {
      for (let c = 0; c < channels; c++) {
        const g = outputGradient[t * channels + c]!;
        if (g === 0) continue;
        this.bias.gradient[c]! += g;
        for (let k = c; k < taps; k += channels) {
          weightsGradient[k]! += g * input[t * channels + k]!;
          inputGradient[t * channels + k]! += g * weights[k]!;
        }
      }
    }
  }
}

/** Mean over time: where in the window a thing happened says nothing. */
export class Mean implements Layer {
  readonly kind = 'mean';
  readonly input: Shape;
  readonly output: Shape;
  readonly parameters: readonly Parameter[] = [];

  constructor(input: Shape) {
    this.input = input;
    this.output = { length: 1, channels: input.channels };
  }

  forward(input: Float32Array, output: Float32Array): void {
    const { length, channels } = this.input;
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let t = 0; t < length; t++) sum += input[t * channels + c]!;
      output[c] = sum / length;
    }
  }

  backward(
    _input: Float32Array,
    _output: Float32Array,
    outputGradient: Float32Array,
    inputGradient: Float32Array,
  ): void {
    const { length, channels } = this.input;
    for (let i = 0; i < length * channels; i++) {
      inputGradient[i] = outputGradient[i % channels]! / length;
    }
  }
}
