import { join } from 'node:path';
import { decode, encode } from 'cborg';
import {
  checkSchema,
  DunlinError,
  ERROR_EXIT_STATUS,
  type ErrorCode,
  errorMessage,
  type Files,
  parseJson,
  type Static,
  sha256Hex,
  Type,
  writeFileAtomic,
} from '../../core/index.ts';
import { MAX_IMAGE_BYTES } from '../images/flash-image.ts';
import { Bytes } from '../smp/cbor.ts';
import { MAX_GOLDEN_VECTORS } from '../smp/model-group.ts';
import type { FlashJob } from './flasher.ts';

const JOURNAL_NAME = 'journal.json';
const PAYLOAD_SUFFIX = '.job';
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });

/**
 * One job on one device.
 *
 *   upload ──▶ trial ──▶ confirm ──▶ done
 *      └─────────┴──────────┴──▶ withdraw ──▶ failed
 */
export const JournalRecord = Type.Object({
  kind: Type.Union([Type.Literal('firmware'), Type.Literal('model')]),
  boards: Type.Array(Type.String(), { maxItems: 16 }),
  /** How the device names it. */
  hashHex: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  version: Type.String(),
  sizeBytes: Type.Integer({ minimum: 1 }),
  /** Of the job's file in the journal's directory. */
  payloadSha256: Sha256,
  phase: Type.Union([
    Type.Literal('upload'),
    Type.Literal('trial'),
    Type.Literal('confirm'),
    Type.Literal('withdraw'),
    Type.Literal('done'),
    Type.Literal('failed'),
  ]),
  trials: Type.Integer({ minimum: 0 }),
  reason: Type.Optional(
    Type.Refine(Type.Unsafe<ErrorCode>(Type.String()), (code) => code in ERROR_EXIT_STATUS),
  ),
  startedMs: Type.Number(),
});
export type JournalRecord = Static<typeof JournalRecord>;

const Payload = Type.Object({
  file: Bytes(MAX_IMAGE_BYTES, 1),
  golden: Type.Array(
    Type.Object({ input: Bytes(MAX_IMAGE_BYTES), output: Bytes(MAX_IMAGE_BYTES) }),
    { maxItems: MAX_GOLDEN_VECTORS },
  ),
});
/** What a job needs to be done again, whatever became of who asked for it. */
export type FlashPayload = Pick<FlashJob, 'file' | 'golden'>;

/**
 * A directory a device: `journal.json` and the file of the job that it names. The file is durable before the
 * journal names it, and goes only after the journal says that the job is over; so a kill leaves the old job
 * or the new one, each with its file.
 */
export class FlashJournal {
  readonly #files: Files;
  readonly #dir: string;

  /** @param dir its parent has to exist */
  constructor(files: Files, dir: string) {
    this.#files = files;
    this.#dir = dir;
  }

  /** The last job, over or not. @throws `input-invalid` when the journal was changed from outside */
  async read(): Promise<JournalRecord | undefined> {
    const bytes = await this.#files.read(this.#path);
    if (bytes === undefined) return undefined;
    try {
      return parseJson(JournalRecord, bytes, this.#path);
    } catch (cause) {
      const advice = 'remove it, and flash again: the device has kept what it confirmed last';
      throw new DunlinError(`${errorMessage(cause)}; ${advice}`, { code: 'input-invalid', cause });
    }
  }

  /** The job that was interrupted. @throws as `read` */
  async readUnfinished(): Promise<JournalRecord | undefined> {
    const record = await this.read();
    return record === undefined || isOver(record) ? undefined : record;
  }

  /** Starts a job in the place of the one before. */
  async begin(
    record: Omit<JournalRecord, 'payloadSha256'>,
    payload: FlashPayload,
  ): Promise<JournalRecord> {
    const bytes = encode({ file: payload.file, golden: payload.golden });
    const started = { ...record, payloadSha256: sha256Hex(bytes) };
    await this.#files.makeDirectory(this.#dir);
    await this.#files.syncDirectory(join(this.#dir, '..'));
    await writeFileAtomic(this.#files, this.#payloadPath(started), bytes);
    await this.write(started);
    await this.#prune(started);
    return started;
  }

  async write(record: JournalRecord): Promise<void> {
    await writeFileAtomic(this.#files, this.#path, JSON.stringify(record));
    if (isOver(record)) await this.#prune(undefined);
  }

  /** @throws `digest-mismatch` when the file is gone or changed */
  async readPayload(record: JournalRecord): Promise<FlashPayload> {
    const path = this.#payloadPath(record);
    const bytes = await this.#files.read(path);
    if (bytes === undefined || sha256Hex(bytes) !== record.payloadSha256) {
      throw new DunlinError(`${path}: is not what the journal says`, { code: 'digest-mismatch' });
    }
    const checked = checkSchema(Payload, decode(bytes));
    if ('value' in checked) return checked.value;
    throw new DunlinError(`${path}: is not a job`, { code: 'digest-mismatch' });
  }

  /** Removes files that no job needs. */
  async #prune(current: JournalRecord | undefined): Promise<void> {
    const kept = current === undefined ? undefined : `${current.payloadSha256}${PAYLOAD_SUFFIX}`;
    for (const name of await this.#files.list(this.#dir)) {
      if (name === JOURNAL_NAME || name === kept) continue;
      await this.#files.remove(join(this.#dir, name));
    }
  }

  get #path(): string {
    return join(this.#dir, JOURNAL_NAME);
  }

  #payloadPath({ payloadSha256 }: Pick<JournalRecord, 'payloadSha256'>): string {
    return join(this.#dir, `${payloadSha256}${PAYLOAD_SUFFIX}`);
  }
}

function isOver({ phase }: JournalRecord): boolean {
  return phase === 'done' || phase === 'failed';
}
