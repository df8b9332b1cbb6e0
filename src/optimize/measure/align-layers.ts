import { Graph, type TfliteModel } from '../../tflite/index.ts';

/** The same layer in two models: places of the operators in their order of execution. */
export interface LayerPair {
  readonly reference: number;
  readonly other: number;
}

/** Operators that only change how a value is written. */
const CONVERSIONS: ReadonlySet<string> = new Set(['QUANTIZE', 'DEQUANTIZE']);
/** The table below has a cell for each pair; past this, layers are paired by position alone. */
const MAX_TABLE_CELLS = 16_000_000;

interface Layer {
  readonly operator: number;
  readonly key: string;
}

/**
 * Which operator of one model is which of the other: the longest common subsequence by kind and shape of the result.
 * Names are no help, since converters change them; conversions are passed over.
 */
export function alignLayers(reference: TfliteModel, other: TfliteModel): LayerPair[] {
  const [a, b] = [layersOf(reference), layersOf(other)];
  if (a.length * b.length > MAX_TABLE_CELLS) return pairByPosition(a, b);
  const columns = b.length + 1;
  const longest = new Int32Array((a.length + 1) * columns);
  for (let row = a.length - 1; row >= 0; row--) {
    for (let column = b.length - 1; column >= 0; column--) {
      const at = row * columns + column;
      longest[at] =
        a[row]!.key === b[column]!.key
          ? longest[at + columns + 1]! + 1
          : Math.max(longest[at + columns]!, longest[at + 1]!);
    }
  }
  const pairs: LayerPair[] = [];
  for (let row = 0, column = 0; row < a.length && column < b.length; ) {
    const at = row * columns + column;
    if (a[row]!.key === b[column]!.key) {
      pairs.push({ reference: a[row++]!.operator, other: b[column++]!.operator });
    } else if (longest[at + columns]! >= longest[at + 1]!) row++;
    else column++;
  }
  return pairs;
}

function pairByPosition(a: readonly Layer[], b: readonly Layer[]): LayerPair[] {
  return a.flatMap(({ operator, key }, position) =>
    b[position]?.key === key ? [{ reference: operator, other: b[position]!.operator }] : [],
  );
}

function layersOf(model: TfliteModel): Layer[] {
  const graph = new Graph(model, 'model');
  return graph.subgraph.operators.flatMap((operator, index) => {
    const { builtin } = graph.code(operator);
    if (CONVERSIONS.has(builtin)) return [];
    const shapes = operator.outputs.map((output) => graph.tensor(output).shape.join('x'));
    return [{ operator: index, key: `${builtin} ${shapes.join()}` }];
  });
}
