import { Graph, printable, type TfliteModel, verifyModel } from '../../../tflite/index.ts';
import { type ChannelFlow, channelFlow, type Tie } from './channel-flow.ts';
import { ConstantRoles } from './constant-roles.ts';
import { channelsOf, DisjointChannels } from './disjoint-channels.ts';

/** One channel of an activation, by its tensor's index. */
export interface TensorChannel {
  readonly tensor: number;
  readonly channel: number;
}

/** A channel of what an operator computes or reads, by the operator's place in the graph. */
export interface OperatorChannel {
  readonly operator: number;
  readonly channel: number;
}

/** Channels that can only go together, since elementwise operators tie them: the unit of removal. */
export interface ChannelClass {
  /** Place among the classes of its model; the same each time for the same model. */
  readonly id: number;
  readonly members: readonly TensorChannel[];
  /** Rows of weights that compute it: output channels of CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV. */
  readonly producers: readonly OperatorChannel[];
  /** Where such operators read it through weights: channels of their inputs. */
  readonly consumers: readonly OperatorChannel[];
  /** Why it has to stay; absent where it may go. */
  readonly frozen?: string;
}

/** Every channel of every activation, in classes. */
export class ChannelPartition {
  readonly graph: Graph;
  /** How each operator goes through channels, in the graph's order. */
  readonly flows: readonly ChannelFlow[];
  readonly roles: ConstantRoles;
  readonly elements: DisjointChannels;
  readonly classes: readonly ChannelClass[];
  /** Class of each element. */
  readonly #ids: Int32Array;

  constructor(graph: Graph) {
    this.graph = graph;
    this.roles = new ConstantRoles(graph);
    this.flows = graph.subgraph.operators.map((operator) =>
      channelFlow(graph, operator, this.roles),
    );
    this.elements = new DisjointChannels(graph);
    for (const tie of this.#ties()) this.#join(tie);
    this.#ids = new Int32Array(this.elements.count).fill(-1);
    this.classes = this.#collect();
  }

  /** Undefined for a tensor that has no channels: a constant, a scalar, a variable, or far too wide. */
  of(tensor: number, channel: number): ChannelClass | undefined {
    if (!this.elements.has(tensor)) return undefined;
    return this.classes[this.#ids[this.elements.element(tensor, channel)]!];
  }

  #ties(): readonly Tie[] {
    return this.flows.flatMap((flow) => {
      if (flow.kind === 'kept') return flow.ties;
      return flow.kind === 'depthwise' ? [flow.tie] : [];
    });
  }

  #join({ input, output, count, inputOf, outputOf }: Tie): void {
    const { elements } = this;
    if (!elements.has(input) || !elements.has(output)) return;
    for (let at = 0; at < count; at++) {
      elements.join(elements.element(input, inputOf(at)), elements.element(output, outputOf(at)));
    }
  }

