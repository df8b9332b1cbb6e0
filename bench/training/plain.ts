import { ADAM, BATCH, type Layer, lossOf, type Problem } from './problem.ts';
import type { Gradients, Side } from './side.ts';

/** Values and their gradients. */
interface Pair {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
}

interface Learned extends Pair {
  readonly mean: Float32Array;
  readonly square: Float32Array;
}

interface PlainLayer {
  readonly layer: Layer;
  readonly input: Pair;
  readonly output: Pair;
  readonly weights: Learned;
  readonly bias: Learned;
  /** Nobody asks for the gradient of the samples. */
  readonly isFirst: boolean;
}

/** Loops over Float32Arrays, as one writes them down. */
export class PlainSide implements Side {
  readonly #problem: Problem;
  readonly #layers: readonly PlainLayer[];
  #step = 0;

  constructor(problem: Problem) {
    this.#problem = problem;
    let input: Pair = { values: problem.samples, gradient: new Float32Array(0) };
    this.#layers = problem.layers.map((layer, index) => {
      const output = pair(new Float32Array(BATCH * count(layer.output)));
      const [weights, bias] = [learned(layer.weights), learned(layer.bias)];
      const plain = { layer, input, output, weights, bias, isFirst: index === 0 };
      input = output;
      return plain;
    });
  }

  gradients(): Gradients {
    const loss = this.#learn();
    const gradients = this.#parameters().map(({ gradient }) => {
      const values = Float32Array.from(gradient);
      gradient.fill(0);
      return values;
    });
    return { loss, gradients };
  }

  step(): number {
    const loss = this.#learn();
    this.#step += 1;
    for (const parameter of this.#parameters()) descend(parameter, this.#step);
    return loss;
  }

  #parameters(): Learned[] {
    return this.#layers
      .flatMap(({ weights, bias }) => [weights, bias])
      .filter(({ values }) => values.length > 0);
  }

  #learn(): number {
    for (const layer of this.#layers) {
      layer.output.gradient.fill(0);
      forward(layer);
      if (!layer.layer.relu) continue;
      const { values } = layer.output;
      for (let i = 0; i < values.length; i++) values[i] = Math.max(0, values[i]!);
    }
    const { values, gradient } = this.#layers.at(-1)!.output;
    const loss = lossOf(this.#problem, values, gradient);
    for (const layer of this.#layers.toReversed()) {
      if (layer.layer.relu) {
        const output = layer.output;
        for (let i = 0; i < output.values.length; i++) {
          if (output.values[i] === 0) output.gradient[i] = 0;
        }
      }
      backward(layer);
    }
    return loss;
  }
}

const count = ([height, width, channels]: Layer['input']): number => height * width * channels;
const pair = (values: Float32Array): Pair => ({
  values,
  gradient: new Float32Array(values.length),
});
const learned = (values: Float32Array): Learned => ({
  ...pair(Float32Array.from(values)),
  mean: new Float32Array(values.length),
  square: new Float32Array(values.length),
});

function forward(plain: PlainLayer): void {
  const { layer, input, output, weights, bias } = plain;
  const [depth, channels] = [layer.input[2], layer.output[2]];
  const taps = layer.kernel[0] * layer.kernel[1];
  const [x, w, y] = [input.values, weights.values, output.values];
  if (layer.kind === 'mean') {
    const places = layer.input[0] * layer.input[1];
    y.fill(0);
    for (let from = 0; from < x.length; from++) {
      y[Math.floor(from / (places * depth)) * depth + (from % depth)]! += x[from]! / places;
    }
    return;
  }
  for (let to = 0; to < y.length; to += channels) {
    for (let c = 0; c < channels; c++) y[to + c] = bias.values[c]!;
  }
  eachTap(layer, (from, to, tap) => {
    if (layer.kind === 'depthwise') {
      for (let c = 0; c < channels; c++) y[to + c]! += x[from + c]! * w[tap * channels + c]!;
      return;
    }
    for (let c = 0; c < channels; c++) {
      const row = (c * taps + tap) * depth;
      let sum = 0;
      for (let d = 0; d < depth; d++) sum += x[from + d]! * w[row + d]!;
      y[to + c]! += sum;
    }
  });
}

function backward({ layer, input, output, weights, bias, isFirst }: PlainLayer): void {
  const [depth, channels] = [layer.input[2], layer.output[2]];
  const taps = layer.kernel[0] * layer.kernel[1];
  const [x, w, dx, dw, dy] = [
    ...[input.values, weights.values, input.gradient, weights.gradient, output.gradient],
  ] as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  if (layer.kind === 'mean') {
    const places = layer.input[0] * layer.input[1];
    for (let from = 0; from < x.length; from++) {
      dx[from] = dy[Math.floor(from / (places * depth)) * depth + (from % depth)]! / places;
    }
    return;
  }
  for (let to = 0; to < dy.length; to += channels) {
    for (let c = 0; c < channels; c++) bias.gradient[c]! += dy[to + c]!;
  }
  eachTap(layer, (from, to, tap) => {
    if (layer.kind === 'depthwise') {
      for (let c = 0; c < channels; c++) {
        dw[tap * channels + c]! += dy[to + c]! * x[from + c]!;
        dx[from + c]! += dy[to + c]! * w[tap * channels + c]!;
      }
      return;
    }
    for (let c = 0; c < channels; c++) {
      const row = (c * taps + tap) * depth;
      const g = dy[to + c]!;
      for (let d = 0; d < depth; d++) dw[row + d]! += g * x[from + d]!;
      if (isFirst) continue;
      for (let d = 0; d < depth; d++) dx[from + d]! += g * w[row + d]!;
    }
  });
}

/** Every place of the output with every tap of the window that lies in the image: where it reads, where it writes. */
function eachTap(
  { input, output, kernel, stride, top, left }: Layer,
  visit: (from: number, to: number, tap: number) => void,
): void {
  const [inH, inW, depth] = input;
  const [outH, outW, channels] = output;
  for (let b = 0; b < BATCH; b++) {
    for (let oy = 0; oy < outH; oy++) {
      for (let ox = 0; ox < outW; ox++) {
        const to = ((b * outH + oy) * outW + ox) * channels;
        for (let ky = 0; ky < kernel[0]; ky++) {
          const iy = oy * stride + ky - top;
          if (iy < 0 || iy >= inH) continue;
          for (let kx = 0; kx < kernel[1]; kx++) {
            const ix = ox * stride + kx - left;
            if (ix < 0 || ix >= inW) continue;
            visit(((b * inH + iy) * inW + ix) * depth, to, ky * kernel[1] + kx);
          }
        }
      }
    }
  }
}

function descend({ values, gradient, mean, square }: Learned, step: number): void {
  const { rate, beta1, beta2, epsilon } = ADAM;
  const corrected = (rate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i]!;
    mean[i] = beta1 * mean[i]! + (1 - beta1) * g;
    square[i] = beta2 * square[i]! + (1 - beta2) * g * g;
    values[i]! -= (corrected * mean[i]!) / (Math.sqrt(square[i]!) + epsilon);
    gradient[i] = 0;
  }
}
