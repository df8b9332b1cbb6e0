import type { FloatModel } from '../float-model.ts';
import { decibels } from '../measure/agreement.ts';
import { type Samples, spreadSamples } from '../measure/sample-runs.ts';
import type { Pruning } from '../report-document.ts';
import { Network } from '../train/network.ts';
import { pause } from '../train/pause.ts';
import { chooseMasks, type PrunableWeights } from './weights.ts';

type Sensitivity = Pruning['layers'][number]['sensitivity'];

const SHARES = [0.25, 0.5, 0.75, 0.9] as const;
const SENSITIVITY_SAMPLES = 32;

/**
 * What each layer stands: the error of the model's first result with this layer alone pruned, and not trained.
 * @param result the tensor that is compared
 * @param onLayer after each
 * @throws `model-unsupported` and `model-too-large` where the model cannot be run here; the signal's reason
 */
export async function measureSensitivity(
  float: FloatModel,
  layers: readonly PrunableWeights[],
  result: number,
  samples: Samples,
  run: { readonly signal: AbortSignal; readonly onLayer: (done: number) => void },
): Promise<Sensitivity[]> {
  const network = new Network(float, 1);
  const few = spreadSamples(samples, SENSITIVITY_SAMPLES);
  const results = (): Float32Array[] =>
    Array.from({ length: few.count }, (_, index) => {
      for (const [place, input] of float.subgraph.inputs.entries()) {
        network.tensor(input).computed.floats.set(few.at(index)[place]!);
      }
      network.forward();
      return network.tensor(result).values.floats.slice();
    });
  const wanted = results();
  const found: Sensitivity[] = [];
  for (const { tensor, importance } of layers) {
    const parameter = network.parameters.find((each) => each.tensor === tensor)!;
    const measured: Sensitivity = [];
    for (const share of SHARES) {
      await pause(run.signal);
      const layer = { values: parameter.learned.floats, importance };
      parameter.mask.set(chooseMasks([layer], share, 'layer')[0]!);
      parameter.refresh();
      measured.push({ share, sqnrDb: errorOf(wanted, results()) });
    }
    parameter.mask.fill(1);
    parameter.refresh();
    found.push(measured);
    run.onLayer(found.length);
  }
  return found;
}

function errorOf(wanted: readonly Float32Array[], found: readonly Float32Array[]): number | null {
  let [signal, error] = [0, 0];
  for (const [index, values] of wanted.entries()) {
    for (const [place, value] of values.entries()) {
      signal += value * value;
      error += (found[index]![place]! - value) ** 2;
    }
  }
  return decibels(signal, error);
}
