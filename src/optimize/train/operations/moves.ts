import type { TrainingTensor } from '../tensor.ts';
import { BlockMoves } from './block-moves.ts';
import {
  NOTHING,
  type Numbered,
  numbered,
  range,
  reshaped,
  taken,
  takenEach,
  turned,
} from './numbered.ts';
import { type Operation, type OperationDraft, sampleOffset } from './operation.ts';

/*
 * Operators that move values about. Each is a list of places, made here by the rules that `tflite/rules` checks shapes
 * with. The runtime could be asked where numbered inputs come out, but a network would then wait for a process, and end
 * at 2^24 numbers; a few lines for each operator do without. Tests hold every one of them against the runtime.
 */

interface Move {
  readonly input: TrainingTensor;
  readonly output: TrainingTensor;
  readonly moves: BlockMoves;
}

/** @param padding what stands where nothing is moved to; absent where every place gets something */
function movement(
  { batch }: OperationDraft,
  moves: readonly Move[],
  padding?: () => number,
): Operation {
  const each = (visit: (move: Move, from: number, to: number) => void): void => {
    for (const move of moves) {
      for (let sample = 0; sample < batch; sample++) {
        visit(move, sampleOffset(move.input, sample), sampleOffset(move.output, sample));
      }
    }
  };
  return {
    forward: () => {
      if (padding !== undefined) moves[0]!.output.computed.floats.fill(padding());
      each(({ input, output, moves: list }, from, to) =>
        list.copy(input.values.address + from, output.computed.address + to),
      );
    },
    backward: () =>
      each(({ input, output, moves: list }, from, to) => {
        if (!input.isTrained || !output.isTrained) return;
        list.addBack(output.gradient.address + to, input.gradient.address + from);
      }),
  };
}

type Arrangement = (draft: OperationDraft, input: Numbered) => Numbered;

/** One input, rearranged, is the one output. */
function rearranged(arrange: Arrangement, padding?: (draft: OperationDraft) => () => number) {
  return (draft: OperationDraft): Operation => {
    const [input, output] = [draft.inputs[0]!, draft.outputs[0]!];
    const moves = BlockMoves.gather(draft.memory, arrange(draft, numbered(input.shape)));
    return movement(draft, [{ input, output, moves }], padding?.(draft));
  };
}

const option = ({ operator }: OperationDraft, name: string): number =>
  Number(operator.options[name] ?? 0);

/** A dimension, which a negative number counts from the end. */
const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const nothing = (count: number): number[] => new Array<number>(count).fill(NOTHING);

/** Input 1 holds [before, after] of each dimension. */
const padded: Arrangement = (draft, input) => {
  const amounts = draft.constant(1);
  const lists = input.shape.map((size, axis) => [
    ...nothing(amounts[2 * axis]!),
    ...range(0, size),
    ...nothing(amounts[2 * axis + 1]!),
  ]);
  return takenEach(input, lists);
};

/** RESHAPE, SQUEEZE, EXPAND_DIMS: the same values in the same order. */
export const renamed = rearranged((_, input) => input);
export const transpose = rearranged((draft, input) => turned(input, draft.constant(1)));
export const pad = rearranged(padded, () => () => 0);
export const padWithValue = rearranged(
  padded,
  ({ inputs }) =>
    () =>
      inputs[2]!.values.floats[0]!,
);

/** schema.fbs, MirrorPadMode: REFLECT is 0, and leaves the edge out; SYMMETRIC shows it twice. */
export const mirrorPad = rearranged((draft, input) => {
  const amounts = draft.constant(1);
  const edge = option(draft, 'mode') === 0 ? 1 : 0;
  const lists = input.shape.map((size, axis) => {
    const [before, after] = [amounts[2 * axis]!, amounts[2 * axis + 1]!];
    return [
      ...range(edge, before).toReversed(),
      ...range(0, size),
      ...range(size - edge - after, after).toReversed(),
    ];
  });
  return takenEach(input, lists);
});

export const slice = rearranged((draft, input) => {
  const [begins, sizes] = [draft.constant(1), draft.constant(2)];
  const lists = input.shape.map((length, axis) => {
    const begin = begins[axis]!;
    return range(begin, sizes[axis] === -1 ? length - begin : sizes[axis]!);
  });
  return takenEach(input, lists);
});

/** kernels/strided_slice.cc with forward strides. */
export const stridedSlice = rearranged((draft, input) => {
  const [begins, ends, strides] = [1, 2, 3].map((position) => draft.constant(position));
  const isMasked = (name: string, axis: number): boolean =>
    ((option(draft, name) >> axis) & 1) === 1;
  const lists = input.shape.map((size, axis) => {
    const inside = (place: number): number => Math.min(Math.max(axisOf(place, size), 0), size);
    const start = isMasked('beginMask', axis) ? 0 : inside(begins![axis]!);
    if (isMasked('shrinkAxisMask', axis)) return [start];
    const stop = isMasked('endMask', axis) ? size : inside(ends![axis]!);
    return range(start, stop - start).filter((_, index) => index % strides![axis]! === 0);
  });
  return reshaped(takenEach(input, lists), draft.outputs[0]!.shape);
});

export const gather = rearranged((draft, input) =>
  taken(input, axisOf(option(draft, 'axis'), input.shape.length), draft.constant(1)),
);

export const tile = rearranged((draft, input) => {
  const times = draft.constant(1);
  const lists = input.shape.map((size, axis) =>
    range(0, size * times[axis]!).map((place) => place % size),
  );
  return takenEach(input, lists);
});

