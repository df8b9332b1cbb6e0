import { DunlinError, errorCode, errorMessage, type Logger, sha256Hex } from '../core/index.ts';
import { type FleetTopics, fleetTopics, type Link, readRetainedMany } from '../link/index.ts';
import type { AssignmentSubject } from '../update/index.ts';
import type { Repository } from './repository.ts';

/** Retained messages read back with one SUBSCRIBE; brokers drop what exceeds their queues and say nothing. */
const READ_BATCH = 32;
/**
 * Nothing came for so long: what is missing is taken for lost. Publishing it once more does no harm, so the first
 * guess is quick and the later ones leave a weak link more time. As many rounds as there are.
 */
const QUIET_MS: readonly number[] = [1_000, 4_000, 16_000];
/** Above what any message of ours may have: larger ones are not ours. */
const MAX_RETAINED_BYTES = 8 * 1024 * 1024;
/** Messages that are sent and not acknowledged yet. */
const PUBLISH_WINDOW = 8;
/** Of one message, when the connection goes away in between. */
const MAX_PUBLISH_TRIES = 3;
const RECONNECT_TIMEOUT_MS = 15_000;
const ADVICE =
  'build with a smaller --chunk-bytes, or raise its limits on the size and the number of retained messages';

export interface PublisherOptions {
  /** A clean session. */
  readonly link: Link;
  readonly fleet: string;
  readonly repository: Repository;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: PublishProgress) => void;
}

export interface PublishProgress {
  readonly what: 'checking' | 'publishing';
  readonly done: number;
  readonly total: number;
}

/** What a publication did to the broker. */
export interface PublishReport {
  /** Retained messages that have to be there, and now are. */
  readonly wanted: number;
  /** Of those, the ones that were published: new, lost or not as they should be. */
  readonly published: number;
  /** Retained messages that nobody needs any more. */
  readonly cleared: number;
}

interface Retained {
  readonly topic: string;
  readonly sha256: string;
  readonly read: () => Promise<Uint8Array>;
}

