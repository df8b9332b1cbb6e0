import { dequantize, type LoadedModel, quantize } from '../../inference/index.ts';
import {
  elementCount,
  firstAlias,
  Graph,
  printable,
  serializeModel,
  type TfliteModel,
} from '../../tflite/index.ts';
import type { LayerError } from '../report-document.ts';
import { ErrorSum } from './agreement.ts';
import { alignLayers, type LayerPair } from './align-layers.ts';
import { constantTensors, exposeTensors, MAX_ENDS } from './expose.ts';
import { inferReals, type RunOptions, type Samples } from './sample-runs.ts';

/** Layers are watched over so many inputs: their errors differ by decibels, and every activation is copied. */
export const LAYER_SAMPLES = 64;
/** A layer of the other model, whose result and inputs are tensors that the reference has too. */
interface WatchedLayer extends LayerPair {
  readonly referenceOutput: number;
  readonly otherOutput: number;
}

/**
 * Error of each layer that two models share: of all up to it, and of it alone. For the latter every layer of `other`
 * is fed with what the reference computes before it, all at once: a graph of the same operators side by side.
 */
export async function layerErrors(
  reference: TfliteModel,
  other: TfliteModel,
  what: string,
  samples: Samples,
  options: RunOptions,
): Promise<LayerError[]> {
  const layers = watchedLayers(reference, other);
  if (layers.length === 0 || layers.length > MAX_ENDS) return [];
  const expose = (model: TfliteModel, outputs: readonly number[]): Uint8Array =>
    serializeModel(exposeTensors(model, outputs));
  const watched = referenceTensors(reference, layers);
  // Larger models go without errors of single layers.
  if (watched.length > MAX_ENDS) return [];
  const whole = await options.load(expose(reference, watched), 'reference', 'stock');
  let accumulated: LoadedModel | undefined;
  let alone: LoadedModel | undefined;
  try {
    accumulated = await options.load(
      expose(
        other,
        layers.map(({ otherOutput }) => otherOutput),
      ),
      what,
      'stock',
    );
    const detached = detachLayers(reference, other, layers);
    if (detached !== undefined) {
      alone = await options.load(serializeModel(detached.model), `${what}, layers apart`, 'stock');
    }
    const sums = await addUp(
      { reference, layers, whole, accumulated, alone, detached },
      samples,
      options,
    );
    return describe(reference, other, layers, sums, new Set(detached?.layers));
  } finally {
    await Promise.all([whole, accumulated, alone].map((model) => model?.close()));
  }
}

function watchedLayers(reference: TfliteModel, other: TfliteModel): WatchedLayer[] {
  const [a, b] = [new Graph(reference, 'reference'), new Graph(other, 'model')];
  const [constantOfA, constantOfB] = [constantTensors(a), constantTensors(b)];
  return alignLayers(reference, other).flatMap((pair) => {
    const referenceOutput = a.subgraph.operators[pair.reference]!.outputs[0]!;
    const otherOutput = b.subgraph.operators[pair.other]!.outputs[0]!;
    if (constantOfA.has(referenceOutput) || constantOfB.has(otherOutput)) return [];
    if (!isReal(a, referenceOutput) || !isReal(b, otherOutput)) return [];
    return [{ ...pair, referenceOutput, otherOutput }];
  });
}

function isReal(graph: Graph, index: number): boolean {
  return ['float32', 'int8', 'uint8', 'int16'].includes(graph.tensor(index).type);
}

function sizeOf(graph: Graph, index: number): number {
  return elementCount(graph.tensor(index).shape);
}

/** Every tensor of the reference that is compared or fed to a layer. */
function referenceTensors(reference: TfliteModel, layers: readonly WatchedLayer[]): number[] {
  const graph = new Graph(reference, 'reference');
  const constant = constantTensors(graph);
  const computed = new Set(
    graph.subgraph.operators.flatMap(({ outputs }) =>
      outputs.filter((index) => !constant.has(index)),
    ),
  );
  const found = new Set<number>();
  for (const { reference: place, referenceOutput } of layers) {
    found.add(referenceOutput);
    for (const input of graph.subgraph.operators[place]!.inputs)
      if (computed.has(input)) found.add(input);
  }
  return [...found].filter((index) => isReal(graph, index));
}

interface Detached {
  readonly model: TfliteModel;
  /** For each input of the model, the tensor of the reference that it is fed with. */
  readonly feeds: readonly number[];
  /** For each output, its place among the layers. */
  readonly layers: readonly number[];
}

