import fc from 'fast-check';
import type { Activation } from './one-operator.ts';

export const zeroPoint = fc.integer({ min: -128, max: 127 });
export const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });
export const fusedActivation = fc.integer({ min: 0, max: 3 });

/** Scales of real models. */
export const scale = fc.double({ min: 0.002, max: 0.5, noNaN: true }).map(Math.fround);

export const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

export function activation(shape: readonly number[]): fc.Arbitrary<Activation> {
  return fc.record({ scale, zeroPoint }).map((affine) => ({ shape, ...affine }));
}

export const shape = (maxRank: number, maxSize: number): fc.Arbitrary<number[]> =>
  fc.array(size(maxSize), { minLength: 1, maxLength: maxRank });
