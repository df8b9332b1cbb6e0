import { Random } from '../../src/core/index.ts';
import { BATCH_SAMPLES } from '../../src/optimize/train/plan.ts';
import type { TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../../test/tflite/model-builder.ts';

/** What the engine's team takes in a step. */
export const BATCH = BATCH_SAMPLES;
export const ADAM = { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
const SAMPLES_SEED = 7;

/** Height, width, channels of one sample; a vector is one place with many channels. */
export type Shape = readonly [height: number, width: number, channels: number];

export interface Layer {
  readonly kind: 'convolution' | 'depthwise' | 'mean' | 'dense';
  readonly input: Shape;
  readonly output: Shape;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: number;
  /** Rows and columns of zeros before the image (TensorFlow's SAME). */
  readonly top: number;
  readonly left: number;
  readonly relu: boolean;
  /** As TensorFlow Lite has them: [out, h, w, in], of a depthwise convolution [1, h, w, out]; none of a mean. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** A network, its first weights, and a batch to learn from: the same in every process. */
export interface Problem {
  readonly name: string;
  readonly layers: readonly Layer[];
  /** [batch, ...shape] */
  readonly samples: Float32Array;
  /** Classes for cross entropy; none where the samples themselves are wanted, by mean squared error. */
  readonly labels: Int32Array | undefined;
}

export const NAMES = ['kws', 'ad01'] as const;
export type Name = (typeof NAMES)[number];

/** Networks of MLPerf Tiny (Banbury et al. 2021): a DS-CNN for keywords, a dense autoencoder. Norms are folded in. */
export function problem(name: Name, seed = 1): Problem {
  const random = new Random(seed);
  const layers = name === 'kws' ? keywordLayers(random) : autoencoderLayers(random);
  const data = new Random(SAMPLES_SEED);
  const [height, width, channels] = layers[0]!.input;
  const samples = gaussians(data, BATCH * height * width * channels, 1);
  const classes = layers.at(-1)!.output[2];
  const labels = Int32Array.from({ length: BATCH }, () => data.integer(classes));
  return { name, layers, samples, labels: name === 'kws' ? labels : undefined };
}

function keywordLayers(random: Random): Layer[] {
  const layers = [layer(random, 'convolution', [49, 10, 1], 64, { kernel: [10, 4], stride: 2 })];
  for (let block = 0; block < 4; block++) {
    const { output } = layers.at(-1)!;
    layers.push(layer(random, 'depthwise', output, 64, { kernel: [3, 3] }));
    layers.push(layer(random, 'convolution', output, 64));
  }
  layers.push(layer(random, 'mean', layers.at(-1)!.output, 64, { relu: false }));
  layers.push(layer(random, 'dense', layers.at(-1)!.output, 12, { relu: false }));
  return layers;
}

function autoencoderLayers(random: Random): Layer[] {
  const widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640];
  return widths.slice(1).map((width, index) => {
    const relu = index < widths.length - 2;
    return layer(random, 'dense', [1, 1, widths[index]!], width, { relu });
  });
}

function layer(
  random: Random,
  kind: Layer['kind'],
  input: Shape,
  channels: number,
  { kernel = [1, 1], stride = 1, relu = true }: Partial<Layer> = {},
): Layer {
  const [height, width, depth] = input;
  const places = (size: number): number => (kind === 'mean' ? 1 : Math.ceil(size / stride));
  const output: Shape = [places(height), places(width), channels];
  const before = (size: number, reach: number): number =>
    Math.floor(Math.max((places(size) - 1) * stride + reach - size, 0) / 2);
  const taps = kernel[0] * kernel[1];
  const fanIn = kind === 'depthwise' ? taps : taps * depth;
  const hasWeights = kind !== 'mean';
  const count = hasWeights ? fanIn * channels : 0;
  return {
    ...{ kind, input, output, kernel, stride, relu },
    top: before(height, kernel[0]),
    left: before(width, kernel[1]),
    weights: gaussians(random, count, Math.sqrt(2 / fanIn)),
    bias: gaussians(random, hasWeights ? channels : 0, 0.1),
  };
}

function gaussians(random: Random, count: number, deviation: number): Float32Array {
  return Float32Array.from({ length: count }, () => deviation * random.gaussian());
}

/** schema.fbs: ActivationFunctionType.RELU, Padding.SAME */
const RELU = 1;
const SAME = 0;

/** The network as our engine takes it. */
export function toModel({ layers }: Problem): TfliteModel {
  const builder = new ModelBuilder();
  const nhwc = ([height, width, channels]: Shape): number[] =>
    width === 1 && height === 1 ? [1, channels] : [1, height, width, channels];
  const input = builder.tensor(nhwc(layers[0]!.input));
  let current = input;
  for (const each of layers) {
    const { kind, kernel, stride, relu, weights, bias, output } = each;
    const depth = each.input[2];
    const result = (): number => builder.tensor(nhwc(output));
    const constant = (shape: readonly number[], values: Float32Array): number =>
      builder.tensor(shape, { data: [...values] });
    const fusedActivationFunction = relu ? RELU : 0;
    if (kind === 'mean') {
      const from = [current, builder.control([2], [1, 2])];
      current = result();
      builder.operator('MEAN', from, [current], { keepDims: false });
      continue;
    }
    const shapes = {
      convolution: [output[2], ...kernel, depth],
      depthwise: [1, ...kernel, output[2]],
      dense: [output[2], depth],
    };
    const from = [current, constant(shapes[kind], weights), constant([output[2]], bias)];
    current = result();
    if (kind === 'dense') {
      builder.operator('FULLY_CONNECTED', from, [current], { fusedActivationFunction });
      continue;
    }
    const window = {
      ...{ padding: SAME, strideW: stride, strideH: stride, fusedActivationFunction },
      ...{ dilationWFactor: 1, dilationHFactor: 1 },
    };
    if (kind === 'convolution') builder.operator('CONV_2D', from, [current], window);
    else builder.operator('DEPTHWISE_CONV_2D', from, [current], { ...window, depthMultiplier: 1 });
  }
  return builder.build([input], [current]);
}

/**
 * Mean cross entropy of logits, or mean squared error.
 * @param gradient is written: of the loss by each output
 */
export function lossOf(
  { samples, labels }: Problem,
  outputs: Float32Array,
  gradient: Float32Array,
): number {
  let loss = 0;
  if (labels === undefined) {
    for (let i = 0; i < outputs.length; i++) {
      const miss = outputs[i]! - samples[i]!;
      gradient[i] = (2 * miss) / outputs.length;
      loss += miss * miss;
    }
    return loss / outputs.length;
  }
  const width = outputs.length / BATCH;
  for (let row = 0; row < BATCH; row++) {
    const logits = outputs.subarray(row * width, (row + 1) * width);
    const most = Math.max(...logits);
    const total = logits.reduce((sum, value) => sum + Math.exp(value - most), 0);
    for (let c = 0; c < width; c++) {
      const share = Math.exp(logits[c]! - most) / total;
      gradient[row * width + c] = (share - (c === labels[row] ? 1 : 0)) / BATCH;
    }
    loss += Math.log(total) + most - logits[labels[row]!]!;
  }
  return loss / BATCH;
}
