import test from 'ava';
import fc from 'fast-check';
import { ImageGroup, ModelGroup } from '../../src/mcu/index.ts';
import { DeviceError } from '../fakes/smp-upload.ts';
import { bench, coin, firmware, hashOf, model } from './device.ts';

const same = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a !== undefined && Buffer.compare(a, b) === 0;

test('the window is as wide as the device allows, and no packet longer than its buffer', async (t) => {
  for (const [bufferCount, expected] of [
    [1, 1],
    [2, 1],
    [4, 3],
    [100, 8],
  ] as const) {
    const { client, device, line } = await bench({ bufferBytes: 200, bufferCount });
    let flying = 0;
    let most = 0;
    line.toDevice = (bytes) => {
      most = Math.max(most, ++flying);
      return bytes;
    };
    line.toHost = (bytes) => {
      flying--;
      return bytes;
    };
    const file = firmware(1);
    await new ImageGroup(client).upload(file);
    t.true(same(device.slots[1]!.file, file));
    t.is(most, expected);
  }
});

test('progress is the offset of the device, from the first chunk to the whole', async (t) => {
  const { client } = await bench();
  const seen: number[] = [];
  const file = model(1);
  await new ModelGroup(client).upload(file, {
    onProgress: ({ doneBytes, totalBytes }) => {
      t.is(totalBytes, file.byteLength);
      seen.push(doneBytes);
    },
  });
  t.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  t.is(seen.at(-1), file.byteLength);
});

test('a model costs few bytes more than it has', async (t) => {
  const { client, line } = await bench({ bufferBytes: 1024, bufferCount: 4 });
  const file = model(1, 50_000);
  await new ModelGroup(client).upload(file);
  // Lines carry 93 bytes in 127.
  const beforeFraming = (line.writtenBytes * 93) / 127;
  t.true(beforeFraming <= 1.05 * file.byteLength, `${beforeFraming / file.byteLength}`);
});

test('uploads come through loss, damage and noise in both directions, windows or not', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 31 }),
      fc.constantFrom(1, 2, 3, 6),
      fc.constantFrom(80, 128, 384, 1000),
      fc.integer({ min: 1, max: 6000 }),
      async (seed, bufferCount, bufferBytes, sizeBytes) => {
        const { client, device, line } = await bench({ bufferCount, bufferBytes });
        const random = coin(seed);
        const wire = (bytes: Uint8Array): Uint8Array => {
          const draw = random();
          if (draw < 0.04) return new Uint8Array();
          if (draw < 0.06) return bytes.map((byte) => (random() < 0.02 ? byte ^ 32 : byte));
          if (draw < 0.08) return bytes.subarray(0, bytes.byteLength >> 1);
          if (draw < 0.2) return Buffer.concat([Buffer.from('noise\n'), bytes]);
          return bytes;
        };
        line.toDevice = wire;
        line.toHost = wire;
        const file = model(1, sizeBytes);
        try {
          await new ModelGroup(client).upload(file);
        } catch (error) {
          // A line as bad as this may be given up, but only with what it is.
          const { code } = error as { code?: string };
          return code === 'mcu-silent' || code === 'mcu-garbled';
        }
        return same(device.models.slots[0], file);
      },
    ),
    { numRuns: 60 },
  );
  t.pass();
});

test('an upload goes on where the device has got to', async (t) => {
  const { client, device, line } = await bench();
  const file = firmware(1, 20_000);
  line.cutAfterBytes = 15_000;
  await t.throwsAsync(new ImageGroup(client).upload(file), { code: 'mcu-unreachable' });
  await client.open();
  const before = line.writtenBytes;
  const seen: number[] = [];
  await new ImageGroup(client).upload(file, { onProgress: (p) => seen.push(p.doneBytes) });
  t.true(seen[0]! > 5_000);
  t.true(line.writtenBytes - before < 20_000);
  t.true(same(device.slots[1]!.file, file));
});

test('a device that reset in between gets the file from the start, with its length and digest', async (t) => {
  const { client, device } = await bench({ bufferCount: 4 });
  device.install(firmware(1));
  let chunks = 0;
  device.before = ({ group, id }) => {
    if (group === 1 && id === 1 && ++chunks === 9) device.reset();
  };
  const file = firmware(2, 9_000);
  await new ImageGroup(client).upload(file);
  t.true(same(device.slots[1]!.file, file));
  t.is(hashOf(file).byteLength, 32);
});

test('an offset past the end, and a device that never gets further, are given up', async (t) => {
  const { client, device } = await bench();
  device.tamperOffset = () => 1_000_000;
  await t.throwsAsync(new ImageGroup(client).upload(firmware(1)), { code: 'mcu-garbled' });
  device.tamperOffset = () => 0;
  await t.throwsAsync(new ImageGroup(client).upload(firmware(1)));
  let turn = 0;
  device.tamperOffset = () => (++turn % 2 === 0 ? 500 : 1000);
  await t.throwsAsync(new ImageGroup(client).upload(firmware(1)), { code: 'mcu-garbled' });
});

test('a device without parameters gets small packets, and smaller ones when it says so', async (t) => {
  const { client, device } = await bench({ unknown: ['0:6'] });
  let longest = 0;
  device.before = ({ group, id, body }) => {
    if (group === 1 && id === 1) longest = Math.max(longest, body.byteLength);
  };
  await new ImageGroup(client).upload(firmware(1));
  t.true(longest + 8 <= 252 && longest > 200, `${longest}`);
  device.before = ({ body }) => {
    if (body.byteLength > 100) throw new DeviceError(7);
  };
  await new ImageGroup(client).upload(firmware(2));
  t.true(same(device.slots[1]!.file, firmware(2)));
});

test('a flash that keeps other bytes is found out', async (t) => {
  const { client, device } = await bench();
  const group = new ImageGroup(client);
  device.before = (_, fields) => {
    const data = fields['data'] as Uint8Array | undefined;
    if (data !== undefined && fields['off'] !== 0) data[0]! ^= 1;
  };
  await t.throwsAsync(group.upload(firmware(1)), { code: 'mcu-verify-failed' });
});

test('an abort ends an upload', async (t) => {
  const { client } = await bench({ bufferCount: 4 });
  const abort = new AbortController();
  const upload = new ModelGroup(client).upload(model(1, 9000), {
    signal: abort.signal,
    onProgress: ({ doneBytes }) => {
      if (doneBytes > 3000) abort.abort(new Error('enough'));
    },
  });
  await t.throwsAsync(upload, { message: 'enough' });
});
