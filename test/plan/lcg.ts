import type { ReferenceExecutor } from '../../src/plan/index.ts';

/** The generator of Numerical Recipes: bytes are its upper eight bits. */
export function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

/** int8 values, one stream over all of a model's inputs. */
export function lcgInputs(executor: Pick<ReferenceExecutor, 'inputs'>, seed: number): Int8Array[] {
  const next = lcg(seed);
  return executor.inputs.map(({ length }) => Int8Array.from({ length }, () => next() >>> 24));
}

/** 32-bit FNV-1a over bytes in turn, as eight hexadecimal digits. */
export function fnv1a(parts: Iterable<Int8Array | Uint8Array>): string {
  let hash = 2166136261;
  for (const part of parts) {
    for (const value of part) hash = Math.imul(hash ^ (value & 0xff), 16777619);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
