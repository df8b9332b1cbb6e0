import type { ErrorCode } from '../core/index.ts';
import type { ReleaseDocument, StoredRelease } from '../update/index.ts';

/** What serves, as reports tell it. */
export interface Serving {
  readonly variant: string;
  readonly path: string;
  /** Why this variant and this path: a code. */
  readonly reason: string;
}

/**
 * Where a model's releases pass their gate and serve: a sandbox of this gateway, or a microcontroller behind it.
 * `ModelUpdate` decides when, and has the slots record it; the place knows how.
 */
export interface ServingPlace {
  /** Codes of `gate` and `reopen` that are a word about the release, as opposed to what befell the place. */
  readonly verdicts: ReadonlySet<ErrorCode>;
  /** Of the verdicts, those that a busy machine gives about a sound release too. */
  readonly mayPass: ReadonlySet<ErrorCode>;
  /** Undefined while nothing serves. */
  readonly serving: Serving | undefined;
  /** The artifacts that are needed here. @throws `release-missing` when the release has not got them */
  artifactNames(document: ReleaseDocument): readonly string[];
  /** The gate. What passed waits for `takeOver` or `dropGated`. @throws verdicts, and whatever stopped it */
  gate(stored: StoredRelease, signal: AbortSignal): Promise<void>;
  /** What passed the gate serves; the slots have recorded it. */
  takeOver(): Promise<void>;
  dropGated(): Promise<void>;
  /** A release that passed earlier serves: at a start, and after a rollback. @throws as `gate` */
  reopen(stored: StoredRelease): Promise<void>;
  /** Nothing is to serve. */
  rest(): Promise<void>;
}
