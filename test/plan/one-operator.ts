import { type ReferenceExecutor, referenceExecutor } from '../../src/plan/index.ts';
import type { OptionValue, TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { lcg } from './lcg.ts';

/** An int8 tensor's shape and quantization; the scale is made a float32. */
export interface Activation {
  readonly shape: readonly number[];
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface Constant {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  /** An int32 that steers, unless it is quantized. */
  readonly quantized?: {
    readonly type: 'int8' | 'int32';
    readonly scale: readonly number[];
    readonly axis: number;
  };
}

export interface OneOperator {
  readonly operator: string;
  readonly inputs: readonly Activation[];
  readonly constants?: readonly Constant[];
  readonly output: Activation;
  readonly options?: Readonly<Record<string, OptionValue>>;
}

/** A model of one operator: activations first, then constants. */
export function oneOperator(plan: OneOperator): TfliteModel {
  const b = new ModelBuilder();
  const activation = ({ shape, scale, zeroPoint }: Activation): number =>
    b.tensor(shape, { type: 'int8', scale: [scale], zeroPoint });
  const inputs = plan.inputs.map(activation);
  const constants = (plan.constants ?? []).map(({ shape, values, quantized }) =>
    quantized === undefined
      ? b.control(shape, values)
      : b.tensor(shape, { ...quantized, zeroPoint: 0, data: values }),
  );
  const output = activation(plan.output);
  return b
    .operator(plan.operator, [...inputs, ...constants], [output], plan.options)
    .build(inputs, [output]);
}

export function executorOf(plan: OneOperator): ReferenceExecutor {
  return referenceExecutor(oneOperator(plan), plan.operator);
}

/** Runs one operator over values that depend on the seed alone. */
export function runRandom(
  plan: OneOperator,
  seed: number,
): { readonly inputs: Int8Array[]; readonly output: Int8Array } {
  const next = lcg(seed);
  const executor = executorOf(plan);
  const inputs = executor.inputs.map(({ length }) =>
    Int8Array.from({ length }, () => next() >>> 24),
  );
  return { inputs, output: executor.run(inputs)[0]! };
}

export const elements = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

/** Every position of a shape, in row-major order. */
export function* positions(shape: readonly number[]): Generator<number[]> {
  const total = elements(shape);
  for (let index = 0; index < total; index++) {
    const position: number[] = [];
    let rest = index;
    for (const size of [...shape].reverse()) {
      position.unshift(rest % size);
      rest = Math.floor(rest / size);
    }
    yield position;
  }
}

/** Where a position lies in a row-major tensor. */
export function at(shape: readonly number[], position: readonly number[]): number {
  return position.reduce((index, value, axis) => index * shape[axis]! + value, 0);
}

/** The least and the largest step of a fused activation: 0 none, 1 ReLU, 2 ReLU-1..1, 3 ReLU6. */
export function fusedLimits(
  activation: number,
  { scale, zeroPoint }: Activation,
): readonly [number, number] {
  const float = Math.fround(scale);
  const step = (real: number): number => {
    const exact = Math.fround(real / float);
    return zeroPoint + Math.sign(exact) * Math.floor(Math.abs(exact) + 0.5);
  };
  const low = activation === 0 ? -128 : step(activation === 2 ? -1 : 0);
  const high = activation < 2 ? 127 : step(activation === 2 ? 1 : 6);
  return [Math.max(-128, low), Math.min(127, high)];
}
