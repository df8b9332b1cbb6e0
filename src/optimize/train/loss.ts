import { argmax } from '../measure/agreement.ts';
import type { Network } from './network.ts';
import { softmaxRows } from './operations/softmax.ts';

/**
 * What is learned. The student is to give what the teacher gives: the squared error of each output as a share of the
 * output's variance, on the logits where the model classifies (J. Ba, R. Caruana 2014, "Do Deep Nets Really Need to be
 * Deep?", section 2). There, every class that the teacher names counts the same, however rarely it does. Labels add
 * their cross entropy.
 */

const LABEL_SHARE = 0.5;
const LEAST_PROBABILITY = 1e-12;

/** A tensor by which student and teacher are compared. */
export interface Target {
  /** Index in the float model that was given, and in the one that learns. */
  readonly teacher: number;
  readonly student: number;
  /** Read by a final softmax. */
  readonly isLogits: boolean;
  readonly width: number;
  /** What a sample counts that the teacher gives a class; absent where all count the same. */
  readonly classWeights?: readonly number[];
  /** Of the teacher's values over the samples. */
  readonly variance: number;
}

/**
 * Writes the gradients of the student's targets, of the mean loss over `batch` samples in all.
 * @param labels of the samples in the network's batch; -1 where there is none
 * @returns the sum of the losses of the samples in the network's batch, over `batch`
 */
export function lossGradients(
  student: Network,
  teacher: Network,
  targets: readonly Target[],
  labels: Int32Array | undefined,
  batch: number,
): number {
  let loss = 0;
  for (const [place, target] of targets.entries()) {
    const { values, gradient } = student.tensor(target.student);
    const wanted = teacher.tensor(target.teacher).values.floats;
    const share = student.batch / batch;
    loss += share * squaredError(values.floats, wanted, gradient.floats, target, share);
    // Labels are those of the first output, as everywhere.
    if (place > 0 || !target.isLogits || labels === undefined) continue;
    const rows = { found: values.floats, gradient: gradient.floats, width: target.width };
    loss += share * crossEntropy(rows, labels, share);
  }
  return loss;
}

function squaredError(
  found: Float32Array,
  wanted: Float32Array,
  gradient: Float32Array,
  { variance, width, classWeights }: Target,
  share: number,
): number {
  const scale = 1 / (found.length * variance);
  let sum = 0;
  for (let row = 0; row < found.length; row += width) {
    const end = row + width;
    const weight = classWeights?.[argmax(wanted.subarray(row, end))] ?? 1;
    for (let i = row; i < end; i++) {
      const miss = found[i]! - wanted[i]!;
      sum += weight * miss * miss;
      gradient[i]! += 2 * share * weight * scale * miss;
    }
  }
  return sum * scale;
}

interface RowsOfLogits {
  readonly found: Float32Array;
  readonly gradient: Float32Array;
  readonly width: number;
}

function crossEntropy(
  { found, gradient, width }: RowsOfLogits,
  labels: Int32Array,
  share: number,
): number {
  const q = new Float32Array(found.length);
  softmaxRows(found, q, width, 1);
  const rows = found.length / width;
  const scale = LABEL_SHARE / rows;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const label = labels[row]!;
    if (label < 0) continue;
    sum -= Math.log(q[row * width + label]! + LEAST_PROBABILITY);
    for (let c = 0; c < width; c++) {
      const at = row * width + c;
      gradient[at]! += share * scale * (q[at]! - (c === label ? 1 : 0));
    }
  }
  return sum * scale;
}
