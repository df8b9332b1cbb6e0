import type { Clock, Logger } from '../core/index.ts';
import type { EdgeTpuUse } from './edge-tpu.ts';
import type { ExecutionPath } from './execution-path.ts';
import { type LoadedModel, Sandbox, type SandboxLimits } from './sandbox.ts';

/** Loads a model on a path; the caller closes it. @throws as `Sandbox.load` */
export type LoadModel = (
  model: Uint8Array,
  what: string,
  path: ExecutionPath,
) => Promise<LoadedModel>;

export interface SandboxLoaderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<SandboxLimits>;
  /** Asked when a model is to run on an Edge TPU. */
  readonly edgeTpu?: () => EdgeTpuUse;
}

/** Each model in a sandbox of its own. */
export function sandboxLoader({ clock, logger, limits, edgeTpu }: SandboxLoaderOptions): LoadModel {
  return async (model, what, path) =>
    Sandbox.load({
      model,
      what,
      path,
      clock,
      logger,
      ...(limits === undefined ? {} : { limits }),
      ...(path === 'edgetpu' && edgeTpu !== undefined ? { device: edgeTpu() } : {}),
    });
}
