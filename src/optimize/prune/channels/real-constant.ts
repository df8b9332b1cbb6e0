import type { Graph } from '../../../tflite/index.ts';
import { channelLookup } from '../../quantize/weights.ts';

/** The values of a constant of a verified model as the reals that they stand for, row-major. */
export interface RealConstant {
  readonly length: number;
  /** Whether a value is exactly zero: where it is quantized, its zero point. */
  readonly isZero: (index: number) => boolean;
  readonly at: (index: number) => number;
}

/** @param index of a float32, int8, uint8 or int32 tensor; integers have one zero point, as the verifier sees to */
export function realConstant(graph: Graph, index: number): RealConstant {
  const tensor = graph.tensor(index);
  const { type, shape, quantization } = tensor;
  const stored = storedValues(graph, index);
  const { length } = stored;
  if (type === 'float32' || quantization === undefined) {
    return { length, isZero: (at) => stored[at] === 0, at: (at) => stored[at]! };
  }
  const { scale, zeroPoint, axis } = quantization;
  const zero = zeroPoint[0]!;
  const channelOf = channelLookup({ shape, channelAxis: axis });
  const scaleOf = (at: number): number => scale[scale.length > 1 ? channelOf(at) : 0]!;
  return {
    length,
    isZero: (at) => stored[at] === zero,
    at: (at) => (stored[at]! - zero) * scaleOf(at),
  };
}

function storedValues(graph: Graph, index: number): ArrayLike<number> {
  const tensor = graph.tensor(index);
  const { buffer, byteOffset, byteLength } = graph.data(tensor);
  switch (tensor.type) {
    case 'float32':
      return graph.floats(tensor);
    case 'int8':
      return new Int8Array(buffer, byteOffset, byteLength);
    case 'uint8':
      return new Uint8Array(buffer, byteOffset, byteLength);
    default:
      return graph.values(tensor);
  }
}
