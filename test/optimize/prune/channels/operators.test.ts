import test from 'ava';
import {
  type ChannelClass,
  channelClasses,
  removeChannels,
  removeDeadChannels,
} from '../../../../src/optimize/prune/channels/index.ts';
import {
  type Graph,
  OPERATORS,
  operatorSpec,
  parseModel,
  serializeModel,
  type TfliteModel,
} from '../../../../src/tflite/index.ts';
import { randomSamples } from '../../optimize-request.ts';
import { RandomTrial } from '../../random-trial.ts';
import { SharedRuntime } from '../../shared-runtime.ts';
import { asUint8 } from './as-uint8.ts';
import { editLayers, zeroReads } from './edit-weights.ts';
import { CHANNELS, OPERATOR_CASES, operatorModel } from './operator-cases.ts';
import { distance, randomInputs, runModel } from './run-model.ts';

const INPUTS = 4;
const FLOAT_TOLERANCE = 1e-5;
/** Channels of `x` that cases take out. */
const TAKEN = [2, 5];

const runtime = new SharedRuntime();
test.after.always(() => runtime.close());
const { load } = runtime;

/** The float model, quantized as the optimizer does; biases as they are. */
async function asInt8(float: TfliteModel): Promise<TfliteModel> {
  const trial = await RandomTrial.start(serializeModel(float), randomSamples(float, 8), load);
  return parseModel(await trial.int8('minmax', { biasCorrection: false }), 'int8');
}

const TYPES = { int8: asInt8, uint8: async (float: TfliteModel) => asUint8(float) };

/** What the first convolution makes. */
function firstImage({ subgraph }: Graph): number {
  const index = subgraph.operators.find(({ inputs }) => inputs.length === 3)!.outputs[0]!;
  return index;
}

function classesOf(model: TfliteModel, channels: readonly number[]): ChannelClass[] {
  const partition = channelClasses(model, 'model');
  const x = firstImage(partition.graph);
  return [...new Set(channels.map((channel) => partition.of(x, channel)!))];
}

/** One class, where two would be all. */
function takenFrom(model: TfliteModel): ChannelClass[] {
  const all = classesOf(model, [...Array(CHANNELS).keys()]);
  return classesOf(model, TAKEN).slice(0, all.length - 1);
}

async function difference(before: TfliteModel, after: TfliteModel): Promise<number> {
  const inputs = randomInputs(before, INPUTS, 5);
  const wanted = await runModel(load, before, inputs);
  if (wanted.every(([row]) => row!.equals(wanted[0]![0]!))) throw new Error('one answer for all');
  return distance(before, wanted, await runModel(load, after, inputs));
}

/** Rows of zeros, with biases of zero, where a class is made. */
function zeroRows(model: TfliteModel, { producers }: ChannelClass): TfliteModel {
  return editLayers(model, ({ operator, weights, bias, outputOf, zero }) => {
    const rows = producers.filter((row) => row.operator === operator).map(({ channel }) => channel);
    for (const row of rows) if (bias !== undefined) bias[row] = 0;
    for (const index of weights.keys()) if (rows.includes(outputOf(index))) weights[index] = zero;
  });
}

/** Zero rows go, together with all that they are tied to, only where zero stays zero. */
async function zeroCase(model: TfliteModel, keepsZero: boolean): Promise<number> {
  const [taken] = classesOf(model, [2]);
  const zeroed = zeroRows(model, taken!);
  const { model: less, removed } = removeDeadChannels(zeroed, 'model');
  const channels = removed.reduce((sum, layer) => sum + layer.channels, 0);
  const wanted = keepsZero ? taken!.producers.length : 0;
  if (channels !== wanted) throw new Error(`${channels} rows are dead, not ${wanted}`);
  return difference(zeroed, less);
}

for (const plan of OPERATOR_CASES) {
  test(`${plan.name}: its channels are tied, and go together`, async (t) => {
    const { model, x, result } = operatorModel(plan);
    const partition = channelClasses(model, 'model');
    const channels = partition.graph.tensor(result).shape.at(-1)!;
    for (let channel = 0; channel < channels; channel++) {
      const found = partition.of(result, channel)!;
      const from = plan.from(channel);
      t.is(found.frozen, undefined);
      if (from === undefined) t.false(found.members.some(({ tensor }) => tensor === x));
      else t.is(found.id, partition.of(x, from)!.id);
    }
    t.is(
      new Set(Array.from({ length: CHANNELS }, (_, at) => partition.of(x, at)!.id)).size,
      Math.min(channels, CHANNELS),
    );

    const taken = takenFrom(model);
    const less = removeChannels(model, 'model', taken);
    const lost = taken.flatMap(({ members }) => members);
    t.is(
      less.subgraphs[0]!.tensors[result]!.shape.at(-1),
      channels - lost.filter(({ tensor }) => tensor === result).length,
    );
    const silent = zeroReads(
      model,
      taken.flatMap(({ consumers }) => consumers),
    );
    const off = await difference(silent, less);
    t.true(off <= FLOAT_TOLERANCE, `${off}`);
    t.true((await difference(model, less)) > 1e-3, 'those channels had nothing to say');
  });

  test(`${plan.name}: of zeros in float32`, async (t) => {
    const off = await zeroCase(operatorModel(plan).model, plan.keepsZero);
    t.true(off <= FLOAT_TOLERANCE, `${off}`);
  });

  if (!plan.integer) continue;
  for (const [type, quantize] of Object.entries(TYPES)) {
    // The runtime has no uint8 for these.
    if (type === 'uint8' && /^(ELU|GELU|ABS|PRELU)/.test(plan.name)) continue;
    test(`${plan.name}: in ${type}, to the byte`, async (t) => {
      const model = await quantize(operatorModel(plan).model);
      const taken = takenFrom(model);
      const silent = zeroReads(
        model,
        taken.flatMap(({ consumers }) => consumers),
      );
      t.is(await difference(silent, removeChannels(model, 'model', taken)), 0);
      t.is(await zeroCase(model, plan.keepsIntegerZero ?? plan.keepsZero), 0);
    });
  }
}

/** What needs all the channels that it reads, or moves them about. */
const FREEZING =
  `SVDF BATCH_MATMUL SOFTMAX L2_NORMALIZATION LOG_SOFTMAX STRIDED_SLICE SPLIT TRANSPOSE SPACE_TO_DEPTH
DEPTH_TO_SPACE SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND REVERSE_V2 TILE SLICE GATHER PACK UNPACK SPLIT_V ARG_MAX
CUMSUM`.split(/\s+/);
/** With tests of their own: layers.test.ts. */
const MIXING = ['CONV_2D', 'FULLY_CONNECTED', 'TRANSPOSE_CONV'];

test('every operator has a case here, or mixes channels, or keeps them whole', (t) => {
  const cases = OPERATOR_CASES.flatMap(({ name }) => name.split(' ')).filter((name) =>
    operatorSpec(name),
  );
  const known = OPERATORS.map(({ name }) => name).sort();
  t.deepEqual([...new Set([...cases, ...FREEZING, ...MIXING])].sort(), known);
});
