import * as arrangement from './arrangement.ts';
import * as elementwise from './elementwise.ts';
import * as layout from './layout.ts';
import * as matrix from './matrix.ts';
import type { Rule } from './operator-view.ts';
import * as pieces from './pieces.ts';
import * as reduction from './reduction.ts';
import * as window from './window.ts';

/** Types of inputs and outputs, in order; the last one goes for all that follow. */
export interface TypeRow {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface OperatorRule {
  readonly types: readonly TypeRow[];
  readonly shapes: Rule;
}

/** `a,b>c` is inputs a and b, output c; the last type on a side repeats. */
function rows(...texts: string[]): TypeRow[] {
  return texts.map((text) => {
    const [inputs, outputs] = text.split('>') as [string, string];
    return { inputs: inputs.split(','), outputs: outputs.split(',') };
  });
}

const WEIGHTED = rows(
  'float32>float32',
  'float32,int8,float32>float32',
  'uint8,uint8,int32>uint8',
  'int8,int8,int32>int8',
);
const SAME = rows('float32>float32', 'int8>int8', 'uint8>uint8');
const FLOAT = rows('float32>float32');
const FLOAT_OR_INT8 = rows('float32>float32', 'int8>int8');
const WITH_CONTROL = rows(
  'float32,int32>float32',
  'int8,int32>int8',
  'uint8,int32>uint8',
  'int32,int32>int32',
);

const FLOAT_WITH_CONTROL = WITH_CONTROL.slice(0, 1);
const QUANTIZED_WITH_CONTROL = WITH_CONTROL.slice(0, 3);

/** What the runtime's kernels take. int16 and int64 arithmetic is left out: no model here has it. */
const RULES: Readonly<Record<string, OperatorRule>> = {
  CONV_2D: { types: WEIGHTED, shapes: window.conv2d },
  DEPTHWISE_CONV_2D: { types: WEIGHTED, shapes: window.depthwiseConv2d },
  FULLY_CONNECTED: { types: WEIGHTED, shapes: matrix.fullyConnected },
  TRANSPOSE_CONV: {
    types: rows(
      'int32,float32,float32,float32>float32',
      'int32,uint8,uint8,int32>uint8',
      'int32,int8,int8,int32>int8',
    ),
    shapes: window.transposeConv,
  },
  SVDF: {
    types: rows('float32>float32', 'int8,int8,int16,int32,int16>int8'),
    shapes: matrix.svdf,
  },
  AVERAGE_POOL_2D: { types: SAME, shapes: window.pool2d },
  MAX_POOL_2D: { types: SAME, shapes: window.pool2d },
  ADD: { types: SAME, shapes: elementwise.addOrSubtract },
  SUB: { types: SAME, shapes: elementwise.addOrSubtract },
  MUL: { types: SAME, shapes: elementwise.multiply },
  CONCATENATION: { types: SAME, shapes: layout.concatenation },
  RESHAPE: { types: WITH_CONTROL, shapes: layout.reshape },
  SOFTMAX: { types: SAME, shapes: elementwise.softmax },
  PAD: { types: WITH_CONTROL, shapes: layout.pad },
  MEAN: { types: QUANTIZED_WITH_CONTROL, shapes: reduction.mean },
  STRIDED_SLICE: { types: WITH_CONTROL, shapes: layout.stridedSlice },
  SPLIT: {
    types: rows('int32,float32>float32', 'int32,int8>int8', 'int32,uint8>uint8'),
    shapes: layout.split,
  },
  RESIZE_BILINEAR: { types: QUANTIZED_WITH_CONTROL, shapes: layout.resize },
  RESIZE_NEAREST_NEIGHBOR: { types: QUANTIZED_WITH_CONTROL, shapes: layout.resize },
  LEAKY_RELU: { types: SAME, shapes: elementwise.leakyRelu },
  QUANTIZE: {
    types: rows(
      'float32>int8',
      'float32>uint8',
      'int8>int8',
      'int8>uint8',
      'uint8>int8',
      'uint8>uint8',
    ),
    shapes: elementwise.convert,
  },
  DEQUANTIZE: {
    types: rows('int8>float32', 'uint8>float32', 'float16>float32'),
    shapes: elementwise.convert,
  },
  HARD_SWISH: { types: SAME, shapes: elementwise.hardSwish },
  LOGISTIC: { types: SAME, shapes: elementwise.logistic },
  TANH: { types: SAME, shapes: elementwise.tanh },
  RELU: { types: SAME, shapes: elementwise.rescaled },
  RELU6: { types: SAME, shapes: elementwise.rescaled },
  EXP: { types: FLOAT, shapes: elementwise.unary },
  NEG: { types: FLOAT, shapes: elementwise.unary },
  SQRT: { types: FLOAT, shapes: elementwise.unary },
  RSQRT: { types: FLOAT, shapes: elementwise.unary },
  LOG: { types: FLOAT, shapes: elementwise.unary },
  SIN: { types: FLOAT, shapes: elementwise.unary },
  COS: { types: FLOAT, shapes: elementwise.unary },
  SQUARE: { types: FLOAT, shapes: elementwise.unary },
  FLOOR: { types: FLOAT, shapes: elementwise.unary },
  ROUND: { types: FLOAT, shapes: elementwise.round },
  CEIL: { types: FLOAT, shapes: elementwise.unary },
  RELU_N1_TO_1: { types: FLOAT, shapes: elementwise.unary },
  ELU: { types: FLOAT_OR_INT8, shapes: elementwise.rescaled },
  GELU: { types: FLOAT_OR_INT8, shapes: elementwise.rescaled },
  ABS: { types: FLOAT_OR_INT8, shapes: elementwise.rescaled },
  PRELU: { types: FLOAT_OR_INT8, shapes: elementwise.prelu },
  POW: { types: FLOAT, shapes: elementwise.binary },
  SQUARED_DIFFERENCE: { types: FLOAT, shapes: elementwise.binary },
  DIV: { types: FLOAT, shapes: elementwise.divide },
  MAXIMUM: { types: SAME, shapes: elementwise.extreme },
  MINIMUM: { types: SAME, shapes: elementwise.extreme },
  ADD_N: { types: FLOAT, shapes: elementwise.addAll },
  L2_NORMALIZATION: { types: FLOAT_OR_INT8, shapes: elementwise.l2Normalization },
  LOG_SOFTMAX: { types: FLOAT_OR_INT8, shapes: elementwise.logSoftmax },
  CAST: {
    types: rows('float32>int32', 'int32>float32', 'int64>float32', 'int64>int32'),
    shapes: elementwise.cast,
  },
  L2_POOL_2D: { types: FLOAT, shapes: window.pool2d },
  BATCH_MATMUL: { types: FLOAT_OR_INT8, shapes: matrix.batchMatmul },
  TRANSPOSE: { types: QUANTIZED_WITH_CONTROL, shapes: arrangement.transpose },
  SQUEEZE: { types: SAME, shapes: arrangement.squeeze },
  EXPAND_DIMS: { types: QUANTIZED_WITH_CONTROL, shapes: arrangement.expandDims },
  SPACE_TO_DEPTH: { types: SAME, shapes: arrangement.spaceToDepth },
  DEPTH_TO_SPACE: { types: SAME, shapes: arrangement.depthToSpace },
  SPACE_TO_BATCH_ND: { types: QUANTIZED_WITH_CONTROL, shapes: arrangement.spaceToBatch },
  BATCH_TO_SPACE_ND: { types: QUANTIZED_WITH_CONTROL, shapes: arrangement.batchToSpace },
  REVERSE_V2: { types: QUANTIZED_WITH_CONTROL, shapes: arrangement.reverse },
  TILE: { types: QUANTIZED_WITH_CONTROL, shapes: arrangement.tile },
  MIRROR_PAD: { types: QUANTIZED_WITH_CONTROL, shapes: arrangement.mirrorPad },
  PADV2: {
    types: rows('float32,int32,float32>float32', 'int8,int32,int8>int8', 'uint8,int32,uint8>uint8'),
    shapes: arrangement.padWithValue,
  },
  SLICE: { types: QUANTIZED_WITH_CONTROL, shapes: pieces.slice },
  GATHER: { types: QUANTIZED_WITH_CONTROL, shapes: pieces.gather },
  PACK: { types: SAME, shapes: pieces.pack },
  UNPACK: { types: SAME, shapes: pieces.unpack },
  SPLIT_V: { types: QUANTIZED_WITH_CONTROL, shapes: pieces.splitInto },
  SUM: { types: FLOAT_WITH_CONTROL, shapes: reduction.sum },
  REDUCE_MAX: { types: QUANTIZED_WITH_CONTROL, shapes: reduction.extreme },
  REDUCE_MIN: { types: QUANTIZED_WITH_CONTROL, shapes: reduction.extreme },
  ARG_MAX: {
    types: rows(
      'float32,int32>int32',
      'int8,int32>int32',
      'uint8,int32>int32',
      'float32,int32>int64',
      'int8,int32>int64',
      'uint8,int32>int64',
    ),
    shapes: reduction.argMax,
  },
  CUMSUM: { types: FLOAT_WITH_CONTROL, shapes: reduction.cumulativeSum },
};

export function operatorRule(name: string): OperatorRule | undefined {
  return RULES[name];
}

export { OperatorView } from './operator-view.ts';
