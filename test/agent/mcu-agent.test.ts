import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { formatNpy } from '../../src/core/index.ts';
import { MemoryLine } from '../fakes/memory-line.ts';
import { SmpDevice } from '../fakes/smp-device.ts';
import { FAKE_TENSOR_BYTES } from '../fakes/smp-models.ts';
import { BOARD, firmware, KEY, MODEL, mcuRelease } from './mcu-bench.ts';
import { Blueprint, Plant } from './plant.ts';

const WINDOWS_PER_SECOND = 10;
let blueprint: Blueprint | undefined;

test.before(async () => {
  blueprint = await Blueprint.make(async (repository) => {
    const releases = [
      mcuRelease({ version: '1', key: 5, firmware: firmware(2) }),
      mcuRelease({ version: '2', key: 6, firmware: firmware(2) }),
      mcuRelease({ version: '3', key: 7, goldenKey: 8 }),
    ];
    for (const { document, files, chunks } of releases) {
      await repository.addRelease(document, files, chunks);
    }
  });
});
test.after.always(() => blueprint?.remove());

/** A device on a line of memory, with time as it is. */
function deviceOnLine() {
  const line = new MemoryLine({ stir: () => {} });
  const device = new SmpDevice(line, { board: BOARD, keys: [KEY.publicKey] }).install(firmware(1));
  return { line, device };
}

/** One device, and a pipeline that feeds it values 0 to 39. */
async function configOf(plant: Plant) {
  const values = Float32Array.from({ length: FAKE_TENSOR_BYTES }, (_, index) => index);
  const shape = [FAKE_TENSOR_BYTES, 1];
  const file = join(plant.dir, 'ramp.npy');
  await writeFile(file, formatNpy({ type: 'float32', shape, data: values }));
  const rateHz = FAKE_TENSOR_BYTES * WINDOWS_PER_SECOND;
  return {
    microcontrollers: { left: { port: '/dev/null', board: BOARD, model: MODEL } },
    mcu: { pollIntervalMs: 100, returnIntervalMs: 100 },
    pipelines: {
      vibration: {
        model: MODEL,
        on: 'left',
        source: { kind: 'npy', file, channels: 1, rateHz },
        window: { samples: FAKE_TENSOR_BYTES, stride: FAKE_TENSOR_BYTES },
      },
    },
  };
}

test('from the broker into a device: firmware, v1, windows, v2, a refusal; the report says it all', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  const { device, line } = deviceOnLine();
  const agent = plant.start(t, { config: await configOf(plant), openLine: () => line });
  const left = () => seen.state?.microcontrollers?.['left'];
  const committed = (version: string) =>
    seen.waitFor(`v${version} committed`, () => {
      const active = left()?.release.active;
      return active?.version === version && active.phase === 'committed';
    });
  await plant.publish('1');
  await plant.assign('1');
  await committed('1');
  t.is(device.running?.version.major, 2);
  // What is inferred there came from here: each value, and what the model adds to it.
  await plant.inferences('1');
  const [first] = seen.inferencesOf('1');
  t.is(first?.path, 'mcu');
  t.deepEqual(
    first?.values,
    [...Array(16).keys()].map((value) => value + 5),
  );
  await plant.publish('2');
  await plant.assign('2');
  await committed('2');
  await plant.inferences('2');
  t.is(seen.inferencesOf('2').at(-1)?.values?.[0], 6);
  t.is(device.resets, 1);

  await plant.publish('3');
  await plant.assign('3');
  await seen.waitFor('the refusal', () => left()?.release.update?.phase === 'refused');
  const before = seen.inferencesOf('2').length;
  await seen.waitFor('windows', () => seen.inferencesOf('2').length > before + 5);
  t.like(left(), {
    model: MODEL,
    port: '/dev/null',
    online: true,
    running: { board: BOARD, engine: 'dunlin', firmware: { version: '2.0.0' } },
    release: {
      active: { version: '2', variant: 'mcu' },
      update: { version: '3', reason: 'golden-mismatch' },
    },
  });
  t.deepEqual(seen.eventsOf('3', 'update-refused')[0]?.microcontroller, 'left');
  await agent.stop();
  t.deepEqual(seen.missingWindows(), [], 'windows waited while the device was flashed');
  t.true(seen.samples.some(({ kind }) => kind === 'microcontroller'));
  t.deepEqual(seen.refusals, []);
  t.is(seen.messages.missingCount, 0);
});

test('unplugged: windows wait, the state says so; plugged in again they go on', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { seen } = plant;
  const { line } = deviceOnLine();
  const agent = plant.start(t, { config: await configOf(plant), openLine: () => line });
  const left = () => seen.state?.microcontrollers?.['left'];
  await plant.publish('1');
  await plant.assign('1');
  await plant.inferences('1');
  line.refuseOpens = Number.POSITIVE_INFINITY;
  line.cut();
  await seen.waitFor('the loss', () => left()?.online === false);
  t.is(left()?.reason, 'mcu-unreachable');
  t.is(left()?.line.losses, 1);
  const { windows = 0 } = seen.state?.inferences ?? {};
  await seen.waitFor(
    'windows that wait',
    () => (seen.state?.inferences.windows ?? 0) > windows + 5,
  );
  line.refuseOpens = 0;
  await seen.waitFor('the return', () => left()?.online);
  await plant.inferences('1', 15);
  await agent.stop();
  t.is(seen.state?.inferences.dropped, 0);
  // At most the one that was under way when the cable was pulled.
  t.true(seen.missingWindows().length <= 1);
  const names = seen.events.map(({ name }) => name);
  t.is(names.filter((name) => name === 'microcontroller-lost').length, 1);
  t.is(names.filter((name) => name === 'microcontroller-connected').length, 2);
});

test('a gateway may have microcontrollers and no pipeline', async (t) => {
  const plant = await Plant.open(t, blueprint!);
  const { device, line } = deviceOnLine();
  const { pipelines: _, ...config } = await configOf(plant);
  const agent = plant.start(t, {
    config: { ...config, pipelines: {} },
    openLine: () => line,
  });
  await plant.publish('1');
  await plant.assign('1');
  await plant.seen.waitFor('v1', () => {
    return plant.seen.state?.microcontrollers?.['left']?.release.active?.version === '1';
  });
  t.is(device.models.slots[device.models.confirmedSlot]![32], 5);
  t.deepEqual(plant.seen.state?.models, {});
  await agent.stop();
});
