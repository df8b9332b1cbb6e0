import { DunlinError } from '../../../core/index.ts';
import { operatorSpec, type TfliteModel } from '../../../tflite/index.ts';
import { type ChannelClass, type ChannelPartition, channelClasses } from './channel-classes.ts';
import { channelsOf } from './disjoint-channels.ts';
import { layerName } from './layer-name.ts';
import { MacCount, type Share } from './mac-count.ts';

/** A layer without most of its channels is another network, which fine-tuning does not bring back. */
export const DEFAULT_LEAST_SHARE = 0.25;
/** Kernels work on four channels or a multiple at a time (XNNPACK, CMSIS-NN): a fifth costs as much as an eighth. */
export const DEFAULT_CHANNEL_MULTIPLE = 4;
/** No kernel works on more. */
const MAX_MULTIPLE = 256;
/** Layers that an error names. */
const MAX_NAMED = 8;

export interface ChannelGoal {
  /** The multiply-accumulates that may be left, as a share of the model's: above 0, at most 1. */
  readonly macsShare: number;
  /** What is lost with a class, from 0; what is no number goes last. */
  readonly importanceOf: (channels: ChannelClass) => number;
  /** The least share of its channels that a layer keeps, 0 to 1; one channel always stays. */
  readonly leastShare?: number;
  /** What the channels left of a layer are a multiple of, as long as the goal can be reached so; 1: any number. */
  readonly multiple?: number;
}

export interface ChannelChoice {
  /** For `removeChannels` of the same model. */
  readonly classes: readonly ChannelClass[];
  /** Multiply-accumulates of one inference. */
  readonly macsBefore: number;
  readonly macsAfter: number;
}

/**
 * Which channels to take out of a model so that it computes less: again and again those with the least importance for
 * each MAC that goes with them (P. Molchanov et al., ICLR 2017, section 2, greedy with the cost of computing as the
 * regularizer), by ones or by as many as bring the layer to a multiple.
 * @param what names the model in errors
 * @throws what `verifyModel` throws; `input-invalid` for a goal that is none; `model-unsupported` where the goal cannot
 *   be reached, with how far it gets and what has to stay
 */
export function chooseChannels(model: TfliteModel, what: string, goal: ChannelGoal): ChannelChoice {
  const { macsShare, leastShare = DEFAULT_LEAST_SHARE, multiple = DEFAULT_CHANNEL_MULTIPLE } = goal;
  const isShare = (value: number): boolean => value >= 0 && value <= 1;
  const isGoal = macsShare > 0 && isShare(macsShare) && isShare(leastShare);
  const isMultiple = Number.isInteger(multiple) && multiple >= 1 && multiple <= MAX_MULTIPLE;
  if (!isGoal || !isMultiple) {
    throw new DunlinError(
      `${what}: a goal of ${macsShare} of its MACs, layers with at least ${leastShare} of their channels, in ` +
        `multiples of ${multiple}; give shares of 0 to 1 and a whole number of 1 to ${MAX_MULTIPLE}`,
      { code: 'input-invalid' },
    );
  }
  const partition = channelClasses(model, what);
  const greedy = new Greedy(partition, goal.importanceOf, leastShare);
  const macsBefore = greedy.macs;
  const target = macsShare * macsBefore;
  greedy.run(target, multiple);
  // Rather odd numbers of channels than no answer.
  greedy.run(target, 1);
  const macsAfter = greedy.macs;
  if (macsAfter > target) refuse(partition, macsShare, macsAfter / macsBefore, leastShare);
  return { classes: greedy.chosen, macsBefore, macsAfter };
}

/** Classes that cost the same: least important first. They are spent in that order. */
interface Family {
  readonly shares: readonly Share[];
  readonly classes: readonly { readonly channels: ChannelClass; readonly importance: number }[];
  spent: number;
}

interface Offer {
  readonly family: Family;
  readonly count: number;
  readonly importancePerMac: number;
}

class Greedy {
  readonly chosen: ChannelClass[] = [];
  readonly #count: MacCount;
  readonly #families: readonly Family[];
  /** Channels left of each layer whose rows of weights may go, and the fewest that it keeps. */
  readonly #left = new Map<number, { channels: number; readonly least: number }>();

  constructor(
    partition: ChannelPartition,
    importanceOf: ChannelGoal['importanceOf'],
    leastShare: number,
  ) {
    this.#count = new MacCount(partition);
    for (const [operator, flow] of partition.flows.entries()) {
      if (flow.kind !== 'mixed') continue;
      const channels = channelsOf(partition.graph.tensor(flow.layer.output));
      const least = Math.max(1, Math.ceil(leastShare * channels));
      this.#left.set(operator, { channels, least });
    }
    this.#families = familiesOf(partition, this.#count, importanceOf);
  }

