import { latencyNoiseUs } from './choose.ts';
import type { Report, Variant } from './report-document.ts';

/** What pruning and training brought, each quantity against the dense variant's; where they brought nothing, why. */

export type GainQuantity =
  | 'wire'
  | 'file'
  | 'flash'
  | 'weights'
  | 'ram'
  | 'instructions'
  | 'stock'
  | 'xnn'
  | 'macs';

export interface Gain {
  readonly variant: string;
  readonly dense: string;
  readonly quantity: GainQuantity;
  readonly label: string;
  readonly unit: 'bytes' | 'us' | 'count';
  readonly before: number;
  readonly after: number;
  /** `after` as a share of `before`; undefined where there was nothing before. */
  readonly ratio: number | undefined;
  /** `same` up to what two digits of the ratio show; of latencies, up to the machine's noise. */
  readonly change: 'less' | 'same' | 'more';
  /** Why it is not less. */
  readonly reason?: string;
}

interface Quantity {
  readonly quantity: GainQuantity;
  readonly label: string;
  readonly unit: Gain['unit'];
  readonly of: (variant: Variant) => number | undefined;
}

/** A plan's facts; undefined where there is none. */
export function planFacts({ microcontroller }: Variant) {
  return microcontroller === undefined || 'refused' in microcontroller
    ? undefined
    : microcontroller;
}

const QUANTITIES: readonly Quantity[] = [
  {
    quantity: 'wire',
    label: 'on the wire (brotli)',
    unit: 'bytes',
    of: (variant) => variant.compressedBytes,
  },
  { quantity: 'file', label: 'file', unit: 'bytes', of: (variant) => variant.sizeBytes },
  {
    quantity: 'flash',
    label: 'microcontroller flash',
    unit: 'bytes',
    of: (variant) => planFacts(variant)?.planBytes,
  },
  {
    quantity: 'weights',
    label: 'weights in flash',
    unit: 'bytes',
    of: (variant) => planFacts(variant)?.weightBytes,
  },
  {
    quantity: 'ram',
    label: 'microcontroller RAM',
    unit: 'bytes',
    of: (variant) => planFacts(variant)?.ramBytes,
  },
  {
    quantity: 'instructions',
    label: 'instructions',
    unit: 'count',
    of: (variant) => planFacts(variant)?.instructions,
  },
  {
    quantity: 'stock',
    label: 'gateway latency, stock',
    unit: 'us',
    of: (variant) => variant.latency.stock?.p50Us,
  },
  {
    quantity: 'xnn',
    label: 'gateway latency, xnn',
    unit: 'us',
    of: (variant) => variant.latency.xnn?.p50Us,
  },
  { quantity: 'macs', label: 'MACs', unit: 'count', of: (variant) => variant.macs },
];

/** What was done to a model: each way has other reasons for what it leaves as it was. */
type Way = 'trained' | 'weights' | 'channels';

const SPARSE_PLAN =
  'a plan leaves zeros out only of layers where that is smaller and costs no instructions; a larger share makes more';
const LATENCY = 'the runtime multiplies zeros like any other number; --structured removes them';

const FEW_CHANNELS = 'too few channels were removed to show; a larger share removes more';

const REASONS: Readonly<Record<Exclude<Way, 'trained'>, Readonly<Record<GainQuantity, string>>>> = {
  weights: {
    wire: 'too few zeros to compress better; a larger share makes more',
    file: 'a .tflite file stores zeros like any other number; --structured removes them',
    flash: SPARSE_PLAN,
    weights: SPARSE_PLAN,
    ram: 'activations are as large as before; --structured removes channels of them',
    instructions: SPARSE_PLAN,
    stock: LATENCY,
    xnn: LATENCY,
    macs: 'every weight is still multiplied, zeros too; --structured removes them',
  },
  channels: {
    wire: FEW_CHANNELS,
    file: FEW_CHANNELS,
    flash: FEW_CHANNELS,
    weights: FEW_CHANNELS,
    ram: 'the layers that take the most memory at once kept their channels',
    instructions: FEW_CHANNELS,
    stock: FEW_CHANNELS,
    xnn: FEW_CHANNELS,
    macs: FEW_CHANNELS,
  },
};

const TRAINED = 'training changes what the weights are, not how many; --prune removes some';
const NOISE = "within this machine's noise";

/** Two digits after the point, as ratios are written. */
const SAME_RATIO = 0.005;

/**
 * Every quantity of every variant that has a dense one in the report, in the report's order. What was not measured of
 * both is left out.
 */
export function gains(report: Report): Gain[] {
  return report.variants.flatMap((variant) => {
    const dense = denseOf(report, variant);
    if (dense === undefined) return [];
    return QUANTITIES.flatMap((quantity) => gainOf(quantity, variant, dense, wayOf(report)));
  });
}

/** The variant that this one is held against; undefined where it is dense itself, or the other is not there. */
export function denseOf(report: Report, { dense }: Variant): Variant | undefined {
  return dense === undefined ? undefined : report.variants.find(({ name }) => name === dense);
}

function wayOf({ pruning }: Report): Way {
  if (pruning === undefined) return 'trained';
  return pruning.structured ? 'channels' : 'weights';
}

function gainOf(
  { quantity, label, unit, of }: Quantity,
  variant: Variant,
  dense: Variant,
  way: Way,
): Gain[] {
  const [before, after] = [of(dense), of(variant)];
  if (before === undefined || after === undefined) return [];
  const change = changeOf(unit, before, after);
  const reason = change === 'less' ? undefined : reasonOf(quantity, unit, before, after, way);
  return [
    {
      ...{ variant: variant.name, dense: dense.name, quantity, label, unit, before, after, change },
      ratio: before === 0 ? undefined : after / before,
      ...(reason === undefined ? {} : { reason }),
    },
  ];
}

function changeOf(unit: Gain['unit'], before: number, after: number): Gain['change'] {
  const noise = unit === 'us' ? latencyNoiseUs(before, after) : SAME_RATIO * before;
  if (Math.abs(after - before) <= noise) return 'same';
  return after < before ? 'less' : 'more';
}

function reasonOf(
  quantity: GainQuantity,
  unit: Gain['unit'],
  before: number,
  after: number,
  way: Way,
): string | undefined {
  if (way === 'trained') return TRAINED;
  const differs = unit === 'us' && Math.abs(after - before) > SAME_RATIO * before;
  return differs ? `${NOISE}: ${REASONS[way][quantity]}` : REASONS[way][quantity];
}
