import { dirname, join } from 'node:path';
import {
  DunlinError,
  type Files,
  parseJson,
  type Static,
  Type,
  writeFileAtomic,
} from '../../core/index.ts';
import type { Assignment } from '../documents.ts';
import type { TrustedMetadata } from './trusted-metadata.ts';

const FILE = 'assignment-floors.json';
/** A device and the groups that it ever was in. */
const MAX_SUBJECTS = 256;
const MAX_KEYS_CHARACTERS = 64 * 1024;

const FloorFile = Type.Record(
  Type.String({ maxLength: 128 }),
  Type.Object(
    {
      sequence: Type.Integer({ minimum: 1 }),
      keys: Type.String({ maxLength: MAX_KEYS_CHARACTERS }),
    },
    { additionalProperties: false },
  ),
  { maxProperties: MAX_SUBJECTS },
);
type FloorFile = Static<typeof FloorFile>;

/**
 * The highest sequence seen of each subject, durable: an older assignment that the broker replays is refused. New
 * assignment keys begin anew, so that stolen ones cannot end assignments for ever with a high sequence.
 */
export class AssignmentFloors {
  readonly #files: Files;
  readonly #path: string;
  #floors: FloorFile | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  static async open(files: Files, dir: string): Promise<AssignmentFloors> {
    await files.makeDirectory(dir);
    await files.syncDirectory(dirname(dir));
    return new AssignmentFloors(files, join(dir, FILE));
  }

  /**
   * Durable when it resolves.
   * @throws `metadata-rollback`; `metadata-malformed` when the file of floors is damaged or full
   */
  raise(assignment: Assignment, trusted: TrustedMetadata): Promise<void> {
    const turn = this.#last.then(() => this.#raise(assignment, trusted));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #raise({ subject, sequence }: Assignment, trusted: TrustedMetadata): Promise<void> {
    this.#floors ??= await this.#read();
    const name = `${subject.kind}/${subject.name}`;
    const keys = trusted.assignmentKeys
      .map(({ keyid }) => keyid)
      .sort()
      .join(' ');
    const floor = this.#floors[name];
    if (floor?.keys === keys) {
      if (sequence === floor.sequence) return;
      if (sequence < floor.sequence) {
        throw new DunlinError(
          `assignment of ${name}: sequence ${sequence}, and ${floor.sequence} was seen before`,
          { code: 'metadata-rollback' },
        );
      }
    }
    const floors = { ...this.#floors, [name]: { sequence, keys } };
    if (Object.keys(floors).length > MAX_SUBJECTS) {
      throw this.#unusable(`holds ${MAX_SUBJECTS} subjects already`);
    }
    await writeFileAtomic(this.#files, this.#path, JSON.stringify(floors));
    this.#floors = floors;
  }

  async #read(): Promise<FloorFile> {
    const bytes = await this.#files.read(this.#path);
    if (bytes === undefined) return {};
    try {
      return parseJson(FloorFile, bytes, this.#path, 'metadata-malformed');
    } catch (cause) {
      throw this.#unusable('is damaged', cause);
    }
  }

  #unusable(why: string, cause?: unknown): DunlinError {
    const advice = "remove it to take the broker's assignments as the newest";
    return new DunlinError(`${this.#path} ${why}; ${advice}`, {
      code: 'metadata-malformed',
      cause,
    });
  }
}
