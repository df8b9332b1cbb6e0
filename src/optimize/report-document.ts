import { type Static, Type } from '../core/index.ts';

/**
 * `report.json`: what a run of the optimizer found. Decibels are signal over error of all values together; null where
 * both sides are equal to the last bit (no error, so no ratio). Shares go from 0 to 1.
 */

const strict = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0 });
const Share = Type.Number({ minimum: 0, maximum: 1 });
const Decibels = Type.Union([Type.Number(), Type.Null()]);
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const MAX_LISTED = 16_384;
const list = <T extends Parameters<typeof Type.Array>[0]>(item: T) =>
  Type.Array(item, { maxItems: MAX_LISTED });

/** How close one set of outputs is to another's. */
export const Agreement = Type.Object(
  {
    sqnrDb: Decibels,
    maxAbsError: Type.Number({ minimum: 0 }),
    /** Share of inputs whose largest output is the same. */
    top1: Share,
    /** `top1` averaged over the classes that the reference names: a frequent one does not outvote the rest. */
    top1ByClass: Share,
    /** What `top1ByClass` gives to always answering the reference's most frequent class. */
    constantPredictor: Share,
  },
  strict,
);
export type Agreement = Static<typeof Agreement>;

/** One layer of a variant against the same layer of the float model. */
export const LayerError = Type.Object(
  {
    /** Position of the operator in the variant's file. */
    operator: Count,
    name: Type.String(),
    tensor: Type.String(),
    shape: list(Count),
    /** Error of everything up to and with this layer. */
    accumulatedSqnrDb: Decibels,
    /** Error of this layer alone, fed with the float model's own activations. */
    ownSqnrDb: Type.Optional(Decibels),
  },
  strict,
);
export type LayerError = Static<typeof LayerError>;

export const WeightSummary = Type.Object(
  {
    tensor: Type.String(),
    operator: Type.String(),
    shape: list(Count),
    /** Counts in equal bins from `low` to `high`, of the values that the file's arithmetic uses. */
    histogram: Type.Object(
      { low: Type.Number(), high: Type.Number(), counts: list(Count) },
      strict,
    ),
    /** Share of zeros. */
    sparsity: Share,
    /** Share at the ends of the int8 range; absent for weights that are not int8. */
    saturated: Type.Optional(Share),
  },
  strict,
);
export type WeightSummary = Static<typeof WeightSummary>;

export const EdgeTpuMapping = Type.Object(
  {
    /** How many operators the Edge TPU would run: those that map, which need not be the first ones. */
    mapped: Count,
    total: Count,
    /** In order of execution. */
    operators: list(
      Type.Object(
        {
          operator: Count,
          name: Type.String(),
          maps: Type.Boolean(),
          /** Why not; absent where it maps. */
          reason: Type.Optional(Type.String()),
          /** By itself it would map, but the compiler has stopped before it. */
          after: Type.Optional(Type.Literal(true)),
        },
        strict,
      ),
    ),
  },
  strict,
);
export type EdgeTpuMapping = Static<typeof EdgeTpuMapping>;

const Latency = Type.Object({ p50Us: Type.Number(), p99Us: Type.Number() }, strict);

/** What a variant takes of a microcontroller as an execution plan; or why there is no plan of it. */
export const MicrocontrollerFacts = Type.Union([
  Type.Object(
    {
      target: Type.Literal('cortex-m4'),
      /** The plan: what the model takes of flash. */
      planBytes: Count,
      /** Of the plan's bytes those that are weights, as they lie in it: dense, or sparse without their zeros. */
      weightBytes: Count,
      /** Arena, and the engine's stack at most. */
      ramBytes: Count,
      /** Of one inference, counted by QEMU. */
      instructions: Type.Optional(Count),
      /** Why they were not counted, and what to do about it. */
      instructionsReason: Type.Optional(Type.String()),
    },
    strict,
  ),
  Type.Object({ refused: Type.String() }, strict),
]);
export type MicrocontrollerFacts = Static<typeof MicrocontrollerFacts>;

export const Variant = Type.Object(
  {
    /** `float` is the model that came in, repacked; `pruned-int8` and `trained-int8` are int8 of a changed one. */
    name: Type.String(),
    /** The variant of the same mode made without pruning and training; absent where this is made so. */
    dense: Type.Optional(Type.String()),
    /** Beside report.json. */
    file: Type.String(),
    sha256: Sha256,
    sizeBytes: Count,
    /** Brotli at quality 11: what an update costs on the wire. */
    compressedBytes: Count,
    /** One inference in the sandbox, by execution path; a path that does not take the model is absent. */
    latency: Type.Object({ stock: Type.Optional(Latency), xnn: Type.Optional(Latency) }, strict),
    macs: Count,
    /** Largest sum of activations that are alive at once: the least working memory of any runtime. */
    peakActivationBytes: Count,
    /** Share of weights that are zero. */
    sparsity: Share,
    fullyInt8: Type.Boolean(),
    inputType: Type.String(),
    outputType: Type.String(),
    /** Against the float model; on the input of a final softmax where there is one. */
    logits: Type.Optional(Agreement),
    output: Agreement,
    accuracy: Type.Optional(Share),
    /** The evaluation inputs with the largest error, worst first. */
    worstInputs: list(
      Type.Object(
        {
          index: Count,
          sqnrDb: Decibels,
          /** Index of the largest output: of the float model, of this one, and the label where there is one. */
          expected: Count,
          got: Count,
          label: Type.Optional(Type.Integer()),
        },
        strict,
      ),
    ),
    layers: list(LayerError),
    weights: list(WeightSummary),
    /** Operators that stayed in float, and why. */
    keptFloat: list(
      Type.Object({ operator: Count, name: Type.String(), reason: Type.String() }, strict),
    ),
    edgeTpu: EdgeTpuMapping,
    /** Of a fully int8 variant; absent where it was not asked for. */
    microcontroller: Type.Optional(MicrocontrollerFacts),
    /** No other variant is at least as good in size, latency and error, and better in one. */
    pareto: Type.Boolean(),
  },
  strict,
);
export type Variant = Static<typeof Variant>;

