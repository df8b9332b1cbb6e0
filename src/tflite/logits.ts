import type { TfliteModel } from './model.ts';
import { parseModel } from './read.ts';
import { serializeModel } from './write.ts';

/**
 * The same model without its final SOFTMAX: its output is what the SOFTMAX reads. Results of two
 * execution paths are compared there, because softmax stretches a step of difference to dozens.
 * Undefined when the last operator is another, or its result is not the one output.
 */
export function logitsView(model: TfliteModel): TfliteModel | undefined {
  const [subgraph, ...others] = model.subgraphs;
  const last = subgraph?.operators.at(-1);
  if (subgraph === undefined || last === undefined || others.length > 0) return undefined;
  if (model.operatorCodes[last.code]?.builtin !== 'SOFTMAX') return undefined;
  const [logits] = last.inputs;
  const produced = subgraph.operators
    .slice(0, -1)
    .some((operator) => operator.outputs.includes(logits ?? -1));
  const alone = subgraph.outputs.length === 1 && subgraph.outputs[0] === last.outputs[0];
  if (logits === undefined || !produced || !alone) return undefined;
  // Signatures name the output that is gone.
  const { signatures: _, ...rest } = model;
  return {
    ...rest,
    subgraphs: [{ ...subgraph, outputs: [logits], operators: subgraph.operators.slice(0, -1) }],
  };
}

/** A file's `logitsView` as a file; undefined where there is none. @throws as `parseModel` */
export function logitsFile(bytes: Uint8Array, what: string): Uint8Array | undefined {
  const view = logitsView(parseModel(bytes, what));
  return view === undefined ? undefined : serializeModel(view);
}
