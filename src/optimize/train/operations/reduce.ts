import { broadcast } from './numbered.ts';
import type { Operation, OperationDraft } from './operation.ts';

/** For each element of one sample of the input, the element of the output that it goes into. */
function groupsOf({ inputs, constant }: OperationDraft): Int32Array {
  const { shape } = inputs[0]!;
  const axes = constant(1).map((axis) => (axis < 0 ? axis + shape.length : axis));
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return broadcast(kept, shape);
}

/** MEAN over the dimensions that input 1 names. */
export function mean(draft: OperationDraft): Operation {
  const { inputs, outputs, batch } = draft;
  const [input, output] = [inputs[0]!, outputs[0]!];
  const groups = groupsOf(draft);
  const share = output.size / input.size;
  const sums = new Float64Array(output.size);
  return {
    forward: () => {
      const [from, to] = [input.values.floats, output.computed.floats];
      for (let sample = 0; sample < batch; sample++) {
        sums.fill(0);
        const start = sample * input.size;
        for (let place = 0; place < input.size; place++) {
          sums[groups[place]!]! += from[start + place]!;
        }
        for (let place = 0; place < output.size; place++) {
          to[sample * output.size + place] = sums[place]! * share;
        }
      }
    },
    backward: () => {
      if (!input.isTrained) return;
      const [from, to] = [output.gradient.floats, input.gradient.floats];
      for (let sample = 0; sample < batch; sample++) {
        const [start, out] = [sample * input.size, sample * output.size];
        for (let place = 0; place < input.size; place++) {
          to[start + place]! += from[out + groups[place]!]! * share;
        }
      }
    },
  };
}

/** REDUCE_MAX (sign 1) and REDUCE_MIN (-1): of equals, the first is the one that counts. */
function extreme(sign: 1 | -1) {
  return (draft: OperationDraft): Operation => {
    const { inputs, outputs, batch } = draft;
    const [input, output] = [inputs[0]!, outputs[0]!];
    const groups = groupsOf(draft);
    const winners = new Int32Array(batch * output.size);
    return {
      forward: () => {
        const [from, to] = [input.values.floats, output.computed.floats];
        winners.fill(-1);
        for (let sample = 0; sample < batch; sample++) {
          const [start, out] = [sample * input.size, sample * output.size];
          for (let place = 0; place < input.size; place++) {
            const value = from[start + place]!;
            const at = out + groups[place]!;
            if (winners[at] !== -1 && !(sign * value > sign * to[at]!)) continue;
            to[at] = value;
            winners[at] = start + place;
          }
        }
      },
      backward: () => {
        if (!input.isTrained) return;
        const [from, to] = [output.gradient.floats, input.gradient.floats];
        for (let at = 0; at < winners.length; at++) to[winners[at]!]! += from[at]!;
      },
    };
  };
}

export const largest = extreme(1);
export const smallest = extreme(-1);
