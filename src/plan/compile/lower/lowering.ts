import type { Node } from '../../reference/node.ts';
import type { Operation } from '../program.ts';

/** What one operator of a model becomes. @throws DunlinError model-unsupported */
export type Lower = (node: Node) => readonly Operation[];

export const common = (
  node: Node,
): { readonly source: number; readonly input: number; readonly output: number } => ({
  source: node.position,
  input: node.inputIndex(0),
  output: node.outputIndex,
});
