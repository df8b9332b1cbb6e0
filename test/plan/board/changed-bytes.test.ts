import test from 'ava';
import { DunlinError } from '../../../src/core/index.ts';
import { compileModel, decodePlan } from '../../../src/plan/index.ts';
import { buildModel } from '../compile/random-model.ts';
import { buildFirmware, onHost } from './firmware.ts';

test.before(async () => {
  await buildFirmware();
});

/** `target`, which is for people, is in no seal; what is no target is refused all the same. */
const TARGET_AT = 6;
/** As many bytes as the engine is started for; the TypeScript reader is asked about all. */
const ENGINE_BYTES = 60;

const model = buildModel({ seed: 7, steps: 4, inputs: 1 });
const { bytes } = compileModel(model, 'CORTEX_M4', 'm');

const changedAt = (at: number, by: number): Uint8Array =>
  bytes.map((value, index) => (index === at ? value ^ by : value));

const isRefused = (plan: Uint8Array): boolean => {
  try {
    decodePlan(plan, 'plan');
    return false;
  } catch (error) {
    if (error instanceof DunlinError && error.code === 'plan-malformed') return true;
    throw error;
  }
};

test('a plan with any byte changed is refused by the reader', (t) => {
  const accepted: number[] = [];
  for (const at of bytes.keys()) {
    for (const by of [1, 0x80, 1 + (at % 255)]) {
      if (!isRefused(changedAt(at, by))) accepted.push(at);
    }
  }
  t.true(
    accepted.every((at) => at === TARGET_AT),
    `${accepted}`,
  );
});

test('and by the engine, which says why', async (t) => {
  const inputs = new Uint8Array(
    decodePlan(bytes, 'plan').inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  );
  const whole = await onHost(bytes, inputs);
  t.true(whole.outputs.length > 0);
  const header = [...Array(20).keys()].filter((at) => at !== TARGET_AT);
  const stride = Math.ceil((bytes.length - 20) / (ENGINE_BYTES - header.length));
  const others = [...bytes.keys()].filter((at) => at >= 20 && at % stride === 0);
  for (const at of [...header, ...others]) {
    const error = await t.throwsAsync(() => onHost(changedAt(at, 1), inputs), {
      instanceOf: DunlinError,
    });
    t.is(error.code, 'inference-refused');
    t.regex(error.message, /^the engine: .*plan|CRC/, `byte ${at}`);
  }
});

test('a plan that is cut off at any place is refused by both', async (t) => {
  for (let length = 0; length < bytes.length; length++) {
    t.true(isRefused(bytes.slice(0, length)), `${length} bytes`);
  }
  for (const length of [0, 3, 15, 47, 68, bytes.length - 4, bytes.length - 1]) {
    await t.throwsAsync(() => onHost(bytes.slice(0, length), new Uint8Array(1)), {
      instanceOf: DunlinError,
      code: 'inference-refused',
    } as never);
  }
});
