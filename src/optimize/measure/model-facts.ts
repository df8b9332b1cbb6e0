import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { sha256Hex } from '../../core/index.ts';
import { percentile } from '../../inference/index.ts';
import {
  describeModel,
  elementBytes,
  elementCount,
  firstAlias,
  Graph,
  operatorSpec,
  printable,
  type TfliteModel,
  type TfliteTensor,
} from '../../tflite/index.ts';
import { fromFloat16Bits } from '../quantize/float16.ts';
import type { Variant, WeightSummary } from '../report-document.ts';
import { encodeInputs, type RunOptions, type Samples } from './sample-runs.ts';

const HISTOGRAM_BINS = 48;
const WARM_UP_RUNS = 10;
const LATENCY_RUNS = 100;
/** Slow models are run less often than that. */
const LATENCY_BUDGET_MS = 1_000;
const LEAST_LATENCY_RUNS = 5;

export type ModelFacts = Pick<
  Variant,
  | 'sha256'
  | 'sizeBytes'
  | 'compressedBytes'
  | 'macs'
  | 'peakActivationBytes'
  | 'sparsity'
  | 'fullyInt8'
  | 'inputType'
  | 'outputType'
  | 'weights'
>;

/** What a file says of itself, without running it. */
export async function modelFacts(model: TfliteModel, bytes: Uint8Array): Promise<ModelFacts> {
  const { macs, sparsity, fullyInt8, inputs, outputs } = describeModel(model, bytes);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  return {
    sha256: sha256Hex(bytes),
    sizeBytes: bytes.byteLength,
    // On a thread of its own: quality 11 takes seconds for a few megabytes.
    compressedBytes: (await promisify(brotliCompress)(bytes, { params })).byteLength,
    macs,
    peakActivationBytes: peakActivationBytes(model),
    sparsity,
    fullyInt8,
    inputType: inputs[0]?.type ?? '',
    outputType: outputs[0]?.type ?? '',
    weights: weightSummaries(model),
  };
}

/** Largest sum of tensors that are needed at once, operator by operator in the file's order; constants not counted. */
export function peakActivationBytes(model: TfliteModel): number {
  const { subgraph } = new Graph(model, 'model');
  const { tensors, operators, inputs, outputs } = subgraph;
  const lastUse = new Map<number, number>();
  for (const [place, operator] of operators.entries()) {
    for (const index of operator.inputs) lastUse.set(index, place);
  }
  for (const index of outputs) lastUse.set(index, operators.length);
  const sizeOf = (index: number): number =>
    elementCount(tensors[index]!.shape) * elementBytes(tensors[index]!.type);
  const alive = new Set(inputs);
  let peak = 0;
  for (const [place, operator] of operators.entries()) {
    for (const index of operator.outputs) alive.add(index);
    peak = Math.max(
      peak,
      [...alive].reduce((sum, index) => sum + sizeOf(index), 0),
    );
    for (const index of alive) if ((lastUse.get(index) ?? -1) <= place) alive.delete(index);
  }
  return peak;
}

function weightSummaries(model: TfliteModel): WeightSummary[] {
  const graph = new Graph(model, 'model');
  const origins = new Map(
    graph.subgraph.operators.flatMap(({ inputs, outputs }) =>
      outputs.map((index) => [index, inputs] as const),
    ),
  );
  return graph.subgraph.operators.flatMap((operator) => {
    const { builtin } = graph.code(operator);
    const position = operatorSpec(builtin)?.weights;
    let index = position === undefined ? undefined : operator.inputs[position];
    if (index === undefined || index < 0) return [];
    // float16 weights stand behind a DEQUANTIZE.
    if (!graph.isConstant(graph.tensor(index))) index = origins.get(index)?.[0] ?? index;
    const tensor = graph.tensor(index);
    if (!graph.isConstant(tensor)) return [];
    const name = printable(firstAlias(graph.tensor(operator.outputs[0]!).name));
    return [
      { tensor: name, operator: builtin, shape: [...tensor.shape], ...summarize(graph, tensor) },
    ];
  });
}

function summarize(
  graph: Graph,
  tensor: TfliteTensor,
): Pick<WeightSummary, 'histogram' | 'sparsity' | 'saturated'> {
  const raw = graph.values(tensor);
  const values = tensor.type === 'float16' ? raw.map(fromFloat16Bits) : raw;
  const real = realValues(tensor, values);
  const magnitude = real.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const counts = new Array<number>(HISTOGRAM_BINS).fill(0);
  for (const value of real) {
    const bin = Math.floor(((value / magnitude + 1) / 2) * HISTOGRAM_BINS);
    counts[Math.min(Math.max(bin, 0), HISTOGRAM_BINS - 1)]!++;
  }
  const share = (test: (value: number) => boolean): number =>
    values.filter(test).length / values.length;
  return {
    histogram: { low: -magnitude, high: magnitude, counts },
    sparsity: share((value) => value === 0),
    ...(tensor.type === 'int8' ? { saturated: share((value) => Math.abs(value) === 127) } : {}),
  };
}

function realValues({ shape, quantization }: TfliteTensor, values: readonly number[]): number[] {
  if (quantization === undefined) return [...values];
  const { scale, axis } = quantization;
  const inner = elementCount(shape.slice(axis + 1));
  return values.map(
    (value, index) =>
      value * scale[scale.length === 1 ? 0 : Math.floor(index / inner) % scale.length]!,
  );
}

/** One inference on a path, in the sandbox. Undefined where that path does not take the model. */
export async function measureLatency(
  bytes: Uint8Array,
  path: 'stock' | 'xnn',
  samples: Samples,
  { load, signal }: RunOptions,
): Promise<{ readonly p50Us: number; readonly p99Us: number } | undefined> {
  const loaded = await load(bytes, 'latency', path).catch((error: unknown) => {
    if (path === 'xnn') return undefined;
    throw error;
  });
  if (loaded === undefined) return undefined;
  try {
    if (loaded.path !== path) return undefined;
    const inputs = encodeInputs(loaded, samples.at(0));
    const latenciesUs: number[] = [];
    const startMs = performance.now();
    for (let run = 0; run < WARM_UP_RUNS + LATENCY_RUNS; run++) {
      signal.throwIfAborted();
      const { latencyUs } = await loaded.infer(inputs);
      if (run >= WARM_UP_RUNS || performance.now() - startMs > LATENCY_BUDGET_MS)
        latenciesUs.push(latencyUs);
      if (
        latenciesUs.length >= LEAST_LATENCY_RUNS &&
        performance.now() - startMs > LATENCY_BUDGET_MS
      )
        break;
    }
    const round = (value: number): number => Number(value.toPrecision(4));
    return {
      p50Us: round(percentile(latenciesUs, 0.5)),
      p99Us: round(percentile(latenciesUs, 0.99)),
    };
  } finally {
    await loaded.close();
  }
}
