import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { DunlinError, silentLogger, systemClock } from '../../src/core/index.ts';
import { Sandbox } from '../../src/inference/index.ts';
import { referenceExecutor } from '../../src/plan/index.ts';
import { parseModel, serializeModel, type TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { sampleModels, smallNetwork } from '../tflite/sample-models.ts';
import { activation, OUT_SCALE, plain } from '../tflite/sample-plan.ts';
import { lcgInputs } from './lcg.ts';

const MOTOR = join(fileURLToPath(new URL('../../../', import.meta.url)), 'examples/motor/v1');
const MOTOR_RUNS = 20;
/** Steps by which stock TFLite's kernels on x86 and the reference ones may differ, op by op. */
const MAX_STEPS_OF_ONE = 1;
/** The same after a few layers and a softmax. */
const MAX_STEPS = 4;

function refusal(model: TfliteModel): DunlinError | undefined {
  try {
    referenceExecutor(model, 'm.tflite');
    return undefined;
  } catch (error) {
    if (error instanceof DunlinError) return error;
    throw error;
  }
}

/** The largest difference of any output value over runs of the stock runtime and the executor. */
async function stepsApart(
  t: ExecutionContext,
  model: TfliteModel,
  what: string,
  runs: number,
): Promise<number> {
  const executor = referenceExecutor(model, what);
  const sandbox = await Sandbox.load({
    model: serializeModel(model),
    what,
    path: 'stock',
    clock: systemClock,
    logger: silentLogger,
  });
  t.teardown(() => sandbox.close());
  let apart = 0;
  for (let run = 0; run < runs; run++) {
    const inputs = lcgInputs(executor, run);
    const ours = executor.run(inputs);
    const { outputs } = await sandbox.infer(inputs.map(({ buffer }) => new Uint8Array(buffer)));
    for (const [position, output] of ours.entries()) {
      for (const [index, value] of output.entries()) {
        const theirs = (outputs[position]![index]! << 24) >> 24;
        apart = Math.max(apart, Math.abs(value - theirs));
      }
    }
  }
  await sandbox.close();
  return apart;
}

test('every int8 operator is within a step of the stock runtime', async (t) => {
  const known = sampleModels().filter(({ model }) => refusal(model) === undefined);
  t.true(known.length >= 25);
  for (const { name, model } of known) {
    const apart = await stepsApart(t, model, name, 2);
    // Stock TFLite averages its own way after a rescaling, and looks a logistic up.
    t.true(apart <= MAX_STEPS_OF_ONE, `${name}: ${apart} steps`);
  }
});

test('the motor model agrees with the stock runtime within a few steps', async (t) => {
  const file = join(MOTOR, 'int8.tflite');
  const apart = await stepsApart(t, parseModel(readFileSync(file), file), file, MOTOR_RUNS);
  t.log(`at most ${apart} steps apart`);
  t.true(apart <= MAX_STEPS, `${apart} steps`);
});

test('inputs and outputs are described, runs do not disturb each other', (t) => {
  const executor = referenceExecutor(smallNetwork(), 'network');
  t.like(executor.inputs, [{ index: 0, shape: [1, 6, 6, 1], length: 36 }]);
  t.like(executor.outputs, [{ shape: [1, 3], length: 3 }]);
  const [first, second] = [lcgInputs(executor, 1), lcgInputs(executor, 2)];
  const before = executor.run(first);
  const kept = before[0]!.slice();
  t.notDeepEqual(executor.run(second), before);
  t.deepEqual(before[0], kept);
  t.deepEqual(executor.run(first), before);
});

test('inputs of another number or length are refused', (t) => {
  const executor = referenceExecutor(smallNetwork(), 'network');
  for (const inputs of [[], [new Int8Array(35)], [new Int8Array(36), new Int8Array(1)]]) {
    const error = t.throws(() => executor.run(inputs), { instanceOf: DunlinError });
    t.is(error.code, 'input-invalid');
    t.regex(error.message, /it takes \[36\]/);
  }
});

test('operators and types it does not know are refused by name', (t) => {
  const shape = [1, 4, 6, 3];
  const one = { inputs: [shape], outputs: [shape] };
  const clipped = new ModelBuilder();
  const input = clipped.tensor([4], activation('int8'));
  const output = clipped.tensor([4], activation('int8', OUT_SCALE));
  for (const [model, message] of [
    [plain({ operator: 'HARD_SWISH', type: 'int8', ...one }), /operator 0 \(HARD_SWISH\)/],
    [plain({ operator: 'RELU', type: 'float32', ...one }), /tensor 0 is float32/],
    [plain({ operator: 'RELU', type: 'uint8', ...one }), /tensor 0 is uint8/],
    [
      clipped.operator('RELU6', [input], [output]).build([input], [output]),
      /operator 0 \(RELU6\).*other quantization/,
    ],
  ] as const) {
    const error = refusal(model);
    t.is(error?.code, 'model-unsupported');
    t.regex(error?.message ?? '', message);
  }
});

test('a model that is not whole is refused as everywhere', (t) => {
  const model = structuredClone(smallNetwork()) as { subgraphs: { inputs: number[] }[] };
  model.subgraphs[0]!.inputs[0] = 99;
  t.is(refusal(model as TfliteModel)?.code, 'model-malformed');
});
