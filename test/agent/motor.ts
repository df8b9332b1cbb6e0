import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseNpy, silentLogger, systemClock } from '../../src/core/index.ts';
import { Sandbox } from '../../src/inference/index.ts';
import { type BuildOptions, buildRelease, type Repository } from '../../src/release/index.ts';
import { parseModel, serializeModel } from '../../src/tflite/index.ts';

export const MODEL = 'motor';
export const LABELS = ['healthy', 'imbalance', 'misalignment', 'bearing-fault'];
const EXAMPLE = fileURLToPath(new URL('../../../examples/motor/', import.meta.url));
/** Windows of vibration, [32, 256, 1, 3]; also a recording for an npy source. */
export const RECORDING = join(EXAMPLE, 'golden-inputs.npy');
const TOLERANCE_STEPS = 4;

export const motorModel = (version: 'v1' | 'v2'): Promise<Buffer> =>
  readFile(join(EXAMPLE, version, 'int8.tflite'));

/** Builds a release of the motor sample; golden inputs, labels and limits are the sample's own. */
export async function buildMotor(
  repository: Repository,
  version: string,
  options: Pick<BuildOptions, 'cpu'> & Partial<BuildOptions>,
) {
  return buildRelease({
    repository,
    model: MODEL,
    version,
    task: { kind: 'classification', labels: LABELS },
    goldenInputs: parseNpy(await readFile(RECORDING), RECORDING),
    toleranceSteps: TOLERANCE_STEPS,
    metrics: {},
    chunkBytes: 4096,
    nowMs: Date.now(),
    load: (model, what, path) =>
      Sandbox.load({ model, what, path, clock: systemClock, logger: silentLogger }),
    logger: silentLogger,
    signal: new AbortController().signal,
    ...options,
  });
}

/** As edgetpu_compiler would leave the sample: the tensors of v1 around one custom operator. */
export async function edgeTpuMotor(): Promise<Uint8Array> {
  const { subgraphs } = parseModel(await motorModel('v1'), 'v1');
  const { tensors, inputs, outputs } = subgraphs[0]!;
  const operator = { code: 0, inputs: [0], outputs: [1], options: {} };
  return serializeModel({
    version: 3,
    description: 'test',
    operatorCodes: [{ builtin: 'CUSTOM', customCode: 'edgetpu-custom-op', version: 1 }],
    buffers: [new Uint8Array(0)],
    metadata: [],
    subgraphs: [
      {
        name: 'main',
        tensors: [...inputs, ...outputs].map((index) => ({ ...tensors[index]!, buffer: 0 })),
        inputs: [0],
        outputs: [1],
        operators: [{ ...operator, customOptions: Uint8Array.of(1, 2, 3) }],
      },
    ],
  });
}
