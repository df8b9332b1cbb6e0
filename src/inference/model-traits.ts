import { DunlinError } from '../core/index.ts';
import type { TfliteModel } from '../tflite/index.ts';
import type { ModelTraits } from './execution-path.ts';
import { ITEM_BYTES, type TensorSpec, type TensorType } from './tensor-spec.ts';

export const EDGETPU_OPERATOR = 'edgetpu-custom-op';
/** Operators that only carry values between types: uint8 at them is no computing in uint8. */
const CONVERSIONS = new Set(['QUANTIZE', 'DEQUANTIZE', 'CAST']);

/** What the choice of an execution path depends on. */
export function modelTraits(model: TfliteModel): ModelTraits {
  const edgetpu = model.operatorCodes.some(({ customCode }) => customCode === EDGETPU_OPERATOR);
  const computesInUint8 = model.subgraphs.some(({ operators, tensors }) =>
    operators.some(
      ({ code, inputs, outputs }) =>
        !CONVERSIONS.has(model.operatorCodes[code]?.builtin ?? '') &&
        [...inputs, ...outputs].some((index) => tensors[index]?.type === 'uint8'),
    ),
  );
  return { edgetpu, computesInUint8 };
}

/**
 * The inputs and outputs of a verified model.
 * @throws `model-unsupported` for tensor types that inference does not carry
 */
export function tensorSpecs(
  model: TfliteModel,
  what: string,
): { readonly inputs: TensorSpec[]; readonly outputs: TensorSpec[] } {
  const graph = model.subgraphs[0]!;
  const specOf = (index: number): TensorSpec => {
    const { name, type, shape, quantization } = graph.tensors[index]!;
    if (!(type in ITEM_BYTES)) {
      throw new DunlinError(`${what}: tensor ${name} is ${type}, which inference does not carry`, {
        code: 'model-unsupported',
      });
    }
    const tensorType = type as TensorType;
    const count = shape.reduce((product, size) => product * size, 1);
    const scale = quantization?.scale[0];
    const zeroPoint = quantization?.zeroPoint[0];
    return {
      name,
      type: tensorType,
      shape,
      lengthBytes: count * ITEM_BYTES[tensorType],
      ...(scale === undefined ? {} : { scale }),
      ...(zeroPoint === undefined ? {} : { zeroPoint }),
    };
  };
  return { inputs: graph.inputs.map(specOf), outputs: graph.outputs.map(specOf) };
}
