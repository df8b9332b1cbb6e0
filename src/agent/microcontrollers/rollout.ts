import type { Slots } from '../../update/index.ts';

/** A microcontroller as the roll-out rule sees it. */
export interface RolloutMember {
  readonly name: string;
  readonly model: string;
  readonly slots: Pick<Slots, 'state'>;
}

export interface RolloutRefusal {
  readonly by: string;
  readonly reason: string;
}

/**
 * The rule "stop at the first refusal": once a device of this gateway has refused a release, or was rolled back from
 * it, no other one is brought to it until the assignment names another. Pure; the slots are what it remembers by,
 * so it holds over restarts.
 */
export function refusalOf(
  members: readonly RolloutMember[],
  { name, model }: Pick<RolloutMember, 'name' | 'model'>,
  releaseSha256: string,
): RolloutRefusal | undefined {
  for (const member of members) {
    if (member.name === name || member.model !== model) continue;
    const { refused } = member.slots.state;
    if (refused?.releaseSha256 === releaseSha256)
      return { by: member.name, reason: refused.reason };
  }
  return undefined;
}

/**
 * The rolling limit: so many devices are worked on at once, the others in the order of asking. Whoever waits goes on
 * with its other work, and is woken when it is worth asking again.
 */
export class Rollout {
  readonly #limit: number;
  readonly #inside = new Set<string>();
  readonly #queue = new Map<string, () => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when `name` may begin; else it is in the queue. */
  enter(name: string, wake: () => void): boolean {
    this.#queue.set(name, wake);
    const free = this.#limit - this.#inside.size;
    const isNext = [...this.#queue.keys()].indexOf(name) < free;
    if (!isNext) return false;
    this.#queue.delete(name);
    this.#inside.add(name);
    return true;
  }

  /** Done, or out of the queue. */
  leave(name: string): void {
    const wasInside = this.#inside.delete(name);
    const hasWaited = this.#queue.delete(name);
    if (!wasInside && !hasWaited) return;
    for (const wake of [...this.#queue.values()].slice(0, this.#limit)) wake();
  }
}
