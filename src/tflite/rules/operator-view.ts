import type { ErrorCode } from '../../core/index.ts';
import type { Graph } from '../graph.ts';
import type { TfliteOperator, TfliteTensor } from '../model.ts';
import type { OperatorSpec } from '../operator-table.ts';

/**
 * One operator as its rule sees it: tensors looked up, options by name, errors that name it.
 * A rule returns the shapes of the outputs as TFLite 2.9.0 computes them and refuses what would
 * make it fail, crash, or compute nonsense.
 */
export class OperatorView {
  readonly graph: Graph;
  readonly spec: OperatorSpec;
  readonly operator: TfliteOperator;
  readonly outputs: readonly TfliteTensor[];
  readonly #inputs: readonly (TfliteTensor | undefined)[];

  constructor(graph: Graph, operator: TfliteOperator, spec: OperatorSpec) {
    this.graph = graph;
    this.operator = operator;
    this.spec = spec;
    this.#inputs = operator.inputs.map((index) => (index === -1 ? undefined : graph.tensor(index)));
    this.outputs = operator.outputs.map((index) => graph.tensor(index));
  }

  fail(
    detail: string,
    code: ErrorCode = 'model-malformed',
    context: Readonly<Record<string, unknown>> = {},
  ): never {
    return this.graph.fail(code, `${this.graph.label(this.operator)}: ${detail}`, context);
  }

  unsupported(detail: string): never {
    return this.fail(`${detail} is not supported`, 'model-unsupported');
  }

  require(condition: boolean, detail: string): void {
    if (!condition) this.fail(detail);
  }

  get inputs(): readonly (TfliteTensor | undefined)[] {
    return this.#inputs;
  }

  input(position: number): TfliteTensor {
    return this.#inputs[position] ?? this.fail(`input ${position} is missing`);
  }

  optional(position: number): TfliteTensor | undefined {
    return this.#inputs[position];
  }

  get output(): TfliteTensor {
    return this.outputs[0] ?? this.fail('it has no output');
  }

  /** An option that is a number. */
  number(name: string): number {
    const value = this.operator.options[name];
    return typeof value === 'number' ? value : this.fail(`option ${name} is missing`);
  }

  flag(name: string): boolean {
    const value = this.operator.options[name];
    return typeof value === 'boolean' ? value : this.fail(`option ${name} is missing`);
  }

  list(name: string): readonly number[] | undefined {
    const value = this.operator.options[name];
    return Array.isArray(value) ? value : undefined;
  }

  /** An option that is a number within bounds. */
  bounded(name: string, min: number, max: number): number {
    const value = this.number(name);
    this.require(
      Number.isInteger(value) && value >= min && value <= max,
      `${name} is ${value}, not ${min} to ${max}`,
    );
    return value;
  }

  /** Values of an input that must be an int32 constant. */
  constants(position: number): number[] {
    const tensor = this.input(position);
    if (!this.graph.isConstant(tensor)) {
      this.unsupported(`input ${position} (shape or axes) known only at run time`);
    }
    this.require(tensor.type === 'int32', `input ${position} is ${tensor.type}, not int32`);
    return this.graph.values(tensor);
  }

  /** The value of an input that must be an int32 constant of one element. */
  constant(position: number): number {
    const [value, ...more] = this.constants(position);
    return value === undefined || more.length > 0
      ? this.fail(`input ${position} holds ${more.length + 1} numbers, not 1`)
      : value;
  }

  /** Values of an input that must be an int32 constant of one dimension and that many elements. */
  vector(position: number, length: number): number[] {
    this.requireRank(this.input(position), 1);
    const values = this.constants(position);
    this.require(
      values.length === length,
      `input ${position} holds ${values.length} numbers for ${length} dimensions`,
    );
    return values;
  }

  /** A dimension, which a negative number counts from the end. */
  axis(value: number, rank: number): number {
    this.require(value >= -rank && value < rank, `axis ${value} of ${rank} dimensions`);
    return value < 0 ? value + rank : value;
  }

  /** All inputs, which must have one shape. */
  alike(): readonly TfliteTensor[] {
    const { shape } = this.input(0);
    return this.#inputs.map((_, position) => {
      const tensor = this.input(position);
      this.require(
        tensor.shape.length === shape.length &&
          tensor.shape.every((size, index) => size === shape[index]),
        `[${tensor.shape}] beside [${shape}]`,
      );
      return tensor;
    });
  }

  requireRank(tensor: TfliteTensor, min: number, max = min): void {
    const rank = tensor.shape.length;
    const range = min === max ? `${min}` : `${min} to ${max}`;
    if (rank < min || rank > max)
      this.fail(`a shape of ${rank} dimensions where ${range} are taken`);
  }
}

/** The output shapes as the runtime computes them. */
export type Rule = (view: OperatorView) => readonly (readonly number[])[];
