import type { Operation, OperationDraft } from './operation.ts';
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

function poolShape({ inputs, outputs, operator }: OperationDraft): WindowShape {
  return {
    image: inputs[0]!.shape,
    places: outputs[0]!.shape,
    kernelH: Number(operator.options['filterHeight']),
    kernelW: Number(operator.options['filterWidth']),
  };
}

/** AVERAGE_POOL_2D: what lies outside the image does not count. */
export function averagePool(draft: OperationDraft): Operation {
  const { inputs, outputs, batch } = draft;
  const [input, output] = [inputs[0]!, outputs[0]!];
  const shape = poolShape(draft);
  const { starts, pixels } = viewsOf(shape, windowPlan(draft.operator, shape));
  const channels = input.shape[3]!;
  const walk = (visit: (from: number, to: number, share: number) => void): void => {
    for (let sample = 0; sample < batch; sample++) {
      for (let place = 0; place + 1 < starts.length; place++) {
        const share = 1 / (starts[place + 1]! - starts[place]!);
        const to = sample * output.size + place * channels;
        for (let view = starts[place]!; view < starts[place + 1]!; view++) {
          visit(sample * input.size + pixels[view]! * channels, to, share);
        }
      }
    }
  };
  return {
    forward: () => {
      const [from, to] = [input.values.floats, output.computed.floats];
      to.fill(0);
      walk((pixel, place, share) => {
        for (let c = 0; c < channels; c++) to[place + c]! += from[pixel + c]! * share;
      });
    },
    backward: () => {
      if (!input.isTrained) return;
      const [from, to] = [output.gradient.floats, input.gradient.floats];
      walk((pixel, place, share) => {
        for (let c = 0; c < channels; c++) to[pixel + c]! += from[place + c]! * share;
      });
    },
  };
}
