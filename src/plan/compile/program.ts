import { DunlinError } from '../../core/index.ts';
import { elementCount } from '../../tflite/index.ts';
import type { Affine } from '../reference/node.ts';

/** An int8 tensor of a program: computed, given from outside, or constant. */
export interface Value extends Affine {
  readonly id: number;
  readonly shape: readonly number[];
  /** Of a constant. */
  readonly values?: Int8Array;
}

interface OperationBase {
  /** The model's operator that it comes from, the first if several. */
  readonly source: number;
  /** A value's id, as all that are called so. */
  readonly output: number;
}

/** NHWC. What a window has to do with places. */
export interface Geometry {
  readonly batches: number;
  readonly inH: number;
  readonly inW: number;
  readonly inC: number;
  readonly outH: number;
  readonly outW: number;
  readonly outC: number;
  readonly kernelH: number;
  readonly kernelW: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly padTop: number;
  readonly padLeft: number;
}

export type WeightedKind = 'CONV_2D' | 'DEPTHWISE_CONV_2D' | 'FULLY_CONNECTED';
export type PoolKind = 'AVERAGE_POOL_2D' | 'MAX_POOL_2D';

interface Clamped {
  /** Least and largest output, -128 to 127. */
  readonly min: number;
  readonly max: number;
}

/** Rows of weights, [outC][K] int8, with what each row takes; multipliers and shifts [outC] or [1]. */
export interface WeightedOperation extends OperationBase, Geometry, Clamped {
  readonly kind: WeightedKind;
  readonly input: number;
  readonly weights: Int8Array;
  /** Of differences from the input's zero point: nothing is folded in yet. */
  readonly bias: Int32Array;
  readonly multipliers: Int32Array;
  readonly shifts: Int8Array;
}

export interface PoolOperation extends OperationBase, Geometry, Clamped {
  readonly kind: PoolKind;
  readonly input: number;
}

interface Factor {
  readonly value: number;
  readonly shift: number;
}

export interface BinaryOperation extends OperationBase, Clamped {
  readonly kind: 'ADD' | 'SUB' | 'MUL';
  readonly a: number;
  readonly b: number;
  /** As the model broadcasts them: a value's own shape may be another one. */
  readonly aShape: readonly number[];
  readonly bShape: readonly number[];
  readonly by: { readonly a: Factor; readonly b: Factor; readonly output: Factor };
}

export interface LookupOperation extends OperationBase {
  readonly kind: 'LOOKUP';
  readonly input: number;
  /** For -128 to 127. */
  readonly table: Int8Array;
}

export interface SoftmaxOperation extends OperationBase {
  readonly kind: 'SOFTMAX';
  readonly input: number;
  readonly rows: number;
  readonly depth: number;
  readonly multiplier: number;
  readonly shift: number;
  readonly least: number;
}

/** [outer, reduced, inner] to [outer, inner]. */
export interface MeanOperation extends OperationBase {
  readonly kind: 'MEAN';
  readonly input: number;
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
  readonly multiplier: number;
  readonly shift: number;
}

/** A block of a tensor moved to a place of another; steps are in elements. */
export interface Block {
  readonly input: number;
  readonly inputFirst: number;
  readonly inputSteps: readonly number[];
  readonly outputFirst: number;
  readonly outputSteps: readonly number[];
  readonly shape: readonly number[];
}

/** PAD, CONCATENATION, STRIDED_SLICE: an output made of blocks, over a filling if they leave any of it. */
export interface MoveOperation extends OperationBase {
  readonly kind: 'MOVE';
  readonly fill?: number;
  readonly blocks: readonly Block[];
  /** Of a PAD: what is put before and after each dimension, for what can do without the move. */
  readonly paddings?: readonly number[];
}

export type Operation =
  | WeightedOperation
  | PoolOperation
  | BinaryOperation
  | LookupOperation
  | SoftmaxOperation
  | MeanOperation
  | MoveOperation;

/** A model as the passes see it: operations in the order in which they run, each with one output. */
export interface Program {
  /** Names the model in errors. */
  readonly what: string;
  /** How each operator of the model is called in messages. */
  readonly labels: readonly string[];
  readonly values: ReadonlyMap<number, Value>;
  readonly operations: readonly Operation[];
  /** Values' ids in the model's order. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** As the model has them, whatever the values' own shapes are. */
  readonly outputShapes: readonly (readonly number[])[];
}

export const sizeOf = ({ shape }: Value): number => elementCount(shape);

export const programValue = ({ values }: Program, id: number): Value => values.get(id)!;

export function isWeighted(operation: Operation): operation is WeightedOperation {
  return (
    operation.kind === 'CONV_2D' ||
    operation.kind === 'DEPTHWISE_CONV_2D' ||
    operation.kind === 'FULLY_CONNECTED'
  );
}

export function isPool(operation: Operation): operation is PoolOperation {
  return operation.kind === 'AVERAGE_POOL_2D' || operation.kind === 'MAX_POOL_2D';
}

export function isBinary(operation: Operation): operation is BinaryOperation {
  return operation.kind === 'ADD' || operation.kind === 'SUB' || operation.kind === 'MUL';
}

/** Weights of one output of a window: K, of a depthwise convolution without its depth. */
export const tapsOf = ({ kind, kernelH, kernelW, inC }: WeightedOperation): number =>
  kernelH * kernelW * (kind === 'DEPTHWISE_CONV_2D' ? 1 : inC);

/** The values that an operation reads, constants too. */
export function inputsOf(operation: Operation): readonly number[] {
  if (isBinary(operation)) return [operation.a, operation.b];
  if (operation.kind === 'MOVE') return operation.blocks.map(({ input }) => input);
  return [operation.input];
}

/** The operation with other values in the place of its inputs. */
export function withInputs(operation: Operation, replace: (id: number) => number): Operation {
  if (isBinary(operation)) {
    return { ...operation, a: replace(operation.a), b: replace(operation.b) };
  }
  if (operation.kind === 'MOVE') {
    const blocks = operation.blocks.map((block) => ({ ...block, input: replace(block.input) }));
    return { ...operation, blocks };
  }
  return { ...operation, input: replace(operation.input) };
}

/** @throws DunlinError model-unsupported: what cannot be compiled about an operation */
export function refuseOperation(program: Program, source: number, detail: string): never {
  throw new DunlinError(`${program.what}: ${program.labels[source]}: ${detail}`, {
    code: 'model-unsupported',
  });
}

/** Who reads each value; a value that leaves the program is read once more, by nobody in it. */
export function readersOf(program: Program): ReadonlyMap<number, readonly (Operation | null)[]> {
  const readers = new Map<number, (Operation | null)[]>();
  const note = (id: number, reader: Operation | null): void => {
    const known = readers.get(id);
    if (known === undefined) readers.set(id, [reader]);
    else known.push(reader);
  };
  for (const operation of program.operations) {
    for (const id of inputsOf(operation)) note(id, operation);
  }
  for (const id of program.outputs) note(id, null);
  return readers;
}

/** Multiply-accumulates of one run. */
export function macsOf(operation: Operation): number {
  if (!isWeighted(operation)) return 0;
  const { batches, outH, outW, outC } = operation;
  return batches * outH * outW * outC * tapsOf(operation);
}
