import test from 'ava';
import fc from 'fast-check';
import { WEIGHT_HIGH } from '../../../src/optimize/quantize/affine.ts';
import { channelLookup, quantizeWeights } from '../../../src/optimize/quantize/weights.ts';
import { TrainingMemory } from '../../../src/optimize/train/memory.ts';
import { Parameter } from '../../../src/optimize/train/parameter.ts';
import type { Grid } from '../../../src/optimize/train/tensor.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { RandomValues } from '../random-values.ts';
import { NetworkTrial } from './network-trial.ts';
import { unitSamples, withTrainedInputs } from './trained-inputs.ts';

const GRID: Grid = { scale: 0.25, low: -5, high: 7 };
const BATCH = 2;

/** What an int8 tensor of these steps would say. */
function rounded(value: number, { scale, low, high }: Grid): number {
  return scale * Math.min(Math.max(Math.round(value / scale), low), high);
}

/** One layer with an identity after it, whose inputs are weights. */
function trialOf(build: (b: ModelBuilder, input: number, output: number) => ModelBuilder) {
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([1, 40]), b.tensor([1, 40])];
  const model = build(b, input, output).build([input], [output]);
  const random = new RandomValues(8);
  const trained = withTrainedInputs(model, BATCH, 3, random);
  const trial = new NetworkTrial(
    trained,
    unitSamples(BATCH).map((unit) => [unit]),
    random,
  );
  const { network } = trial;
  const [weights] = network.parameters;
  /** [sample, place] of the gradient and of the value of the layer's input. */
  const at = (sample: number, place: number): number => place * BATCH + sample;
  return { trial, network, weights: weights!, at, input, output };
}

/** Gradients of the layer's input, each as a share of that of its output. */
function passed({ trial, network, weights, at }: ReturnType<typeof trialOf>, output: number) {
  trial.backward();
  // The loss is linear in what readers see of the output.
  const asked = trial.weights[0]!;
  const { size } = network.tensor(output);
  return Array.from({ length: BATCH * size }, (_, index) => {
    const [sample, place] = [Math.floor(index / size), index % size];
    const value = weights.learned.floats[at(sample, place)]!;
    return { value, share: weights.gradient.floats[at(sample, place)]! / asked[index]! };
  });
}

test('rounding passes a gradient on inside its ends, and none outside', (t) => {
  const found = trialOf((b, input, output) =>
    b.operator('RESHAPE', [input, b.control([2], [1, 40])], [output]),
  );
  found.network.tensor(found.output).roundTo(GRID);
  const [values] = found.trial.forward();
  const inputs = found.network.tensor(found.input).computed.floats;
  for (const [index, value] of inputs.entries()) {
    t.true(Math.abs(values![index]! - rounded(value, GRID)) < 1e-6, `${value}`);
  }
  const [low, high] = [(GRID.low - 0.5) * GRID.scale, (GRID.high + 0.5) * GRID.scale];
  let outside = 0;
  for (const { value, share } of passed(found, found.output)) {
    const inside = value > low && value < high;
    t.true(Math.abs(share - (inside ? 1 : 0)) < 1e-4, `${value}: ${share}`);
    if (!inside) outside += 1;
  }
  t.true(outside > 0 && outside < BATCH * 40);
  found.network.tensor(found.output).roundTo(undefined);
  t.deepEqual(found.trial.forward()[0], Float32Array.from(inputs));
});

test('a fused activation beside rounding: both have to let a value through', (t) => {
  const b = (limits: number) =>
    trialOf((builder, input, output) => {
      const none = builder.tensor([1], { data: [0] });
      const options = { fusedActivationFunction: limits };
      return builder.operator('ADD', [input, none], [output], options);
    });
  const RELU = 1;
  const RELU6 = 3;
  for (const [limits, most] of [
    [RELU, Number.POSITIVE_INFINITY],
    [RELU6, 6],
  ] as const) {
    // Steps that end below the activation, and above it.
    for (const high of [4, 40]) {
      const found = b(limits);
      const grid = { scale: 0.25, low: 0, high };
      found.network.tensor(found.output).roundTo(grid);
      for (const { value, share } of passed(found, found.output)) {
        const inside = value > 0 && value < Math.min(most, (high + 0.5) * grid.scale);
        const what = `${value} of ${limits} to ${high}: ${share}`;
        t.true(Math.abs(share - (inside ? 1 : 0)) < 1e-4, what);
      }
    }
  }
});

