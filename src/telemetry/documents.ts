import { type Static, Type } from '../core/index.ts';
import { HistogramReport } from './histogram.ts';

/** What a device says about itself. All of it travels signed with the device's key. */

const MAX_SAMPLES_PER_BATCH = 512;
const MAX_MODELS = 64;
const MAX_VALUES = 16;
const MAX_MCU_LOG_LINES = 256;
const MAX_MICROCONTROLLERS = 64;
const strict = { additionalProperties: false } as const;

const Sequence = Type.Integer({ minimum: 1 });
const Instant = Type.String({ maxLength: 32 });
const Reason = Type.String({ maxLength: 64 });
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
const header = {
  formatVersion: Type.Literal(1),
  fleet: Type.String(),
  device: Type.String(),
  /** A new one at each start of the agent. */
  bootId: Type.String({ maxLength: 64 }),
  at: Instant,
};

const Version = Type.Object({ model: Type.String(), version: Type.String() }, strict);

export const InferenceSample = Type.Object(
  {
    kind: Type.Literal('inference'),
    pipeline: Type.String(),
    at: Instant,
    model: Version,
    path: Type.String(),
    /** The window's number in this boot: a gap is a dropped inference. */
    window: Sequence,
    latencyUs: Type.Number({ minimum: 0 }),
    /** Of a classifier: the label on top and its share of the softmax, 0 to 1. */
    label: Type.Optional(Type.String()),
    confidence: Type.Optional(Type.Number()),
    /** Of any other model: its first outputs, dequantized. */
    values: Type.Optional(Type.Array(Type.Number(), { maxItems: MAX_VALUES })),
  },
  strict,
);
export type InferenceSample = Static<typeof InferenceSample>;

export const HealthSample = Type.Object(
  {
    kind: Type.Literal('health'),
    pipeline: Type.String(),
    at: Instant,
    uptimeS: Type.Number({ minimum: 0 }),
    memory: Type.Object(
      {
        agentRssBytes: Type.Integer({ minimum: 0 }),
        sandboxRssBytes: Type.Integer({ minimum: 0 }),
        freeBytes: Type.Integer({ minimum: 0 }),
      },
      strict,
    ),
    loadAverage1m: Type.Number({ minimum: 0 }),
    /** Only where the machine has a sensor for it. */
    cpuTemperatureC: Type.Optional(Type.Number()),
    latencyUs: HistogramReport,
    confidence: HistogramReport,
  },
  strict,
);
export type HealthSample = Static<typeof HealthSample>;

const Count = Type.Integer({ minimum: 0 });
/** What lies in a microcontroller's slot: as the device names it. */
const McuImage = Type.Object(
  { version: Type.String({ maxLength: 64 }), hash: Type.String({ maxLength: 128 }) },
  strict,
);

/** As the device counts, since its last reset (docs/smp-model-group.md, "Statistics"). */
export const McuStatistics = Type.Object(
  {
    uptimeMs: Count,
    /** Since its flash was new. */
    resets: Count,
    resetCause: Type.Optional(Type.String({ maxLength: 64 })),
    runs: Count,
    failures: Count,
    lastUs: Type.Optional(Count),
    fastestUs: Type.Optional(Count),
    slowestUs: Type.Optional(Count),
    cycles: Type.Optional(Count),
    arenaBytes: Count,
    stackBytes: Type.Optional(Count),
    /** SMP lines and packets that the device threw away. */
    damagedLines: Count,
    trials: Count,
    reverts: Count,
  },
  strict,
);
export type McuStatistics = Static<typeof McuStatistics>;

/** The line to a microcontroller, as the gateway sees it, since the agent's start. */
export const McuLine = Type.Object(
  {
    receivedBytes: Count,
    packets: Count,
    /** Lines and packets that this side threw away. */
    damagedLines: Count,
    /** How often the device was lost. */
    losses: Count,
  },
  strict,
);
export type McuLine = Static<typeof McuLine>;

/** What a microcontroller says it is and runs. */
export const McuRunning = Type.Object(
  {
    board: Type.String({ maxLength: 64 }),
    bootloader: Type.Optional(Type.String({ maxLength: 512 })),
    firmware: Type.Optional(McuImage),
    /** Absent without our model group, or before the first model. */
    engine: Type.Optional(Type.String({ maxLength: 64 })),
    model: Type.Optional(McuImage),
  },
  strict,
);
export type McuRunning = Static<typeof McuRunning>;

/** A microcontroller's numbers, at the interval of health. */
export const McuSample = Type.Object(
  {
    kind: Type.Literal('microcontroller'),
    microcontroller: Type.String(),
    at: Instant,
    running: McuRunning,
    statistics: Type.Optional(McuStatistics),
    line: McuLine,
  },
  strict,
);
export type McuSample = Static<typeof McuSample>;

/** Warnings and errors out of a microcontroller's log. */
export const McuLogSample = Type.Object(
  {
    kind: Type.Literal('microcontroller-log'),
    microcontroller: Type.String(),
    at: Instant,
    lines: Type.Array(
      Type.Object(
        {
          /** Since the device's reset, from 0. */
          number: Count,
          uptimeMs: Count,
          level: Type.Enum(['error', 'warn']),
          text: Type.String({ maxLength: 512 }),
        },
        strict,
      ),
      { maxItems: MAX_MCU_LOG_LINES },
    ),
    /** Lines of any level that the device no longer had. */
    lost: Count,
  },
  strict,
);
export type McuLogSample = Static<typeof McuLogSample>;

