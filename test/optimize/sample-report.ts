import type {
  Agreement,
  LayerError,
  MicrocontrollerFacts,
  Pruning,
  Report,
  Training,
  Variant,
  WeightSummary,
} from '../../src/optimize/report-document.ts';
import { variantMode } from '../../src/optimize/variant-names.ts';

/** Reports like those of a real run, made of a small generator so that every run sees the same. */

/** Mulberry32 (T. Ettinger, public domain). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function digestOf(digit: string): string {
  return digit.repeat(64);
}

export function agreement(sqnrDb: number | null, changes: Partial<Agreement> = {}): Agreement {
  const top1 = sqnrDb === null ? 1 : Math.max(0.25, 1 - 10 ** (-sqnrDb / 15));
  return {
    sqnrDb,
    maxAbsError: sqnrDb === null ? 0 : 10 ** (-sqnrDb / 20) * 4,
    top1,
    top1ByClass: sqnrDb === null ? 1 : Math.max(0.25, top1 - 0.004),
    constantPredictor: 0.25,
    ...changes,
  };
}

const KINDS = ['CONV_2D', 'DEPTHWISE_CONV_2D', 'CONV_2D', 'ADD', 'AVERAGE_POOL_2D'] as const;

function kindOf(operator: number, layerCount: number): string {
  return operator === layerCount - 1 ? 'FULLY_CONNECTED' : KINDS[operator % KINDS.length]!;
}

function tensorOf(operator: number, kind: string): string {
  const block = Math.floor(operator / 5);
  return `motor/features/block_${block}/${kind.toLowerCase()}_${operator}/BiasAdd`;
}

/** Layers whose errors add up; every ninth or so is much worse by itself. */
export function sampleLayers(layerCount: number, baseDb: number, seed = 1): LayerError[] {
  const random = generator(seed);
  let noise = 0;
  return Array.from({ length: layerCount }, (_, operator) => {
    const kind = kindOf(operator, layerCount);
    const exact = kind === 'AVERAGE_POOL_2D' && operator < 5;
    const dip = random() < 0.11 ? 14 : 0;
    const ownSqnrDb = exact ? null : baseDb + random() * 9 - dip;
    noise = noise * 0.97 + (ownSqnrDb === null ? 0 : 10 ** (-ownSqnrDb / 10));
    const side = Math.max(1, 64 >> Math.floor(operator / 8));
    return {
      operator,
      name: kind,
      tensor: tensorOf(operator, kind),
      shape: [1, side, side, 16],
      accumulatedSqnrDb: noise === 0 ? null : -10 * Math.log10(noise),
      ownSqnrDb,
    };
  });
}

export function sampleWeights(layerCount: number, isInt8: boolean, seed = 2): WeightSummary[] {
  const random = generator(seed);
  const BINS = 48;
  return Array.from({ length: layerCount }, (_, operator) => operator)
    .filter((operator) => /CONV|FULLY/.test(kindOf(operator, layerCount)))
    .map((operator) => {
      const kind = kindOf(operator, layerCount);
      const reach = 0.2 + random();
      const width = 4 + random() * 8;
      const middle = BINS / 2 + random() * 6 - 3;
      const counts = Array.from({ length: BINS }, (_, bin) =>
        Math.round(4000 * Math.exp(-(((bin - middle) / width) ** 2)) * (0.7 + 0.6 * random())),
      );
      return {
        tensor: `motor/features/block_${Math.floor(operator / 5)}/kernel_${operator}`,
        operator: kind,
        shape: [16, 3, 3, 16],
        histogram: { low: -reach, high: reach * 0.9, counts },
        sparsity: random() * 0.3,
        ...(isInt8 && { saturated: random() * 0.01 }),
      };
    });
}

/** The int8 variant takes float: its first operator stays on the CPU, and so do the last three. */
function mapping(layerCount: number, fullyInt8: boolean): Variant['edgeTpu'] {
  const stop = fullyInt8 ? layerCount - 3 : 0;
  const operators = Array.from({ length: layerCount }, (_, operator) => {
    const listed = { operator, name: kindOf(operator, layerCount) };
    const cannot = (reason: string) => ({ ...listed, maps: false, reason });
    if (!fullyInt8) return cannot('computes in float32: quantize it to int8');
    if (operator === stop) return cannot('has weights (input 1) that are computed');
    if (operator === 0) return cannot('turns the float32 input into int8 on the CPU');
    if (operator < stop) return { ...listed, maps: true };
    return { ...cannot(`comes after operator ${stop}, which does not map`), after: true as const };
  });
  return {
    mapped: operators.filter(({ maps }) => maps).length,
    total: layerCount,
    operators,
  };
}

export interface VariantOptions {
  readonly name: string;
  readonly sizeBytes: number;
  readonly latencyUs: number;
  readonly sqnrDb: number | null;
  readonly layerCount: number;
}

