import * as elementwise from './elementwise.ts';
import * as layout from './layout.ts';
import * as matrix from './matrix.ts';
import type { Rule } from './operator-view.ts';
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
const WITH_CONTROL = rows(
  'float32,int32>float32',
  'int8,int32>int8',
  'uint8,int32>uint8',
  'int32,int32>int32',
);

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
  MEAN: { types: WITH_CONTROL.slice(0, 3), shapes: layout.mean },
  STRIDED_SLICE: { types: WITH_CONTROL, shapes: layout.stridedSlice },
  SPLIT: {
    types: rows('int32,float32>float32', 'int32,int8>int8', 'int32,uint8>uint8'),
    shapes: layout.split,
  },
  RESIZE_BILINEAR: { types: WITH_CONTROL.slice(0, 3), shapes: layout.resize },
  RESIZE_NEAREST_NEIGHBOR: { types: WITH_CONTROL.slice(0, 3), shapes: layout.resize },
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
};

export function operatorRule(name: string): OperatorRule | undefined {
  return RULES[name];
}

export { OperatorView } from './operator-view.ts';
