import { Random } from '../../src/core/index.ts';
import { parseModel, serializeModel, type TfliteModel } from '../../src/tflite/index.ts';

/** The smallest row is up to 2^11 times as small as it was. */
const MOST_HALVINGS = 11;

/**
 * The same answers from weights of very different sizes: each row of the hidden fully connected layer is halved a few
 * times over, and its column in the last one doubled as often. A RELU passes factors on, and powers of two round
 * nothing. Folded batch normalization leaves layers like that, and one scale for a whole layer does not suit them.
 */
export function unevenRows(float: Uint8Array, what: string, seed: number): Uint8Array {
  const model = parseModel(float, what);
  const [hidden, last] = fullyConnected(model);
  const random = new Random(seed);
  const rows = hidden!.bias.length;
  const columns = hidden!.weights.length / rows;
  for (let row = 0; row < rows; row++) {
    const factor = 2 ** -random.integer(MOST_HALVINGS + 1);
    hidden!.bias[row]! *= factor;
    for (let at = row * columns; at < (row + 1) * columns; at++) hidden!.weights[at]! *= factor;
    for (let at = row; at < last!.weights.length; at += rows) last!.weights[at]! /= factor;
  }
  return serializeModel(model);
}

interface Layer {
  /** [out, in] */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** In order; changing them changes the model. */
function fullyConnected({ subgraphs, operatorCodes, buffers }: TfliteModel): Layer[] {
  const { operators, tensors } = subgraphs[0]!;
  const valuesOf = (index: number): Float32Array => {
    const place = tensors[index]!.buffer;
    // A copy of its own: 32-bit numbers have to start at a multiple of four.
    const copy = Uint8Array.from(buffers[place]!);
    buffers[place] = copy;
    return new Float32Array(copy.buffer);
  };
  return operators
    .filter(({ code }) => operatorCodes[code]!.builtin === 'FULLY_CONNECTED')
    .map(({ inputs }) => ({ weights: valuesOf(inputs[1]!), bias: valuesOf(inputs[2]!) }));
}
