import {
  elementBytes,
  elementCount,
  type Quantization,
  type TfliteModel,
  type TfliteOperator,
  type TfliteTensor,
} from '../../../tflite/index.ts';
import {
  type ChannelClass,
  type ChannelPartition,
  channelClasses,
  type TensorChannel,
} from './channel-classes.ts';
import type { Layer } from './channel-flow.ts';
import { channelsOf } from './disjoint-channels.ts';

/** What stays of a tensor along one dimension: places in their order. */
interface Cut {
  readonly axis: number;
  readonly kept: readonly number[];
}

/**
 * A model without some of its channels: weights that make them and that read them, biases, per-channel quantization,
 * constants of elementwise operators, and all shapes. Places of tensors and operators stay what they were; constants
 * that become different for their readers are added at the end. `repackModel` drops what nothing uses any more.
 * @param what names the model in errors
 * @param classes of `channelClasses` of the same model. Where a tensor would have no channel left, its first one stays
 *   with its class.
 * @throws what `verifyModel` throws; `model-unsupported` for a class that is frozen or is not the model's
 */
export function removeChannels(
  model: TfliteModel,
  what: string,
  classes: Iterable<ChannelClass>,
): TfliteModel {
  const partition = channelClasses(model, what);
  const ids = new Set<number>();
  for (const { id, members } of classes) {
    const own = partition.classes[id];
    if (own === undefined || !sameMembers(own.members, members)) {
      return partition.graph.fail('model-unsupported', `class ${id} is none of its channels`);
    }
    if (own.frozen !== undefined) {
      partition.graph.fail('model-unsupported', `class ${id} has to stay: ${own.frozen}`);
    }
    ids.add(id);
  }
  return cutChannels(partition, removable(partition, ids));
}

function sameMembers(a: readonly TensorChannel[], b: readonly TensorChannel[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ tensor, channel }, at) => tensor === b[at]!.tensor && channel === b[at]!.channel)
  );
}

/** Less of a removal, by ids of classes, so that every tensor keeps a channel: the first one, with its class. */
export function removable(partition: ChannelPartition, ids: ReadonlySet<number>): Set<number> {
  const left = new Set(ids);
  for (const [tensor, { shape }] of partition.graph.subgraph.tensors.entries()) {
    const first = partition.of(tensor, 0);
    if (first === undefined || !left.has(first.id)) continue;
    let channel = 0;
    while (channel < channelsOf({ shape }) && left.has(partition.of(tensor, channel)!.id)) {
      channel++;
    }
    if (channel === channelsOf({ shape })) left.delete(first.id);
  }
  return left;
}

/** @param ids of classes that are not frozen and leave every tensor a channel: `removable` says so */
export function cutChannels(partition: ChannelPartition, ids: ReadonlySet<number>): TfliteModel {
  return ids.size === 0 ? partition.graph.model : new Cutter(partition, ids).model();
}

class Cutter {
  readonly #partition: ChannelPartition;
  /** Channels that stay, of the tensors that lose some. */
  readonly #kept = new Map<number, readonly number[]>();
  readonly #tensors: TfliteTensor[];
  readonly #buffers: Uint8Array[];
  /** Constants that were cut, by the old one and how it was cut. */
  readonly #constants = new Map<string, number>();

