import type { Clock, Logger } from '../core/index.ts';
import { type Static, Type } from '../core/index.ts';
import { CommandSource } from './command-source.ts';
import { NpySource } from './npy-source.ts';

const MAX_CHANNELS = 1024;
const MAX_ARGUMENTS = 64;
const strict = { additionalProperties: false } as const;

/** Where samples come from. */
export const SourceConfig = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('command', {
        description: 'a process that writes one comma-separated sample a line',
      }),
      argv: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: MAX_ARGUMENTS }),
      workingDir: Type.Optional(
        Type.String({ minLength: 1, description: 'where it runs: beside the configuration' }),
      ),
      channels: Type.Integer({ minimum: 1, maximum: MAX_CHANNELS }),
    },
    strict,
  ),
  Type.Object(
    {
      kind: Type.Literal('npy', {
        description: 'a float32 array [samples, channels], replayed in a loop',
      }),
      file: Type.String({ minLength: 1 }),
      channels: Type.Integer({ minimum: 1, maximum: MAX_CHANNELS }),
      rateHz: Type.Number({ exclusiveMinimum: 0, maximum: 100_000 }),
    },
    strict,
  ),
]);
export type SourceConfig = Static<typeof SourceConfig>;

export interface SampleSink {
  /** One value a channel. */
  sample(values: ArrayLike<number>): void;
  /** What follows does not join what came before (the source was restarted). */
  gap(): void;
}

/** A running source. Faults are retried by the source itself; `close` ends it. */
export interface SampleSource {
  /** Lines or records that could not be read, and restarts. */
  readonly faultCount: number;
  close(): Promise<void>;
}

export interface SourceDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws `file-missing`, `input-invalid` when the source cannot ever deliver */
export async function openSource(
  config: SourceConfig,
  sink: SampleSink,
  dependencies: SourceDependencies,
): Promise<SampleSource> {
  switch (config.kind) {
    case 'command':
      return new CommandSource(config, sink, dependencies);
    case 'npy':
      return NpySource.open(config, sink, dependencies);
  }
}
