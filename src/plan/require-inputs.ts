import { DunlinError } from '../core/index.ts';

/** @throws DunlinError input-invalid for another number or length of inputs */
export function requireInputs(
  what: string,
  expected: readonly { readonly length: number }[],
  found: readonly Int8Array[],
): void {
  const lengths = (tensors: readonly { readonly length: number }[]): string =>
    tensors.map(({ length }) => length).join(', ');
  if (lengths(expected) !== lengths(found)) {
    throw new DunlinError(
      `${what}: inputs of [${lengths(found)}] values; it takes [${lengths(expected)}]`,
      { code: 'input-invalid' },
    );
  }
}
