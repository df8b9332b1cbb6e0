import { generateKeyPairSync } from 'node:crypto';
import { silentLogger } from '../../src/core/index.ts';
import {
  buildMcubootImage,
  IMAGE_FLAG_NON_BOOTABLE,
  parseMcubootImage,
  SmpClient,
} from '../../src/mcu/index.ts';
import { EagerClock } from '../fakes/eager-clock.ts';
import { MemoryLine } from '../fakes/memory-line.ts';
import { SmpDevice } from '../fakes/smp-device.ts';
import { FAKE_TENSOR_BYTES, fakeInference } from '../fakes/smp-models.ts';
import type { SmpDeviceOptions } from '../fakes/smp-upload.ts';

export const KEY = generateKeyPairSync('ed25519');

/** A fake device, a line to it, and a client that has it open. */
export async function bench(options: SmpDeviceOptions = {}) {
  const clock = new EagerClock();
  const line = new MemoryLine(clock);
  const device = new SmpDevice(line, options);
  const client = new SmpClient({ line, clock, logger: silentLogger });
  await client.open();
  return { clock, line, device, client };
}

export function firmware(major: number, sizeBytes = 3000, securityCounter = 1): Uint8Array {
  return buildMcubootImage({
    body: Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 7 + major) & 0xff),
    version: { major, minor: 0, revision: 0, build: 0 },
    headerBytes: 512,
    securityCounter,
    privateKey: KEY.privateKey,
  });
}

/** @param key what the fake model adds to each byte; 0 makes a model that does not load */
export function model(key: number, sizeBytes = 2000, securityCounter = 1): Uint8Array {
  return buildMcubootImage({
    body: new Uint8Array(sizeBytes).fill(key),
    version: { major: key, minor: 0, revision: 0, build: 0 },
    flags: IMAGE_FLAG_NON_BOOTABLE,
    securityCounter,
    privateKey: KEY.privateKey,
  });
}

export function golden(key: number, count = 3) {
  return Array.from({ length: count }, (_, index) => {
    const input = new Uint8Array(FAKE_TENSOR_BYTES).map((_, at) => at + index);
    return { input, output: fakeInference(Uint8Array.of(key), input) };
  });
}

export const hashOf = (file: Uint8Array): Uint8Array => parseMcubootImage(file, 'test').hash;

/** Numerical Recipes' generator: what a seed draws, it draws again. */
export function coin(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