export const Budget = Type.Object(
  {
    sizeBytes: Type.Optional(Count),
    compressedBytes: Type.Optional(Count),
    latencyUs: Type.Optional(Type.Number({ minimum: 0 })),
    /** Of `peakActivationBytes`. */
    memoryBytes: Type.Optional(Count),
    /** Of accuracy where labels are given, else of top-1 by class, else of the signal: see `lossOf`. */
    drop: Type.Optional(Share),
    sqnrDb: Type.Optional(Type.Number()),
    /** Of a microcontroller: the plan, `ramBytes` and `instructions` of its facts. */
    flashBytes: Type.Optional(Count),
    ramBytes: Type.Optional(Count),
    instructions: Type.Optional(Count),
  },
  strict,
);
export type Budget = Static<typeof Budget>;

export const Pruning = Type.Object(
  {
    /** Of the prunable weights (of the MACs, where it is structured) that was asked for. */
    share: Share,
    /** Whole channels were taken out; else single weights were made zero. */
    structured: Type.Boolean(),
    /** Whether every layer gives its share, or the whole model and some layers more. */
    scope: Type.Union([Type.Literal('layer'), Type.Literal('global')]),
    prunableWeights: Count,
    zeroWeights: Count,
    /** In order of execution. */
    layers: list(
      Type.Object(
        {
          layer: Type.String(),
          weights: Count,
          zeros: Count,
          channels: Type.Optional(Type.Object({ before: Count, after: Count }, strict)),
          /** SQNR of the logits with so much of this layer alone pruned; shares ascending. */
          sensitivity: list(Type.Object({ share: Share, sqnrDb: Decibels }, strict)),
        },
        strict,
      ),
    ),
  },
  strict,
);
export type Pruning = Static<typeof Pruning>;

export const Training = Type.Object(
  {
    samples: Count,
    /** False: the float model's own answers were what was trained for. */
    labelled: Type.Boolean(),
    batch: Count,
    seed: Type.Integer(),
    steps: Count,
    plannedSteps: Count,
    stopped: Type.Union([Type.Literal('steps'), Type.Literal('plateau'), Type.Literal('time')]),
    /** Steps ascending. */
    curve: list(
      Type.Object(
        {
          step: Count,
          loss: Type.Number(),
          validationLoss: Type.Optional(Type.Number()),
          /** Share of the prunable weights that are zero at this step. */
          sparsity: Share,
          /** Whether int8 was simulated in the forward pass. */
          quantized: Type.Boolean(),
        },
        strict,
      ),
    ),
  },
  strict,
);
export type Training = Static<typeof Training>;

export const Report = Type.Object(
  {
    type: Type.Literal('dunlin-optimize-report'),
    formatVersion: Type.Literal(1),
    createdAt: Type.String(),
    machine: Type.Object(
      {
        cpu: Type.String(),
        cores: Count,
        architecture: Type.String(),
        node: Type.String(),
        dunlin: Type.String(),
      },
      strict,
    ),
    source: Type.Object(
      {
        file: Type.String(),
        sha256: Sha256,
        sizeBytes: Count,
        inputShape: list(Count),
        outputShape: list(Count),
        operatorCount: Count,
        parameterCount: Count,
        macs: Count,
      },
      strict,
    ),
    calibration: Type.Object(
      { source: Type.String(), sha256: Sha256, count: Count, ranges: Type.String() },
      strict,
    ),
    evaluation: Type.Object(
      {
        source: Type.String(),
        sha256: Sha256,
        count: Count,
        /** False: the calibration inputs were used again, which flatters every variant. */
        separate: Type.Boolean(),
        labelled: Type.Boolean(),
      },
      strict,
    ),
    /** Everything else that decides the bytes of the variants. */
    options: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    /** What was pruned and how training went; absent where nothing of the kind was asked for. */
    pruning: Type.Optional(Pruning),
    training: Type.Optional(Training),
    variants: list(Variant),
    choice: Type.Object(
      {
        /** Absent where no variant fits the budget. */
        variant: Type.Optional(Type.String()),
        /** One sentence. */
        reason: Type.String(),
        budget: Budget,
      },
      strict,
    ),
    warnings: list(
      Type.Object(
        {
          /**
           * few-samples, same-samples, several-outputs, range-not-reached, dead-channels, clipped, kept-float,
           * pruned-untrained.
           */
          kind: Type.String(),
          message: Type.String(),
          variant: Type.Optional(Type.String()),
          tensor: Type.Optional(Type.String()),
        },
        strict,
      ),
    ),
  },
  strict,
);
export type Report = Static<typeof Report>;

export const REPORT_FILE = 'report.json';
export const REPORT_PAGE_FILE = 'report.html';
