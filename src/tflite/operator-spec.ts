import type { TensorType } from './tensor-type.ts';

export type OptionKind = 'int8' | 'int32' | 'bool' | 'float32' | 'int32[]';

/** One field of an options table: `slot` is its number in the schema. */
export interface OptionField {
  readonly name: string;
  readonly slot: number;
  readonly kind: OptionKind;
  readonly default: number | boolean;
}

export interface OptionsSpec {
  /** Number in the union BuiltinOptions. */
  readonly type: number;
  readonly fields: readonly OptionField[];
  /** Whether the runtime reads garbage when the table is absent. */
  readonly required: boolean;
}

/**
 * What a builtin operator is to Dunlin. Numbers and defaults: tensorflow/lite/schema/schema.fbs.
 * `maxVersion`: the newest that TFLite 2.9.0 registers, found by loading each in the runtime.
 * `minVersion`: the first that knows a type, where that is not 1; the runtime ignores a lower
 * version and may compute something else.
 */
export interface OperatorSpec {
  readonly name: string;
  readonly maxVersion: number;
  readonly minVersion?: Partial<Record<TensorType, number>>;
  /** How many inputs, fewest and most; those from `optionalFrom` on may be -1. */
  readonly inputs: readonly [number, number];
  readonly optionalFrom?: number;
  /** How many outputs, fewest and most. */
  readonly outputs: readonly [number, number];
  /** Positions of inputs that steer the operator (shapes, axes) and must be constants. */
  readonly control?: readonly number[];
  /** Position of the input that holds the weights. */
  readonly weights?: number;
  readonly options?: OptionsSpec;
}
