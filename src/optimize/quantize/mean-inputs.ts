import { elementCount, type TfliteOperator } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';

/** schema.fbs, Padding.SAME */
const SAME = 0;

/**
 * What each weight of an operator meets on average: for every weight, the mean of the input value that it is
 * multiplied with, over samples and output places; a place in the padding counts as zero. The result is exact, so that
 * an error in a weight times its entry is the shift that this error gives the output.
 * @param mean of the operator's input, by place
 * @returns one number a weight that two output channels share: [kh, kw, in] for convolutions, [in] for FULLY_CONNECTED
 */
export function meanInputs(
  { graph }: FloatModel,
  operator: TfliteOperator,
  mean: Float64Array,
): Float64Array {
  const { builtin } = graph.code(operator);
  const shapeOf = (index: number): number[] => graph.tensor(index).shape;
  const output = shapeOf(operator.outputs[0]!);
  const weights = shapeOf(operator.inputs[1]!);
  if (builtin === 'FULLY_CONNECTED') return meanRows(mean, weights[1]!);
  const transposed = builtin === 'TRANSPOSE_CONV';
  const input = shapeOf(operator.inputs[transposed ? 2 : 0]!);
  const window = windowOf(operator, weights);
  // A transposed convolution walks the other way: from the places of its input to those of its output.
  const [from, to] = transposed ? [output, input] : [input, output];
  return meanTaps(mean, { from, to, window, transposed, output });
}

function meanRows(mean: Float64Array, depth: number): Float64Array {
  const rows = mean.length / depth;
  const found = new Float64Array(depth);
  for (let index = 0; index < mean.length; index++) found[index % depth]! += mean[index]! / rows;
  return found;
}

interface Window {
  readonly height: number;
  readonly width: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly same: boolean;
}

function windowOf({ options }: TfliteOperator, weights: readonly number[]): Window {
  return {
    height: weights[1]!,
    width: weights[2]!,
    strideH: Number(options['strideH']),
    strideW: Number(options['strideW']),
    dilationH: Number(options['dilationHFactor'] ?? 1),
    dilationW: Number(options['dilationWFactor'] ?? 1),
    same: options['padding'] === SAME,
  };
}

/** kernels/padding.h, ComputePadding: the smaller half comes first. */
function paddingBefore(
  same: boolean,
  from: number,
  to: number,
  stride: number,
  reach: number,
): number {
  return same ? Math.floor(Math.max((to - 1) * stride + reach - from, 0) / 2) : 0;
}

interface Walk {
  /** NHWC of the larger side, and of the side whose places the window is put on. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly window: Window;
  readonly transposed: boolean;
  readonly output: readonly number[];
}

function meanTaps(
  mean: Float64Array,
  { from, to, window, transposed, output }: Walk,
): Float64Array {
  const { height, width, strideH, strideW, dilationH, dilationW, same } = window;
  const [batch, fromH, fromW] = from as [number, number, number];
  const [, toH, toW] = to as [number, number, number];
  const depth = (transposed ? to : from)[3]!;
  const top = paddingBefore(same, fromH, toH, strideH, (height - 1) * dilationH + 1);
  const left = paddingBefore(same, fromW, toW, strideW, (width - 1) * dilationW + 1);
  const found = new Float64Array(height * width * depth);
  const places = elementCount(output.slice(0, 3));
  for (let tap = 0; tap < height * width; tap++) {
    const offsetY = Math.floor(tap / width) * dilationH - top;
    const offsetX = (tap % width) * dilationW - left;
    for (let place = 0; place < batch * toH * toW; place++) {
      const y = (Math.floor(place / toW) % toH) * strideH + offsetY;
      const x = (place % toW) * strideW + offsetX;
      if (y < 0 || y >= fromH || x < 0 || x >= fromW) continue;
      const image = Math.floor(place / (toW * toH));
      const source = transposed ? place : (image * fromH + y) * fromW + x;
      for (let channel = 0; channel < depth; channel++) {
        found[tap * depth + channel]! += mean[source * depth + channel]! / places;
      }
    }
  }
  return found;
}
