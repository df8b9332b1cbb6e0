import { serializeModel, type TfliteModel, type TfliteTensor } from '../../src/tflite/index.ts';

const int32 = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
const unit = { scale: [1], zeroPoint: [0], axis: 0 };

/** Takes `[1, inputBytes]` int8 and gives its first element: next to no work for the runtime. */
export function firstElementModel(inputBytes: number): Uint8Array {
  return serializeModel(withStridedSlice('int8', [1, inputBytes]));
}

/** Pads one float to `[1, elements]` and gives the first: needs 4 bytes of memory an element. */
export function paddingModel(elements: number): Uint8Array {
  const slice = withStridedSlice('float32', [1, elements]);
  const [graph] = slice.subgraphs;
  const { tensors } = graph!;
  const scalar: TfliteTensor = {
    name: 'scalar',
    type: 'float32',
    shape: [1, 1],
    buffer: 0,
    isVariable: false,
  };
  const paddings: TfliteTensor = {
    ...scalar,
    name: 'paddings',
    type: 'int32',
    shape: [2, 2],
    buffer: 4,
  };
  return serializeModel({
    ...slice,
    operatorCodes: [...slice.operatorCodes, { builtin: 'PAD', version: 1 }],
    buffers: [...slice.buffers, int32(0, 0, 0, elements - 1)],
    subgraphs: [
      {
        ...graph!,
        tensors: [...tensors, scalar, paddings],
        inputs: [tensors.length],
        operators: [
          { code: 1, inputs: [tensors.length, tensors.length + 1], outputs: [0], options: {} },
          ...graph!.operators,
        ],
      },
    ],
  });
}

/** As edgetpu_compiler leaves a model: one custom operator from uint8 `[1, 4]` to uint8 `[1, 6]`. */
export function edgeTpuModel(): Uint8Array {
  const tensor = { type: 'uint8', buffer: 0, isVariable: false, quantization: unit } as const;
  return serializeModel({
    version: 3,
    description: 'test',
    operatorCodes: [{ builtin: 'CUSTOM', customCode: 'edgetpu-custom-op', version: 1 }],
    buffers: [new Uint8Array(0)],
    metadata: [],
    subgraphs: [
      {
        name: 'main',
        tensors: [
          { ...tensor, name: 'in', shape: [1, 4] },
          { ...tensor, name: 'out', shape: [1, 6] },
        ],
        inputs: [0],
        outputs: [1],
        operators: [
          {
            code: 0,
            inputs: [0],
            outputs: [1],
            options: {},
            customOptions: Uint8Array.of(1, 2, 3),
          },
        ],
      },
    ],
  });
}

function withStridedSlice(type: 'int8' | 'float32', shape: number[]): TfliteModel {
  const data = {
    type,
    buffer: 0,
    isVariable: false,
    ...(type === 'int8' ? { quantization: unit } : {}),
  } as const;
  const constant = (name: string, buffer: number): TfliteTensor => ({
    name,
    type: 'int32',
    shape: [2],
    buffer,
    isVariable: false,
  });
  return {
    version: 3,
    description: 'test',
    operatorCodes: [{ builtin: 'STRIDED_SLICE', version: type === 'int8' ? 2 : 1 }],
    buffers: [new Uint8Array(0), int32(0, 0), int32(1, 1), int32(1, 1)],
    metadata: [],
    subgraphs: [
      {
        name: 'main',
        tensors: [
          { ...data, name: 'in', shape },
          { ...data, name: 'out', shape: [1, 1] },
          constant('begin', 1),
          constant('end', 2),
          constant('strides', 3),
        ],
        inputs: [0],
        outputs: [1],
        operators: [
          {
            code: 0,
            inputs: [0, 2, 3, 4],
            outputs: [1],
            options: {
              beginMask: 0,
              endMask: 0,
              ellipsisMask: 0,
              newAxisMask: 0,
              shrinkAxisMask: 0,
            },
          },
        ],
      },
    ],
  };
}
