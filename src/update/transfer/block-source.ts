import type { Chunk } from '../documents.ts';

/** What the receiver says to the bytes it was given: refused when they do not hash to their name. */
export type Verdict = 'accepted' | 'refused';
export type Deliver = (sha256: string, bytes: Uint8Array) => Promise<Verdict>;

/** Where chunks come from. */
export interface BlockSource {
  /**
   * Resolves when every chunk was delivered and accepted; in which order is open.
   * @throws `transfer-failed` (context `missing`: digests that did not come), `digest-mismatch` (context `tampered`:
   * digests whose bytes were wrong each time), what `deliver` threw, the signal's reason
   */
  fetch(chunks: readonly Chunk[], deliver: Deliver, signal: AbortSignal): Promise<void>;
}
