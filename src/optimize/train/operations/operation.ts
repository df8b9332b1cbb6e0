import type { Graph, TfliteOperator } from '../../../tflite/index.ts';
import type { TrainingMemory } from '../memory.ts';
import type { Parameter } from '../parameter.ts';
import type { TrainingTensor } from '../tensor.ts';

/** One operator of the model that can go both ways over a batch. */
export interface Operation {
  /** Writes `computed` of its outputs from `values` of its inputs. */
  forward(): void;
  /** Adds to the gradients of its inputs (those that are trained) and parameters, from those of its outputs. */
  backward(): void;
  /** Adds to the moments of what its weights are multiplied with, where they learn in a basis of their own. */
  addMoments?(): void;
}

/** What an operation is made of. */
export interface OperationDraft {
  readonly graph: Graph;
  readonly operator: TfliteOperator;
  readonly builtin: string;
  /** Samples in its outputs: 1 where they are constants, of constants alone. */
  readonly batch: number;
  readonly memory: TrainingMemory;
  /** By position; undefined where the operator leaves one out, for weights and biases, and for what is not float32. */
  readonly inputs: readonly (TrainingTensor | undefined)[];
  readonly outputs: readonly TrainingTensor[];
  readonly weights: Parameter | undefined;
  readonly bias: Parameter | undefined;
  /** The values of a constant input (axes, paddings, a shape). */
  constant(position: number): number[];
  /** @throws `model-unsupported` naming the layer */
  refuse(reason: string): never;
}

export type OperationBuilder = (draft: OperationDraft) => Operation;

/** Where one sample of a tensor begins, in floats: a constant is the same in all. */
export function sampleStart({ isConstant, size }: TrainingTensor, sample: number): number {
  return isConstant ? 0 : sample * size;
}

/** As {@link sampleStart}, in bytes. */
export function sampleOffset(tensor: TrainingTensor, sample: number): number {
  return sampleStart(tensor, sample) * Float32Array.BYTES_PER_ELEMENT;
}
