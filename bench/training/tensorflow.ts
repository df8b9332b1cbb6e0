import { register } from 'node:module';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { ADAM, BATCH, type Layer, type Problem } from './problem.ts';
import type { Gradients, Side } from './side.ts';

/**
 * `native`: convolutions and their gradients by the backend's kernels. Its WebAssembly has none of the gradients of
 * weights: `composed` writes convolutions with slices and products that have gradients; `custom` goes forward by its
 * kernels, and backward by what it has.
 */
export type Style = 'native' | 'composed' | 'custom';

/** @throws where the backend does not start */
export async function openTensorflow(
  problem: Problem,
  backend: 'wasm' | 'cpu',
  style: Style,
): Promise<Side> {
  register('./tensorflow-modules.js', import.meta.url);
  await import('@tensorflow/tfjs-core/dist/register_all_gradients.js');
  tf.enableProdMode();
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs: ${backend} does not start`);
  return new TensorflowSide(problem, style);
}

class TensorflowSide implements Side {
  readonly #layers: readonly Layer[];
  readonly #style: Style;
  readonly #variables: readonly tf.Variable[];
  readonly #samples: tf.Tensor4D;
  readonly #wanted: tf.Tensor;
  readonly #isClassifier: boolean;
  readonly #optimizer = tf.train.adam(ADAM.rate, ADAM.beta1, ADAM.beta2, ADAM.epsilon);

  constructor({ layers, samples, labels }: Problem, style: Style) {
    this.#layers = layers;
    this.#style = style;
    this.#variables = layers
      .filter(({ kind }) => kind !== 'mean')
      .flatMap((layer) => [
        tf.variable(tf.tensor(weightsFrom(layer), weightsShape(layer))),
        tf.variable(tf.tensor1d(layer.bias)),
      ]);
    this.#samples = tf.tensor4d(samples, [BATCH, ...layers[0]!.input]);
    this.#isClassifier = labels !== undefined;
    const classes = layers.at(-1)!.output[2];
    this.#wanted =
      labels === undefined
        ? tf.tensor2d(samples, [BATCH, classes])
        : tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), classes), 'float32');
  }

  gradients(): Gradients {
    const { value, grads } = tf.variableGrads(() => this.#loss(), [...this.#variables]);
    const weighted = this.#layers.filter(({ kind }) => kind !== 'mean');
    const gradients = this.#variables.map(({ name }, index) => {
      const values = grads[name]!.dataSync() as Float32Array;
      return index % 2 === 0 ? weightsTo(weighted[index >> 1]!, values) : Float32Array.from(values);
    });
    const loss = value.dataSync()[0]!;
    tf.dispose([value, grads]);
    return { loss, gradients };
  }

  step(): number {
    const cost = this.#optimizer.minimize(() => this.#loss(), true, [...this.#variables])!;
    const loss = cost.dataSync()[0]!;
    cost.dispose();
    return loss;
  }

  #loss(): tf.Scalar {
    let current: tf.Tensor = this.#samples;
    let next = 0;
    for (const layer of this.#layers) {
      if (layer.kind === 'mean') {
        current = tf.mean(current, [1, 2], true);
        continue;
      }
      const [weights, bias] = [this.#variables[next]!, this.#variables[next + 1]!];
      next += 2;
      current = this.#weighted(layer, current as tf.Tensor4D, weights, bias);
    }
    const outputs = tf.reshape(current, [BATCH, -1]);
    if (!this.#isClassifier) return tf.losses.meanSquaredError(this.#wanted, outputs);
    return tf.losses.softmaxCrossEntropy(this.#wanted, outputs);
  }

  #weighted(layer: Layer, input: tf.Tensor4D, weights: tf.Tensor, bias: tf.Tensor): tf.Tensor {
    const { kind, kernel, relu, output } = layer;
    const style = STYLES[this.#style];
    const isPointwise = kernel[0] * kernel[1] === 1;
    const window = kind === 'depthwise' ? style.depthwise : style.convolution;
    if (window !== undefined && !isPointwise) {
      const biased = tf.add(window(layer, input, weights as tf.Tensor4D), bias);
      return relu ? tf.relu(biased) : biased;
    }
    const rows = isPointwise ? tf.reshape(input, [-1, layer.input[2]]) : columns(layer, input);
    const product = style.product(rows as tf.Tensor2D, tf.reshape(weights, [-1, output[2]]), {
      bias: bias as tf.Tensor1D,
      relu,
    });
    return tf.reshape(product, [BATCH, ...output]);
  }
}

type Window = (layer: Layer, input: tf.Tensor4D, weights: tf.Tensor4D) => tf.Tensor;
type Product = (
  rows: tf.Tensor2D,
  weights: tf.Tensor2D,
  end: { readonly bias: tf.Tensor1D; readonly relu: boolean },
) => tf.Tensor;

const fusedProduct: Product = (a, b, { bias, relu }) =>
  tf.fused.matMul({ a, b, bias, ...(relu ? { activation: 'relu' as const } : {}) });

/** The gradients that tfjs has ask for products of transposes, which this backend computes slowly. */
const customProduct: Product = (rows, weights, { bias, relu }) => {
  const run = tf.customGrad((...given) => {
    const [x, w, b, save] = given as unknown as [
      ...[tf.Tensor2D, tf.Tensor2D, tf.Tensor1D],
      tf.GradSaveFunc,
    ];
    const value = fusedProduct(x, w, { bias: b, relu });
    save([x, w, value]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [x, w, y] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor];
      const g = relu ? tf.mul(dy, tf.step(y)) : dy;
      const byWeights = tf.matMul(tf.transpose(x), g as tf.Tensor2D);
      return [tf.matMul(g as tf.Tensor2D, tf.transpose(w)), byWeights, sumRows(g)];
    };
    return { value, gradFunc };
  });
  return run(rows, weights, bias);
};

function sumRows(values: tf.Tensor): tf.Tensor {
  return tf.sum(tf.reshape(values, [-1, values.shape.at(-1)!]), 0);
}

/** One image a tap: what the tap reads at each place. The backend is slow with slices of many dimensions. */
function taps(layer: Layer, input: tf.Tensor4D): tf.Tensor[] {
  const { stride, kernel } = layer;
  const [outH, outW, depth] = [layer.output[0], layer.output[1], layer.input[2]];
  const places = [BATCH, outH, outW, depth];
  const padded = padSame(layer, input);
  const [, height, width] = padded.shape;
  const lines = tf.reshape(padded, [BATCH, height, width * depth]);
  // Strides become parts of other dimensions, for slices to skip.
  const phases = [BATCH, height / stride, width, stride * depth];
  const images = stride === 1 ? lines : tf.reshape(padded, phases);
  return Array.from({ length: kernel[0] * kernel[1] }, (_, tap) => {
    const [y, x] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
    if (stride === 1) {
      const image = tf.slice(images, [0, y, x * depth], [BATCH, outH, outW * depth]);
      return tf.reshape(image, places);
    }
    const column = (y % stride) * (width / stride) + Math.floor(x / stride);
    const from = [0, Math.floor(y / stride), column, (x % stride) * depth];
    return tf.slice(images, from, places);
  });
}

/** With zeros all around, to whole numbers of strides. */
function padSame({ input, output, kernel, stride, top, left }: Layer, image: tf.Tensor4D) {
  const after = (axis: 0 | 1, before: number): number => {
    const reach = (output[axis] - 1) * stride + kernel[axis];
    return Math.ceil(reach / stride) * stride - input[axis] - before;
  };
  return tf.pad(image, [
    [0, 0],
    [top, after(0, top)],
    [left, after(1, left)],
    [0, 0],
  ]);
}

/** A row for each place, of all that its window reads. */
function columns(layer: Layer, input: tf.Tensor4D): tf.Tensor {
  const [count, depth] = [layer.kernel[0] * layer.kernel[1], layer.input[2]];
  const images = tf.reshape(tf.concat(taps(layer, input), 0), [count, -1, depth]);
  return tf.reshape(tf.transpose(images, [1, 0, 2]), [-1, count * depth]);
}

const depthwiseComposed: Window = (layer, input, weights) => {
  const channels = layer.output[2];
  const rows = tf.reshape(weights, [-1, channels]);
  return taps(layer, input)
    .map((image, tap) => tf.mul(image, tf.slice(rows, [tap, 0], [1, channels])))
    .reduce((sum, product) => tf.add(sum, product));
};

/**
 * Stride 1: its gradient by the image is a depthwise convolution with the window turned around. For that by the weights
 * the output's gradient is moved, because zeros are added to an image faster than a part is cut out.
 */
const depthwiseCustom: Window = (layer, input, weights) => {
  const [kernelH, kernelW] = layer.kernel;
  const run = tf.customGrad((...given) => {
    const [image, window, save] = given as unknown as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    save([image, window]);
    const value = tf.depthwiseConv2d(image, window, 1, 'same');
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [x, w] = saved as [tf.Tensor4D, tf.Tensor4D];
      const byImage = tf.depthwiseConv2d(dy as tf.Tensor4D, tf.reverse(w, [0, 1]), 1, 'same');
      const padded = padSame(layer, x);
      const line = padded.shape[2] * padded.shape[3];
      const lines = tf.reshape(padded, [BATCH, -1]) as tf.Tensor2D;
      const moved = Array.from({ length: kernelW }, (_, column) => {
        const around: [number, number] = [column, kernelW - 1 - column];
        return tf.pad(dy as tf.Tensor4D, [[0, 0], [0, 0], around, [0, 0]]);
      });
      const byTap = Array.from({ length: kernelH }, (_, row) => {
        const part = tf.slice(lines, [0, row * line], [BATCH, layer.output[0] * line]);
        return moved.map((each) => sumRows(tf.mul(tf.reshape(part, each.shape), each)));
      });
      return [byImage, tf.reshape(tf.stack(byTap.flat()), w.shape)];
    };
    return { value, gradFunc };
  });
  return run(input, weights);
};

/**
 * Of the first layer: nobody asks for the gradient by the image. That by the weights is a convolution too, with samples
 * for channels, and the gradient of the output for a window whose taps lie a stride apart.
 */
const convolutionCustom: Window = (layer, input, weights) => {
  const run = tf.customGrad((...given) => {
    const window = given[0] as tf.Tensor4D;
    const value = tf.conv2d(input, window, layer.stride, 'same');
    const gradFunc = (dy: tf.Tensor) => {
      const images = tf.transpose(padSame(layer, input), [3, 1, 2, 0]) as tf.Tensor4D;
      const by = tf.transpose(dy, [1, 2, 0, 3]) as tf.Tensor4D;
      const sums = tf.conv2d(images, by, 1, 'valid', 'NHWC', layer.stride);
      return tf.slice(tf.transpose(sums, [1, 2, 0, 3]), [0, 0, 0, 0], window.shape);
    };
    return { value, gradFunc };
  });
  return run(weights);
};

const STYLES: Readonly<
  Record<
    Style,
    { readonly depthwise: Window; readonly convolution?: Window; readonly product: Product }
  >
> = {
  native: {
    depthwise: ({ stride }, input, weights) => tf.depthwiseConv2d(input, weights, stride, 'same'),
    convolution: ({ stride }, input, weights) => tf.conv2d(input, weights, stride, 'same'),
    product: fusedProduct,
  },
  composed: { depthwise: depthwiseComposed, product: fusedProduct },
  custom: {
    depthwise: depthwiseCustom,
    convolution: convolutionCustom,
    product: customProduct,
  },
};

/** tfjs has output channels last. */
function weightsShape({ kind, kernel, input, output }: Layer): number[] {
  return kind === 'depthwise' ? [...kernel, output[2], 1] : [...kernel, input[2], output[2]];
}

function weightsFrom({ kind, weights, output }: Layer): Float32Array {
  return kind === 'depthwise' ? weights : transposed(weights, output[2]);
}

function weightsTo({ kind, weights, output }: Layer, values: Float32Array): Float32Array {
  if (kind === 'depthwise') return Float32Array.from(values);
  return transposed(values, weights.length / output[2]);
}

function transposed(from: Float32Array, rows: number): Float32Array {
  const columns = from.length / rows;
  return from.map((_, to) => from[(to % rows) * columns + Math.floor(to / rows)]!);
}
