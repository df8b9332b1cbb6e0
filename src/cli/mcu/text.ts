/** Hexadecimal, so many characters of it. */
export function hexText(bytes: Uint8Array | undefined, characters = 64): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex').slice(0, characters);
}

/** `17 µs`, `4.2 ms`, `1.3 s` */
export function durationText(durationUs: number): string {
  if (durationUs < 1000) return `${Math.round(durationUs)} µs`;
  const ms = durationUs / 1000;
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 2 : 1)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Of those that are known; null, which JSON has, when none is. */
export function medianOf(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return known[Math.floor(known.length / 2)] ?? null;
}
