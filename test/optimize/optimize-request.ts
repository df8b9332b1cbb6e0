import { createHash } from 'node:crypto';
import type { LoadModel } from '../../src/inference/index.ts';
import {
  DEFAULT_SETTINGS,
  type OptimizeRequest,
  type OptimizeSettings,
  type SampleSet,
} from '../../src/optimize/index.ts';
import {
  elementCount,
  parseModel,
  serializeModel,
  type TfliteModel,
} from '../../src/tflite/index.ts';
import { RandomValues } from './random-values.ts';

/** Values of [count, …input] as `readSamples` would give them. */
export function sampleSet(values: Float32Array, count: number, source = 'samples.npy'): SampleSet {
  return {
    values,
    count,
    sourceCount: count,
    elementCount: values.length / count,
    source,
    sha256: createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex'),
  };
}

/** Normal values of deviation 1 for each input of a model. */
export function randomSamples(model: TfliteModel, count: number, seed = 1): SampleSet[] {
  const [graph] = model.subgraphs;
  return graph!.inputs.map((index, place) => {
    const size = elementCount(graph!.tensors[index]!.shape);
    const random = new RandomValues(seed + 1000 * place);
    return sampleSet(Float32Array.from(random.normals(count * size, 1)), count);
  });
}

export interface RequestParts {
  readonly settings?: Partial<OptimizeSettings>;
  readonly calibration?: readonly SampleSet[];
  readonly sampleCount?: number;
  readonly more?: Partial<OptimizeRequest>;
}

/** A request for a model or a file, with random samples where none are given. */
export function requestFor(
  model: TfliteModel | Uint8Array,
  load: LoadModel,
  { settings, calibration, sampleCount = 16, more }: RequestParts = {},
): OptimizeRequest {
  const bytes = model instanceof Uint8Array ? model : serializeModel(model);
  return {
    model: bytes,
    what: 'model.tflite',
    calibration: calibration ?? randomSamples(parseModel(bytes, 'model'), sampleCount),
    settings: { ...DEFAULT_SETTINGS, ...settings },
    budget: {},
    machine: { cpu: 'any', cores: 1, architecture: 'any', node: 'any', dunlin: 'any' },
    nowMs: 0,
    load,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...more,
  };
}
