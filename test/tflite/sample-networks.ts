import { type TfliteModel, tensorTypeToNumber } from '../../src/tflite/index.ts';
import { ModelBuilder } from './model-builder.ts';
import { activation } from './sample-plan.ts';

/** Where the largest value lies, in 64 bits on the way, as an index and as a number. */
export function indexModel(): TfliteModel {
  const b = new ModelBuilder();
  const input = b.tensor([2, 5]);
  const wide = b.tensor([2], { type: 'int64' });
  const [index, number, again] = [b.tensor([2], { type: 'int32' }), b.tensor([2]), b.tensor([2])];
  return b
    .operator('ARG_MAX', [input, b.control([], [1])], [wide], {
      outputType: tensorTypeToNumber('int64'),
    })
    .operator('CAST', [wide], [index])
    .operator('CAST', [wide], [number])
    .operator('CAST', [index], [again])
    .build([input], [index, number, again]);
}

/** Layer normalization as converters spell it out, with a factor computed from a constant. */
export function layerNormalization(): TfliteModel {
  const b = new ModelBuilder();
  const keep = { keepDims: true };
  const rows = (): number => b.tensor([2, 6]);
  const each = (): number => b.tensor([2, 1]);
  const axis = b.control([1], [1]);
  const epsilon = b.tensor([1], { data: [1e-3] });
  const logarithm = b.tensor([6], { data: [0, 0.1, -0.1, 0.2, -0.2, 0] });
  const gamma = b.tensor([6]);
  const [input, mean, squares, variance, shifted, inverse] = [
    rows(),
    each(),
    rows(),
    each(),
    each(),
    each(),
  ];
  const [centred, unit, output] = [rows(), rows(), rows()];
  return b
    .operator('MEAN', [input, axis], [mean], keep)
    .operator('SQUARED_DIFFERENCE', [input, mean], [squares])
    .operator('MEAN', [squares, axis], [variance], keep)
    .operator('ADD', [variance, epsilon], [shifted])
    .operator('RSQRT', [shifted], [inverse])
    .operator('SUB', [input, mean], [centred])
    .operator('MUL', [centred, inverse], [unit])
    .operator('EXP', [logarithm], [gamma])
    .operator('MUL', [unit, gamma], [output])
    .build([input], [output]);
}

/** Self-attention over a constant matrix of keys; the scores keep their largest place, too. */
export function attention(): TfliteModel {
  const b = new ModelBuilder();
  const input = b.tensor([4, 6]);
  const keys = b.tensor([1, 6, 8], { data: Array.from({ length: 48 }, (_, i) => (i % 7) / 10) });
  const [batch, heads, scores] = [b.tensor([1, 4, 6]), b.tensor([1, 4, 8]), b.tensor([1, 4, 4])];
  const [weights, mixed, flat] = [b.tensor([1, 4, 4]), b.tensor([1, 4, 8]), b.tensor([4, 8])];
  const place = b.tensor([1, 4], { type: 'int32' });
  return b
    .operator('EXPAND_DIMS', [input, b.control([1], [0])], [batch])
    .operator('BATCH_MATMUL', [batch, keys], [heads])
    .operator('BATCH_MATMUL', [heads, heads], [scores], { adjY: true })
    .operator('SOFTMAX', [scores], [weights], { beta: 1 })
    .operator('BATCH_MATMUL', [weights, heads], [mixed])
    .operator('SQUEEZE', [mixed], [flat], { squeezeDims: [0] })
    .operator('ARG_MAX', [scores, b.control([1], [-1])], [place], {
      outputType: tensorTypeToNumber('int32'),
    })
    .build([input], [flat, place]);
}

/** A dilated block of an old converter, then channels first, taken apart and put together. */
export function rearranged(type: 'float32' | 'int8'): TfliteModel {
  const b = new ModelBuilder();
  const tensor = (...shape: number[]): number => b.tensor(shape, activation(type));
  const float = type === 'float32';
  const slopes = b.tensor([1, 1, 4], {
    ...activation(type),
    data: float ? [0.1, 0.2, 0.3, 0.4] : [1, 2, 3, 4],
  });
  const floor = b.tensor([], { ...activation(type), data: [float ? -1 : -20] });
  const [input, padded, blocks, bent] = [
    tensor(1, 4, 6, 4),
    tensor(1, 6, 8, 4),
    tensor(4, 3, 4, 4),
    tensor(4, 3, 4, 4),
  ];
  const [joined, wide, deep, first] = [
    tensor(1, 6, 8, 4),
    tensor(1, 12, 16, 1),
    tensor(1, 6, 8, 4),
    tensor(1, 4, 6, 8),
  ];
  const [above, left, right] = [tensor(1, 4, 6, 8), tensor(1, 4, 6, 2), tensor(1, 4, 6, 6)];
  const [part, packed, peak] = [tensor(1, 4, 6, 2), tensor(2, 1, 4, 6, 2), tensor(1, 4)];
  const block = b.control([2], [2, 2]);
  return b
    .operator('MIRROR_PAD', [input, b.control([4, 2], [0, 0, 1, 1, 1, 1, 0, 0])], [padded])
    .operator('SPACE_TO_BATCH_ND', [padded, block, b.control([2, 2], [0, 0, 0, 0])], [blocks])
    .operator('PRELU', [blocks, slopes], [bent])
    .operator('BATCH_TO_SPACE_ND', [bent, block, b.control([2, 2], [0, 0, 0, 0])], [joined])
    .operator('DEPTH_TO_SPACE', [joined], [wide], { blockSize: 2 })
    .operator('SPACE_TO_DEPTH', [wide], [deep], { blockSize: 2 })
    .operator('TRANSPOSE', [deep, b.control([4], [0, 3, 1, 2])], [first])
    .operator('MAXIMUM', [first, floor], [above])
    .operator('SPLIT_V', [above, b.control([2], [2, -1]), b.control([], [3])], [left, right], {
      numSplits: 2,
    })
    .operator('GATHER', [right, b.control([2], [5, 0])], [part], { axis: 3 })
    .operator('PACK', [left, part], [packed], { valuesCount: 2 })
    .operator('REDUCE_MAX', [right, b.control([2], [2, 3])], [peak])
    .build([input], [packed, peak]);
}
