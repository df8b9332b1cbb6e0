import { elementCount } from '../../../tflite/index.ts';

/** Nothing of the input stands there: padding. */
export const NOTHING = -1;

/** An array that holds, at each of its places, the place in another array of what stands there. */
export interface Numbered {
  readonly shape: readonly number[];
  readonly places: Int32Array;
}

/** Every element at its own place. */
export function numbered(shape: readonly number[]): Numbered {
  return { shape, places: counted(elementCount(shape)) };
}

/** 0, 1, 2… An iterator over millions of places would take its time. */
export function counted(length: number): Int32Array {
  const places = new Int32Array(length);
  for (let place = 0; place < length; place++) places[place] = place;
  return places;
}

export function reshaped({ places }: Numbered, shape: readonly number[]): Numbered {
  return { shape, places };
}

/** Along one dimension, what stood at these places, in this order; `NOTHING` among them is padding. */
export function taken(
  { shape, places }: Numbered,
  axis: number,
  from: readonly number[],
): Numbered {
  const inner = elementCount(shape.slice(axis + 1));
  const outer = elementCount(shape.slice(0, axis));
  const [length, wanted] = [shape[axis]!, from.length];
  const result = new Int32Array(outer * wanted * inner).fill(NOTHING);
  for (let o = 0; o < outer; o++) {
    for (const [to, place] of from.entries()) {
      if (place === NOTHING) continue;
      const start = (o * length + place) * inner;
      result.set(places.subarray(start, start + inner), (o * wanted + to) * inner);
    }
  }
  return { shape: shape.with(axis, wanted), places: result };
}

/** As {@link taken}, along every dimension. */
export function takenEach(array: Numbered, lists: readonly (readonly number[])[]): Numbered {
  return lists.reduce((before, list, axis) => taken(before, axis, list), array);
}

/** Dimension i of the result is dimension `order[i]`. */
export function turned({ shape, places }: Numbered, order: readonly number[]): Numbered {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const to = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const result = new Int32Array(places.length);
  const index = to.map(() => 0);
  let from = 0;
  for (let place = 0; place < result.length; place++) {
    result[place] = places[from]!;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      from += steps[axis]!;
      if (index[axis]! < to[axis]!) break;
      from -= steps[axis]! * to[axis]!;
      index[axis] = 0;
    }
  }
  return { shape: to, places: result };
}

/** From one number on, in steps of 1. */
export function range(from: number, length: number): number[] {
  return Array.from({ length }, (_, index) => from + index);
}

/** For each element of `shape`, which element of `from` goes there when that is broadcast. */
export function broadcast(from: readonly number[], shape: readonly number[]): Int32Array {
  const padded = [...new Array<number>(shape.length - from.length).fill(1), ...from];
  const lists = shape.map((size, axis) =>
    padded[axis] === size ? range(0, size) : new Array<number>(size).fill(0),
  );
  return takenEach(numbered(padded), lists).places;
}
