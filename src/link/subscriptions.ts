import { filterMatches } from './topics.ts';

export interface LinkMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker from before the subscription, not published just now. */
  readonly retain: boolean;
}

export type MessageHandler = (message: LinkMessage) => void;
export type Qos = 0 | 1;

export interface SubscribeOptions {
  readonly qos?: Qos;
  /** After every SUBACK, also after a reconnect: the filters that the broker refused. */
  readonly onGranted?: (refused: readonly string[]) => void;
}

export interface Registration {
  readonly filters: readonly string[];
  readonly handler: MessageHandler;
  readonly qos: Qos;
  readonly onGranted: ((refused: readonly string[]) => void) | undefined;
}

/** Who wants which topics. Exact topics are found by hash, however many there are. */
export class Subscriptions {
  readonly #byFilter = new Map<string, Set<Registration>>();
  readonly #wildcards = new Set<string>();

  add(registration: Registration): void {
    for (const filter of registration.filters) {
      const found = this.#byFilter.get(filter);
      if (found === undefined) this.#byFilter.set(filter, new Set([registration]));
      else found.add(registration);
      if (/[+#]/.test(filter)) this.#wildcards.add(filter);
    }
  }

  /** Forgets a registration. @returns the filters that nobody wants any more */
  remove(registration: Registration): string[] {
    return registration.filters.filter((filter) => {
      const found = this.#byFilter.get(filter);
      if (found === undefined || !found.delete(registration) || found.size > 0) return false;
      this.#byFilter.delete(filter);
      this.#wildcards.delete(filter);
      return true;
    });
  }

  registrations(): Set<Registration> {
    return new Set([...this.#byFilter.values()].flatMap((found) => [...found]));
  }

  matching(topic: string): Set<Registration> {
    const found = new Set(this.#byFilter.get(topic));
    for (const filter of this.#wildcards) {
      if (!filterMatches(filter, topic)) continue;
      for (const registration of this.#byFilter.get(filter) ?? []) found.add(registration);
    }
    return found;
  }
}
