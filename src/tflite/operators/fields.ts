import type { OptionField, OptionKind, OptionsSpec } from '../operator-spec.ts';

/** A field of an options table; without a value, the schema's default is 0 or false. */
export const field = (
  name: string,
  slot: number,
  kind: OptionKind,
  value: number | boolean = kind === 'bool' ? false : 0,
): OptionField => ({ name, slot, kind, default: value });

/** An options table by its number in the union BuiltinOptions. */
export const options = (type: number, ...fields: OptionField[]): OptionsSpec => ({
  type,
  fields,
  required: fields.length > 0,
});

export const activation = (slot: number) => field('fusedActivationFunction', slot, 'int8');

/** Exactly so many inputs or outputs. */
export const one = [1, 1] as const;
export const two = [2, 2] as const;
export const three = [3, 3] as const;
