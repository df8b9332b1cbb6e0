import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { microcontrollerFacts } from '../../src/cli/microcontroller-facts.ts';
import { compileModel, decodePlan, runInQemu } from '../../src/plan/index.ts';
import { parseModel, serializeModel } from '../../src/tflite/index.ts';
import { network } from '../plan/board/command-folder.ts';
import { buildFirmware } from '../plan/board/firmware.ts';
import { plain } from '../tflite/sample-plan.ts';

const MODEL = fileURLToPath(new URL('../../../examples/motor/v1/int8.tflite', import.meta.url));
const never = new AbortController().signal;

test.before(async () => {
  await buildFirmware();
});

test.serial('the facts are those of the plan that dunlin compile makes', async (t) => {
  const model = await readFile(MODEL);
  const plan = compileModel(parseModel(model, 'int8'), 'CORTEX_M4', 'int8');
  const facts = await microcontrollerFacts(model, 'int8', never);
  if ('refused' in facts) throw new Error(facts.refused);
  t.like(facts, {
    ...{ target: 'cortex-m4', planBytes: plan.bytes.length, instructionsReason: undefined },
    ramBytes: plan.arenaBytes + 1024,
  });
  const weights = decodePlan(plan.bytes, 'plan').steps.map((step) =>
    'weightsBytes' in step ? step.weightsBytes : 0,
  );
  t.is(
    facts.weightBytes,
    weights.reduce((sum, each) => sum + each, 0),
  );
  t.true(facts.instructions! > 1000);
});

test.serial('zeros of weights are not in flash where the plan leaves them out', async (t) => {
  const model = parseModel(await readFile(MODEL), 'int8');
  const buffers = model.buffers.map((bytes) =>
    bytes !== undefined && bytes.length > 1000
      ? bytes.map((each, at) => (at % 8 === 0 ? each : 0))
      : bytes,
  );
  const [dense, pruned] = [model, { ...model, buffers }].map((each) =>
    microcontrollerFacts(serializeModel(each), 'int8', never),
  );
  const [before, after] = [await dense!, await pruned!];
  if ('refused' in before || 'refused' in after) throw new Error('refused');
  t.true(after.weightBytes < 0.6 * before.weightBytes);
  t.true(after.planBytes < before.planBytes && after.instructions! < before.instructions!);
  t.true(after.ramBytes <= before.ramBytes);
});

test.serial('what no plan can be made of is refused with the reason', async (t) => {
  const shape = [1, 4, 6, 3];
  const swish = plain({ operator: 'HARD_SWISH', type: 'int8', inputs: [shape], outputs: [shape] });
  const facts = await microcontrollerFacts(serializeModel(swish), 'int8', never);
  t.deepEqual(Object.keys(facts), ['refused']);
  t.regex('refused' in facts ? facts.refused : '', /HARD_SWISH/);
});

test.serial('where nothing counts instructions, the reason says what to do', async (t) => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  const facts = await microcontrollerFacts(serializeModel(network()), 'int8', never);
  if ('refused' in facts) throw new Error(facts.refused);
  t.is(facts.instructions, undefined);
  t.regex(facts.instructionsReason!, /make firmware.*Debian package qemu-system-arm/);
});

test.serial('QEMU without firmware says what to build', async (t) => {
  const buildDirectory = await mkdtemp(join(tmpdir(), 'dunlin-unbuilt-'));
  t.teardown(() => rm(buildDirectory, { recursive: true }));
  const none = new Uint8Array();
  const runProgram = () => Promise.reject(new Error('not to be run'));
  const request = { plan: none, inputs: none, profile: false, runProgram, buildDirectory };
  await t.throwsAsync(runInQemu(request), {
    code: 'file-unreadable',
    message: /runner\.elf: not there; build it with `make firmware`/,
  });
});

test.serial('a signal ends it', async (t) => {
  const ended = AbortSignal.abort();
  const facts = microcontrollerFacts(serializeModel(network()), 'int8', ended);
  await t.throwsAsync(facts, { name: 'AbortError' });
});
