import { DunlinError } from '../../core/index.ts';
import { PLAN_ALIGNMENT, PLAN_MAX_BYTES, PLAN_MAX_SHIFT, PLAN_MIN_SHIFT } from './constants.ts';
import { isConstantPlace, type PlanStep, placeOffset } from './steps.ts';
import { cName, fieldValues } from './structs.ts';

/** What the offsets of a plan's steps must lie in. */
export interface PlanMemory {
  readonly bytes: Uint8Array;
  readonly arenaBytes: number;
}

/** The fields of one kind of step that hold one number. */
type NumberField<S> = {
  [Name in keyof S]: S[Name] extends number ? Name : never;
}[keyof S] &
  string;

/** Checks fields of one step; a failure is a DunlinError plan-malformed that names the field. */
export class StepCheck<S extends PlanStep> {
  readonly step: S;
  readonly memory: PlanMemory;
  readonly #label: string;

  /** @param label of the step in errors */
  constructor(step: S, memory: PlanMemory, label: string) {
    this.step = step;
    this.memory = memory;
    this.#label = label;
  }

  fail(field: string, detail: string): never {
    throw new DunlinError(`${this.#label}: ${cName(field)}: ${detail}`, { code: 'plan-malformed' });
  }

  /** Each of the fields is a whole number of the range, its ends included. */
  range(min: number, max: number, ...fields: readonly NumberField<S>[]): void {
    for (const field of fields) {
      const value = this.number(field);
      if (value < min || value > max) this.fail(field, `${value} is not from ${min} to ${max}`);
    }
  }

  /** Each of the fields is this number. */
  is(expected: number, ...fields: readonly NumberField<S>[]): void {
    for (const field of fields) {
      const value = this.number(field);
      if (value !== expected) this.fail(field, `${value}, where it has to be ${expected}`);
    }
  }

  atLeast(min: number, ...fields: readonly NumberField<S>[]): void {
    for (const field of fields) {
      const value = this.number(field);
      if (value < min) this.fail(field, `${value} is below ${min}`);
    }
  }

  shift(...fields: readonly NumberField<S>[]): void {
    this.range(PLAN_MIN_SHIFT, PLAN_MAX_SHIFT, ...fields);
  }

  /** A place in the arena with so many bytes after it. */
  arena(field: NumberField<S>, sizeBytes: number): void {
    if (isConstantPlace(this.number(field)))
      this.fail(field, 'a constant, where it has to be in the arena');
    this.readable(field, sizeBytes);
  }

  /** A place in the arena or in the plan with so many bytes after it. */
  readable(field: NumberField<S>, sizeBytes: number): void {
    const place = this.number(field);
    const [where, total] = isConstantPlace(place)
      ? ['plan', this.memory.bytes.length]
      : ['arena', this.memory.arenaBytes];
    this.#inside(field, placeOffset(place), sizeBytes, where, total);
  }

  /** An offset in the plan with so many bytes after it. @returns those bytes */
  constant(field: NumberField<S>, sizeBytes: number, alignment = PLAN_ALIGNMENT): Uint8Array {
    const at = this.number(field);
    this.aligned(field, alignment);
    this.#inside(field, at, sizeBytes, 'plan', this.memory.bytes.length);
    return this.memory.bytes.subarray(at, at + sizeBytes);
  }

  aligned(field: NumberField<S>, alignment: number): void {
    const at = this.number(field);
    if (at % alignment !== 0) this.fail(field, `${at} is not a multiple of ${alignment}`);
  }

  number(field: NumberField<S>): number {
    return fieldValues(this.step)[field] as number;
  }

  #inside(field: string, at: number, sizeBytes: number, where: string, total: number): void {
    if (at + sizeBytes > total) {
      this.fail(field, `${sizeBytes} bytes at ${at} of the ${where}, which has ${total}`);
    }
  }
}

/** Bytes from an element to the last one of a block, both included; steps are in elements. */
export const extentBytes = (shape: readonly number[], steps: readonly number[]): number =>
  shape.reduce((sum, size, axis) => sum + (size - 1) * steps[axis]!, 1);

/** Elements of a block; fails for a size of 0, and for more than a tensor may have. */
export function blockBytes<S extends PlanStep>(
  check: StepCheck<S>,
  shape: readonly number[],
): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements === 0) check.fail('shape', `a size of 0 in [${shape.join(', ')}]`);
  if (elements > PLAN_MAX_BYTES) {
    check.fail('shape', `${elements} elements; a tensor may have ${PLAN_MAX_BYTES}`);
  }
  return elements;
}
