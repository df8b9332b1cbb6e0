import type { TfliteModel } from '../../src/tflite/index.ts';
import { ModelBuilder } from '../tflite/model-builder.ts';
import { RandomValues } from './random-values.ts';

export const CLASSES = 4;

/** A small classifier, with names as a converter joins them. */
export function classifier(): TfliteModel {
  const random = new RandomValues(11);
  const b = new ModelBuilder();
  const [input, hidden, deep, pooled, logits, output] = [
    b.tensor([1, 8, 8, 2]),
    b.tensor([1, 6, 6, 16]),
    b.tensor([1, 4, 4, 32]),
    b.tensor([1, 32]),
    b.tensor([1, CLASSES]),
    b.tensor([1, CLASSES]),
  ];
  const filters = b.tensor([16, 3, 3, 2], { data: random.normals(288, 0.4) });
  const more = b.tensor([32, 3, 3, 16], { data: random.normals(4608, 0.15) });
  const dense = b.tensor([CLASSES, 32], { data: random.normals(128, 1) });
  const [offsets, others, bias] = [16, 32, CLASSES].map((count) =>
    b.tensor([count], { data: random.normals(count, 0.2) }),
  );
  const options = { padding: 1, strideW: 1, strideH: 1, fusedActivationFunction: 1 };
  const model = b
    .operator('CONV_2D', [input, filters, offsets!], [hidden], options)
    .operator('CONV_2D', [hidden, more, others!], [deep], options)
    .operator('MEAN', [deep, b.control([2], [1, 2])], [pooled])
    .operator('FULLY_CONNECTED', [pooled, dense, bias!], [logits])
    .operator('SOFTMAX', [logits], [output], { beta: 1 })
    .build([input], [output]);
  const [graph] = model.subgraphs;
  const tensors = graph!.tensors.map((tensor, index) =>
    index === hidden
      ? { ...tensor, name: 'net/conv/Relu;net/conv/BiasAdd;net/conv/Conv2D' }
      : tensor,
  );
  return { ...model, subgraphs: [{ ...graph!, tensors }] };
}
