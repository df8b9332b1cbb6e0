import test from 'ava';
import { decodePacket, GROUP_MODEL, PacketDecoder, type SerialLine } from '../../src/mcu/index.ts';
import { describeModel, parseModel } from '../../src/tflite/index.ts';
import { RealDevice } from '../mcu/real/devices.ts';
import { firmwareImage, motorModel } from '../mcu/real/gateway.ts';
import { mcuRelease } from './mcu-bench.ts';
import { LABELS, MODEL, motorModel as motorFile, RECORDING } from './motor.ts';
import { Blueprint, Plant, WINDOW, WINDOWS_PER_SECOND } from './plant.ts';

const BOARD = 'native';
/** Of the model's upload, which has some twenty. */
const CUT_AT_CHUNK = 5;

/** A line that says when a chunk of a model goes over it. */
function watchedLine(line: SerialLine, onChunk: () => Promise<void>): SerialLine {
  let isChunk = false;
  const decoder = new PacketDecoder((bytes) => {
    const packet = decodePacket(bytes);
    isChunk ||= packet?.group === GROUP_MODEL && packet.id === 1;
  });
  return {
    name: line.name,
    bytesPerSecond: line.bytesPerSecond,
    open: (listener) => line.open(listener),
    close: () => line.close(),
    write: async (bytes) => {
      isChunk = false;
      decoder.push(bytes);
      if (isChunk) await onChunk();
      await line.write(bytes);
    },
  };
}

/** The motor's releases for a device: 1 with firmware, 2, 3 with vectors that do not come out. */
async function releasesFor(device: RealDevice) {
  const bytes = await motorFile('v1');
  const { inputs, outputs } = describeModel(parseModel(bytes, 'v1'), bytes);
  const tensor = ({ name: _, shape, ...rest }: (typeof inputs)[number]) => {
    return { ...rest, shape: [...shape] };
  };
  const document = {
    task: { kind: 'classification' as const, labels: LABELS },
    input: tensor(inputs[0]!),
    output: tensor(outputs[0]!),
  };
  const [v1, v2] = [motorModel('v1'), motorModel('v2')];
  const wrong = v1.golden.map((vector) => ({ ...vector, output: vector.output.map((b) => b ^ 1) }));
  const common = { key: 0, board: BOARD, document };
  const firmware = firmwareImage(device, '1.0.0');
  return [
    mcuRelease({ ...common, version: '1', file: v1.file, golden: v1.golden, firmware }),
    mcuRelease({ ...common, version: '2', file: v2.file, golden: v2.golden, firmware }),
    mcuRelease({ ...common, version: '3', file: v1.file, golden: wrong }),
  ];
}

test('a real device: from erased flash to windows, v2 over a power cut, a refusal (needs cc)', async (t) => {
  const device = await RealDevice.make(BOARD);
  t.teardown(() => device.dispose());
  const releases = await releasesFor(device);
  const blueprint = await Blueprint.make(async (repository) => {
    for (const { document, files, chunks } of releases) {
      await repository.addRelease(document, files, chunks);
    }
  });
  t.teardown(() => blueprint.remove());
  const plant = await Plant.open(t, blueprint);
  const { seen } = plant;
  const rateHz = WINDOW * WINDOWS_PER_SECOND;
  const config = {
    microcontrollers: { left: { port: '/dev/null', board: BOARD, model: MODEL } },
    mcu: { pollIntervalMs: 200, returnIntervalMs: 100 },
    pipelines: {
      vibration: {
        ...{ model: MODEL, on: 'left' },
        source: { kind: 'npy', file: RECORDING, channels: 3, rateHz },
        window: { samples: WINDOW, stride: WINDOW },
      },
    },
  };
  await device.powerOn();
  let chunks = 0;
  let cutAtChunk = Number.POSITIVE_INFINITY;
  const line = watchedLine(device.line, async () => {
    if (++chunks === cutAtChunk) await device.powerOff();
  });
  const agent = plant.start(t, { config, openLine: () => line });
  const left = () => seen.state?.microcontrollers?.['left'];
  const committed = (version: string) =>
    seen.waitFor(`v${version} committed`, () => {
      const active = left()?.release.active;
      return active?.version === version && active.phase === 'committed';
    });
  await plant.publish('1');
  await plant.assign('1');
  await committed('1');
  await plant.inferences('1');
  t.true(seen.inferencesOf('1').every(({ label = '' }) => LABELS.includes(label)));

  cutAtChunk = chunks + CUT_AT_CHUNK;
  await plant.publish('2');
  await plant.assign('2');
  await seen.waitFor('the loss', () => left()?.online === false);
  t.is(left()?.release.active?.version, '1');
  await device.powerOn();
  await committed('2');
  await plant.inferences('2');

  await plant.publish('3');
  await plant.assign('3');
  await seen.waitFor('the refusal', () => left()?.release.update?.phase === 'refused');
  await plant.inferences('2');
  t.like(left(), {
    online: true,
    running: { board: BOARD, engine: 'dunlin', firmware: { version: '1.0.0' } },
    release: { update: { version: '3', reason: 'golden-mismatch' } },
    statistics: { failures: 0 },
  });
  t.is(seen.state?.inferences.dropped, 0);
  await agent.stop();
  t.deepEqual(seen.refusals, []);
});
