import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { formatNpy, parseNpy } from '../../../src/core/index.ts';
import { referenceExecutor } from '../../../src/plan/index.ts';
import { dunlin } from '../../optimize/dunlin-process.ts';
import { network, planOf, refused, SAMPLES } from './command-folder.ts';
import { buildFirmware } from './firmware.ts';

test.before(async () => {
  await buildFirmware();
});

const MAIN = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));
/** Bytes of a plan: one in front of its CRC, one behind it. All of them are for changed-bytes.test.ts. */
const CHANGED = [9, 300];

test.serial('plan run gives the same bytes at all three places', async (t) => {
  const path = await planOf(t);
  const inputs = ['--input', path('a.npy'), '--input', path('b.npy')];
  const executor = referenceExecutor(network(), 'net');
  const samples = await Promise.all(
    ['a', 'b'].map(async (name) => parseNpy(await readFile(path(`${name}.npy`)), name).data),
  );
  const expected = Array.from({ length: SAMPLES }, (_, sample) =>
    executor.run(samples.map((all) => (all as Int8Array).slice(32 * sample, 32 * (sample + 1)))),
  );
  for (const on of ['reference', 'native', 'mps2-an386']) {
    const outputs = ['--output', path(`y-${on}.npy`), '--output', path(`z-${on}.npy`)];
    const args = ['plan', 'run', path('net.plan'), ...inputs, ...outputs, '--on', on];
    const ended = await dunlin(...args, ...(on === 'native' ? [] : ['--json']));
    t.is(ended.status, 0, ended.err);
    if (on === 'native') t.regex(ended.out, /^3 samples on native\n/);
    else t.like(JSON.parse(ended.out), { on, samples: SAMPLES });
    if (on === 'mps2-an386') t.true(JSON.parse(ended.out).stackBytes <= 1024);
    for (const [index, [name, shape]] of [
      ['y', [SAMPLES, 6]],
      ['z', [SAMPLES, 4, 4, 2]],
    ].entries()) {
      const array = parseNpy(await readFile(path(`${name}-${on}.npy`)), `${name}`);
      t.is(array.type, 'int8');
      t.deepEqual(array.shape, shape as number[]);
      t.deepEqual(
        [...array.data],
        expected.flatMap((outputs_) => [...outputs_[index]!]),
        on,
      );
    }
  }
});

test.serial(
  'inputs of other types, sizes and numbers, and changed plans, are refused',
  async (t) => {
    const path = await planOf(t);
    const write = async (name: string, shape: number[], type: 'int8' | 'int32') => {
      const length = shape.reduce((product, size) => product * size, 1);
      const data = type === 'int8' ? new Int8Array(length) : new Int32Array(length);
      await writeFile(path(name), formatNpy({ type, shape, data } as never));
    };
    await write('wide.npy', [3, 4, 4, 2], 'int32');
    await write('short.npy', [3, 5], 'int8');
    await write('two.npy', [2, 4, 4, 2], 'int8');
    const bytes = await readFile(path('net.plan'));
    for (const at of CHANGED) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      await writeFile(path(`changed-${at}.plan`), changed);
    }
    await writeFile(path('cut.plan'), bytes.subarray(0, bytes.length - 4));
    const before = await readdir(path('.'));
    const good = ['--input', path('a.npy'), '--input', path('b.npy')];
    const plan = path('net.plan');
    const with_ = (name: string): string[] => [
      plan,
      '--input',
      path('a.npy'),
      '--input',
      path(name),
    ];
    const changed = CHANGED.map((at) => `changed-${at}.plan`);
    const cases: readonly (readonly [string[], number, RegExp])[] = [
      [with_('wide.npy'), 3, /wide\.npy: int32 values, .*; give float32 or int8 \[input-invalid\]/],
      [
        with_('short.npy'),
        3,
        /short\.npy: shape \(3, 5\) does not fit .*\(1, 4, 4, 2\) \[input-invalid\]/,
      ],
      [with_('two.npy'), 3, /two\.npy: 2 samples; .*a\.npy has 3 \[input-invalid\]/],
      [[plan, '--input', path('a.npy')], 2, /has 2 inputs; give --input 2 times.*\[usage\]/],
      [[plan, ...good, '--output', path('y.npy')], 2, /has 2 outputs.*\[usage\]/],
      ...[...changed, 'cut.plan'].map(
        (name) => [[path(name), ...good], 4, /\.plan: .*\[plan-malformed\]/] as const,
      ),
    ] as never;
    for (const [args, status, says] of cases) {
      refused(t, await dunlin('plan', 'run', ...args), status, says);
    }
    t.deepEqual(await readdir(path('.')), before);
  },
);

test.serial('plan run takes float32 samples in the steps of the input', async (t) => {
  const path = await planOf(t);
  const array = parseNpy(await readFile(path('a.npy')), 'a.npy');
  const data = Float32Array.from(array.data as Int8Array, (value) => 0.05 * (value + 3));
  await writeFile(path('float.npy'), formatNpy({ type: 'float32', shape: array.shape, data }));
  const outputs: Buffer[] = [];
  for (const name of ['a.npy', 'float.npy']) {
    const [y, z] = [path(`y-${name}`), path(`z-${name}`)];
    const inputs = ['--input', path(name), '--input', path('b.npy')];
    const ends = ['--output', y, '--output', z];
    const ended = await dunlin('plan', 'run', path('net.plan'), ...inputs, ...ends);
    t.is(ended.status, 0, ended.err);
    outputs.push(Buffer.concat([await readFile(y), await readFile(z)]));
  }
  t.true(outputs[0]!.equals(outputs[1]!));
});

test.serial('without QEMU a run there says what to install', async (t) => {
  const path = await planOf(t);
  const inputs = ['--input', path('a.npy'), '--input', path('b.npy')];
  const args = [MAIN, 'plan', 'run', path('net.plan'), ...inputs, '--on', 'mps2-an386'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: '' },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  await once(child, 'close');
  const ended = { status: child.exitCode, out, err };
  refused(t, ended, 3, /qemu-system-arm: not there; install the Debian package qemu-system-arm/);
});
