import { fleetTopics, type Link, readRetained, readRetainedMany } from '../link/index.ts';
import type { AssignmentSubject } from '../update/index.ts';

const MAX_ASSIGNMENT_BYTES = 64 * 1024;
/** MQTT does not say that nothing is retained; a broker that has something sends it after its SUBACK. */
const QUIET_MS = 500;
/** A weak link needs this for the largest metadata. */
const METADATA_TIMEOUT_MS = 30_000;
const TIMESTAMP = 'timestamp.json';

/** Reads what an update pass needs of the retained topics, with as few waits for absent ones as there can be. */
export class BrokerReader {
  readonly #link: Link;
  readonly #topics: ReturnType<typeof fleetTopics>;
  /** The timestamp that came along with the question for the next root. */
  #timestamp: { readonly bytes: Uint8Array | undefined } | undefined;

  constructor(link: Link, fleet: string) {
    this.#link = link;
    this.#topics = fleetTopics(fleet);
  }

  /** A metadata file, or undefined; the next root, which is absent as a rule, is asked for with the timestamp. */
  async metadata(
    name: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    if (name.endsWith('.root.json')) {
      const [root, timestamp] = [this.#topics.tuf(name), this.#topics.tuf(TIMESTAMP)];
      const options = { quietMs: QUIET_MS, maxBytes, signal };
      const found = await readRetainedMany(this.#link, [root, timestamp], options);
      this.#timestamp = { bytes: nonEmpty(found.get(timestamp)) };
      return nonEmpty(found.get(root));
    }
    const prefetched = name === TIMESTAMP ? this.#timestamp : undefined;
    this.#timestamp = undefined;
    if (prefetched !== undefined) return prefetched.bytes;
    const timeoutMs = METADATA_TIMEOUT_MS;
    return readRetained(this.#link, this.#topics.tuf(name), { timeoutMs, maxBytes, signal });
  }

  /** The bytes of each subject's assignment, in the order of the subjects. */
  async assignments(
    subjects: readonly AssignmentSubject[],
    signal: AbortSignal,
  ): Promise<(Uint8Array | undefined)[]> {
    const topics = subjects.map((subject) => this.#topics.assignment(subject));
    const options = { quietMs: QUIET_MS, maxBytes: MAX_ASSIGNMENT_BYTES, signal };
    const found = await readRetainedMany(this.#link, topics, options);
    return topics.map((topic) => nonEmpty(found.get(topic)));
  }
}

/** An empty retained message is one that was cleared. */
function nonEmpty(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined || bytes.byteLength === 0 ? undefined : bytes;
}
