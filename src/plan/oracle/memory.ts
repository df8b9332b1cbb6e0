import { isConstantPlace, placeOffset } from '../format/steps.ts';

/** What steps read and write. */
export interface Memory {
  /** Of a plan, as int8. */
  readonly plan: Int8Array;
  /** Starts at the beginning of its ArrayBuffer. */
  readonly arena: Int8Array;
}

/** Runs one step over what the arena holds now. */
export type Run = () => void;

/** Where a place lies: the memory, and an index there. */
export function locate(
  { plan, arena }: Memory,
  place: number,
): { readonly values: Int8Array; readonly at: number } {
  return { values: isConstantPlace(place) ? plan : arena, at: placeOffset(place) };
}
