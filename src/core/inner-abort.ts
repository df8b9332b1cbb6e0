import { setMaxListeners } from 'node:events';

export interface InnerAbort {
  readonly signal: AbortSignal;
  /** Ends what has the signal, and lets go of the outer one. */
  abort(): void;
}

/**
 * An abort of one's own, which the outer one brings about as well until `abort` is called: always call it. Of
 * `AbortSignal.any` Node 20 keeps something in the outer signal for ever (its issue 54614), and there the outer signal
 * is often as old as the process.
 */
export function innerAbort(outer: AbortSignal | undefined): InnerAbort {
  const own = new AbortController();
  const follow = (): void => own.abort(outer?.reason);
  if (outer?.aborted === true) follow();
  else if (outer !== undefined) {
    // A process with many devices waits with one signal for all of them.
    setMaxListeners(0, outer);
    outer.addEventListener('abort', follow, { once: true });
  }
  return {
    signal: own.signal,
    abort: () => {
      outer?.removeEventListener('abort', follow);
      own.abort();
    },
  };
}
