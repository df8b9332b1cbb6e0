import type { OperatorSpec } from './operator-spec.ts';
import { ELEMENTWISE } from './operators/elementwise.ts';
import { LAYERS } from './operators/layers.ts';
import { LAYOUT } from './operators/layout.ts';
import { REDUCTIONS } from './operators/reductions.ts';

export type * from './operator-spec.ts';

/** The operators that Dunlin reads, checks and writes; CUSTOM is apart. */
export const OPERATORS: readonly OperatorSpec[] = [
  ...LAYERS,
  ...ELEMENTWISE,
  ...LAYOUT,
  ...REDUCTIONS,
];

const BY_NAME = new Map(OPERATORS.map((spec) => [spec.name, spec]));

/** The one custom operator Dunlin lets through: a subgraph compiled for the Edge TPU. */
export const EDGETPU_CUSTOM_CODE = 'edgetpu-custom-op';

export function operatorSpec(name: string): OperatorSpec | undefined {
  return BY_NAME.get(name);
}
