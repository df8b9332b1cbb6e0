import { dirname, join } from 'node:path';
import {
  type Clock,
  DunlinError,
  type ErrorCode,
  errorCode,
  errorMessage,
  type Files,
  type Logger,
  parseJson,
  writeFileAtomic,
} from '../../core/index.ts';
import { NAME_PATTERN } from '../documents.ts';
import type { SlotStep } from './plan.ts';
import {
  DEFAULT_PROBATION,
  judgeProbation,
  type ProbationCounts,
  type ProbationPolicy,
} from './probation.ts';
import {
  type Candidate,
  checkCandidate,
  readRelease,
  type StoredRelease,
  writeRelease,
} from './release-files.ts';
import {
  type Change,
  changed,
  EMPTY_STATE,
  type RefusedRelease,
  referenced,
  type SlotRelease,
  SlotsState,
} from './state.ts';

export interface SlotsOptions {
  readonly files: Files;
  /** Holds a directory a model; its parent has to exist. */
  readonly dir: string;
  readonly model: string;
  readonly probation?: ProbationPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Steps that need nothing but the slots. */
export type OwnStep = Exclude<SlotStep, { kind: 'install' | 'gate' }>;

/**
 * One model's releases on disk:
 *
 *   <dir>/<model>/state.json                     names what is active, previous, candidate
 *   <dir>/<model>/releases/<releaseSha256>/…     release.json and the artifacts, as they were signed
 *
 * state.json is replaced atomically, and only after the files that it names are durable; files go only after a
 * durable state.json names them no more (state.ts lists the invariants). So a kill at any point leaves the old state
 * or the new one, each with its files.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #logger: Logger;
  readonly #modelDir: string;
  readonly #releasesDir: string;
  #state: SlotsState = EMPTY_STATE;
  /** A write of state.json failed: the disk may hold the old state or the new one. */
  #uncertain = false;
  #stored: readonly string[] = [];
  #good = 0;
  #bad = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: SlotsOptions) {
    this.#options = options;
    this.#logger = options.logger.child('slots');
    this.#modelDir = join(options.dir, options.model);
    this.#releasesDir = join(this.#modelDir, 'releases');
  }

  /**
   * Reads the state, checks every file that it names, and falls back to the previous release when the active one's
   * files are damaged, or when it is on probation and the agent started too often with it.
   * @throws `input-invalid` (model's name), whatever the disk throws
   */
  static async open(options: SlotsOptions): Promise<Slots> {
    if (!new RegExp(NAME_PATTERN).test(options.model)) {
      throw new DunlinError(`"${options.model}" is no model's name`, { code: 'input-invalid' });
    }
    const slots = new Slots(options);
    await slots.#open();
    return slots;
  }

  get state(): SlotsState {
    return this.#state;
  }

  /** Digests of the releases that have a directory, for `planSlots`. */
  get stored(): readonly string[] {
    return this.#stored;
  }

  /** The files of a release in its slot, checked anew. @throws `digest-mismatch`, `release-missing` (empty slot) */
  async read(slot: 'active' | 'previous' | 'candidate'): Promise<StoredRelease> {
    const release = this.#state[slot];
    if (release !== null) return await readRelease(this.#options.files, this.#releasesDir, release);
    throw new DunlinError(`${this.#options.model}: no ${slot} release`, {
      code: 'release-missing',
    });
  }

  /**
   * Keeps a fetched release as candidate.
   * @throws `digest-mismatch`, `metadata-malformed`, `release-missing`; the state is unchanged then
   */
  async install(candidate: Candidate): Promise<void> {
    const { release, document } = checkCandidate(candidate);
    if (document.model !== this.#options.model) {
      throw new DunlinError(`a release of ${document.model} for ${this.#options.model}`, {
        code: 'metadata-malformed',
      });
    }
    await this.#serially(async () => {
      await this.#settle();
      const { releaseSha256 } = release;
      if (referenced(this.#state).has(releaseSha256)) {
        // Its files may be incomplete for this device or damaged: they are replaced, unless they are in service.
        if (this.#state.active?.releaseSha256 === releaseSha256) return;
        await this.#change({ kind: 'damage', releases: [releaseSha256] });
      }
      await this.#options.files.remove(join(this.#releasesDir, releaseSha256));
      this.#stored = [...new Set([...this.#stored, releaseSha256])];
      await writeRelease(this.#options.files, this.#releasesDir, candidate);
      await this.#change({ kind: 'stage', release });
    });
  }

  /** The candidate into service, on probation. */
  async activate(): Promise<void> {
    await this.#serially(async () => await this.#change({ kind: 'activate' }));
  }

  /** Ends the probation well. */
  async commit(): Promise<void> {
    await this.#serially(async () => await this.#change({ kind: 'commit' }));
  }

  /** Takes the active release out of service for `reason` and refuses it; the previous one, if it is sound, is back. */
  async rollback(reason: ErrorCode): Promise<void> {
    await this.#serially(async () => await this.#rollback(reason));
  }

  /** Never tries this release again until the assignment names another one. */
  async refuse(release: RefusedRelease, reason: ErrorCode): Promise<void> {
    await this.#serially(async () => await this.#change({ kind: 'refuse', release, reason }));
  }

  /** Carries out a step of `planSlots`; doing it twice is the same as once. */
  async carryOut(step: OwnStep): Promise<void> {
    if (step.kind === 'refuse') return await this.refuse(step.target, step.reason);
    await this.#serially(async () => {
      switch (step.kind) {
        case 'prune':
          return await this.#prune();
        case 'stage-previous': {
          const { previous } = this.#state;
          if (previous !== null) await this.#change({ kind: 'stage', release: previous });
          return;
        }
        default:
          return await this.#change({ kind: step.kind });
      }
    });
  }

  /** The files of a release, in whichever slot it is; undefined where it is in none, or not whole. */
  async find(releaseSha256: string): Promise<StoredRelease | undefined> {
    const { active, previous, candidate } = this.#state;
    const found = [active, previous, candidate].find(
      (release) => release?.releaseSha256 === releaseSha256,
    );
    if (found === undefined || found === null) return undefined;
    try {
      return await readRelease(this.#options.files, this.#releasesDir, found);
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      return undefined;
    }
  }

  /** Counts an inference of the active release, as `countInferences` does. */
  countInference(good: boolean): Promise<'go-on' | 'commit' | 'rollback'> {
    return this.countInferences(good ? { good: 1, bad: 0 } : { good: 0, bad: 1 });
  }

  /**
   * Counts inferences of the active release. While it is on probation, enough good ones commit it and too many
   * bad ones roll it back (`probation-failed`); later they change nothing.
   */
  async countInferences({ good, bad }: ProbationCounts): Promise<'go-on' | 'commit' | 'rollback'> {
    if (this.#state.active?.phase !== 'probation') return 'go-on';
    return await this.#serially(async () => {
      const { active } = this.#state;
      if (active?.phase !== 'probation') return 'go-on';
      this.#good += good;
      this.#bad += bad;
      const { probation = DEFAULT_PROBATION } = this.#options;
      const verdict = judgeProbation(active, { good: this.#good, bad: this.#bad }, probation);
      if (verdict === 'commit') await this.#change({ kind: 'commit' });
      if (verdict === 'rollback') await this.#rollback('probation-failed');
      return verdict;
    });
  }

  async #open(): Promise<void> {
    const { files, dir, probation = DEFAULT_PROBATION } = this.#options;
    await files.makeDirectory(this.#releasesDir);
    for (const made of [this.#modelDir, dir, dirname(dir)]) await files.syncDirectory(made);
    this.#state = await this.#readState();
    this.#stored = await files.list(this.#releasesDir);
    const { active, previous, candidate } = this.#state;
    await this.#dropDamaged([active, previous, candidate]);
    if (this.#state.active?.phase !== 'probation') return;
    await this.#change({ kind: 'count-start' });
    if (judgeProbation(this.#state.active, { good: 0, bad: 0 }, probation) !== 'rollback') return;
    await this.#rollback('probation-failed');
  }

  async #readState(): Promise<SlotsState> {
    const bytes = await this.#options.files.read(join(this.#modelDir, 'state.json'));
    if (bytes === undefined) return EMPTY_STATE;
    try {
      return parseJson(SlotsState, bytes, 'state.json');
    } catch (error) {
      // Never by a kill: only a disk that rots does this. Without it nobody knows which release passed its gate.
      this.#logger.error('state.json is damaged; starting without a model', {
        problem: errorMessage(error),
      });
      return EMPTY_STATE;
    }
  }

  async #rollback(reason: ErrorCode): Promise<void> {
    await this.#dropDamaged([this.#state.previous]);
    await this.#change({ kind: 'rollback', reason });
  }

  async #dropDamaged(releases: readonly (SlotRelease | null)[]): Promise<void> {
    const bad: string[] = [];
    for (const release of releases) {
      if (release === null) continue;
      try {
        await readRelease(this.#options.files, this.#releasesDir, release);
      } catch (error) {
        if (errorCode(error) === undefined) throw error;
        this.#logger.error('a release on disk is damaged', {
          version: release.version,
          problem: errorMessage(error),
        });
        bad.push(release.releaseSha256);
      }
    }
    if (bad.length > 0) await this.#change({ kind: 'damage', releases: bad });
  }

  async #prune(): Promise<void> {
    await this.#settle();
    const { files } = this.#options;
    const keep = referenced(this.#state);
    for (const name of await files.list(this.#releasesDir)) {
      if (!keep.has(name)) await files.remove(join(this.#releasesDir, name));
    }
    await files.syncDirectory(this.#releasesDir);
    this.#stored = await files.list(this.#releasesDir);
  }

  async #change(change: Change): Promise<void> {
    const next = changed(this.#state, change, this.#now());
    if (next === this.#state && !this.#uncertain) return;
    const newcomer = next.active?.releaseSha256 !== this.#state.active?.releaseSha256;
    await this.#persist(next);
    this.#state = next;
    if (newcomer) {
      this.#good = 0;
      this.#bad = 0;
    }
    const { active, refused } = next;
    this.#logger.info(change.kind, {
      active: active === null ? null : `${active.version} (${active.phase})`,
      refused: refused === null ? null : `${refused.version}: ${refused.reason}`,
    });
  }

  #now(): string {
    return new Date(this.#options.clock.nowMs()).toISOString();
  }

  /** Before files are removed, the disk has to agree with the memory about which ones matter. */
  async #settle(): Promise<void> {
    if (this.#uncertain) await this.#persist(this.#state);
  }

  async #persist(state: SlotsState): Promise<void> {
    this.#uncertain = true;
    const path = join(this.#modelDir, 'state.json');
    await writeFileAtomic(this.#options.files, path, `${JSON.stringify(state, null, 2)}\n`);
    this.#uncertain = false;
  }

  /** One change at a time, in the order in which they were asked for. */
  async #serially<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return await turn;
  }
}