/** The layers of `other` side by side, each with inputs of its own. */
function detachLayers(
  reference: TfliteModel,
  other: TfliteModel,
  layers: readonly WatchedLayer[],
): Detached | undefined {
  const [a, b] = [new Graph(reference, 'reference'), new Graph(other, 'model')];
  const [constantOfA, constant] = [constantTensors(a), constantTensors(b)];
  const tensors = [...b.subgraph.tensors];
  const operators = b.subgraph.operators.filter(({ outputs }) =>
    outputs.every((index) => constant.has(index)),
  );
  const inputs: number[] = [];
  const outputs: number[] = [];
  const feeds: number[] = [];
  const places: number[] = [];
  // The state of an SVDF is its own: fed with the same inputs, it goes through the same values.
  const stays = (index: number): boolean =>
    index === -1 || constant.has(index) || b.tensor(index).isVariable;
  for (const [place, layer] of layers.entries()) {
    const operator = b.subgraph.operators[layer.other]!;
    const fed = a.subgraph.operators[layer.reference]!.inputs;
    // Where channels of a layer before it went, there is no saying which of the reference's it would take.
    const feedable = operator.inputs.every((index, position) => {
      const source = fed[position] ?? -1;
      if (stays(index)) return true;
      if (source === -1 || constantOfA.has(source)) return false;
      return isReal(a, source) && isReal(b, index) && sizeOf(a, source) === sizeOf(b, index);
    });
    if (!feedable) continue;
    const own = operator.inputs.map((index, position) => {
      if (stays(index)) return index;
      inputs.push(tensors.push({ ...b.tensor(index), buffer: 0 }) - 1);
      feeds.push(fed[position]!);
      return inputs.at(-1)!;
    });
    operators.push({ ...operator, inputs: own });
    outputs.push(layer.otherOutput);
    places.push(place);
  }
  if (inputs.length === 0 || inputs.length > MAX_ENDS) return undefined;
  const subgraph = { ...b.subgraph, tensors, operators, inputs };
  const model = exposeTensors({ ...other, subgraphs: [subgraph] }, outputs);
  return { model, feeds, layers: places };
}

interface Contest {
  readonly reference: TfliteModel;
  readonly layers: readonly WatchedLayer[];
  readonly whole: LoadedModel;
  readonly accumulated: LoadedModel;
  readonly alone: LoadedModel | undefined;
  readonly detached: Detached | undefined;
}

async function addUp(contest: Contest, samples: Samples, { signal }: RunOptions) {
  const { reference, layers, whole, accumulated, alone, detached } = contest;
  const watched = referenceTensors(reference, layers);
  const sums = layers.map(() => ({ accumulated: new ErrorSum(), own: new ErrorSum() }));
  for (let sample = 0; sample < samples.count; sample++) {
    signal.throwIfAborted();
    const values = samples.at(sample);
    const real = new Map<number, Float32Array>();
    for (const [place, input] of reference.subgraphs[0]!.inputs.entries())
      real.set(input, values[place]!);
    for (const [place, found] of (await inferReals(whole, values)).entries()) {
      real.set(watched[place]!, found);
    }
    for (const [place, found] of (await inferReals(accumulated, values)).entries()) {
      sums[place]!.accumulated.add(real.get(layers[place]!.referenceOutput)!, found);
    }
    if (alone === undefined || detached === undefined) continue;
    const inputs = alone.inputs.map((spec, place) =>
      quantize(real.get(detached.feeds[place]!)!, spec),
    );
    for (const [place, bytes] of (await alone.infer(inputs)).outputs.entries()) {
      const layer = detached.layers[place]!;
      const found = dequantize(bytes, alone.outputs[place]!);
      sums[layer]!.own.add(real.get(layers[layer]!.referenceOutput)!, found);
    }
  }
  return sums;
}

function describe(
  reference: TfliteModel,
  other: TfliteModel,
  layers: readonly WatchedLayer[],
  sums: readonly { readonly accumulated: ErrorSum; readonly own: ErrorSum }[],
  /** Places of the layers that were run alone, too. */
  apart: ReadonlySet<number>,
): LayerError[] {
  const graph = new Graph(other, 'model');
  return layers.map(({ other: place, otherOutput, referenceOutput }, index) => {
    const referenceName = reference.subgraphs[0]!.tensors[referenceOutput]!.name;
    const { accumulated, own } = sums[index]!;
    const tensor = graph.tensor(otherOutput);
    return {
      operator: place,
      name: graph.code(graph.subgraph.operators[place]!).builtin,
      tensor: printable(firstAlias(tensor.name || referenceName)),
      shape: [...tensor.shape],
      accumulatedSqnrDb: accumulated.sqnrDb,
      ...(apart.has(index) ? { ownSqnrDb: own.sqnrDb } : {}),
    };
  });
}
