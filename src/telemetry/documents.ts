import { type Static, Type } from '../core/index.ts';
import { HistogramReport } from './histogram.ts';

/** What a device says about itself. All of it travels signed with the device's key. */

const MAX_SAMPLES_PER_BATCH = 512;
const MAX_MODELS = 64;
const MAX_VALUES = 16;
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

/** `telemetry/<device>`: brotli over the signed envelope. */
export const TelemetryBatch = Type.Object(
  {
    type: Type.Literal('dunlin-telemetry'),
    ...header,
    /** The outbox's number: no gaps for as long as the device lives, so a gap is a loss. */
    sequence: Sequence,
    samples: Type.Array(Type.Union([InferenceSample, HealthSample]), {
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
  'update-rolled-back',
  'metadata-refused',
  'inference-failed',
] as const;

/** `events/<device>`: something that happened once; travels through the outbox too. */
export const DeviceEvent = Type.Object(
  {
    type: Type.Literal('dunlin-event'),
    ...header,
    sequence: Sequence,
    name: Type.Enum(EVENT_NAMES),
    model: Type.Optional(Version),
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
          phase: Type.Enum(['fetching', 'gating', 'refused', 'failed']),
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
