import type { Graph } from '../../../tflite/index.ts';

/** A tensor of more channels is an image laid flat; with these two, a hostile model takes no memory to speak of. */
const MAX_TENSOR_CHANNELS = 2 ** 17;
const MAX_CHANNELS = 2 ** 20;

/** Length of the last dimension; a scalar has one channel. */
export const channelsOf = ({ shape }: { readonly shape: readonly number[] }): number =>
  shape.at(-1) ?? 1;

/**
 * Numbers the channels of all activations, and keeps which of them are joined: a union-find with path halving
 * (R. Tarjan, J. van Leeuwen, "Worst-case Analysis of Set Union Algorithms", 1984). Constants, scalars, variables and
 * tensors past the limits above have no channels here.
 */
export class DisjointChannels {
  /** How many channels there are. */
  readonly count: number;
  /** Number of each tensor's channel 0; -1 where it has none. */
  readonly #first: Int32Array;
  readonly #parents: Int32Array;

  constructor(graph: Graph) {
    const { tensors } = graph.subgraph;
    this.#first = new Int32Array(tensors.length).fill(-1);
    let count = 0;
    for (const [index, tensor] of tensors.entries()) {
      const channels = channelsOf(tensor);
      const bare = graph.isConstant(tensor) || tensor.isVariable || tensor.shape.length === 0;
      if (bare || channels > MAX_TENSOR_CHANNELS || count + channels > MAX_CHANNELS) continue;
      this.#first[index] = count;
      count += channels;
    }
    this.count = count;
    this.#parents = Int32Array.from({ length: count }, (_, element) => element);
  }

  has(tensor: number): boolean {
    return this.#first[tensor]! >= 0;
  }

  /** Number of a channel of a tensor that has channels here. */
  element(tensor: number, channel: number): number {
    return this.#first[tensor]! + channel;
  }

  /** The least of all that a channel is joined with. */
  root(element: number): number {
    const parents = this.#parents;
    let at = element;
    while (parents[at] !== at) {
      parents[at] = parents[parents[at]!]!;
      at = parents[at]!;
    }
    return at;
  }

  join(a: number, b: number): void {
    const [one, other] = [this.root(a), this.root(b)];
    this.#parents[Math.max(one, other)] = Math.min(one, other);
  }
}
