import { DunlinError } from '../core/index.ts';
import type { Budget, Variant } from './report-document.ts';

/** Files closer in size than this are the same size, and the faster one is the better. */
const SIZE_NOISE = 0.15;
const BUDGET_HELP =
  'write for example size=40k,drop=1% (size, compressed, memory, latency, drop, sqnr, flash, ram, instructions)';

/**
 * `size=40k,drop=1%`: bytes with k or M (of 1,000), latency in us or ms, drop in percent or as a share, sqnr in dB;
 * of a microcontroller flash and ram in bytes, instructions with k or M.
 * @throws `usage`
 */
export function parseBudget(text: string): Budget {
  const budget: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [, name, number, unit] =
      /^\s*([a-z]+)\s*<?=\s*([0-9]*\.?[0-9]+)\s*([a-zA-Z%µ]*)\s*$/.exec(part) ?? [];
    const field = own(FIELDS, name ?? '');
    const factor = field && own(field.units, unit ?? '');
    if (field === undefined || factor === undefined || field.key in budget) {
      throw new DunlinError(`--budget: "${part.trim()}" is not understood; ${BUDGET_HELP}`, {
        code: 'usage',
      });
    }
    const value = Number(number) * factor;
    // A bare 1 is more likely one percent than all of it.
    if (field.key === 'drop' && (value > 1 || (value === 1 && unit === ''))) {
      throw new DunlinError('--budget: a drop of 100 % or more allows anything; write drop=1%', {
        code: 'usage',
      });
    }
    budget[field.key] = field.whole ? Math.floor(value) : value;
  }
  return budget;
}

/** What a table itself has by a name, and not `constructor` and its like. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

const BYTES = { '': 1, B: 1, k: 1e3, kB: 1e3, K: 1e3, M: 1e6, MB: 1e6 };
const FIELDS: Readonly<
  Record<
    string,
    {
      readonly key: keyof Budget;
      readonly units: Readonly<Record<string, number>>;
      readonly whole?: true;
    }
  >
> = {
  size: { key: 'sizeBytes', units: BYTES, whole: true },
  compressed: { key: 'compressedBytes', units: BYTES, whole: true },
  memory: { key: 'memoryBytes', units: BYTES, whole: true },
  latency: { key: 'latencyUs', units: { '': 1, us: 1, µs: 1, ms: 1e3, s: 1e6 } },
  drop: { key: 'drop', units: { '': 1, '%': 0.01 } },
  sqnr: { key: 'sqnrDb', units: { '': 1, dB: 1, db: 1 } },
  flash: { key: 'flashBytes', units: BYTES, whole: true },
  ram: { key: 'ramBytes', units: BYTES, whole: true },
  instructions: { key: 'instructions', units: { '': 1, k: 1e3, K: 1e3, M: 1e6 }, whole: true },
};

/** The limits that a variant can only keep with the facts of a microcontroller. */
const MICROCONTROLLER_LIMITS = ['flashBytes', 'ramBytes', 'instructions'] as const;

export const limitsMicrocontroller = (budget: Budget): boolean =>
  MICROCONTROLLER_LIMITS.some((key) => budget[key] !== undefined);

/** What a variant loses against the float model. */
export interface Loss {
  /** Below zero where accuracy is better than float's. */
  readonly share: number;
  readonly of: 'accuracy' | 'agreement' | 'signal';
}

/**
 * With labels: accuracy. Without, for a classifier: agreement with float, averaged over classes. Else: the error's
 * share of the signal, by root mean square, so that 40 dB are 1 %.
 */
export function lossOf(variant: Variant, float: Variant): Loss {
  if (variant.accuracy !== undefined && float.accuracy !== undefined) {
    return { share: float.accuracy - variant.accuracy, of: 'accuracy' };
  }
  if (variant.logits !== undefined)
    return { share: 1 - variant.logits.top1ByClass, of: 'agreement' };
  const { sqnrDb } = variant.output;
  return { share: sqnrDb === null ? 0 : 10 ** (-sqnrDb / 20), of: 'signal' };
}

export interface BestLatency {
  readonly path: 'stock' | 'xnn';
  readonly p50Us: number;
  readonly p99Us: number;
}

/** The execution path with the lower median; undefined where nothing ran. */
export function bestLatency({ latency: { stock, xnn } }: Variant): BestLatency | undefined {
  if (xnn !== undefined && (stock === undefined || xnn.p50Us <= stock.p50Us)) {
    return { path: 'xnn', ...xnn };
  }
  return stock && { path: 'stock', ...stock };
}

