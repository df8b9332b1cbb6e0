import { type Operation, type OperationDraft, sampleStart } from './operation.ts';
import { type WindowPlan, type WindowShape, windowPlan } from './window.ts';

/** Places of the image that each place of the output looks at, one sample: outputs in turn, then what they see. */
interface Views {
  readonly starts: Int32Array;
  readonly pixels: Int32Array;
}

function viewsOf({ image, places, kernelH, kernelW }: WindowShape, plan: WindowPlan): Views {
  const [images, inH, inW] = image as [number, number, number];
  const [, outH, outW] = places as [number, number, number];
  const pixels: number[] = [];
  const starts = new Int32Array(images * outH * outW + 1);
  for (let place = 0; place + 1 < starts.length; place++) {
    const top = (Math.floor(place / outW) % outH) * plan.strideH - plan.top;
    const left = (place % outW) * plan.strideW - plan.left;
    const first = Math.floor(place / (outW * outH)) * inH;
    for (let y = Math.max(top, 0); y < Math.min(top + kernelH, inH); y++) {
      for (let x = Math.max(left, 0); x < Math.min(left + kernelW, inW); x++) {
        pixels.push((first + y) * inW + x);
      }
    }
    starts[place + 1] = pixels.length;
  }
  return { starts, pixels: Int32Array.from(pixels) };
}

/** What a place of the output sees: the place of its first channel, those of the pixels', and how many these are. */
type Visit = (pixel: number, place: number, count: number, isFirst: boolean) => void;

/** Goes through the batch, pixel by pixel of every window; what lies outside the image does not count. */
function walkOf({ inputs, outputs, operator, batch }: OperationDraft): (visit: Visit) => void {
  const [input, output] = [inputs[0]!, outputs[0]!];
  const shape = {
    image: input.shape,
    places: output.shape,
    kernelH: Number(operator.options['filterHeight']),
    kernelW: Number(operator.options['filterWidth']),
  };
  const { starts, pixels } = viewsOf(shape, windowPlan(operator, shape));
  const channels = input.shape[3]!;
  return (visit) => {
    for (let sample = 0; sample < batch; sample++) {
      const [from, to] = [sampleStart(input, sample), sampleStart(output, sample)];
      for (let place = 0; place + 1 < starts.length; place++) {
        const [start, end] = [starts[place]!, starts[place + 1]!];
        for (let view = start; view < end; view++) {
          const pixel = from + pixels[view]! * channels;
          visit(pixel, to + place * channels, end - start, view === start);
        }
      }
    }
  };
}

/** AVERAGE_POOL_2D */
export function averagePool(draft: OperationDraft): Operation {
  const [input, output] = [draft.inputs[0]!, draft.outputs[0]!];
  const channels = input.shape[3]!;
  const walk = walkOf(draft);
  return {
    forward: () => {
      const [from, to] = [input.values.floats, output.computed.floats];
      to.fill(0);
      walk((pixel, place, count) => {
        for (let c = 0; c < channels; c++) to[place + c]! += from[pixel + c]! / count;
      });
    },
    backward: () => {
      if (!input.isTrained) return;
      const [from, to] = [output.gradient.floats, input.gradient.floats];
      walk((pixel, place, count) => {
        for (let c = 0; c < channels; c++) to[pixel + c]! += from[place + c]! / count;
      });
    },
  };
}

/** MAX_POOL_2D: of equals, the first is the one that counts. */
export function maxPool(draft: OperationDraft): Operation {
  const [input, output] = [draft.inputs[0]!, draft.outputs[0]!];
  const channels = input.shape[3]!;
  const walk = walkOf(draft);
  const winners = new Int32Array(draft.batch * output.size);
  return {
    forward: () => {
      const [from, to] = [input.values.floats, output.computed.floats];
      walk((pixel, place, _, isFirst) => {
        for (let c = 0; c < channels; c++) {
          if (!isFirst && !(from[pixel + c]! > to[place + c]!)) continue;
          to[place + c] = from[pixel + c]!;
          winners[place + c] = pixel + c;
        }
      });
    },
    backward: () => {
      if (!input.isTrained) return;
      const [from, to] = [output.gradient.floats, input.gradient.floats];
      for (let place = 0; place < winners.length; place++) {
        to[winners[place]!]! += from[place]!;
      }
    },
  };
}