export function sampleVariant(options: VariantOptions, changes: Partial<Variant> = {}): Variant {
  const { name, sizeBytes, latencyUs, sqnrDb, layerCount } = options;
  const mode = variantMode(name);
  const fullyInt8 = mode === 'int8';
  const accuracy = 0.974 - (sqnrDb === null ? 0 : 10 ** (-sqnrDb / 14));
  return {
    name,
    file: `${name}.tflite`,
    sha256: digestOf(name === 'float' ? 'a' : 'b'),
    sizeBytes,
    compressedBytes: Math.round(sizeBytes * 0.83),
    latency: {
      stock: { p50Us: latencyUs * 1.31, p99Us: latencyUs * 1.7 },
      xnn: { p50Us: latencyUs, p99Us: latencyUs * 1.24 },
    },
    macs: 12_345_678,
    peakActivationBytes: fullyInt8 ? 98_304 : 393_216,
    sparsity: 0.0312,
    fullyInt8,
    inputType: fullyInt8 ? 'INT8' : 'FLOAT32',
    outputType: fullyInt8 ? 'INT8' : 'FLOAT32',
    logits: agreement(sqnrDb),
    output: agreement(sqnrDb === null ? null : sqnrDb + 3),
    accuracy,
    worstInputs:
      sqnrDb === null
        ? []
        : Array.from({ length: 10 }, (_, place) => ({
            index: (place * 379) % 2000,
            sqnrDb: sqnrDb - 18 + place * 1.3,
            expected: place % 4,
            got: place < 3 ? (place + 1) % 4 : place % 4,
            label: place === 1 ? (place + 1) % 4 : place % 4,
          })),
    layers: sqnrDb === null ? [] : sampleLayers(layerCount, sqnrDb + 6, name.length),
    weights: sampleWeights(layerCount, mode === 'int8' || mode === 'dynamic'),
    keptFloat: [],
    edgeTpu: mapping(layerCount, fullyInt8),
    pareto: mode !== 'dynamic',
    ...changes,
  };
}

/** All of a report but its variants and its choice. */
export function reportAround(variants: Variant[], changes: Partial<Report> = {}): Report {
  return {
    type: 'dunlin-optimize-report',
    formatVersion: 1,
    createdAt: '2026-03-14T09:26:53.000Z',
    machine: {
      cpu: 'Cortex-A72',
      cores: 4,
      architecture: 'arm64',
      node: '20.19.0',
      dunlin: '0.1.0',
    },
    source: {
      file: 'motor.tflite',
      sha256: digestOf('c'),
      sizeBytes: 318_972,
      inputShape: [1, 64, 64, 1],
      outputShape: [1, 4],
      operatorCount: variants[0]?.edgeTpu.total ?? 0,
      parameterCount: 78_340,
      macs: 12_345_678,
    },
    calibration: {
      source: 'calibration.npz',
      sha256: digestOf('d'),
      count: 512,
      ranges: 'percentile 99.99',
    },
    evaluation: {
      source: 'evaluation.npz',
      sha256: digestOf('e'),
      count: 2000,
      separate: true,
      labelled: true,
    },
    options: { perChannel: true, percentile: 99.99, biasCorrection: 'mean' },
    variants,
    choice: { reason: 'No budget was given.', budget: {} },
    warnings: [],
    ...changes,
  };
}

/** Four variants with everything that a report can have. */
export function richReport(layerCount = 31): Report {
  const make = (
    name: string,
    sizeBytes: number,
    latencyUs: number,
    sqnrDb: number | null,
    changes: Partial<Variant> = {},
  ): Variant => sampleVariant({ name, sizeBytes, latencyUs, sqnrDb, layerCount }, changes);
  const int8 = make('int8', 93_412, 431.7, 29.41, {
    keptFloat: [
      { operator: layerCount - 3, name: 'CONV_2D', reason: 'own SQNR of 9.1 dB, below 12 dB' },
    ],
  });
  return reportAround(
    [
      make('float', 318_972, 1204.2, null),
      make('float16', 163_204, 1210.9, 61.2),
      make('dynamic', 98_560, 902.4, 24.8),
      int8,
    ],
    {
      choice: {
        variant: 'int8',
        reason: 'int8 is the fastest of the variants that lose no more than 1 point of accuracy.',
        budget: { sizeBytes: 120_000, latencyUs: 1000, drop: 0.01, sqnrDb: 25 },
      },
      warnings: [
        {
          kind: 'range-not-reached',
          message: 'tensor "features/add" uses 12 of its 256 int8 steps',
          variant: 'int8',
          tensor: 'features/add',
        },
        ...Array.from({ length: 7 }, (_, channel) => ({
          kind: 'dead-channels',
          message: `Channel ${channel} is zero for every calibration input.`,
          tensor: tensorOf(7, 'CONV_2D'),
        })),
        { kind: 'odd-kind', message: 'A kind that the page has no heading for.' },
      ],
    },
  );
}

export function plan(
  changes: Partial<Exclude<MicrocontrollerFacts, { refused: string }>> = {},
): MicrocontrollerFacts {
  return {
    target: 'cortex-m4',
    planBytes: 88_412,
    weightBytes: 78_340,
    ramBytes: 41_984,
    instructions: 14_512_300,
    ...changes,
  };
}

/** Every share that the sensitivity of a layer was measured at. */
const SHARES = [0, 0.25, 0.5, 0.625, 0.75, 0.875];

