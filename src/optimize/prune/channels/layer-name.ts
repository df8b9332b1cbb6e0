import { firstAlias, type Graph, printable } from '../../../tflite/index.ts';

/** What people call a layer: its output's name, or its place where that has none. */
export function layerName(graph: Graph, operator: number): string {
  const layer = graph.subgraph.operators[operator]!;
  return printable(firstAlias(graph.tensor(layer.outputs[0]!).name)) || graph.label(layer);
}
