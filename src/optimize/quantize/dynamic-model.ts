import {
  operatorSpec,
  printable,
  type TfliteModel,
  type TfliteOperator,
} from '../../tflite/index.ts';
import type { Calibration } from '../calibrate/calibrate.ts';
import type { FloatModel } from '../float-model.ts';
import { copyOperator, copySignatures, GraphWriter } from '../graph-writer.ts';
import { shortNames } from '../tensor-names.ts';
import { int8Scheme, type WeightScheme } from './int8-schemes.ts';
import { placeWeights, roundLayer, type WeightedOperator } from './weighted-operator.ts';

/** Operators of which TFLite 2.9.0 has a kernel that takes float activations and int8 weights, with its version. */
const HYBRID_VERSIONS: Readonly<Record<string, number>> = {
  CONV_2D: 5,
  DEPTHWISE_CONV_2D: 6,
  FULLY_CONNECTED: 9,
};
/** A layer's scales and options would cost more than so few weights save. */
const LEAST_WEIGHTS = 256;

/**
 * Weights as int8, activations in float: the runtime quantizes each input on the fly with the range that it has there
 * and then ("dynamic range" in TFLite). Calibration serves the bias, which makes up for the rounding of the weights.
 */
export function writeDynamicModel(
  float: FloatModel,
  calibration: Calibration,
  weightSteps?: ReadonlyMap<number, number>,
): TfliteModel {
  const { graph, subgraph, model } = float;
  const writer = new GraphWriter();
  const shortName = shortNames(float);
  const ends = new Set([...subgraph.inputs, ...subgraph.outputs]);
  const placed = new Map<number, number>();
  const place = (index: number): number => {
    const there = placed.get(index);
    if (there !== undefined) return there;
    const { type, shape, isVariable, name } = graph.tensor(index);
    const data = graph.data(graph.tensor(index));
    const draft = { name: ends.has(index) ? name : shortName(index), type, shape, isVariable };
    placed.set(index, writer.tensor(data.byteLength > 0 ? { ...draft, data } : draft));
    return placed.get(index)!;
  };
  const inputs = subgraph.inputs.map(place);
  for (const operator of subgraph.operators) {
    const scheme = calibration.has(operator.inputs[0]!) ? hybridScheme(float, operator) : undefined;
    if (scheme === undefined) copyOperator(writer, float, operator, place);
    else {
      const steps = weightSteps === undefined ? {} : { weightSteps };
      const input = calibration.get(operator.inputs[0]!)!;
      const weighted = { float, operator, scheme, input, biasCorrection: true, ...steps };
      writeHybrid(writer, weighted, place);
    }
  }
  const outputs = subgraph.outputs.map(place);
  const description = `${printable(model.description)} (dynamic range, dunlin)`.trim();
  return writer.finish(description, inputs, outputs, copySignatures(float, inputs, outputs));
}

function hybridScheme({ graph }: FloatModel, operator: TfliteOperator): WeightScheme | undefined {
  const { builtin } = graph.code(operator);
  const scheme = int8Scheme(builtin)?.weights;
  if (scheme === undefined || HYBRID_VERSIONS[builtin] === undefined) return undefined;
  const weights = graph.tensor(operator.inputs[scheme.position]!);
  const large = graph.data(weights).byteLength >= LEAST_WEIGHTS * Float32Array.BYTES_PER_ELEMENT;
  const bias = operator.inputs[scheme.biasPosition] ?? -1;
  const constant = [weights, ...(bias === -1 ? [] : [graph.tensor(bias)])].every((tensor) =>
    graph.isConstant(tensor),
  );
  return constant && weights.type === 'float32' && large ? scheme : undefined;
}

function writeHybrid(
  writer: GraphWriter,
  weighted: WeightedOperator,
  place: (tensor: number) => number,
): void {
  const { float, operator, scheme } = weighted;
  const { builtin, version } = float.graph.code(operator);
  const layer = roundLayer(weighted);
  const inputs = operator.inputs.map((index, position) =>
    position === scheme.position || position === scheme.biasPosition || index === -1
      ? -1
      : place(index),
  );
  inputs[scheme.position] = placeWeights(writer, weighted, layer.weights);
  inputs[scheme.biasPosition] = writer.tensor({
    name: '',
    type: 'float32',
    shape: [layer.bias.length],
    data: new Uint8Array(Float32Array.from(layer.bias).buffer),
  });
  const asymmetric = operatorSpec(builtin)?.options?.fields.some(
    ({ name }) => name === 'asymmetricQuantizeInputs',
  );
  writer.operator({
    builtin,
    version: Math.max(version, HYBRID_VERSIONS[builtin]!),
    inputs,
    outputs: operator.outputs.map(place),
    // One step more of range for inputs that are all positive, as after a RELU.
    options: asymmetric
      ? { ...operator.options, asymmetricQuantizeInputs: true }
      : operator.options,
  });
}
