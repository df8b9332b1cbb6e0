import { dirname, resolve } from 'node:path';
import { validate as isCronExpression } from 'node-cron';
import { LOG_LEVELS, parseConfig, type SchemaProblem, type Static, Type } from '../core/index.ts';
import { SourceConfig } from '../sensors/index.ts';
import { NAME_PATTERN } from '../update/index.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MIB = 1024 * 1024;
const MAX_GROUPS = 16;
const MAX_PIPELINES = 16;
const strict = { additionalProperties: false } as const;
const Name = Type.String({ pattern: NAME_PATTERN });
const FilePath = Type.String({ minLength: 1 });

const Broker = Type.Object(
  {
    url: Type.String({ pattern: '^mqtts?://', description: 'mqtts:// outside a trusted wire' }),
    caFile: Type.Optional(FilePath),
    certFile: Type.Optional(FilePath),
    keyFile: Type.Optional(FilePath),
    username: Type.Optional(Type.String()),
    passwordFile: Type.Optional(FilePath),
    /** Longest pause between two tries to connect. */
    reconnectMaxMs: Type.Integer({ default: 30_000, minimum: 200 }),
  },
  strict,
);

const Pipeline = Type.Object(
  {
    model: Name,
    source: SourceConfig,
    window: Type.Object(
      {
        samples: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        stride: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      },
      strict,
    ),
    schedule: Type.String({
      default: '* * * * * *',
      description: 'node-cron expression: when the windows that have come in are inferred',
    }),
  },
  // Without a default of its own, TypeBox fills in no defaults inside a record's values.
  { ...strict, default: {} },
);

export const AgentConfig = Type.Object(
  {
    fleet: Name,
    device: Name,
    groups: Type.Array(Name, { default: [], maxItems: MAX_GROUPS }),
    stateDir: Type.String({ minLength: 1, description: 'models, keys, chunks, outbox' }),
    broker: Broker,
    trust: Type.Object(
      {
        rootFile: Type.String({
          description: "the fleet's root.json; never taken from the broker",
        }),
      },
      strict,
    ),
    pipelines: Type.Record(Name, Pipeline, { minProperties: 1, maxProperties: MAX_PIPELINES }),
    inference: Type.Object(
      {
        path: Type.Enum(['auto', 'xnn', 'stock', 'edgetpu'], { default: 'auto' }),
        delegateFile: Type.Optional(
          Type.String({ description: "in place of libedgetpu.so.1 in the system's folders" }),
        ),
        timeoutMs: Type.Integer({ default: 5_000, minimum: 10, maximum: 10 * MINUTE_MS }),
        memoryLimitBytes: Type.Integer({ default: 512 * MIB, minimum: 64 * MIB }),
      },
      { ...strict, default: {} },
    ),
    update: Type.Object(
      {
        checkIntervalMs: Type.Integer({ default: HOUR_MS, minimum: 1_000 }),
        retryMinMs: Type.Integer({ default: 5_000, minimum: 10 }),
        retryMaxMs: Type.Integer({ default: 10 * MINUTE_MS, minimum: 10 }),
        probationInferences: Type.Integer({ default: 20, minimum: 1, maximum: 100_000 }),
      },
      { ...strict, default: {} },
    ),
    telemetry: Type.Object(
      {
        healthIntervalMs: Type.Integer({ default: MINUTE_MS, minimum: 1_000 }),
        stateIntervalMs: Type.Integer({ default: MINUTE_MS, minimum: 100 }),
        outboxMaxBytes: Type.Integer({ default: 64 * MIB, minimum: MIB }),
        outboxMaxEntries: Type.Integer({ default: 100_000, minimum: 100 }),
      },
      { ...strict, default: {} },
    ),
    log: Type.Object(
      {
        level: Type.Enum(LOG_LEVELS, { default: 'info' }),
        format: Type.Enum(['text', 'json'], { default: 'text' }),
      },
      { ...strict, default: {} },
    ),
  },
  strict,
);
export type AgentConfig = Static<typeof AgentConfig>;
export type PipelineConfig = AgentConfig['pipelines'][string];

/**
 * Parses and checks an agent's YAML configuration; file names in it are taken relative to it.
 * @throws `config-invalid`, naming the line of each problem
 */
export function parseAgentConfig(text: string, fileName: string): AgentConfig {
  const config = parseConfig(AgentConfig, text, fileName, problemsOf);
  return withAbsolutePaths(config, dirname(resolve(fileName)));
}

function problemsOf({ pipelines }: AgentConfig): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const models = new Set<string>();
  for (const [name, { model, schedule, window }] of Object.entries(pipelines)) {
    const at = `/pipelines/${name}`;
    if (models.has(model)) {
      const message = `another pipeline has the model ${model} already; each needs its own`;
      problems.push({ path: `${at}/model`, message });
    }
    models.add(model);
    if (!isCronExpression(schedule)) {
      problems.push({ path: `${at}/schedule`, message: `"${schedule}" is no cron expression` });
    }
    if (window.stride > window.samples) {
      const message = `a stride of ${window.stride} skips samples; ${window.samples} is the most`;
      problems.push({ path: `${at}/window/stride`, message });
    }
  }
  return problems;
}

function withAbsolutePaths(config: AgentConfig, base: string): AgentConfig {
  const absolute = (path: string): string => resolve(base, path);
  const broker = { ...config.broker };
  for (const key of ['caFile', 'certFile', 'keyFile', 'passwordFile'] as const) {
    if (broker[key] !== undefined) broker[key] = absolute(broker[key]);
  }
  const pipelines = Object.entries(config.pipelines).map(([name, pipeline]) => {
    const { source } = pipeline;
    const located =
      source.kind === 'npy'
        ? { ...source, file: absolute(source.file) }
        : { ...source, workingDir: absolute(source.workingDir ?? '.') };
    return [name, { ...pipeline, source: located }] as const;
  });
  const { delegateFile } = config.inference;
  // A bare name is looked for in the system's folders.
  const isPath = delegateFile?.includes('/') === true;
  return {
    ...config,
    inference: {
      ...config.inference,
      ...(isPath ? { delegateFile: absolute(delegateFile) } : {}),
    },
    stateDir: absolute(config.stateDir),
    trust: { rootFile: absolute(config.trust.rootFile) },
    broker,
    pipelines: Object.fromEntries(pipelines),
  };
}
