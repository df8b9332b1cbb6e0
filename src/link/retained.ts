import { DunlinError, innerAbort } from '../core/index.ts';
import type { Link } from './link.ts';

export interface ReadRetainedOptions {
  /** How long the broker may take to grant the subscription, and then again to send what it keeps. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

/**
 * The retained message on one topic, or undefined when the broker sent none within the time. MQTT has no answer that
 * says "nothing is kept here", so absence always costs the whole time.
 * @throws `broker-refused` (no permission, or larger than `maxBytes`), `broker-unreachable` (no subscription in
 * time), the signal's reason
 */
export async function readRetained(
  link: Link,
  topic: string,
  { timeoutMs, maxBytes, signal }: ReadRetainedOptions,
): Promise<Uint8Array | undefined> {
  signal?.throwIfAborted();
  const ended = new AbortController();
  let close = (): void => {};
  try {
    return await new Promise<Uint8Array | undefined>((resolve, reject) => {
      const refuse = (why: string): void =>
        reject(new DunlinError(`${topic}: ${why}`, { code: 'broker-refused' }));
      const handler = ({ payload }: { payload: Uint8Array }): void => {
        if (payload.byteLength <= maxBytes) resolve(payload.byteLength > 0 ? payload : undefined);
        else refuse(`${payload.byteLength} bytes, the limit is ${maxBytes}`);
      };
      let granted = false;
      const onGranted = (refused: readonly string[]): void => {
        if (refused.length > 0) refuse('the broker refused the subscription');
        if (granted) return;
        granted = true;
        link.clock.sleep(timeoutMs, ended.signal).then(
          () => resolve(undefined),
          () => {},
        );
      };
      const late = (): void => {
        if (granted) return;
        const message = `${topic}: no answer of the broker in ${timeoutMs} ms`;
        reject(new DunlinError(message, { code: 'broker-unreachable' }));
      };
      signal?.addEventListener('abort', () => reject(signal.reason), { signal: ended.signal });
      link.clock.sleep(timeoutMs, ended.signal).then(late, () => {});
      const subscription = link.subscribe([topic], handler, { qos: 0, onGranted });
      close = () => subscription.close();
    });
  } finally {
    ended.abort();
    close();
  }
}

const SUBACK_TIMEOUT_MS = 15_000;

export interface ReadManyOptions {
  /** Nothing came for so long after the broker's SUBACK or the last message: what is missing is not there. */
  readonly quietMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/**
 * The retained messages on several topics with one SUBSCRIBE, by topic; absent ones cost the quiet time once.
 * @throws `broker-unreachable` when there is no connection, `broker-refused`, the signal's reason
 */
export async function readRetainedMany(
  link: Link,
  topics: readonly string[],
  { quietMs, maxBytes, signal }: ReadManyOptions,
): Promise<Map<string, Uint8Array>> {
  const wanted = [...new Set(topics)];
  const found = new Map<string, Uint8Array>();
  const refusals: string[] = [];
  let granted = false;
  let activity = innerAbort(signal);
  const heard = (): void => activity.abort();
  const subscription = link.subscribe(
    wanted,
    ({ topic, payload }) => {
      if (payload.byteLength > maxBytes) refusals.push(`${topic}: more than ${maxBytes} bytes`);
      else found.set(topic, payload);
      heard();
    },
    {
      qos: 0,
      onGranted: (refused) => {
        granted = true;
        refusals.push(...refused.map((topic) => `${topic}: the broker refused the subscription`));
        heard();
      },
    },
  );
  try {
    while (found.size < wanted.length) {
      if (refusals.length > 0) throw new DunlinError(refusals[0]!, { code: 'broker-refused' });
      activity.abort();
      activity = innerAbort(signal);
      // Retained messages follow the SUBACK; how long that takes is the link's affair.
      const waitMs = granted ? quietMs : SUBACK_TIMEOUT_MS;
      const quiet = await link.clock.sleep(waitMs, activity.signal).then(
        () => true,
        () => false,
      );
      signal.throwIfAborted();
      if (!quiet) continue;
      if (link.connected && granted) break;
      throw new DunlinError('the broker went away while it was read', {
        code: 'broker-unreachable',
      });
    }
    return found;
  } finally {
    activity.abort();
    subscription.close();
  }
}
