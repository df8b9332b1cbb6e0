import { MODES, type Mode } from './request.ts';

/** The float model, repacked: what the others are measured against. */
export const FLOAT_VARIANT = 'float';

/** What was done to the float model before variants were made of it: pruned (and perhaps trained), or trained alone. */
export const CHANGES = ['pruned', 'trained'] as const;
export type Change = (typeof CHANGES)[number];

export type VariantMode = typeof FLOAT_VARIANT | Mode;
const VARIANT_MODES: readonly VariantMode[] = [FLOAT_VARIANT, ...MODES];

/** `int8`, or `pruned-int8` of a changed model. */
export const variantName = (mode: VariantMode, change?: Change): string =>
  change === undefined ? mode : `${change}-${mode}`;

export const variantFile = (name: string): string => `${name}.tflite`;

/** Every name that a variant may have. */
export const VARIANT_NAMES: readonly string[] = [undefined, ...CHANGES].flatMap((change) =>
  VARIANT_MODES.map((mode) => variantName(mode, change)),
);

/** `int8` of `int8` and of `pruned-int8`; undefined for what is no variant's name. */
export const variantMode = (name: string): VariantMode | undefined =>
  VARIANT_NAMES.includes(name) ? VARIANT_MODES.find((mode) => name.endsWith(mode)) : undefined;
