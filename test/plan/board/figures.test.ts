import test, { type ExecutionContext } from 'ava';
import {
  type CompiledPlan,
  compileModel,
  decodePlan,
  type PlanKind,
  type PlanRunStatistics,
  planOracle,
  referenceExecutor,
} from '../../../src/plan/index.ts';
import { parseModel, type TfliteModel } from '../../../src/tflite/index.ts';
import { sharedModel } from '../../shared-folder.ts';
import { flat } from '../compile/random-model.ts';
import { fnv1a, lcgInputs } from '../lcg.ts';
import { buildFirmware, inQemu, onHost } from './firmware.ts';

test.before(async () => {
  await buildFirmware();
});

const SEEDS = [12345, 12346, 12347];
const SETUP_INSTRUCTIONS = 20_000;
const STACK_BYTES = 1024;
const ENGINE_BYTES = 24 * 1024;
/** Built with the kinds of steps of the plan alone. */
const ENGINE_OF_KINDS_BYTES = 14_000;

interface Figures {
  /** Of one inference, with TFLite Micro and CMSIS-NN. */
  readonly cmsisInstructions: number;
  readonly part: number;
  readonly ramBytes: number;
  readonly planBytes?: number;
  readonly isSmallEngine: boolean;
}

/** Checksums and instructions of TFLite Micro on the same machine, and what is promised against it. */
const MODELS: readonly (readonly [file: string, checksum: string, figures: Figures])[] = [
  [
    'ad01_int8.tflite',
    'f638ae26',
    { cmsisInstructions: 583_000, part: 0.65, ramBytes: 1600, isSmallEngine: false },
  ],
  [
    'kws_ref_model.tflite',
    'a948e204',
    {
      ...{ cmsisInstructions: 7_697_000, part: 0.55, ramBytes: 17_500, planBytes: 30_100 },
      isSmallEngine: true,
    },
  ],
  [
    'ic_int8.tflite',
    '37830a49',
    {
      ...{ cmsisInstructions: 29_860_000, part: 0.55, ramBytes: 50_500, planBytes: 88_500 },
      isSmallEngine: true,
    },
  ],
];

function readModel(t: ExecutionContext, file: string): TfliteModel | undefined {
  const bytes = sharedModel(t, file);
  return bytes === undefined ? undefined : parseModel(bytes, file);
}

const oracleOutputs = (bytes: Uint8Array, inputs: readonly Int8Array[][]): Int8Array[] => {
  const oracle = planOracle(decodePlan(bytes, 'plan'));
  return inputs.flatMap((own) => oracle.run(own));
};

function within(t: ExecutionContext, name: string, found: number | undefined, most: number): void {
  t.log(`${name} ${found} of ${most}`);
  t.true(found !== undefined && found <= most, `${name}: ${found}, at most ${most}`);
}

function keepsFigures(
  t: ExecutionContext,
  { statistics }: { readonly statistics: PlanRunStatistics },
  plan: CompiledPlan,
  figures: Figures,
): void {
  const { cmsisInstructions, part } = figures;
  within(t, 'instructions', statistics.instructions, part * cmsisInstructions);
  within(t, 'ramBytes', statistics.ramBytes, figures.ramBytes);
  within(t, 'stackBytes', statistics.stackBytes, STACK_BYTES);
  within(t, 'setupInstructions', statistics.setupInstructions, SETUP_INSTRUCTIONS);
  within(t, 'engineFlashBytes', statistics.engineFlashBytes, ENGINE_BYTES);
  if (figures.planBytes !== undefined) within(t, 'planBytes', plan.bytes.length, figures.planBytes);
}

/** The kinds of steps that a plan has. */
const kindsOf = (bytes: Uint8Array): PlanKind[] => [
  ...new Set(decodePlan(bytes, 'plan').steps.map(({ kind }) => kind)),
];

for (const [file, checksum, figures] of MODELS) {
  test(`${file}: TFLite Micro's bytes everywhere, and the figures that are promised`, async (t) => {
    const model = readModel(t, file);
    if (model === undefined) return;
    const executor = referenceExecutor(model, file);
    const inputs = SEEDS.map((seed) => lcgInputs(executor, seed));
    const plan = compileModel(model, 'CORTEX_M4', file);
    t.is(fnv1a(oracleOutputs(plan.bytes, inputs)), checksum);
    for (const bytes of [plan.bytes, compileModel(model, 'NATIVE', file).bytes]) {
      t.is(fnv1a([(await onHost(bytes, flat(inputs))).outputs]), checksum);
    }
    const run = await inQemu(plan.bytes, flat(inputs));
    t.is(fnv1a([run.outputs]), checksum);
    keepsFigures(t, run, plan, figures);
    if (!figures.isSmallEngine) return;
    const small = await buildFirmware(kindsOf(plan.bytes));
    const again = await inQemu(plan.bytes, flat(inputs), small);
    t.is(fnv1a([again.outputs]), checksum);
    within(
      t,
      'engineFlashBytes of its kinds',
      again.statistics.engineFlashBytes,
      ENGINE_OF_KINDS_BYTES,
    );
  });
}

const PRUNED = 0.75;

/** A model whose layers have the least of their weights, by magnitude, set to 0. */
function pruned(model: TfliteModel): TfliteModel {
  const [graph] = model.subgraphs;
  const buffers = [...model.buffers];
  for (const { code, inputs } of graph!.operators) {
    const { builtin } = model.operatorCodes[code]!;
    if (!['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED'].includes(builtin)) continue;
    const { buffer } = graph!.tensors[inputs[1]!]!;
    const weights = Int8Array.from(new Int8Array(buffers[buffer]!));
    const least = [...weights.keys()].sort((a, b) => Math.abs(weights[a]!) - Math.abs(weights[b]!));
    for (const at of least.slice(0, Math.round(PRUNED * weights.length))) weights[at] = 0;
    buffers[buffer] = new Uint8Array(weights.buffer);
  }
  return { ...model, buffers };
}

const weightBytes = (bytes: Uint8Array): number =>
  decodePlan(bytes, 'plan').steps.reduce(
    (sum, step) => sum + ('weightsBytes' in step ? step.weightsBytes : 0),
    0,
  );

test('three of four weights of kws left out: half their bytes, and no more instructions', async (t) => {
  const file = 'kws_ref_model.tflite';
  const model = readModel(t, file);
  if (model === undefined) return;
  const sparse = pruned(model);
  const executor = referenceExecutor(sparse, file);
  const inputs = SEEDS.map((seed) => lcgInputs(executor, seed));
  const [dense, plan] = [model, sparse].map((one) => compileModel(one, 'CORTEX_M4', file));
  const expected = inputs.flatMap((own) => executor.run(own));
  t.is(fnv1a(oracleOutputs(plan!.bytes, inputs)), fnv1a(expected));
  t.is(fnv1a([(await onHost(plan!.bytes, flat(inputs))).outputs]), fnv1a(expected));
  const [before, after] = [
    await inQemu(dense!.bytes, flat(inputs)),
    await inQemu(plan!.bytes, flat(inputs)),
  ];
  t.is(fnv1a([after.outputs]), fnv1a(expected));
  within(t, 'weight bytes', weightBytes(plan!.bytes), weightBytes(dense!.bytes) / 2);
  const most = 1.02 * before.statistics.instructions!;
  within(t, 'instructions', after.statistics.instructions, most);
});
