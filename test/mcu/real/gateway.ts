import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFiles, silentLogger, systemClock } from '../../../src/core/index.ts';
import {
  buildMcubootImage,
  type FlashJob,
  type GoldenVector,
  IMAGE_FLAG_NON_BOOTABLE,
  ImageGroup,
  ModelGroup,
  parseMcubootVersion,
  SmpClient,
  SmpFlasher,
} from '../../../src/mcu/index.ts';
import { compileModel, decodePlan, planOracle } from '../../../src/plan/index.ts';
import { parseModel } from '../../../src/tflite/index.ts';
import { KEY } from '../device.ts';
import { type RealBoard, RealDevice, type RealDeviceOptions } from './devices.ts';

const MOTOR = fileURLToPath(new URL('../../../../examples/motor', import.meta.url));
const VECTORS = 3;
const RESET_SETTLE_MS = 100;
/** Several times what the watchdog and the bootloader take, on a busy machine. */
const PATIENCE_MS = 60_000;
export const STRANGER = generateKeyPairSync('ed25519').privateKey;

interface ImageOptions {
  readonly counter?: number;
  readonly key?: KeyObject;
}

/** A device, and a gateway that has its line. */
export async function gateway(board: RealBoard, deviceOptions?: RealDeviceOptions) {
  const device = await RealDevice.make(board, deviceOptions);
  const client = new SmpClient({ line: device.line, clock: systemClock, logger: silentLogger });
  const common = { client, files: nodeFiles, clock: systemClock, logger: silentLogger };
  const flasherOptions = {
    ...common,
    journalDir: `${device.flashPath}-journal`,
    resetSettleMs: RESET_SETTLE_MS,
  };
  const flasher = new SmpFlasher(flasherOptions);
  const firmwareJob = (version: string, options?: ImageOptions): FlashJob =>
    jobOf('firmware', board, firmwareImage(device, version, options));
  return {
    device,
    client,
    flasherOptions,
    flasher,
    images: new ImageGroup(client),
    models: new ModelGroup(client),
    firmwareJob,
    async dispose(): Promise<void> {
      await client.close();
      await device.dispose();
    },
  };
}
export type Gateway = Awaited<ReturnType<typeof gateway>>;

export const jobOf = (
  kind: FlashJob['kind'],
  board: string,
  file: Uint8Array,
  golden: readonly GoldenVector[] = [],
): FlashJob => ({ kind, boards: [board], file, golden });

export function firmwareImage(
  { firmware }: RealDevice,
  version: string,
  { counter = 0, key = KEY.privateKey }: ImageOptions = {},
): Uint8Array {
  return buildMcubootImage({
    ...firmware,
    version: parseMcubootVersion(version),
    securityCounter: counter,
    privateKey: key,
  });
}

/** The motor's model as a plan in a signed container, and what it has to answer. */
export function motorModel(
  version: 'v1' | 'v2',
  { counter = 0, key = KEY.privateKey }: ImageOptions = {},
): { readonly file: Uint8Array; readonly plan: Uint8Array; readonly golden: GoldenVector[] } {
  const path = join(MOTOR, version, 'int8.tflite');
  const model = parseModel(readFileSync(path), path);
  const { bytes: plan } = compileModel(model, 'CORTEX_M4', path);
  const file = buildMcubootImage({
    body: plan,
    version: parseMcubootVersion(`${version.slice(1)}.0.0`),
    flags: IMAGE_FLAG_NON_BOOTABLE,
    securityCounter: counter,
    privateKey: key,
  });
  return { file, plan, golden: goldenOf(plan) };
}

/** Inputs from a generator, outputs from the oracle. */
export function goldenOf(plan: Uint8Array): GoldenVector[] {
  const decoded = decodePlan(plan, 'plan');
  const oracle = planOracle(decoded);
  return Array.from({ length: VECTORS }, (_, vector) => {
    let state = 12_345 + vector;
    const inputs = decoded.inputs.map(({ sizeBytes }) =>
      new Int8Array(sizeBytes).map(() => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state >>> 24;
      }),
    );
    return { input: joined(inputs), output: joined(oracle.run(inputs)) };
  });
}

const joined = (tensors: readonly Int8Array[]): Uint8Array =>
  Buffer.concat(
    tensors.map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength),
    ),
  );

/** Asks until there is an answer: a device that hung is reset, and its bootloader listens for a moment. */
export async function until<T>(ask: () => Promise<T>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (systemClock.monotonicMs() > deadlineMs) throw error;
    }
  }
}