const qualityDb = ({ logits, output }: Variant): number =>
  (logits ?? output).sqnrDb ?? Number.POSITIVE_INFINITY;

/** Latencies closer than this are the same: a machine's own noise. */
const LATENCY_NOISE = 0.05;
const LATENCY_NOISE_US = 10;

/**
 * Names of the variants than which no other is at least as good in size (also on the wire), latency and error, and
 * better in one.
 */
export function paretoFront(variants: readonly Variant[]): Set<string> {
  const slower = (a: Variant, b: Variant): number => {
    const [left, right] = [bestLatency(a)?.p50Us, bestLatency(b)?.p50Us];
    if (left === undefined || right === undefined) return 0;
    return Math.abs(left - right) <= LATENCY_NOISE * Math.min(left, right) ? 0 : left - right;
  };
  const dominates = (a: Variant, b: Variant): boolean => {
    const differences = [
      a.sizeBytes - b.sizeBytes,
      a.compressedBytes - b.compressedBytes,
      slower(a, b),
      qualityDb(a) === qualityDb(b) ? 0 : qualityDb(b) - qualityDb(a),
    ];
    return differences.every((by) => by <= 0) && differences.some((by) => by < 0);
  };
  return new Set(
    variants
      .filter((one) => !variants.some((other) => dominates(other, one)))
      .map(({ name }) => name),
  );
}

/** Differences of latency up to this are a machine's own noise. */
export const latencyNoiseUs = (left: number, right: number): number =>
  Math.max(LATENCY_NOISE * Math.min(left, right), LATENCY_NOISE_US);

/**
 * Of two of about one size: the faster by more than a machine's noise, else the one in int8, else the one that travels
 * lighter.
 */
function isBetter(a: Variant, b: Variant): boolean {
  const [left, right] = [a, b].map((each) => bestLatency(each)?.p50Us ?? Number.MAX_VALUE) as [
    number,
    number,
  ];
  if (Math.abs(left - right) > latencyNoiseUs(left, right)) return left < right;
  if (a.fullyInt8 !== b.fullyInt8) return a.fullyInt8;
  return a.compressedBytes < b.compressedBytes;
}

export interface Choice {
  readonly variant?: string;
  readonly reason: string;
}

/**
 * Of the variants that keep every limit the smallest; of those of about its size the fastest. Without limits it is one
 * of those that were made, whatever they lose: the reason says how much.
 * @param variants the float model first
 */
export function chooseVariant(variants: readonly Variant[], budget: Budget): Choice {
  const float = variants[0]!;
  const judged = variants.map((variant) => ({ variant, misses: missesOf(variant, float, budget) }));
  const kept = judged.filter(({ misses }) => misses.length === 0).map(({ variant }) => variant);
  if (kept.length === 0) return { reason: noneFits(judged) };
  // Whoever asks for a variant and sets no limits does not want the model as it came.
  const free = Object.keys(budget).length === 0 && variants.length > 1;
  const fitting = free ? kept.filter((variant) => variant !== float) : kept;
  const least = Math.min(...fitting.map(({ sizeBytes }) => sizeBytes));
  const small = fitting.filter(({ sizeBytes }) => sizeBytes <= least * (1 + SIZE_NOISE));
  const best = small.reduce((a, b) => (isBetter(b, a) ? b : a));
  const fit = free || fitting.length === variants.length ? '' : ' that fit';
  const rank =
    fitting.length === 1
      ? `the only variant${free ? ' that was made' : ' that fits'}`
      : small.length === 1
        ? `the smallest${fit && ' that fits'}`
        : `the best of the ${small.length} smallest${fit}, which are of about one size`;
  const loss =
    best === float ? 'it is the model as it came' : `it ${lossText(lossOf(best, float))}`;
  const turnedDown = judged
    .filter(({ variant, misses }) => misses.length > 0 && variant.sizeBytes < best.sizeBytes)
    .map(({ variant, misses }) => `; ${variant.name} is smaller but ${said(misses)}`);
  return {
    variant: best.name,
    reason: `${best.name} is ${rank}: ${bytesText(best.sizeBytes)}, and ${loss}${turnedDown.join('')}.`,
  };
}

/** A figure, its limit, how both are written, and how the figure is said. */
type Check = readonly [
  found: number | undefined,
  limit: number | undefined,
  text: (value: number) => string,
  say: (text: string) => string,
];

/** 0.9 - 0.89 is a little more than 0.01. */
const SHARE_DUST = 1e-9;

/** How a variant breaks a limit. */
interface Miss {
  readonly text: string;
  /** How many times as much as is allowed. */
  readonly ratio: number;
}

