import { type Operation, type OperationDraft, sampleStart } from './operation.ts';

/** Along one dimension, the two places that each place of the output lies between, and the share of the second. */
interface Between {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly share: Float32Array;
}

/** kernels/internal/reference/resize_bilinear.h, ComputeInterpolationValues, in its float32. */
function between(
  size: number,
  wanted: number,
  { alignCorners, halfPixelCenters }: OperationDraft['operator']['options'],
): Between {
  const aligned = alignCorners === true && wanted > 1;
  const scale = Math.fround(aligned ? (size - 1) / (wanted - 1) : size / wanted);
  const at = Float32Array.from({ length: wanted }, (_, place) =>
    halfPixelCenters === true ? Math.fround((place + 0.5) * scale) - 0.5 : place * scale,
  );
  const first = Int32Array.from(at, (value) => Math.max(Math.floor(value), 0));
  return {
    first,
    second: Int32Array.from(at, (value) => Math.min(Math.ceil(value), size - 1)),
    share: at.map((value, place) => value - first[place]!),
  };
}

/** RESIZE_BILINEAR: each pixel is a mean of four, and its gradient goes to them by the same shares. */
export function resizeBilinear(draft: OperationDraft): Operation {
  const { inputs, outputs, batch, operator } = draft;
  const [input, output] = [inputs[0]!, outputs[0]!];
  const [images, inH, inW, channels] = input.shape as [number, number, number, number];
  const [, outH, outW] = output.shape as [number, number, number, number];
  const rows = between(inH, outH, operator.options);
  const columns = between(inW, outW, operator.options);
  const walk = (visit: (pixel: number, place: number, share: number) => void): void => {
    for (let sample = 0; sample < batch; sample++) {
      for (let image = 0; image < images; image++) {
        const from = sampleStart(input, sample) + image * inH * inW * channels;
        let place = sampleStart(output, sample) + image * outH * outW * channels;
        for (let y = 0; y < outH; y++) {
          const [top, bottom] = [rows.first[y]! * inW, rows.second[y]! * inW];
          const down = rows.share[y]!;
          for (let x = 0; x < outW; x++) {
            const [left, right] = [columns.first[x]!, columns.second[x]!];
            const over = columns.share[x]!;
            visit(from + (top + left) * channels, place, (1 - down) * (1 - over));
            visit(from + (bottom + left) * channels, place, down * (1 - over));
            visit(from + (top + right) * channels, place, (1 - down) * over);
            visit(from + (bottom + right) * channels, place, down * over);
            place += channels;
          }
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
