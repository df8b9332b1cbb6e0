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
const MAX_MICROCONTROLLERS = 32;
/** What can be done to a device. */
const MCU_PARTS = ['firmware', 'model'] as const;
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
    on: Type.Optional(
      Type.String({
        pattern: NAME_PATTERN,
        description: 'a microcontroller that runs the model; without it, this gateway does',
      }),
    ),
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

const Microcontroller = Type.Object(
  {
    port: Type.String({
      minLength: 1,
      description:
        'a name under /dev/serial/by-id, or what only one name there contains: it outlives ' +
        "replugging; else a port's path",
    }),
    board: Type.String({
      pattern: NAME_PATTERN,
      description: 'a profile in devices/boards; a device that says it is another is left alone',
    }),
    model: Type.String({
      pattern: NAME_PATTERN,
      description:
        "the release's model: its mcu.plan or model.tflite, and its firmware-<board>.bin",
    }),
    baudRate: Type.Optional(
      Type.Integer({
        minimum: 1_200,
        maximum: 12_000_000,
        description: "in place of the baud rate of the board's profile",
      }),
    ),
    signingKeyFile: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'mcu.pub.pem of `dunlin keys init`: files that it did not sign are not even sent',
      }),
    ),
    install: Type.Array(Type.Enum(MCU_PARTS), {
      default: [...MCU_PARTS],
      minItems: 1,
      maxItems: MCU_PARTS.length,
      uniqueItems: true,
      description: 'what of a release goes to the device; firmware first',
    }),
  },
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
    pipelines: Type.Record(Name, Pipeline, { default: {}, maxProperties: MAX_PIPELINES }),
    microcontrollers: Type.Record(Name, Microcontroller, {
      default: {},
      maxProperties: MAX_MICROCONTROLLERS,
      description: 'boards on serial lines of this gateway',
    }),
    mcu: Type.Object(
      {
        atOnce: Type.Integer({
          default: 1,
          minimum: 1,
          maximum: MAX_MICROCONTROLLERS,
          description: 'microcontrollers that are updated at the same time',
        }),
        pollIntervalMs: Type.Integer({
          default: 10_000,
          minimum: 10,
          maximum: HOUR_MS,
          description: 'between two looks at statistics and log',
        }),
        returnIntervalMs: Type.Integer({
          default: 5_000,
          minimum: 10,
          maximum: HOUR_MS,
          description: 'between two looks for a device that is away',
        }),
        probationMs: Type.Integer({
          default: 10 * MINUTE_MS,
          minimum: 10,
          description:
            'a device that infers nothing ends its probation after so long without a failure or a reset',
        }),
      },
      { ...strict, default: {}, description: 'of all microcontrollers' },
    ),
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
export type MicrocontrollerConfig = AgentConfig['microcontrollers'][string];

/**
 * Parses and checks an agent's YAML configuration; file names in it are taken relative to it.
 * @throws `config-invalid`, naming the line of each problem
 */
export function parseAgentConfig(text: string, fileName: string): AgentConfig {
  const config = parseConfig(AgentConfig, text, fileName, problemsOf);
  return withAbsolutePaths(config, dirname(resolve(fileName)));
}

function problemsOf(config: AgentConfig): SchemaProblem[] {
  const { pipelines, microcontrollers } = config;
  const problems: SchemaProblem[] = [];
  if (Object.keys(pipelines).length + Object.keys(microcontrollers).length === 0) {
    const message = 'no pipeline and no microcontroller: there is nothing to do';
    problems.push({ path: '/pipelines', message });
  }
  for (const [name, { schedule, window }] of Object.entries(pipelines)) {
    const at = `/pipelines/${name}`;
    if (!isCronExpression(schedule)) {
      problems.push({ path: `${at}/schedule`, message: `"${schedule}" is no cron expression` });
    }
    if (window.stride > window.samples) {
      const message = `a stride of ${window.stride} skips samples; ${window.samples} is the most`;
      problems.push({ path: `${at}/window/stride`, message });
    }
  }
  return [...problems, ...placesOf(config)];
}

/** Each model has one pipeline here, each microcontroller one that feeds it, and a line of its own. */
function placesOf({ pipelines, microcontrollers }: AgentConfig): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const taken = new Set<string>();
  for (const [name, { model, on }] of Object.entries(pipelines)) {
    const at = `/pipelines/${name}`;
    const device = on === undefined ? undefined : microcontrollers[on];
    if (on !== undefined && device === undefined) {
      problems.push({ path: `${at}/on`, message: `no microcontroller is called ${on}` });
    } else if (device !== undefined && device.model !== model) {
      const message = `${on} runs ${device.model}, not ${model}`;
      problems.push({ path: `${at}/model`, message });
    }
    const place = on === undefined ? `the model ${model}` : `the microcontroller ${on}`;
    if (taken.has(place)) {
      const path = `${at}/${on === undefined ? 'model' : 'on'}`;
      problems.push({ path, message: `another pipeline has ${place} already; each needs its own` });
    }
    taken.add(place);
  }
  const ports = new Set<string>();
  for (const [name, { port }] of Object.entries(microcontrollers)) {
    const message = `another microcontroller is on ${port} already`;
    if (ports.has(port)) problems.push({ path: `/microcontrollers/${name}/port`, message });
    ports.add(port);
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
  const microcontrollers = Object.entries(config.microcontrollers).map(([name, device]) => {
    const { signingKeyFile: file } = device;
    const located = file === undefined ? {} : { signingKeyFile: absolute(file) };
    return [name, { ...device, ...located }] as const;
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
    microcontrollers: Object.fromEntries(microcontrollers),
  };
}