  #collect(): readonly ChannelClass[] {
    const { graph, elements } = this;
    const classes: { id: number; members: TensorChannel[] }[] = [];
    for (const [tensor, { shape }] of graph.subgraph.tensors.entries()) {
      if (!elements.has(tensor)) continue;
      for (let channel = 0; channel < channelsOf({ shape }); channel++) {
        const element = elements.element(tensor, channel);
        const root = elements.root(element);
        // A root is the least of its class, so it comes first.
        if (root === element) {
          this.#ids[element] = classes.push({ id: classes.length, members: [] }) - 1;
        }
        const id = this.#ids[root]!;
        this.#ids[element] = id;
        classes[id]!.members.push({ tensor, channel });
      }
    }
    const producers: OperatorChannel[][] = classes.map(() => []);
    const consumers: OperatorChannel[][] = classes.map(() => []);
    for (const [operator, flow] of this.flows.entries()) {
      if (flow.kind !== 'mixed') continue;
      this.#note(flow.layer.output, operator, producers);
      this.#note(flow.layer.input, operator, consumers);
    }
    const reasons = this.#reasons(producers);
    return classes.map(({ id, members }) => {
      const reason = reasons.get(id);
      const ends = { producers: producers[id]!, consumers: consumers[id]! };
      return { id, members, ...ends, ...(reason === undefined ? {} : { frozen: reason }) };
    });
  }

  #note(tensor: number, operator: number, into: OperatorChannel[][]): void {
    if (!this.elements.has(tensor)) return;
    for (let channel = 0; channel < channelsOf(this.graph.tensor(tensor)); channel++) {
      into[this.#idOf(tensor, channel)]!.push({ operator, channel });
    }
  }

  #idOf(tensor: number, channel: number): number {
    return this.#ids[this.elements.element(tensor, channel)]!;
  }

  /** Why classes are frozen, by id: the first reason that is found. */
  #reasons(producers: readonly (readonly OperatorChannel[])[]): Map<number, string> {
    const { graph, elements } = this;
    const found = new Map<number, string>();
    const freeze = (
      tensor: number,
      reason: string,
      first = 0,
      count = channelsOf(graph.tensor(tensor)),
    ): void => {
      if (!elements.has(tensor)) return;
      for (let channel = first; channel < first + count; channel++) {
        const id = this.#idOf(tensor, channel);
        if (!found.has(id)) found.set(id, reason);
      }
    };
    for (const index of graph.subgraph.inputs) freeze(index, 'it is an input of the model');
    for (const index of graph.subgraph.outputs) freeze(index, 'it is an output of the model');
    for (const { inputs, outputs } of graph.model.signatures ?? []) {
      for (const { tensor } of [...inputs, ...outputs]) freeze(tensor, 'a signature names it');
    }
    for (const place of this.flows.keys()) this.#freezeOperator(place, freeze);
    for (const [id, ends] of producers.entries()) {
      if (ends.length === 0 && !found.has(id)) found.set(id, 'no weights compute it');
    }
    for (const [index, { name, shape }] of graph.subgraph.tensors.entries()) {
      if (!elements.has(index)) continue;
      const id = this.#idOf(index, 0);
      const last = channelsOf({ shape }) - 1;
      const one = (channel: number): boolean => this.#idOf(index, channel) === id;
      if (one(last) && Array.from({ length: last }, (_, channel) => channel).every(one)) {
        freeze(index, `tensor ${index} "${printable(name)}" would have no channel left`);
      }
    }
    return found;
  }

  #freezeOperator(
    place: number,
    freeze: (tensor: number, reason: string, first?: number, count?: number) => void,
  ): void {
    const { graph, elements } = this;
    const flow = this.flows[place]!;
    if (flow.kind === 'mixed') return;
    const operator = graph.subgraph.operators[place]!;
    const because = (reason: string): string => `${graph.label(operator)} ${reason}`;
    if (flow.kind === 'fixed') {
      const reason = because(flow.reason);
      for (const index of [...operator.inputs, ...operator.outputs]) {
        if (index !== -1) freeze(index, reason);
      }
      return;
    }
    for (const { input, output } of flow.kind === 'kept' ? flow.ties : [flow.tie]) {
      // What is tied to a scalar, say, cannot go without it.
      if (!elements.has(input)) freeze(output, because('reads what has no channels'));
      if (!elements.has(output)) freeze(input, because('makes what has no channels'));
    }
    if (flow.kind === 'depthwise') return;
    for (const { tensor, first, count, reason } of flow.fixed) {
      freeze(tensor, because(reason), first, count);
    }
  }
}

/**
 * Which channels of a model can only go together, and which cannot go at all.
 * @param what names the model in errors
 * @throws what `verifyModel` throws
 */
export function channelClasses(model: TfliteModel, what: string): ChannelPartition {
  verifyModel(model, what);
  return new ChannelPartition(new Graph(model, what));
}
