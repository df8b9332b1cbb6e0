import type { OptionValue, TensorType, TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder, type TensorPlan } from './model-builder.ts';

export type Options = Readonly<Record<string, OptionValue>>;
export type ActivationType = 'float32' | 'int8' | 'uint8';

export const TYPES: readonly ActivationType[] = ['float32', 'int8', 'uint8'];
export const IN_SCALE = 0.05;
export const OUT_SCALE = 0.1;
export const WEIGHT_SCALE = 0.02;

export function activation(type: ActivationType, scale = IN_SCALE): TensorPlan {
  if (type === 'float32') return { type };
  return { type, scale: [scale], zeroPoint: type === 'int8' ? -3 : 120 };
}

export interface PlainPlan {
  readonly operator: string;
  readonly type: ActivationType;
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
  readonly options?: Options;
  /** Constants after the inputs, or before them. */
  readonly after?: readonly {
    readonly shape: readonly number[];
    readonly values: readonly number[];
    /** For constants that are no int32. */
    readonly plan?: TensorPlan;
  }[];
  readonly before?: { readonly shape: readonly number[]; readonly values: readonly number[] };
  /** Scale and zero point of the output where they differ from the input's. */
  readonly output?: TensorPlan;
  /** The outputs' type where it is another. */
  readonly outputType?: TensorType;
}

/** One operator, its inputs fed by the caller. */
export function plain(plan: PlainPlan): TfliteModel {
  const b = new ModelBuilder();
  const inputs = plan.inputs.map((shape) => b.tensor(shape, activation(plan.type)));
  const before =
    plan.before === undefined ? [] : [b.control(plan.before.shape, plan.before.values)];
  const after = (plan.after ?? []).map(({ shape, values, plan: constant }) =>
    constant === undefined
      ? b.control(shape, values)
      : b.tensor(shape, { ...constant, data: values }),
  );
  const output = plan.type === 'float32' ? {} : { ...activation(plan.type), ...plan.output };
  const outputs = plan.outputs.map((shape) =>
    b.tensor(shape, plan.outputType === undefined ? output : { type: plan.outputType }),
  );
  return b
    .operator(plan.operator, [...before, ...inputs, ...after], outputs, plan.options)
    .build(inputs, outputs);
}