export const reverse = rearranged((draft, input) => {
  const axis = axisOf(draft.constant(1)[0]!, input.shape.length);
  return taken(input, axis, range(0, input.shape[axis]!).toReversed());
});

export const spaceToDepth = rearranged((draft, input) => {
  const [batch, height, width, depth] = input.shape as [number, number, number, number];
  const size = option(draft, 'blockSize');
  const blocks = reshaped(input, [batch, height / size, size, width / size, size, depth]);
  return turned(blocks, [0, 1, 3, 2, 4, 5]);
});

export const depthToSpace = rearranged((draft, input) => {
  const [batch, height, width, depth] = input.shape as [number, number, number, number];
  const size = option(draft, 'blockSize');
  const blocks = reshaped(input, [batch, height, width, size, size, depth / (size * size)]);
  return turned(blocks, [0, 1, 3, 2, 4, 5]);
});

/** Dimensions of what is cut into blocks: one or two, after the batch and before the channels. */
const spatial = (sizes: readonly number[]): number[] => range(0, sizes.length);

/** kernels/space_to_batch_nd.cc: places within a block come before the batch. */
export const spaceToBatch = rearranged(
  (draft, input) => {
    const [sizes, pads] = [draft.constant(1), draft.constant(2)];
    const whole = spatial(sizes).reduce(
      (array, index) =>
        taken(array, index + 1, [
          ...nothing(pads[2 * index]!),
          ...range(0, input.shape[index + 1]!),
          ...nothing(pads[2 * index + 1]!),
        ]),
      input,
    );
    const cut = sizes.flatMap((size, index) => [whole.shape[index + 1]! / size, size]);
    const blocks = reshaped(whole, [whole.shape[0]!, ...cut, whole.shape.at(-1)!]);
    const [outer, inner] = [1, 2].map((first) => spatial(sizes).map((index) => first + 2 * index));
    return turned(blocks, [...inner!, 0, ...outer!, 2 * sizes.length + 1]);
  },
  () => () => 0,
);

/** kernels/batch_to_space_nd.cc, the other way. */
export const batchToSpace = rearranged((draft, input) => {
  const [sizes, crops] = [draft.constant(1), draft.constant(2)];
  const count = sizes.reduce((product, size) => product * size, 1);
  const blocks = reshaped(input, [...sizes, input.shape[0]! / count, ...input.shape.slice(1)]);
  const rank = sizes.length;
  const pairs = spatial(sizes).flatMap((index) => [rank + 1 + index, index]);
  const joined = sizes.map((size, index) => size * input.shape[index + 1]!);
  const whole = reshaped(turned(blocks, [rank, ...pairs, 2 * rank + 1]), [
    input.shape[0]! / count,
    ...joined,
    input.shape.at(-1)!,
  ]);
  return spatial(sizes).reduce((array, index) => {
    const [before, after] = [crops[2 * index]!, crops[2 * index + 1]!];
    return taken(array, index + 1, range(before, joined[index]! - before - after));
  }, whole);
});

/** kernels/internal/reference/resize_nearest_neighbor.h, in its float32. */
export const resizeNearest = rearranged((draft, input) => {
  const { alignCorners, halfPixelCenters } = draft.operator.options;
  const offset = halfPixelCenters === true ? 0.5 : 0;
  const nearest = (size: number, wanted: number): number[] => {
    const aligned = alignCorners === true && wanted > 1;
    const scale = Math.fround(aligned ? (size - 1) / (wanted - 1) : size / wanted);
    return range(0, wanted).map((place) => {
      const at = Math.fround((place + offset) * scale);
      return Math.min(alignCorners === true ? Math.round(at) : Math.floor(at), size - 1);
    });
  };
  const [height, width] = draft.constant(1) as [number, number];
  const rows = taken(input, 1, nearest(input.shape[1]!, height));
  return taken(rows, 2, nearest(input.shape[2]!, width));
});

/** The input in pieces along a dimension, an output each. */
function cut(position: number, axisIn: (draft: OperationDraft) => number) {
  return (draft: OperationDraft): Operation => {
    const input = draft.inputs[position]!;
    const axis = axisOf(axisIn(draft), input.shape.length);
    let start = 0;
    const moves = draft.outputs.map((output) => {
      const sameRank = output.shape.length === input.shape.length;
      const length = sameRank ? output.shape[axis]! : 1;
      const piece = taken(numbered(input.shape), axis, range(start, length));
      start += length;
      return { input, output, moves: BlockMoves.gather(draft.memory, piece) };
    });
    return movement(draft, moves);
  };
}

export const split = cut(1, (draft) => draft.constant(0)[0]!);
export const splitInto = cut(0, (draft) => draft.constant(2)[0]!);
export const unpack = cut(0, (draft) => option(draft, 'axis'));

/** All inputs in a row along a dimension of the output. */
function joined(draft: OperationDraft): Operation {
  const output = draft.outputs[0]!;
  const axis = axisOf(option(draft, 'axis'), output.shape.length);
  let start = 0;
  const moves = draft.inputs.map((each) => {
    const input = each!;
    const sameRank = output.shape.length === input.shape.length;
    const length = sameRank ? input.shape[axis]! : 1;
    const places = taken(numbered(output.shape), axis, range(start, length));
    start += length;
    return { input, output, moves: BlockMoves.scatter(draft.memory, places) };
  });
  return movement(draft, moves);
}

export const concatenation = joined;
export const pack = joined;
