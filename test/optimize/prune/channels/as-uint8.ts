import { type Affine, perTensor } from '../../../../src/optimize/quantize/affine.ts';
import { int8Scheme } from '../../../../src/optimize/quantize/int8-schemes.ts';
import {
  Graph,
  type Quantization,
  type TfliteModel,
  type TfliteTensor,
} from '../../../../src/tflite/index.ts';

/** Parameters of what layers make, of what others make, and of weights; such as ranges near 1 need. */
const LAYER: Affine = { scale: 1 / 32, zeroPoint: 120 };
const FREE: Affine = { scale: 1 / 24, zeroPoint: 100 };
const WEIGHTS: Affine = { scale: 1 / 64, zeroPoint: 131 };

/** A float model as old converters quantize it: uint8 all through, one scale and zero point for each tensor. */
export function asUint8(float: TfliteModel): TfliteModel {
  const graph = new Graph(float, 'float');
  const { subgraph } = graph;
  const buffers = [...float.buffers];
  const tensors = [...subgraph.tensors];
  const store = (index: number, tensor: Partial<TfliteTensor>, data: Uint8Array): void => {
    tensors[index] = { ...tensors[index]!, ...tensor, buffer: buffers.push(data) - 1 };
  };
  const integers = (index: number, affine: Affine): Uint8Array =>
    Uint8Array.from(graph.floats(graph.tensor(index)), (value) =>
      Math.max(0, Math.min(255, Math.round(value / affine.scale) + affine.zeroPoint)),
    );
  const affines = new Map<number, Affine>();
  const give = (index: number, affine: Affine): void => {
    const type = { type: 'uint8', quantization: perTensor(affine) } as const;
    affines.set(index, affine);
    if (graph.isConstant(graph.tensor(index))) store(index, type, integers(index, affine));
    else tensors[index] = { ...tensors[index]!, ...type };
  };
  for (const index of subgraph.inputs) give(index, LAYER);
  for (const operator of subgraph.operators) {
    const scheme = int8Scheme(graph.code(operator).builtin)!;
    const read = operator.inputs.find((index) => affines.has(index))!;
    const { weights } = scheme;
    for (const [position, index] of operator.inputs.entries()) {
      const { type } = graph.tensor(index);
      if (affines.has(index) || type !== 'float32') continue;
      if (position === weights?.position) give(index, WEIGHTS);
      else if (position === weights?.biasPosition) {
        const scale = Math.fround(affines.get(read)!.scale * WEIGHTS.scale);
        const values = Int32Array.from(graph.floats(graph.tensor(index)), (v) =>
          Math.round(v / scale),
        );
        const quantization: Quantization = { scale: [scale], zeroPoint: [0], axis: 0 };
        store(index, { type: 'int32', quantization }, new Uint8Array(values.buffer));
      } else give(index, affines.get(read)!);
    }
    for (const index of operator.outputs) give(index, outputOf(scheme, affines.get(read)!));
  }
  return { ...float, buffers, subgraphs: [{ ...subgraph, tensors }] };
}

function outputOf(
  { output, weights }: NonNullable<ReturnType<typeof int8Scheme>>,
  read: Affine,
): Affine {
  if (output === 'same' || output === 'index') return read;
  if (output !== 'free') return { scale: output.scale, zeroPoint: output.zeroPoint + 128 };
  return weights === undefined ? FREE : LAYER;
}
