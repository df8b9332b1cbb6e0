import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DunlinError } from '../core/index.ts';

/** What executes a model: the runtime's own kernels, XNNPACK on the CPU, or an Edge TPU. */
export type ExecutionPath = 'stock' | 'xnn' | 'edgetpu';

/** Why a path was taken; part of the reported state. */
export type PathReason =
  | 'requested'
  | 'fastest'
  | 'edgetpu-model'
  | 'xnn-not-built'
  | 'xnn-uint8-model'
  | 'xnn-refused'
  | 'xnn-delegates-nothing';

/** What the choice depends on in a model. */
export interface ModelTraits {
  /** Compiled for the Edge TPU: has an `edgetpu-custom-op`. */
  readonly edgetpu: boolean;
  /** Computes in uint8, which XNNPACK of TFLite 2.9 must not be asked for: it fails there. */
  readonly computesInUint8: boolean;
}

export interface PathChoice {
  readonly path: ExecutionPath;
  readonly reason: PathReason;
}

/**
 * Decides what executes a model.
 * @throws `edgetpu-unavailable`, `inference-refused`, `inference-unavailable` when that path cannot
 */
export function choosePath(
  requested: 'auto' | ExecutionPath,
  model: ModelTraits,
  what: string,
  machine: { readonly xnnBuilt: boolean; readonly edgeTpu: boolean },
): PathChoice {
  const refuse = (message: string): DunlinError =>
    new DunlinError(`${what}: ${message}`, { code: 'inference-refused', context: { requested } });
  if (model.edgetpu) {
    if (requested === 'stock' || requested === 'xnn') {
      throw refuse(`is compiled for an Edge TPU and does not run on the ${requested} path`);
    }
    if (!machine.edgeTpu) {
      throw new DunlinError(
        `${what}: is compiled for an Edge TPU and none can be used here (see: dunlin devices list)`,
        { code: 'edgetpu-unavailable', context: { reason: 'no-device' } },
      );
    }
    return { path: 'edgetpu', reason: requested === 'auto' ? 'edgetpu-model' : 'requested' };
  }
  if (requested === 'edgetpu') {
    throw refuse('is not compiled for the Edge TPU (edgetpu_compiler makes such a file)');
  }
  if (requested === 'stock') return { path: 'stock', reason: 'requested' };
  const obstacle = xnnObstacle(model, machine.xnnBuilt);
  if (requested === 'xnn') {
    if (obstacle === undefined) return { path: 'xnn', reason: 'requested' };
    if (obstacle === 'xnn-uint8-model')
      throw refuse('computes in uint8, which XNNPACK here does not do');
    throw new DunlinError(
      'the XNNPACK delegate is not built; run: node src/inference/native/build.mjs',
      { code: 'inference-unavailable', context: { reason: obstacle } },
    );
  }
  return obstacle === undefined
    ? { path: 'xnn', reason: 'fastest' }
    : { path: 'stock', reason: obstacle };
}

function xnnObstacle(model: ModelTraits, xnnBuilt: boolean): PathReason | undefined {
  if (model.computesInUint8) return 'xnn-uint8-model';
  return xnnBuilt ? undefined : 'xnn-not-built';
}

/** Where the native parts are. */
export interface NativeFiles {
  /** tfjs-tflite-node's addon; its index.js would bring all of tfjs along. */
  readonly addonPath: string;
  /** Our XNNPACK delegate; undefined where it could not be built. */
  readonly xnnPath: string | undefined;
  /** Our way to wait for a socket without sleeping; undefined where it could not be built. */
  readonly socketWaitPath: string | undefined;
}

/** @throws `inference-unavailable` when the runtime is not installed or not built */
export function findNativeFiles(): NativeFiles {
  const addonPath = join(runtimeFolder(), 'build/Release/node_tflite_binding.node');
  if (!existsSync(addonPath)) {
    throw new DunlinError(
      'tfjs-tflite-node has not been built; run: npm rebuild tfjs-tflite-node',
      { code: 'inference-unavailable' },
    );
  }
  return { addonPath, xnnPath: built('xnnpack_delegate'), socketWaitPath: built('socket_wait') };
}

function built(name: string): string | undefined {
  const url = new URL(`../../../src/inference/native/build/Release/${name}.node`, import.meta.url);
  const path = fileURLToPath(url);
  return existsSync(path) ? path : undefined;
}

function runtimeFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('tfjs-tflite-node/package.json'));
  } catch (cause) {
    throw new DunlinError('tfjs-tflite-node is not installed; run: npm ci', {
      code: 'inference-unavailable',
      cause,
    });
  }
}
