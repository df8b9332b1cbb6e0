import { BlockMoves } from './block-moves.ts';
import { numbered, turned } from './numbered.ts';
import { type Operation, type OperationDraft, sampleOffset } from './operation.ts';
import { addToBias, startFromBias, weightsOf } from './weighted.ts';
import { windowPlan, windowStruct } from './window.ts';

/**
 * TRANSPOSE_CONV: a convolution backward. The window lies on the output, its places are the pixels of the input, and
 * each pixel adds its products to what the window shows there. Weights are [out, h, w, in].
 */
export function transposedConvolution(draft: OperationDraft): Operation {
  const { inputs, outputs, batch, memory, operator } = draft;
  const [input, output] = [inputs[2]!, outputs[0]!];
  const weights = weightsOf(draft);
  const [channels, kernelH, kernelW, depth] = weights.shape as [number, number, number, number];
  const shape = { image: output.shape, places: input.shape, kernelH, kernelW };
  const struct = windowStruct(memory, output.shape[0]!, shape, windowPlan(operator, shape));
  const rows = input.size / depth;
  const width = kernelH * kernelW * channels;
  // [h w out, in], as the window's columns go: taps, then channels.
  const [byTap, byDepth] = [memory.reserve(width * depth), memory.reserve(width * depth)];
  const taps = turned(numbered(weights.shape), [1, 2, 0, 3]);
  const moves = BlockMoves.gather(memory, taps);
  memory.needScratch(rows * width);
  const columnsOf = (sample: number): number => {
    const image = output.gradient.address + sampleOffset(output, sample);
    memory.kernels.imageToColumns(struct.address, image, memory.scratch.address);
    return memory.scratch.address;
  };
  return {
    forward: () => {
      const { kernels, scratch } = memory;
      startFromBias(draft, channels, output);
      moves.copy(weights.values.address, byTap.address);
      kernels.transpose(width, depth, byTap.address, byDepth.address);
      for (let sample = 0; sample < batch; sample++) {
        const from = input.values.address + sampleOffset(input, sample);
        scratch.floats.fill(0, 0, rows * width);
        const [by, to] = [byDepth.address, scratch.address];
        kernels.gemm(rows, width, depth, from, depth, 1, by, width, to, width);
        const image = output.computed.address + sampleOffset(output, sample);
        kernels.addColumnsToImage(struct.address, to, image);
      }
    },
    backward: () => {
      const { kernels } = memory;
      addToBias(draft, channels, output);
      const sums = byDepth;
      sums.floats.fill(0);
      for (let sample = 0; sample < batch; sample++) {
        const columns = columnsOf(sample);
        const pixels = input.values.address + sampleOffset(input, sample);
        kernels.gemm(width, depth, rows, columns, 1, width, pixels, depth, sums.address, depth);
        if (!input.isTrained) continue;
        const to = input.gradient.address + sampleOffset(input, sample);
        kernels.gemm(rows, depth, width, columns, width, 1, byTap.address, depth, to, depth);
      }
      moves.addBack(sums.address, weights.gradient.address);
    },
  };
}
