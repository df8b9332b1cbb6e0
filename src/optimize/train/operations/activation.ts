import type { OptionValue } from '../../../tflite/index.ts';

/** Ends between which an activation lets its input through as it is. */
export interface Limits {
  readonly low: number;
  readonly high: number;
}

/** schema.fbs, ActivationFunctionType: NONE, RELU, RELU_N1_TO_1, RELU6. */
const FUSED: readonly (Limits | undefined)[] = [
  undefined,
  { low: 0, high: Number.POSITIVE_INFINITY },
  { low: -1, high: 1 },
  { low: 0, high: 6 },
];

/** What an operator does to its results last; `unknown` for an activation that training does not know. */
export function fusedActivation(option: OptionValue | undefined): Limits | undefined | 'unknown' {
  const number = Number(option ?? 0);
  return number < FUSED.length ? FUSED[number] : 'unknown';
}
