import type { ExecutionPath, LoadModel } from '../../src/inference/index.ts';
import { type Calibration, calibrate } from '../../src/optimize/calibrate/calibrate.ts';
import { finishModel } from '../../src/optimize/finish-model.ts';
import { type FloatModel, openFloatModel } from '../../src/optimize/float-model.ts';
import { type RangeMethod, type SampleSet, samplesOf } from '../../src/optimize/index.ts';
import { decibels } from '../../src/optimize/measure/agreement.ts';
import { inferReals, type Samples } from '../../src/optimize/measure/sample-runs.ts';
import { rangeOf } from '../../src/optimize/quantize/affine.ts';
import { writeDynamicModel } from '../../src/optimize/quantize/dynamic-model.ts';
import { writeFloat16Model } from '../../src/optimize/quantize/float16-model.ts';
import { planInt8 } from '../../src/optimize/quantize/int8-plan.ts';
import { quantizeInt8 } from '../../src/optimize/quantize/quantize-int8.ts';
import { DEFAULT_SETTINGS, type OptimizeSettings } from '../../src/optimize/request.ts';

export interface Distance {
  /** Place among the model's outputs. */
  readonly output: number;
  /** Null without any error. */
  readonly sqnrDb: number | null;
  readonly rmsError: number;
}

/** A float model, its calibration, and what it gives for the samples: every output. */
export class RandomTrial {
  readonly #float: FloatModel;
  readonly #samples: Samples;
  readonly #calibration: Calibration;
  readonly #load: LoadModel;
  readonly #signal = new AbortController().signal;
  readonly wanted: readonly (readonly Float32Array[])[];

  static async start(
    bytes: Uint8Array,
    sets: readonly SampleSet[],
    load: LoadModel,
  ): Promise<RandomTrial> {
    const float = openFloatModel(bytes, 'random.tflite');
    const samples = samplesOf(sets);
    const { signal } = new AbortController();
    const run = { load, signal, samples, onProgress: () => {} };
    const calibration = await calibrate(float, run);
    const trial = new RandomTrial(float, samples, calibration, load, []);
    return new RandomTrial(float, samples, calibration, load, await trial.outputs(bytes, 'stock'));
  }

  private constructor(
    float: FloatModel,
    samples: Samples,
    calibration: Calibration,
    load: LoadModel,
    wanted: readonly (readonly Float32Array[])[],
  ) {
    this.#float = float;
    this.#samples = samples;
    this.#calibration = calibration;
    this.#load = load;
    this.wanted = wanted;
  }

  async int8(ranges: RangeMethod, settings: Partial<OptimizeSettings> = {}): Promise<Uint8Array> {
    const { bytes } = await quantizeInt8(
      this.#float,
      this.#calibration,
      this.#samples,
      { ...DEFAULT_SETTINGS, ...settings, ranges },
      { load: this.#load, signal: this.#signal, onTrial: () => {} },
    );
    return bytes;
  }

  /** Energy that a method's ranges clip, as a share of all: of the activation that loses most. */
  clippedShare(ranges: RangeMethod): number {
    const { affines } = planInt8(this.#float, this.#calibration, ranges);
    const shares = [...affines].map(([tensor, affine]) => {
      const { centers, counts } = this.#calibration.get(tensor)!.histogram.bins();
      const { low, high } = rangeOf(affine);
      let [energy, clipped] = [0, 0];
      for (const [bin, center] of centers.entries()) {
        energy += counts[bin]! * center ** 2;
        clipped += counts[bin]! * Math.max(low - center, center - high, 0) ** 2;
      }
      return energy === 0 ? 0 : clipped / energy;
    });
    return Math.max(...shares);
  }

  dynamic(): Uint8Array {
    return finishModel(writeDynamicModel(this.#float, this.#calibration), 'dynamic');
  }

  float16(): Uint8Array {
    return finishModel(writeFloat16Model(this.#float), 'float16');
  }

  async outputs(bytes: Uint8Array, path: ExecutionPath): Promise<Float32Array[][]> {
    const loaded = await this.#load(bytes, 'random', path);
    try {
      const rows: Float32Array[][] = [];
      for (let sample = 0; sample < this.#samples.count; sample++) {
        rows.push(await inferReals(loaded, this.#samples.at(sample)));
      }
      return rows;
    } finally {
      await loaded.close();
    }
  }

  /** Each float32 output against float's, over all samples. */
  async distances(bytes: Uint8Array, path: ExecutionPath = 'stock'): Promise<Distance[]> {
    const found = await this.outputs(bytes, path);
    const { graph, subgraph } = this.#float;
    return subgraph.outputs.flatMap((index, output) => {
      if (graph.tensor(index).type !== 'float32') return [];
      let [signal, error, count] = [0, 0, 0];
      for (const [sample, row] of this.wanted.entries()) {
        for (const [place, value] of row[output]!.entries()) {
          signal += value ** 2;
          error += (found[sample]![output]![place]! - value) ** 2;
          count += 1;
        }
      }
      return [{ output, sqnrDb: decibels(signal, error), rmsError: Math.sqrt(error / count) }];
    });
  }
}
