import type { FloatModel } from '../float-model.ts';
import { decibels } from '../measure/agreement.ts';
import { type Samples, spreadSamples } from '../measure/sample-runs.ts';
import type { Pruning } from '../report-document.ts';
import type { Target } from '../train/loss.ts';
import { Network } from '../train/network.ts';
import { chooseMasks, type PrunableWeights } from './weights.ts';

type Sensitivity = Pruning['layers'][number]['sensitivity'];

const SHARES = [0.25, 0.5, 0.75, 0.9] as const;
const SENSITIVITY_SAMPLES = 32;

/**
 * What each layer stands: the error of the model's first result with this layer alone pruned, and not trained.
 * @param onLayer after each
 */
export function measureSensitivity(
  float: FloatModel,
  layers: readonly PrunableWeights[],
  target: Target,
  samples: Samples,
  onLayer: (done: number) => void,
): Sensitivity[] {
  const network = new Network(float, 1);
  const few = spreadSamples(samples, SENSITIVITY_SAMPLES);
  const results = (): Float32Array[] =>
    Array.from({ length: few.count }, (_, index) => {
      for (const [place, input] of float.subgraph.inputs.entries()) {
        network.tensor(input).computed.floats.set(few.at(index)[place]!);
      }
      network.forward();
      return network.tensor(target.teacher).values.floats.slice();
    });
  const wanted = results();
  return layers.map(({ tensor, importance }, place) => {
    const parameter = network.parameters.find((each) => each.tensor === tensor)!;
    const measured = SHARES.map((share) => {
      const [mask] = chooseMasks(
        [{ values: parameter.learned.floats, importance }],
        share,
        'layer',
      );
      parameter.mask.set(mask!);
      parameter.refresh();
      return { share, sqnrDb: errorOf(wanted, results()) };
    });
    parameter.mask.fill(1);
    parameter.refresh();
    onLayer(place + 1);
    return measured;
  });
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
