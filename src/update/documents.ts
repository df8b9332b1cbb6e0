import { type Static, Type } from '../core/index.ts';

/**
 * The documents that describe what a fleet runs: the release (a TUF target, so TUF signs it) and the
 * assignment (signed by the online assignment key that the targets role delegates to).
 */

/** Names of fleets, devices, groups and models: they become MQTT topic levels and file names. */
export const NAME_PATTERN = '^[a-z0-9][a-z0-9_-]{0,62}$';
/** Versions of releases: dots allowed, never two in a row, never a path. */
export const VERSION_PATTERN = '^[0-9A-Za-z]+([.+_-][0-9A-Za-z]+)*$';
const SHA256_PATTERN = '^[0-9a-f]{64}$';

/** 64 MiB of model is far above what an Edge TPU or a gateway's CPU serves. */
export const MAX_ARTIFACT_BYTES = 64 * 1024 * 1024;
export const MAX_RELEASE_DOCUMENT_BYTES = 4 * 1024 * 1024;
export const MAX_CHUNK_BYTES = 256 * 1024;
export const MIN_CHUNK_BYTES = 1024;
export const DEFAULT_CHUNK_BYTES = 48 * 1024;
export const MAX_CHUNKS = 65_536;
const MAX_ARTIFACTS = 32;
const MAX_LABELS = 10_000;
const MAX_VERSION_CHARACTERS = 64;
const MAX_ASSIGNED_MODELS = 64;

const strict = { additionalProperties: false } as const;
const Sha256 = Type.String({ pattern: SHA256_PATTERN });
const Name = Type.String({ pattern: NAME_PATTERN });
const Version = Type.String({ pattern: VERSION_PATTERN, maxLength: MAX_VERSION_CHARACTERS });
const Instant = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,3})?Z$',
});

/** One retained message: its payload's SHA-256 names its topic. */
export const Chunk = Type.Object(
  { sha256: Sha256, lengthBytes: Type.Integer({ minimum: 1, maximum: MAX_CHUNK_BYTES }) },
  strict,
);
export type Chunk = Static<typeof Chunk>;

/** A file of a release as it travels: encoded (brotli or as it is), then cut into chunks. */
export const Artifact = Type.Object(
  {
    sha256: Sha256,
    lengthBytes: Type.Integer({ minimum: 1, maximum: MAX_ARTIFACT_BYTES }),
    encoding: Type.Union([Type.Literal('br'), Type.Literal('identity')]),
    encodedBytes: Type.Integer({ minimum: 1, maximum: MAX_ARTIFACT_BYTES }),
    chunks: Type.Array(Chunk, { minItems: 1, maxItems: MAX_CHUNKS }),
  },
  strict,
);
export type Artifact = Static<typeof Artifact>;

/** Artifact names that mean something to an agent. */
export const CPU_ARTIFACT = 'cpu.tflite';
export const EDGETPU_ARTIFACT = 'edgetpu.tflite';
export const GOLDEN_ARTIFACT = 'golden.npz';
/**
 * For microcontrollers, each as a device's slot takes it: a signed container in MCUboot's image format
 * (docs/bootloader.md). The first holds an execution plan, the second a .tflite for firmware with TFLite Micro.
 */
export const MCU_PLAN_ARTIFACT = 'mcu.plan';
export const MCU_TFLITE_ARTIFACT = 'model.tflite';
/** @param board the name of its profile in `devices/boards` */
export const firmwareArtifact = (board: string): string => `firmware-${board}.bin`;

const TensorDescription = Type.Object(
  {
    type: Type.String({ maxLength: 16 }),
    shape: Type.Array(Type.Integer({ minimum: 1 }), { maxItems: 8 }),
    scale: Type.Optional(Type.Number()),
    zeroPoint: Type.Optional(Type.Integer()),
  },
  strict,
);

/**
 * Golden vectors of one execution path: golden.npz holds `input` (int8, uint8 or float32, [count, ...shape]) and
 * `expected_<path>` (float32, dequantized, [count, outputs]). Of microcontrollers it holds the bytes that go to a
 * device and those that must come out, `input_mcu` and `expected_mcu` (int8, [count, bytes]; the tolerance is 0).
 */
const GoldenPath = Type.Object({ toleranceAbs: Type.Number({ minimum: 0 }) }, strict);

export const ReleaseDocument = Type.Object(
  {
    type: Type.Literal('dunlin-release'),
    formatVersion: Type.Literal(1),
    model: Name,
    version: Version,
    createdAt: Instant,
    task: Type.Object(
      {
        kind: Type.Union([
          Type.Literal('classification'),
          Type.Literal('anomaly'),
          Type.Literal('regression'),
        ]),
        labels: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: MAX_LABELS }),
      },
      strict,
    ),
    input: TensorDescription,
    output: TensorDescription,
    metrics: Type.Record(Type.String({ maxLength: 64 }), Type.Number()),
    provenance: Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 1024 })),
    golden: Type.Object(
      {
        count: Type.Integer({ minimum: 1, maximum: 4096 }),
        /** Compared on the input of a final softmax where there is one. */
        on: Type.Union([Type.Literal('logits'), Type.Literal('output')]),
        paths: Type.Object(
          {
            stock: Type.Optional(GoldenPath),
            xnn: Type.Optional(GoldenPath),
            edgetpu: Type.Optional(GoldenPath),
            mcu: Type.Optional(GoldenPath),
          },
          strict,
        ),
        /** Median of one inference, in the sandbox of the device. */
        latencyBudgetUs: Type.Integer({ minimum: 1 }),
      },
      strict,
    ),
    artifacts: Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }), Artifact, {
      minProperties: 1,
      maxProperties: MAX_ARTIFACTS,
    }),
  },
  strict,
);
export type ReleaseDocument = Static<typeof ReleaseDocument>;

/** What a device or a group should run. A device's own assignment outranks its groups', model by model. */
export const Assignment = Type.Object(
  {
    type: Type.Literal('dunlin-assignment'),
    formatVersion: Type.Literal(1),
    fleet: Name,
    subject: Type.Object(
      { kind: Type.Union([Type.Literal('device'), Type.Literal('group')]), name: Name },
      strict,
    ),
    /** Only ever rises; an agent refuses a lower one (replay). */
    sequence: Type.Integer({ minimum: 1 }),
    issuedAt: Instant,
    expires: Instant,
    targets: Type.Array(
      Type.Object({ model: Name, version: Version, releaseSha256: Sha256 }, strict),
      { maxItems: MAX_ASSIGNED_MODELS },
    ),
  },
  strict,
);
export type Assignment = Static<typeof Assignment>;
export type AssignmentSubject = Assignment['subject'];
export type AssignedTarget = Assignment['targets'][number];

/** A release's name as people write it, and its TUF target path. */
export function releaseTargetPath(model: string, version: string): string {
  return `${model}/${version}/release.json`;
}
