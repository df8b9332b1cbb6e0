import {
  addMultipliers,
  mulMultiplier,
  type SumMultipliers,
  subMultipliers,
} from '../../reference/kernels/elementwise.ts';
import { UNARY_TABLES } from '../../reference/kernels/unary.ts';
import type { Affine } from '../../reference/node.ts';
import { fusedRange } from '../../reference/parameters.ts';
import type { BinaryOperation } from '../program.ts';
import { common, type Lower } from './lowering.ts';

const NOTHING = { value: 0, shift: 0 };

const binary =
  (
    kind: BinaryOperation['kind'],
    multipliers: (a: Affine, b: Affine, output: Affine) => SumMultipliers,
  ): Lower =>
  (node): BinaryOperation[] => {
    const output = node.output();
    return [
      {
        kind,
        source: node.position,
        output: node.outputIndex,
        a: node.inputIndex(0),
        b: node.inputIndex(1),
        aShape: node.input(0).shape,
        bShape: node.input(1).shape,
        by: multipliers(node.input(0), node.input(1), output),
        ...fusedRange(node, output),
      },
    ];
  };

export const add = binary('ADD', addMultipliers);
export const subtract = binary('SUB', subMultipliers);
export const multiply = binary('MUL', (a, b, output) => ({
  a: NOTHING,
  b: NOTHING,
  output: mulMultiplier(a, b, output),
}));

/** Functions of one value, by the schema's names. */
export const LOOKUPS: readonly (readonly [string, Lower])[] = [...UNARY_TABLES].map(
  ([name, tableOf]) => [
    name,
    (node) => [{ kind: 'LOOKUP', ...common(node), table: tableOf(node) }],
  ],
);