/** `telemetry/<device>`: brotli over the signed envelope. */
export const TelemetryBatch = Type.Object(
  {
    type: Type.Literal('dunlin-telemetry'),
    ...header,
    /** The outbox's number: no gaps for as long as the device lives, so a gap is a loss. */
    sequence: Sequence,
    samples: Type.Array(Type.Union([InferenceSample, HealthSample, McuSample, McuLogSample]), {
      minItems: 1,
      maxItems: MAX_SAMPLES_PER_BATCH,
    }),
  },
  strict,
);
export type TelemetryBatch = Static<typeof TelemetryBatch>;
export type TelemetrySample = TelemetryBatch['samples'][number];

export const EVENT_NAMES = [
  'agent-started',
  'update-started',
  'update-activated',
  'update-committed',
  'update-refused',
  'update-failed',
  'update-held',
  'update-rolled-back',
  'metadata-refused',
  'inference-failed',
  'microcontroller-connected',
  'microcontroller-lost',
  'microcontroller-reset',
  'microcontroller-fault',
] as const;

/** `events/<device>`: something that happened once; travels through the outbox too. */
export const DeviceEvent = Type.Object(
  {
    type: Type.Literal('dunlin-event'),
    ...header,
    sequence: Sequence,
    name: Type.Enum(EVENT_NAMES),
    model: Type.Optional(Version),
    /** Where it happened, when that was not the gateway itself: its name in the configuration. */
    microcontroller: Type.Optional(Type.String({ maxLength: 64 })),
    reason: Type.Optional(Reason),
    message: Type.Optional(Type.String({ maxLength: 512 })),
    /** Of an update: what was asked of the broker, and what the release has. */
    chunksFetched: Type.Optional(Type.Integer({ minimum: 0 })),
    chunksTotal: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  strict,
);
export type DeviceEvent = Static<typeof DeviceEvent>;
export type EventName = (typeof EVENT_NAMES)[number];

const ModelState = Type.Object(
  {
    active: Type.Union([
      Type.Null(),
      Type.Object(
        {
          version: Type.String(),
          releaseSha256: Digest,
          phase: Type.Enum(['probation', 'committed']),
          variant: Type.String(),
          path: Type.String(),
          /** Why this variant and this path: a code. */
          reason: Reason,
        },
        strict,
      ),
    ]),
    update: Type.Union([
      Type.Null(),
      Type.Object(
        {
          version: Type.String(),
          /** `held`: another device of the roll-out refused it (docs/MICROCONTROLLERS.md). */
          phase: Type.Enum(['fetching', 'gating', 'refused', 'failed', 'held']),
          chunksPresent: Type.Integer({ minimum: 0 }),
          chunksTotal: Type.Integer({ minimum: 0 }),
          reason: Type.Optional(Reason),
        },
        strict,
      ),
    ]),
  },
  strict,
);
export type ModelState = Static<typeof ModelState>;

/** A microcontroller behind the gateway. */
const McuState = Type.Object(
  {
    model: Type.String(),
    port: Type.String({ maxLength: 4096 }),
    online: Type.Boolean(),
    /** Why it is not, or why what it should run does not: a code. */
    reason: Type.Optional(Reason),
    /** What is being done to it: `upload`, `test`, `reset`, `self-test`, `confirm` … */
    step: Type.Optional(Type.String({ maxLength: 32 })),
    /** As it said last; absent before the first answer. */
    running: Type.Optional(McuRunning),
    release: ModelState,
    statistics: Type.Optional(McuStatistics),
    line: McuLine,
  },
  strict,
);
export type McuState = Static<typeof McuState>;

/** `state/<device>`, retained: what the device runs and why. */
export const DeviceState = Type.Object(
  {
    type: Type.Literal('dunlin-state'),
    ...header,
    /** Rises with every report of a boot. */
    report: Sequence,
    agentVersion: Type.String(),
    publicKey: Digest,
    models: Type.Record(Type.String(), ModelState, { maxProperties: MAX_MODELS }),
    /** Only where the configuration has some. */
    microcontrollers: Type.Optional(
      Type.Record(Type.String(), McuState, { maxProperties: MAX_MICROCONTROLLERS }),
    ),
    metadata: Type.Object(
      { ok: Type.Boolean(), reason: Type.Optional(Reason), expires: Type.Optional(Instant) },
      strict,
    ),
    inferences: Type.Object(
      {
        windows: Type.Integer({ minimum: 0 }),
        done: Type.Integer({ minimum: 0 }),
        dropped: Type.Integer({ minimum: 0 }),
        failed: Type.Integer({ minimum: 0 }),
      },
      strict,
    ),
    telemetry: Type.Object(
      {
        /** Number of the last message ever put into the outbox. */
        enqueued: Type.Integer({ minimum: 0 }),
        waiting: Type.Integer({ minimum: 0 }),
        dropped: Type.Integer({ minimum: 0 }),
      },
      strict,
    ),
    sourceFaults: Type.Integer({ minimum: 0 }),
  },
  strict,
);
export type DeviceState = Static<typeof DeviceState>;

/** `status/<device>`, retained; the last will says false. Unsigned: the broker makes it. */
export const DeviceStatus = Type.Object(
  { online: Type.Boolean(), bootId: Type.String({ maxLength: 64 }) },
  strict,
);