export function samplePruning(layerCount: number, structured: boolean): Pruning {
  const random = generator(5);
  const layers = Array.from({ length: layerCount }, (_, operator) => operator)
    .filter((operator) => /CONV|FULLY/.test(kindOf(operator, layerCount)))
    .map((operator) => {
      const weights = 16 * 9 * (1 + (operator % 7));
      const zeros = Math.round(weights * (operator === 0 ? 0.25 : 0.6 + random() * 0.35));
      const robust = 18 + random() * 30;
      const steep = 8 + random() * 40;
      return {
        layer: tensorOf(operator, kindOf(operator, layerCount)),
        ...{ weights, zeros },
        ...(structured && {
          channels: { before: 16, after: 16 - Math.round((16 * zeros) / weights) },
        }),
        sensitivity: SHARES.map((share) => ({
          share,
          sqnrDb: share === 0 ? null : robust + steep * (1 - share) ** 2,
        })),
      };
    });
  const sum = (of: (layer: (typeof layers)[number]) => number): number =>
    layers.reduce((total, layer) => total + of(layer), 0);
  return {
    ...{ share: 0.75, structured, scope: 'global', layers },
    prunableWeights: sum(({ weights }) => weights),
    zeroWeights: sum(({ zeros }) => zeros),
  };
}

export function sampleTraining(points = 60): Training {
  const random = generator(6);
  const every = 20;
  const curve = Array.from({ length: points }, (_, index) => {
    const step = index * every;
    const done = points === 1 ? 1 : index / (points - 1);
    const bump = done > 0.6 ? 0.08 : 0;
    const loss = 0.08 + bump + 1.1 * Math.exp(-5 * done) * (0.9 + 0.2 * random());
    return {
      ...{ step, loss, quantized: done > 0.6 },
      ...(index % 5 === 0 && { validationLoss: loss * 1.1 + 0.02 }),
      sparsity: 0.75 * (1 - (1 - Math.min(1, done / 0.5)) ** 3),
    };
  });
  const steps = (points - 1) * every;
  return {
    ...{ samples: 2048, labelled: true, batch: 32, seed: 7, steps, plannedSteps: steps * 2, curve },
    stopped: 'plateau',
  };
}

/** A report of a pruned and fine-tuned model: each mode twice, with the facts of a microcontroller. */
export function prunedReport(structured = false, layerCount = 31): Report {
  const rich = richReport(layerCount);
  const dense = rich.variants.map(
    (variant): Variant =>
      variant.name === 'int8' ? { ...variant, microcontroller: plan() } : variant,
  );
  const smaller = (value: number, share: number): number => Math.round(value * share);
  const pruned = dense.map((variant): Variant => {
    const { name, latency, sizeBytes } = variant;
    const scaled = structured ? 0.41 : 1;
    const own = {
      name: `pruned-${name}`,
      sizeBytes: smaller(sizeBytes, scaled),
      latencyUs: latency.xnn!.p50Us * (structured ? 0.5 : 0.99),
      sqnrDb: name === 'float' ? 24.2 : 21.7,
      layerCount,
    };
    return sampleVariant(own, {
      dense: name,
      compressedBytes: smaller(variant.compressedBytes, 0.38),
      macs: smaller(variant.macs, scaled),
      sparsity: structured ? 0.02 : 0.748,
      ...(name === 'int8' && {
        microcontroller: plan({
          ...{ planBytes: 39_120, weightBytes: 29_404, instructions: 8_112_900 },
          ramBytes: structured ? 22_016 : 41_984,
        }),
      }),
    });
  });
  return {
    ...rich,
    variants: [...dense, ...pruned],
    choice: {
      variant: 'pruned-int8',
      reason:
        'pruned-int8 is the only variant that fits: 93.4 kB, and it loses 2.81 % of accuracy.',
      budget: { flashBytes: 64_000, ramBytes: 48_000, instructions: 10_000_000, drop: 0.05 },
    },
    pruning: samplePruning(layerCount, structured),
    training: sampleTraining(),
  };
}

/** One variant of one layer, with every optional part absent and no choice. */
export function minimalReport(): Report {
  const variant: Variant = {
    ...sampleVariant({
      name: 'int8',
      sizeBytes: 912,
      latencyUs: 3.2,
      sqnrDb: 31.5,
      layerCount: 1,
    }),
    latency: {},
    output: agreement(31.5, { top1: 1, top1ByClass: 1, constantPredictor: 1 }),
    worstInputs: [],
    layers: [{ operator: 0, name: 'ADD', tensor: 'sum', shape: [], accumulatedSqnrDb: 31.5 }],
    weights: [],
    edgeTpu: { mapped: 0, total: 0, operators: [] },
  };
  delete variant.logits;
  delete variant.accuracy;
  const report = reportAround([variant], {
    evaluation: {
      source: 'calibration.npz',
      sha256: digestOf('d'),
      count: 1,
      separate: false,
      labelled: false,
    },
    options: {},
    choice: {
      reason: 'The smallest variant has 912 bytes.',
      budget: { sizeBytes: 512, latencyUs: 10 },
    },
  });
  return report;
}