  get macs(): number {
    return this.#count.total;
  }

  run(target: number, multiple: number): void {
    while (this.macs > target) {
      let best: Offer | undefined;
      for (const family of this.#families) {
        const offer = this.#offer(family, multiple);
        if (offer === undefined) continue;
        if (best === undefined || offer.importancePerMac < best.importancePerMac) best = offer;
      }
      if (best === undefined) return;
      this.#take(best);
    }
  }

  #take({ family, count }: Offer): void {
    const { classes, shares, spent } = family;
    family.spent += count;
    for (const { channels } of classes.slice(spent, family.spent)) this.chosen.push(channels);
    this.#count.remove(shares, count);
    for (const { operator, outputs } of shares) {
      const left = this.#left.get(operator);
      if (left !== undefined) left.channels -= count * outputs;
    }
  }

  #offer(family: Family, multiple: number): Offer | undefined {
    const { shares, classes, spent } = family;
    const count = this.#stepOf(shares, multiple);
    if (spent + count > classes.length) return undefined;
    const fits = this.#layersOf(shares).every(
      ({ channels, least, outputs }) => channels - count * outputs >= least,
    );
    const saving = this.#count.saving(shares, count);
    if (!fits || saving <= 0) return undefined;
    let importance = 0;
    for (let at = spent; at < spent + count; at++) importance += classes[at]!.importance;
    return { family, count, importancePerMac: importance / saving };
  }

  /** How many classes bring each of their layers to a multiple; 1 where no number does. */
  #stepOf(shares: readonly Share[], multiple: number): number {
    const layers = this.#layersOf(shares);
    for (let count = 1; count <= multiple; count++) {
      const fits = layers.every(
        ({ channels, outputs }) => (channels - count * outputs) % multiple === 0,
      );
      if (fits) return count;
    }
    return 1;
  }

  /** Layers that lose rows of weights with a class. */
  #layersOf(shares: readonly Share[]) {
    return shares.flatMap(({ operator, outputs }) => {
      const left = this.#left.get(operator);
      return left === undefined || outputs === 0 ? [] : [{ ...left, outputs }];
    });
  }
}

function familiesOf(
  { classes }: ChannelPartition,
  count: MacCount,
  importanceOf: ChannelGoal['importanceOf'],
): readonly Family[] {
  const found = new Map<
    string,
    { shares: readonly Share[]; classes: Family['classes'][number][] }
  >();
  for (const channels of classes) {
    if (channels.frozen !== undefined) continue;
    const shares = count.sharesOf(channels);
    const key = JSON.stringify(shares);
    const family = found.get(key) ?? { shares, classes: [] };
    found.set(key, family);
    const given = importanceOf(channels);
    const importance = Number.isNaN(given) ? Number.POSITIVE_INFINITY : given;
    family.classes.push({ channels, importance });
  }
  return [...found.values()].map((family) => ({
    shares: family.shares,
    // Infinity less Infinity is no order.
    classes: family.classes.sort((a, b) =>
      a.importance === b.importance ? 0 : a.importance - b.importance,
    ),
    spent: 0,
  }));
}

function refuse(
  partition: ChannelPartition,
  wanted: number,
  reached: number,
  leastShare: number,
): never {
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  const frozen = frozenLayers(partition);
  const named = frozen.slice(0, MAX_NAMED).map(({ layer, reason }) => `"${layer}" (${reason})`);
  const more = frozen.length > MAX_NAMED ? ` and ${frozen.length - MAX_NAMED} more` : '';
  const stay = named.length === 0 ? '' : `, and these stay whole: ${named.join(', ')}${more}`;
  return partition.graph.fail(
    'model-unsupported',
    `taking out channels leaves ${percent(reached)} of its MACs at the least, and ${percent(wanted)} are asked for; ` +
      `every layer keeps ${percent(leastShare)} of its channels${stay}`,
    { reached, frozen },
  );
}

/** Layers with channels that may not go, and why the first may not. */
function frozenLayers(
  partition: ChannelPartition,
): { readonly layer: string; readonly reason: string }[] {
  const { graph } = partition;
  return [...graph.subgraph.operators.entries()].flatMap(([place, operator]) => {
    if (operatorSpec(graph.code(operator).builtin)?.weights === undefined) return [];
    const output = operator.outputs[0]!;
    const channels = channelsOf(graph.tensor(output));
    const reasons = Array.from(
      { length: channels },
      (_, channel) => partition.of(output, channel)?.frozen,
    ).filter((reason) => reason !== undefined);
    const [reason] = reasons;
    if (reason === undefined) return [];
    const part = reasons.length < channels ? `${reasons.length} of ${channels} channels: ` : '';
    return [{ layer: layerName(graph, place), reason: `${part}${reason}` }];
  });
}