/**
 * Keeps the broker's retained messages equal to the repository. A message counts when it was read back. Stages keep a
 * reader from ever seeing metadata whose chunks are not there: chunks; root, targets and snapshot; timestamp;
 * assignments. Each is there as a whole before the next begins. Interrupted, everything can be run again.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #topics: FleetTopics;

  /** @throws `input-invalid` for a fleet that has no topics */
  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#topics = fleetTopics(options.fleet);
  }

  /**
   * Publishes a signed release with the metadata around it, whatever the broker has, and reads it back.
   * @throws `broker-unreachable`, `broker-refused`, `broker-lost-data`, `release-missing`, `digest-mismatch`
   */
  async publishRelease(model: string, version: string): Promise<PublishReport> {
    const stages = [await this.#chunks([[model, version]]), ...(await this.#metadata())];
    for (const stage of stages) await this.#ensure(stage, stage);
    const cleared = await this.#clearMetadata();
    const wanted = stages.flat().length;
    return { wanted, published: wanted, cleared };
  }

  /** @throws as `publishRelease` */
  async publishAssignment(subject: AssignmentSubject): Promise<PublishReport> {
    const stage = await this.#assignments([subject]);
    await this.#ensure(stage, stage);
    return { wanted: stage.length, published: stage.length, cleared: 0 };
  }

  /**
   * Reads back everything that the repository needs, publishes what is missing or different, clears what no release
   * needs.
   * @throws as `publishRelease`
   */
  async mend(): Promise<PublishReport> {
    const { repository } = this.#options;
    const releases = [...(await repository.metadata.signedReleases()).keys()].map((path) => {
      const [model = '', version = ''] = path.split('/');
      return [model, version] as const;
    });
    const chunks = await this.#chunks(releases);
    const lostChunks = await this.#lost(chunks, QUIET_MS[0]!);
    await this.#ensure(chunks, lostChunks);
    // Signed a moment ago, and small: asking first would cost the quiet time.
    const metadata = await this.#metadata();
    for (const stage of metadata) await this.#ensure(stage, stage);
    const assignments = await this.#assignments(await repository.assignedSubjects());
    const lostAssignments = await this.#lost(assignments, QUIET_MS[0]!);
    await this.#ensure(assignments, lostAssignments);
    const cleared = (await this.#clearMetadata()) + (await this.#clearChunks());
    const count = (...parts: readonly (readonly unknown[])[]): number => parts.flat().length;
    const wanted = count(chunks, ...metadata, assignments);
    const published = count(lostChunks, ...metadata, lostAssignments);
    return { wanted, published, cleared };
  }

  async #chunks(releases: readonly (readonly [string, string])[]): Promise<Retained[]> {
    const { repository } = this.#options;
    const wanted = new Map<string, Retained>();
    for (const [model, version] of releases) {
      for (const { sha256 } of await repository.chunksOf(model, version)) {
        const topic = this.#topics.chunk(sha256);
        wanted.set(sha256, { topic, sha256, read: () => repository.readChunk(sha256) });
      }
    }
    return [...wanted.values()];
  }

  /** What the timestamp leads to, and then the timestamp. */
  async #metadata(): Promise<[Retained[], Retained[]]> {
    const { metadata } = this.#options.repository;
    const { versioned, timestamp } = await metadata.files();
    const read = async (name: string): Promise<Retained> =>
      retained(this.#topics.tuf(name), (await metadata.read(name))!);
    return [
      await Promise.all(versioned.map(read)),
      timestamp === undefined ? [] : [await read(timestamp)],
    ];
  }

  async #assignments(subjects: readonly AssignmentSubject[]): Promise<Retained[]> {
    const wanted: Retained[] = [];
    for (const subject of subjects) {
      const bytes = await this.#options.repository.readAssignment(subject);
      if (bytes !== undefined) wanted.push(retained(this.#topics.assignment(subject), bytes));
    }
    return wanted;
  }

  /** Publishes `lost`, reads it back, and publishes once more what the broker did not keep, a few times. */
  async #ensure(stage: readonly Retained[], lost: readonly Retained[]): Promise<void> {
    let left = lost;
    for (const [round, quietMs] of QUIET_MS.entries()) {
      if (left.length === 0) return;
      if (round > 0) this.#options.logger.warn(`${left.length} messages are not kept, once more`);
      await this.#publishAll(left);
      left = await this.#lost(left, quietMs);
    }
    if (left.length === 0) return;
    const sizes = await Promise.all(left.map(async ({ read }) => (await read()).byteLength));
    const largestBytes = Math.max(...sizes);
    throw new DunlinError(
      `the broker does not keep ${left.length} of ${stage.length} retained messages, of ${Math.min(...sizes)} ` +
        `to ${largestBytes} bytes: ${ADVICE}`,
      {
        code: 'broker-lost-data',
        context: { topics: left.map(({ topic }) => topic), largestBytes },
      },
    );
  }

  async #publishAll(messages: readonly Retained[]): Promise<void> {
    for (let start = 0; start < messages.length; start += PUBLISH_WINDOW) {
      const window = messages.slice(start, start + PUBLISH_WINDOW);
      await Promise.all(window.map(async ({ topic, read }) => this.#publish(topic, await read())));
      this.#report('publishing', start + window.length, messages.length);
    }
  }

  /** Once more when the connection goes away; a broker that drops it for the size does so each time. */
  async #publish(topic: string, payload: Uint8Array): Promise<void> {
    const { link, signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      await this.#reconnected();
      try {
        await link.publish(topic, payload, { qos: 1, retain: true, signal });
        return;
      } catch (error) {
        if (errorCode(error) !== 'broker-unreachable') throw error;
        if (attempt < MAX_PUBLISH_TRIES) continue;
        throw new DunlinError(
          `${errorMessage(error)}, ${attempt} times with a message of ${payload.byteLength} bytes; if the broker ` +
            `ends the connection for its size, ${ADVICE}`,
          { code: 'broker-unreachable', cause: error },
        );
      }
    }
  }

  /** Waits for the link to come back; when it does not, publishing says why. */
  async #reconnected(): Promise<void> {
    const { link, signal } = this.#options;
    if (link.connected) return;
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const late = link.clock.sleep(RECONNECT_TIMEOUT_MS, either).catch(() => {});
    await Promise.race([link.waitConnected(either), late]).finally(() => ended.abort());
  }

  /** Those that the broker does not give back as they are in the repository. */
  async #lost(wanted: readonly Retained[], quietMs: number): Promise<Retained[]> {
    const { link, signal } = this.#options;
    const lost: Retained[] = [];
    for (let start = 0; start < wanted.length; start += READ_BATCH) {
      await this.#reconnected();
      const batch = wanted.slice(start, start + READ_BATCH);
      const topics = batch.map(({ topic }) => topic);
      const options = { quietMs, maxBytes: MAX_RETAINED_BYTES, signal };
      const found = await readRetainedMany(link, topics, options);
      for (const message of batch) {
        const bytes = found.get(message.topic);
        if (bytes === undefined || sha256Hex(bytes) !== message.sha256) lost.push(message);
      }
      this.#report('checking', start + batch.length, wanted.length);
    }
    return lost;
  }

  /** Metadata that newer versions replaced: off the broker first, so that an interrupted run does it again. */
  async #clearMetadata(): Promise<number> {
    const { metadata } = this.#options.repository;
    const { outdated } = await metadata.files();
    for (const name of outdated) {
      await this.#publish(this.#topics.tuf(name), new Uint8Array());
      await metadata.remove(name);
    }
    return outdated.length;
  }

  /** Chunks of no release in the repository, signed or not. */
  async #clearChunks(): Promise<number> {
    const { repository } = this.#options;
    const needed = new Set<string>();
    for (const { model, version } of await repository.releases()) {
      for (const { sha256 } of await repository.chunksOf(model, version)) needed.add(sha256);
    }
    const outdated = (await repository.chunkNames()).filter((sha256) => !needed.has(sha256));
    for (const sha256 of outdated) {
      await this.#publish(this.#topics.chunk(sha256), new Uint8Array());
      await repository.removeChunk(sha256);
    }
    return outdated.length;
  }

  #report(what: PublishProgress['what'], done: number, total: number): void {
    this.#options.onProgress?.({ what, done, total });
  }
}

function retained(topic: string, bytes: Uint8Array): Retained {
  return { topic, sha256: sha256Hex(bytes), read: async () => bytes };
}