test('inputs and constants are rounded, too', (t) => {
  const b = new ModelBuilder();
  const [input, output] = [b.tensor([1, 6]), b.tensor([1, 6])];
  const terms = [0.9, -0.4, 0.1, 3, -3, 0.13];
  const constant = b.tensor([6], { data: terms });
  const model = b.operator('MUL', [input, constant], [output]).build([input], [output]);
  const values = Float32Array.of(0.2, 5, -9, 0.61, 1.1, -0.37);
  const trial = new NetworkTrial(model, [[values]], new RandomValues(1));
  const { network } = trial;
  const float = trial.forward()[0]!;
  t.deepEqual(
    float,
    values.map((value, index) => value * Math.fround(terms[index]!)),
  );
  network.tensor(input).roundTo(GRID);
  network.tensor(constant).roundTo(GRID);
  const wanted = values.map((value, index) => rounded(value, GRID) * rounded(terms[index]!, GRID));
  t.deepEqual(trial.forward()[0], wanted);
  network.tensor(input).roundTo(undefined);
  network.tensor(constant).roundTo(undefined);
  t.deepEqual(trial.forward()[0], float);
});

function parameterOf(
  shape: readonly number[],
  channelAxis: number,
  perChannel: boolean,
  values: readonly number[],
): Parameter {
  const memory = new TrainingMemory('test');
  const about = { tensor: 0, name: 'w', label: 'operator 0', role: 'weights' as const };
  const parameter = new Parameter({ ...about, shape, channelAxis, perChannel }, (floats) =>
    memory.reserve(floats),
  );
  memory.open();
  parameter.learned.floats.set(values);
  return parameter;
}

test('weights are rounded to what is written of them', (t) => {
  const shapes = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 9 }));
  const property = fc.property(
    ...[shapes, fc.boolean(), fc.boolean(), fc.integer({ min: 0, max: 1e6 })],
    ([channels, others], perChannel, isLast, seed) => {
      const random = new RandomValues(seed);
      const shape = isLast ? [1, others, 1, channels] : [channels, others];
      const channelAxis = isLast ? 3 : 0;
      // Channels of very different sizes, one of them nothing at all.
      const channelOf = channelLookup({ shape, channelAxis });
      const sizes = Array.from({ length: channels }, () => 10 ** random.between(-6, 3));
      if (random.chance(0.3)) sizes[0] = 0;
      const learned = Array.from(
        { length: channels * others },
        (_, index) => random.normal(1) * sizes[channelOf(index)]!,
      );
      const parameter = parameterOf(shape, channelAxis, perChannel, learned);
      parameter.refresh();
      const float = Float32Array.from(learned);
      if (parameter.values.floats.some((value, index) => value !== float[index])) return false;
      for (let index = 0; index < learned.length; index++) {
        if (random.chance(0.1)) parameter.mask[index] = 0;
      }
      parameter.roundTo(WEIGHT_HIGH);
      parameter.refresh();
      const simulated = Float32Array.from(parameter.values.floats);
      const { values, quantization } = quantizeWeights({
        ...{ values: simulated, shape, channelAxis, perChannel },
      });
      const groups = Array.from(simulated, (_, index) => (perChannel ? channelOf(index) : 0));
      return simulated.every((value, index) => {
        const group = groups[index]!;
        const written = values[index]! * quantization.scale[group]!;
        const most = Math.max(
          ...float
            .filter((_, other) => groups[other] === group)
            .map((weight, _place) => Math.abs(weight)),
        );
        const target = parameter.mask[index] === 0 ? 0 : float[index]!;
        // Written as simulated; simulated within half a step of what was learned.
        return (
          Math.abs(written - value) <= 1e-6 * most &&
          Math.abs(value - target) <= (0.5 + 1e-3) * (most / 127)
        );
      });
    },
  );
  fc.assert(property, { numRuns: 500 });
  t.pass();
});

test('a bias is never rounded', (t) => {
  const memory = new TrainingMemory('test');
  const about = { tensor: 0, name: 'b', label: 'operator 0', role: 'bias' as const };
  const bias = new Parameter(
    { ...about, shape: [3], channelAxis: 0, perChannel: false },
    (floats) => memory.reserve(floats),
  );
  memory.open();
  bias.learned.floats.set([0.1234, 5, -0.001]);
  bias.roundTo(WEIGHT_HIGH);
  bias.refresh();
  t.deepEqual(bias.values.floats, bias.learned.floats);
});