function missesOf(variant: Variant, float: Variant, budget: Budget): Miss[] {
  const loss = lossOf(variant, float);
  const checks: readonly Check[] = [
    [variant.sizeBytes, budget.sizeBytes, bytesText, (text) => `takes ${text}`],
    [variant.compressedBytes, budget.compressedBytes, bytesText, (text) => `travels as ${text}`],
    [variant.peakActivationBytes, budget.memoryBytes, bytesText, (text) => `works in ${text}`],
    [bestLatency(variant)?.p50Us, budget.latencyUs, latencyText, (text) => `needs ${text}`],
    [loss.share - SHARE_DUST, budget.drop, percentText, () => lossText(loss)],
  ];
  const misses = checks.flatMap(overLimit);
  misses.push(...microcontrollerMisses(variant, budget));
  const decibels = qualityDb(variant);
  return budget.sqnrDb === undefined || decibels >= budget.sqnrDb
    ? misses
    : [
        ...misses,
        {
          text: `is at ${decibels} dB where ${budget.sqnrDb} dB are asked for`,
          ratio: 10 ** ((budget.sqnrDb - decibels) / 20),
        },
      ];
}

const overLimit = ([found, limit, text, say]: Check): Miss[] =>
  found === undefined || limit === undefined || found <= limit
    ? []
    : [
        {
          text: `${say(text(found))} where ${text(limit)} are allowed`,
          ratio: limit === 0 ? Number.POSITIVE_INFINITY : found / limit,
        },
      ];

/** What is not known of a microcontroller keeps no limit of it: a plan that cannot be made runs nowhere. */
function microcontrollerMisses(variant: Variant, budget: Budget): Miss[] {
  if (!limitsMicrocontroller(budget)) return [];
  const unknown = (text: string): Miss[] => [{ text, ratio: Number.POSITIVE_INFINITY }];
  const facts = variant.microcontroller;
  if (facts === undefined) {
    return unknown(
      variant.fullyInt8
        ? 'was not compiled for a microcontroller'
        : 'is not int8 throughout, as a microcontroller needs it',
    );
  }
  if ('refused' in facts) return unknown(`has no plan for a microcontroller (${facts.refused})`);
  const { planBytes, ramBytes, instructions, instructionsReason = 'nobody ran it' } = facts;
  const checks: readonly Check[] = [
    [planBytes, budget.flashBytes, bytesText, (text) => `takes ${text} of flash`],
    [ramBytes, budget.ramBytes, bytesText, (text) => `takes ${text} of RAM`],
    [instructions, budget.instructions, countText, (text) => `takes ${text} instructions`],
  ];
  const uncounted = budget.instructions !== undefined && instructions === undefined;
  return [
    ...checks.flatMap(overLimit),
    ...(uncounted ? unknown(`has no count of instructions (${instructionsReason})`) : []),
  ];
}

const said = (misses: readonly Miss[]): string => misses.map(({ text }) => text).join(' and ');

/** The closest breaks the fewest limits, and of those by the least. */
function noneFits(
  judged: readonly { readonly variant: Variant; readonly misses: readonly Miss[] }[],
): string {
  const worst = (misses: readonly Miss[]): number => Math.max(...misses.map(({ ratio }) => ratio));
  const closest = judged.reduce((a, b) => {
    const fewer = b.misses.length - a.misses.length;
    return fewer < 0 || (fewer === 0 && worst(b.misses) < worst(a.misses)) ? b : a;
  });
  return (
    `No variant fits the budget; closest is ${closest.variant.name}, which ${said(closest.misses)}: ` +
    'allow more, or make the model smaller.'
  );
}

const bytesText = (bytes: number): string =>
  bytes < 1e3
    ? `${bytes} B`
    : bytes < 1e6
      ? `${(bytes / 1e3).toFixed(1)} kB`
      : `${(bytes / 1e6).toFixed(2)} MB`;

const countText = (count: number): string =>
  count < 1e6 ? `${count}` : `${(count / 1e6).toFixed(2)} M`;

const latencyText = (us: number): string =>
  us < 1e3 ? `${us.toFixed(0)} us` : `${(us / 1e3).toFixed(2)} ms`;

const percentText = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** "loses 0.50 % of accuracy" */
export function lossText({ share, of }: Loss): string {
  switch (of) {
    case 'accuracy':
      return share < 0
        ? `gains ${percentText(-share)} of accuracy`
        : `loses ${percentText(share)} of accuracy`;
    case 'agreement':
      return `disagrees with float on ${percentText(share)} (averaged over classes)`;
    case 'signal':
      return `errs by ${percentText(share)} of the signal`;
  }
}