  constructor(partition: ChannelPartition, ids: ReadonlySet<number>) {
    const { graph } = partition;
    this.#partition = partition;
    this.#tensors = [...graph.subgraph.tensors];
    this.#buffers = [...graph.model.buffers];
    const losing = new Set<number>();
    for (const id of ids) {
      for (const { tensor } of partition.classes[id]!.members) losing.add(tensor);
    }
    for (const tensor of losing) {
      const channels = [...Array(channelsOf(graph.tensor(tensor))).keys()];
      this.#kept.set(
        tensor,
        channels.filter((channel) => !ids.has(partition.of(tensor, channel)!.id)),
      );
    }
  }

  model(): TfliteModel {
    const { model, subgraph } = this.#partition.graph;
    for (const [index, kept] of this.#kept) {
      const tensor = this.#tensors[index]!;
      this.#tensors[index] = cutTensor(tensor, [{ axis: tensor.shape.length - 1, kept }]);
    }
    const operators = subgraph.operators.map((operator, place) => this.#operator(operator, place));
    return {
      ...model,
      subgraphs: [{ ...subgraph, tensors: this.#tensors, operators }],
      buffers: this.#buffers,
    };
  }

  #operator(operator: TfliteOperator, place: number): TfliteOperator {
    const flow = this.#partition.flows[place]!;
    const output = operator.outputs[0]!;
    const kept = this.#kept.get(output);
    if (flow.kind === 'mixed' || flow.kind === 'depthwise') {
      return this.#layer(operator, flow.layer);
    }
    if (kept === undefined || flow.kind === 'fixed') return operator;
    const inputs = operator.inputs.map((index, position) => {
      if (!flow.operands.includes(position)) return index;
      const axis = this.#partition.graph.tensor(index).shape.length - 1;
      return this.#constant(index, [{ axis, kept }]);
    });
    return this.#reshape({ ...operator, inputs }, kept.length);
  }

  #layer(operator: TfliteOperator, layer: Layer): TfliteOperator {
    const { graph } = this.#partition;
    const rows = this.#kept.get(layer.output);
    const { shape } = graph.tensor(layer.weights);
    const cuts: Cut[] = rows === undefined ? [] : [{ axis: layer.channelAxis, kept: rows }];
    const read = this.#kept.get(layer.input);
    // Depthwise weights have their outputs along that dimension, and nothing of the inputs.
    if (read !== undefined && layer.channelAxis !== shape.length - 1) {
      const depth = channelsOf(graph.tensor(layer.input));
      const stays = new Set(read);
      const columns = [...Array(channelsOf({ shape })).keys()];
      const kept = columns.filter((column) => stays.has(column % depth));
      cuts.push({ axis: shape.length - 1, kept });
    }
    const inputs = [...operator.inputs];
    inputs[layer.weightsPosition] = this.#constant(layer.weights, cuts);
    if (layer.bias !== -1 && rows !== undefined) {
      inputs[layer.biasPosition] = this.#constant(layer.bias, [{ axis: 0, kept: rows }]);
    }
    if (graph.code(operator).builtin === 'TRANSPOSE_CONV' && rows !== undefined) {
      inputs[0] = this.#shape(inputs[0]!, rows.length);
    }
    return { ...operator, inputs };
  }

  /** Operators that say what shape they make. */
  #reshape(operator: TfliteOperator, channels: number): TfliteOperator {
    const { graph } = this.#partition;
    const { inputs, outputs, options } = operator;
    const { builtin } = graph.code(operator);
    if (builtin === 'RESHAPE') {
      const rank = graph.tensor(outputs[0]!).shape.length;
      const wanted = options['newShape'];
      const newShape =
        Array.isArray(wanted) && wanted.length === rank
          ? { newShape: wanted.with(-1, channels) }
          : {};
      const shape = inputs[1] ?? -1;
      return {
        ...operator,
        inputs: shape === -1 ? inputs : inputs.with(1, this.#shape(shape, channels)),
        options: { ...options, ...newShape },
      };
    }
    if (builtin === 'SQUEEZE') {
      // Without a list every dimension of 1 goes, which the channels' may have become.
      const { shape } = graph.tensor(inputs[0]!);
      const ones = [...shape.keys()].filter((axis) => shape[axis] === 1);
      const listed = options['squeezeDims'];
      const squeezeDims = Array.isArray(listed) && listed.length > 0 ? listed : ones;
      return { ...operator, options: { ...options, squeezeDims } };
    }
    return operator;
  }

  /** A constant that is a shape, with another last dimension. */
  #shape(index: number, channels: number): number {
    const { graph } = this.#partition;
    const values = graph.values(graph.tensor(index)).with(-1, channels);
    const data = new Uint8Array(Int32Array.from(values).buffer);
    return this.#place(index, `${index} ${values}`, (tensor) => ({ tensor, data }));
  }

  #constant(index: number, cuts: readonly Cut[]): number {
    if (cuts.length === 0) return index;
    const key = cuts.map(({ axis, kept }) => `${axis}:${kept}`).join(' ');
    return this.#place(index, `${index} ${key}`, (tensor) => {
      let data = this.#partition.graph.data(tensor);
      let { shape } = tensor;
      for (const cut of cuts) {
        data = cutBytes(data, shape, cut, elementBytes(tensor.type));
        shape = shape.with(cut.axis, cut.kept.length);
      }
      return { tensor: cutTensor(tensor, cuts), data };
    });
  }

  /** In the old one's place where it has one reader; else beside it, once for all who want the same. */
  #place(
    index: number,
    key: string,
    make: (tensor: TfliteTensor) => { readonly tensor: TfliteTensor; readonly data: Uint8Array },
  ): number {
    const there = this.#constants.get(key);
    if (there !== undefined) return there;
    const { tensor, data } = make(this.#partition.graph.tensor(index));
    const made = { ...tensor, buffer: this.#buffers.push(data) - 1 };
    const place = this.#partition.roles.isSole(index) ? index : this.#tensors.length;
    this.#tensors[place] = made;
    this.#constants.set(key, place);
    return place;
  }
}

function cutTensor(tensor: TfliteTensor, cuts: readonly Cut[]): TfliteTensor {
  let { shape, quantization } = tensor;
  for (const cut of cuts) {
    if (quantization !== undefined) quantization = cutQuantization(quantization, cut);
    shape = shape.with(cut.axis, cut.kept.length);
  }
  return { ...tensor, shape, ...(quantization === undefined ? {} : { quantization }) };
}

function cutQuantization(quantization: Quantization, { axis, kept }: Cut): Quantization {
  const { scale, zeroPoint } = quantization;
  if (scale.length === 1 || quantization.axis !== axis) return quantization;
  return {
    scale: kept.map((at) => scale[at]!),
    zeroPoint: kept.map((at) => zeroPoint[at]!),
    axis,
  };
}

/** The bytes of row-major values without some of them along a dimension. */
function cutBytes(
  data: Uint8Array,
  shape: readonly number[],
  { axis, kept }: Cut,
  bytes: number,
): Uint8Array {
  const inner = elementCount(shape.slice(axis + 1)) * bytes;
  const from = shape[axis]! * inner;
  const outer = elementCount(shape.slice(0, axis));
  const cut = new Uint8Array(outer * kept.length * inner);
  for (let row = 0, to = 0; row < outer; row++) {
    for (let at = 0; at < kept.length; ) {
      // Neighbours that stay are copied in one.
      let end = at + 1;
      while (end < kept.length && kept[end] === kept[end - 1]! + 1) end++;
      const start = row * from + kept[at]! * inner;
      cut.set(data.subarray(start, start + (end - at) * inner), to);
      to += (end - at) * inner;
      at = end;
    }
  }
  return cut;
}
