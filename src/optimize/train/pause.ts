import { setImmediate } from 'node:timers/promises';

/**
 * Between two pieces of work that take all of the thread: lets signals in, and everything else that waits.
 * @throws the signal's reason
 */
export async function pause(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}
