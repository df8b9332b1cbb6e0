import { invalid } from './fail.ts';

/** @throws `input-invalid` naming the first value that is not finite */
export function checkFinite(values: Float32Array, elementCount: number, what: string): void {
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index === -1) return;
  const sample = Math.floor(index / elementCount);
  throw invalid(
    what,
    `sample ${sample}, element ${index % elementCount} (counted from 0) is ${values[index]} as ` +
      'float32; leave the sample out or mend it',
  );
}

/**
 * A calibration learns the range of every tensor from the samples.
 * @throws `input-invalid` when all values, or all of several samples, are the same
 */
export function checkVaried(values: Float32Array, elementCount: number, what: string): void {
  const [first] = values;
  if (values.every((value) => value === first)) {
    throw invalid(
      what,
      `every value is ${first}; calibrate with samples as the model will see them`,
    );
  }
  const count = values.length / elementCount;
  if (count > 1 && values.every((value, index) => value === values[index % elementCount])) {
    throw invalid(
      what,
      `all ${count} samples are the same; calibrate with samples as the model will see them`,
    );
  }
}
