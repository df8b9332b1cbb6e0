import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { compileStub, haveCompiler } from '../inference/stub-delegate/compile.ts';
import { buildMotor, edgeTpuMotor, MODEL, motorModel } from './motor.ts';
import { type AgentStart, Blueprint, Plant } from './plant.ts';

/** The stub's outputs are no classifier's: these tests are about where a model runs, not how well. */
const TOLERANCE_STEPS = 1e6;
/** The gate asks 62 times (32 golden inputs, 30 for the latency); then the device serves a while. */
const CALLS_UNTIL_LOST = 80;
const withCompiler = haveCompiler() ? test : test.skip;
let blueprint: Blueprint | undefined;

test.before(async () => {
  const cpu = await motorModel('v1');
  const options = { cpu, edgetpu: await edgeTpuMotor(), toleranceSteps: TOLERANCE_STEPS };
  blueprint = await Blueprint.make(async (repository) => {
    await buildMotor(repository, '1', options);
  });
});
test.after.always(() => blueprint?.remove());

/** A machine with an Edge TPU on USB, or without, and a delegate that fails as told. */
async function machine(
  plant: Plant,
  { present = true, path = 'auto', defines = [] as readonly string[] } = {},
): Promise<AgentStart> {
  const sysfsRoot = join(plant.dir, 'sys');
  if (present) await plugIn(sysfsRoot);
  const delegateFile = compileStub(plant.dir, 'libstub.so', defines);
  return { sysfsRoot, config: { inference: { delegateFile, path } } };
}

async function plugIn(sysfsRoot: string): Promise<void> {
  const device = join(sysfsRoot, 'bus/usb/devices/1-2');
  await mkdir(device, { recursive: true });
  await writeFile(join(device, 'idVendor'), '18d1\n');
  await writeFile(join(device, 'idProduct'), '9302\n');
}

const activeOf = (plant: Plant) => plant.seen.state?.models[MODEL]?.active;

async function committed(t: ExecutionContext, options: Parameters<typeof machine>[1]) {
  const plant = await Plant.open(t, blueprint!);
  const start = await machine(plant, options);
  const agent = plant.start(t, start);
  await plant.bringTo('1');
  return { plant, agent, start };
}

withCompiler('the variant for the Edge TPU serves where there is one (needs cc)', async (t) => {
  const { plant, agent } = await committed(t, {});
  const expected = { variant: 'edgetpu', path: 'edgetpu', reason: 'edgetpu-present' };
  t.like(activeOf(plant), expected);
  await plant.inferences('1');
  t.true(plant.seen.inferences.every(({ path }) => path === 'edgetpu'));
  await agent.stop();
  t.deepEqual(plant.seen.missingWindows(), []);
});

withCompiler('without a device the CPU serves; one that comes later is no harm', async (t) => {
  const { plant, agent, start } = await committed(t, { present: false });
  t.like(activeOf(plant), { variant: 'cpu', reason: 'edgetpu-no-device' });
  const firstBoot = plant.seen.state?.bootId;
  await agent.stop();
  await plugIn(start.sysfsRoot!);
  plant.start(t, start);
  const after = await plant.seen.waitFor(
    'the state after the restart',
    () => plant.seen.state?.bootId !== firstBoot && activeOf(plant),
  );
  t.like(after, { variant: 'cpu', reason: 'edgetpu-not-installed' });
  await plant.inferences('1');
});

withCompiler('who insists on a path of the CPU gets it (needs cc)', async (t) => {
  const { plant } = await committed(t, { path: 'stock' });
  t.like(activeOf(plant), { variant: 'cpu', path: 'stock', reason: 'requested' });
});

withCompiler(
  'a device lost in service: the CPU goes on, and the agent too (needs cc)',
  async (t) => {
    const { plant, agent, start } = await committed(t, {
      defines: [`FAIL_INVOKE=${CALLS_UNTIL_LOST}`],
    });
    const { seen } = plant;
    await seen.waitFor('the CPU in service', () => activeOf(plant)?.variant === 'cpu');
    t.like(activeOf(plant), { version: '1', phase: 'committed', reason: 'edgetpu-lost' });
    await plant.inferences('1');
    t.not(seen.inferences.at(-1)?.path, 'edgetpu');
    const event = await seen.waitFor('the event', () => seen.eventsOf('1', 'inference-failed')[0]);
    t.is(event.reason, 'edgetpu-lost');
    t.deepEqual(seen.eventsOf('1', 'update-rolled-back'), [], 'it is not the fault of the release');
    const { bootId } = seen.state!;
    await agent.stop();

    // sysfs still shows it, and it cannot be used any more.
    compileStub(plant.dir, 'libstub.so', ['FAIL_CREATE']);
    plant.start(t, start);
    const after = await seen.waitFor(
      'the state after the restart',
      () => seen.state?.bootId !== bootId && activeOf(plant),
    );
    t.like(after, { variant: 'cpu', reason: 'edgetpu-delegate-unusable' });
    await plant.inferences('1');
  },
);

withCompiler('a delegate that refuses: the CPU is gated and serves (needs cc)', async (t) => {
  const { plant } = await committed(t, { defines: ['FAIL_PREPARE'] });
  t.like(activeOf(plant), { variant: 'cpu', reason: 'edgetpu-delegate-unusable' });
});
