import { dequantize, type LoadedModel, type LoadModel, quantize } from '../../inference/index.ts';

/** Inputs for a model, sample by sample: real values for each of the model's inputs, in its order. */
export interface Samples {
  readonly count: number;
  at(index: number): readonly Float32Array[];
}

export interface RunOptions {
  readonly load: LoadModel;
  readonly signal: AbortSignal;
}

/** Real values as the model takes them: quantized where its input is. @throws `input-invalid` on NaN */
export function encodeInputs(model: LoadedModel, values: readonly Float32Array[]): Uint8Array[] {
  return model.inputs.map((spec, place) => quantize(values[place]!, spec));
}

/** One inference: real values in, real values out, an array for each of the model's outputs. */
export async function inferReals(
  model: LoadedModel,
  values: readonly Float32Array[],
): Promise<Float32Array[]> {
  const { outputs } = await model.infer(encodeInputs(model, values));
  return outputs.map((bytes, place) => dequantize(bytes, model.outputs[place]!));
}

/** So many samples at the most, evenly spread over all. */
export function spreadSamples(samples: Samples, most: number): Samples {
  if (samples.count <= most) return samples;
  const step = samples.count / most;
  return { count: most, at: (index) => samples.at(Math.floor(index * step)) };
}
