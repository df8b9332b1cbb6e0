import type { OptionField, OptionKind, OptionsSpec } from '../operator-spec.ts';

export const field = (
  name: string,
  slot: number,
  kind: OptionKind,
  value: number | boolean = kind === 'bool' ? false : 0,
): OptionField => ({ name, slot, kind, default: value });

export const options = (type: number, ...fields: OptionField[]): OptionsSpec => ({
  type,
  fields,
  required: fields.length > 0,
});

export const activation = (slot: number) => field('fusedActivationFunction', slot, 'int8');

export const one = [1, 1] as const;
export const two = [2, 2] as const;
export const three = [3, 3] as const;
