import { serializeModel, type TfliteModel } from '../../tflite/index.ts';

type Subgraph = TfliteModel['subgraphs'][number];

/** A file of the same model with other outputs, and without what does not contribute to them. */
export function exposeTensors(model: TfliteModel, outputs: readonly number[]): Uint8Array {
  // Signatures name the outputs that are gone.
  const { signatures: _, subgraphs, ...rest } = model;
  const [subgraph] = subgraphs;
  const operators = neededOperators(subgraph!, outputs);
  return serializeModel({
    ...rest,
    subgraphs: [{ ...subgraph!, operators, outputs: [...outputs] }],
  });
}

function neededOperators(subgraph: Subgraph, outputs: readonly number[]): Subgraph['operators'] {
  const needed = new Set(outputs);
  return subgraph.operators
    .toReversed()
    .filter((operator) => {
      if (!operator.outputs.some((output) => needed.has(output))) return false;
      for (const input of operator.inputs) needed.add(input);
      return true;
    })
    .toReversed();
}
