import { bestLatency, type Loss, lossOf } from '../choose.ts';
import { planFacts } from '../gains.ts';
import type { Agreement, LayerError, Report, Variant } from '../report-document.ts';
import { FLOAT_VARIANT } from '../variant-names.ts';
import { bytes, decibels, duration, operations, points, smallShare } from './format.ts';

/** What the page derives from a report: which variant it is about, its best path, its loss, what its budget says. */

export function floatVariant(report: Report): Variant | undefined {
  return report.variants.find((variant) => variant.name === FLOAT_VARIANT);
}

export function chosenVariant(report: Report): Variant | undefined {
  const { variant: name } = report.choice;
  return report.variants.find((variant) => variant.name === name);
}

/** The variant that details are shown of first: the chosen one, else the smallest. */
export function focusVariant(report: Report): Variant | undefined {
  const [smallest] = report.variants.toSorted((a, b) => a.sizeBytes - b.sizeBytes);
  return chosenVariant(report) ?? smallest;
}

export interface Closeness extends Agreement {
  readonly on: 'logits' | 'output';
}

/** Logits tell more than the output: a softmax flattens errors of the values that lost. */
export function closeness(variant: Variant): Closeness {
  if (variant.logits !== undefined) return { on: 'logits', ...variant.logits };
  return { on: 'output', ...variant.output };
}

/** What a variant loses; a budget's `drop` limits it. */
export function loss(report: Report, variant: Variant): Loss {
  return lossOf(variant, floatVariant(report) ?? variant);
}

/** What the losses of a report are of. Of the signal: then the largest output need not be an answer. */
export function lossKind(report: Report): Loss['of'] {
  const reference = floatVariant(report) ?? report.variants[0];
  return reference === undefined ? 'signal' : lossOf(reference, reference).of;
}

/** How a kind of loss is called and written. */
export const LOSS_WORDS: Readonly<
  Record<Loss['of'], { readonly label: string; readonly write: (share: number) => string }>
> = {
  accuracy: { label: 'loss of accuracy', write: points },
  agreement: { label: 'loss of top-1 by class', write: points },
  signal: { label: 'error', write: (share) => `${smallShare(share)} of the signal` },
};

/** An agreement that always giving the same answer would reach as well says nothing. */
export function beatsConstant(agreement: Agreement): boolean {
  return agreement.top1ByClass > agreement.constantPredictor;
}

export type BudgetKey = keyof Report['choice']['budget'];

export interface BudgetCheck {
  readonly key: BudgetKey;
  readonly label: string;
  readonly value: string;
  readonly limit: string;
  readonly met: boolean;
}

/** One limit of the budget: what it is called, how it is written, and a variant's figure for it. */
interface BudgetRule {
  readonly key: BudgetKey;
  readonly label: string;
  readonly atLeast?: true;
  readonly write: (value: number) => string;
  /** `Infinity` meets what must be at least something. */
  readonly figure: (report: Report, variant: Variant) => number | undefined;
}

const RULES: readonly BudgetRule[] = [
  { key: 'sizeBytes', label: 'file size', write: bytes, figure: (_, v) => v.sizeBytes },
  {
    key: 'compressedBytes',
    label: 'compressed size',
    write: bytes,
    figure: (_, v) => v.compressedBytes,
  },
  { key: 'latencyUs', label: 'latency', write: duration, figure: (_, v) => bestLatency(v)?.p50Us },
  {
    key: 'memoryBytes',
    label: 'peak activation memory',
    write: bytes,
    figure: (_, v) => v.peakActivationBytes,
  },
  {
    key: 'flashBytes',
    label: 'microcontroller flash',
    write: bytes,
    figure: (_, v) => planFacts(v)?.planBytes,
  },
  {
    key: 'ramBytes',
    label: 'microcontroller RAM',
    write: bytes,
    figure: (_, v) => planFacts(v)?.ramBytes,
  },
  {
    key: 'instructions',
    label: 'instructions',
    write: operations,
    figure: (_, v) => planFacts(v)?.instructions,
  },
  {
    key: 'sqnrDb',
    label: 'SQNR',
    atLeast: true,
    write: (value) => decibels(value === Number.POSITIVE_INFINITY ? null : value),
    figure: (_, v) => closeness(v).sqnrDb ?? Number.POSITIVE_INFINITY,
  },
];

function rules(report: Report): BudgetRule[] {
  const figure: BudgetRule['figure'] = (_, variant) => loss(report, variant).share;
  return [...RULES, { key: 'drop', ...LOSS_WORDS[lossKind(report)], figure }];
}

/** The limits that were set, in words: "file size at most 80.0 kB". */
export function budgetLimits(report: Report): string[] {
  return rules(report).flatMap((rule) => {
    const limit = report.choice.budget[rule.key];
    return limit === undefined ? [] : [`${rule.label} ${limitText(rule, limit)}`];
  });
}

function limitText(rule: BudgetRule, limit: number): string {
  return `${rule.atLeast ? 'at least' : 'at most'} ${rule.write(limit)}`;
}

/** A variant's figures against the limits that were set. */
export function budgetChecks(report: Report, variant: Variant): BudgetCheck[] {
  return rules(report).flatMap((rule) => {
    const limit = report.choice.budget[rule.key];
    if (limit === undefined) return [];
    const figure = rule.figure(report, variant);
    const met = figure !== undefined && (rule.atLeast ? figure >= limit : figure <= limit);
    const value = figure === undefined ? 'not measured' : rule.write(figure);
    return [{ key: rule.key, label: rule.label, value, limit: limitText(rule, limit), met }];
  });
}

const MAX_WORST_LAYERS = 5;

/** A layer's own error where it was measured: it names the layer at fault, not the ones after it. */
export function layerSqnrDb(layer: LayerError): number | null {
  return layer.ownSqnrDb === undefined ? layer.accumulatedSqnrDb : layer.ownSqnrDb;
}

/** The layers with the largest error, worst first: at most five, and at most a third of all that have an error. */
export function worstLayers(layers: readonly LayerError[]): LayerError[] {
  const rank = (layer: LayerError): number => layerSqnrDb(layer) ?? Number.POSITIVE_INFINITY;
  const wrong = layers.filter((layer) => layerSqnrDb(layer) !== null);
  const length = Math.min(MAX_WORST_LAYERS, Math.ceil(wrong.length / 3));
  return wrong.toSorted((a, b) => rank(a) - rank(b)).slice(0, length);
}

/** A variant on a plane of cost (less is better) and closeness (more is better; null is best of all). */
export interface TradePoint {
  readonly cost: number;
  readonly sqnrDb: number | null;
}

/** Points that no other beats on this plane, from the cheapest on. Of equal ones the first stays. */
export function tradeFront<T extends TradePoint>(candidates: readonly T[]): T[] {
  const quality = (point: TradePoint): number => point.sqnrDb ?? Number.POSITIVE_INFINITY;
  const sorted = candidates.toSorted((a, b) => a.cost - b.cost || quality(b) - quality(a));
  const front: T[] = [];
  for (const point of sorted) {
    const last = front.at(-1);
    if (last === undefined || quality(point) > quality(last)) front.push(point);
  }
  return front;
}
