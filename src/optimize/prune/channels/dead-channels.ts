import type { TfliteModel } from '../../../tflite/index.ts';
import { type ChannelClass, type ChannelPartition, channelClasses } from './channel-classes.ts';
import type { Layer } from './channel-flow.ts';
import { channelsOf } from './disjoint-channels.ts';
import { layerName } from './layer-name.ts';
import { type RealConstant, realConstant } from './real-constant.ts';
import { cutChannels, removable } from './remove-channels.ts';
import { isHybrid } from './weight-places.ts';
import { zeroChannels } from './zero-channels.ts';

/** Channels that a layer lost. */
export interface RemovedChannels {
  readonly layer: string;
  readonly channels: number;
}

/**
 * Takes out channels that no output depends on. Lossless: integer outputs are the same to the last bit; those of float
 * are sums of the same products, whose order the kernels choose by the number of channels.
 *
 * A channel is live where it is frozen (an output of the model, say), or where a live channel's row of weights reads it
 * with a weight other than zero, and it is not zero itself at every place. All others are dead, whatever they hold:
 * nothing of them reaches a live channel. A walk from the frozen channels back finds all that are live at once, so that
 * another round would find nothing more.
 *
 * Of float activations over int8 weights every channel that is not zero is live, since the range of the whole input is
 * what a kernel quantizes it with.
 * @param what names the model in errors
 * @returns the model itself where nothing is dead; `removed` by the layers whose rows of weights went
 * @throws what `verifyModel` throws
 */
export function removeDeadChannels(
  model: TfliteModel,
  what: string,
): { readonly model: TfliteModel; readonly removed: readonly RemovedChannels[] } {
  const partition = channelClasses(model, what);
  const live = new Liveness(partition).run();
  const dead = new Set(partition.classes.map(({ id }) => id).filter((id) => live[id] === 0));
  // One that stays as its tensor's last is read by nobody who is live, or is zero; its own rows may change.
  const ids = removable(partition, dead);
  return { model: cutChannels(partition, ids), removed: byLayer(partition, ids) };
}

function byLayer(partition: ChannelPartition, ids: ReadonlySet<number>): RemovedChannels[] {
  const counts = new Map<number, number>();
  for (const id of ids) {
    for (const { operator } of partition.classes[id]!.producers) {
      counts.set(operator, (counts.get(operator) ?? 0) + 1);
    }
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([operator, channels]) => ({ layer: layerName(partition.graph, operator), channels }));
}

class Liveness {
  readonly #partition: ChannelPartition;
  readonly #zero: Uint8Array;
  /** By id of class. */
  readonly #live: Uint8Array;
  readonly #waiting: ChannelClass[] = [];
  readonly #weights = new Map<number, RealConstant>();

  constructor(partition: ChannelPartition) {
    this.#partition = partition;
    this.#zero = zeroChannels(partition);
    this.#live = new Uint8Array(partition.classes.length);
  }

  /** @returns 1 for each class that is live */
  run(): Uint8Array {
    for (const found of this.#partition.classes) {
      if (found.frozen !== undefined) this.#mark(found);
    }
    for (const flow of this.#partition.flows) {
      if (flow.kind === 'mixed' || flow.kind === 'depthwise') this.#markRange(flow.layer);
    }
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      for (const { operator, channel } of next.producers) this.#markRow(operator, channel);
    }
    return this.#live;
  }

  #mark(found: ChannelClass): void {
    if (this.#live[found.id] === 1) return;
    this.#live[found.id] = 1;
    this.#waiting.push(found);
  }

  #markRead(tensor: number, channel: number): void {
    const { elements } = this.#partition;
    if (!elements.has(tensor) || this.#zero[elements.element(tensor, channel)] === 1) return;
    this.#mark(this.#partition.of(tensor, channel)!);
  }

  #markRange(layer: Layer): void {
    const { graph } = this.#partition;
    if (!isHybrid(graph, layer)) return;
    for (let channel = 0; channel < channelsOf(graph.tensor(layer.input)); channel++) {
      this.#markRead(layer.input, channel);
    }
  }

  /** What a row of weights reads. */
  #markRow(operator: number, row: number): void {
    const { graph, flows } = this.#partition;
    const flow = flows[operator]!;
    if (flow.kind !== 'mixed') return;
    const { input, output, weights } = flow.layer;
    const values = this.#weights.get(weights) ?? realConstant(graph, weights);
    this.#weights.set(weights, values);
    const taps = values.length / channelsOf(graph.tensor(output));
    const depth = channelsOf(graph.tensor(input));
    for (let tap = 0; tap < taps; tap++) {
      const index = row * taps + tap;
      if (values.isZero(index)) continue;
      const channel = tap % depth;
      if (Number.isFinite(values.at(index))) this.#markRead(input, channel);
      // Whatever reads a zero with such a weight makes no zero of it.
      else {
        const read = this.#partition.of(input, channel);
        if (read !== undefined) this.#mark(read);
      }
    }
  }
}
