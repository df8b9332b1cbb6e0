/** Distances in elements between neighbours along each dimension of a row-major tensor. */
export function strides(shape: readonly number[]): number[] {
  const distances = new Array<number>(shape.length);
  let distance = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    distances[axis] = distance;
    distance *= shape[axis]!;
  }
  return distances;
}

/**
 * Offsets into a tensor for every position of a shape in row-major order: `first` plus the position
 * times `steps` along each dimension.
 */
export function offsets(
  shape: readonly number[],
  steps: readonly number[],
  first: number,
): Int32Array {
  let found = Int32Array.of(first);
  for (const [axis, size] of shape.entries()) {
    const wider = new Int32Array(found.length * size);
    for (const [index, offset] of found.entries()) {
      for (let at = 0; at < size; at++) wider[index * size + at] = offset + at * steps[axis]!;
    }
    found = wider;
  }
  return found;
}

/** Distances in a tensor broadcast to a larger shape: dimensions of 1, or absent, stay in place. */
export function broadcastStrides(shape: readonly number[], larger: readonly number[]): number[] {
  const absent = larger.length - shape.length;
  const own = strides(shape);
  return larger.map((_, axis) => ((shape[axis - absent] ?? 1) === 1 ? 0 : own[axis - absent]!));
}

/** Offsets into a tensor broadcast to a larger shape. */
export function broadcastOffsets(shape: readonly number[], larger: readonly number[]): Int32Array {
  return offsets(larger, broadcastStrides(shape, larger), 0);
}
