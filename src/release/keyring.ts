import { createPublicKey } from 'node:crypto';
import { join, resolve } from 'node:path';
import {
  DunlinError,
  type Files,
  generateSigningKey,
  type PublicKey,
  readNamedFile,
  type SigningKey,
  signingKeyFromPem,
  writeFileAtomic,
} from '../core/index.ts';
import { MAX_METADATA_BYTES, NAME_PATTERN, parseRole } from '../update/index.ts';
import { decryptKey, encryptKey, pemOf } from './key-file.ts';
import { FLEET_FIELD, type Lifetimes, signRoot } from './tuf-documents.ts';

/**
 * Kept on a machine that is not on the network, encrypted: what a release is signed with, and what firmware and
 * models for microcontrollers are signed with.
 */
const OFFLINE = ['root', 'targets', 'mcu'] as const;
/** Kept by the publisher: freshness and assignments. Alone they make no device run anything. */
const ONLINE = ['snapshot', 'timestamp', 'assignment'] as const;
const OWNER_ONLY = 0o600;
const MAX_KEY_BYTES = 16 * 1024;
const MIN_PASSPHRASE_CHARACTERS = 8;
/** Beside the online keys; every agent's configuration names a copy. */
const ROOT_FILE = 'root.json';
/** Beside it: the half of the microcontrollers' key that their bootloader is given, SPKI in PEM. */
const MCU_PUBLIC_FILE = 'mcu.pub.pem';

type OfflineRole = (typeof OFFLINE)[number];
type OnlineRole = (typeof ONLINE)[number];
export type OnlineKeys = Readonly<Record<OnlineRole, SigningKey>>;

export interface InitKeysOptions {
  readonly files: Files;
  readonly offlineDir: string;
  readonly onlineDir: string;
  readonly passphrase: string;
  /** Written into root.json, so that publishing need not be told. */
  readonly fleet?: string;
  readonly nowMs: number;
  readonly lifetimes: Lifetimes;
}

export interface InitializedKeys {
  readonly rootPath: string;
  readonly mcuPublicPath: string;
  readonly keyids: Readonly<Record<OfflineRole | OnlineRole, string>>;
}

/**
 * Makes a fleet's keys, its first root, `<online>/root.json`, and `<online>/mcu.pub.pem`.
 * @throws `input-invalid` when there are keys already, the passphrase is short, or both directories are one
 */
export async function initKeys(options: InitKeysOptions): Promise<InitializedKeys> {
  const { files, offlineDir, onlineDir, passphrase, fleet, nowMs, lifetimes } = options;
  if (passphrase.length < MIN_PASSPHRASE_CHARACTERS) {
    throw invalid(`the passphrase needs at least ${MIN_PASSPHRASE_CHARACTERS} characters`);
  }
  if (fleet !== undefined && !new RegExp(NAME_PATTERN).test(fleet)) {
    throw invalid(`"${fleet}" is no fleet's name; it has to match ${NAME_PATTERN}`);
  }
  if (resolve(offlineDir) === resolve(onlineDir)) {
    throw invalid('offline and online keys in one directory protect nothing; name two');
  }
  const rootPath = join(onlineDir, ROOT_FILE);
  const mcuPublicPath = join(onlineDir, MCU_PUBLIC_FILE);
  const paths = [
    ...OFFLINE.map((role) => offlinePath(offlineDir, role)),
    ...ONLINE.map((role) => onlinePath(onlineDir, role)),
    mcuPublicPath,
    rootPath,
  ];
  for (const path of paths) {
    if ((await files.read(path)) === undefined) continue;
    throw invalid(
      `${path} is there already, and keys are never overwritten; name other directories`,
    );
  }
  const keys = {
    root: generateSigningKey(),
    targets: generateSigningKey(),
    mcu: generateSigningKey(),
    snapshot: generateSigningKey(),
    timestamp: generateSigningKey(),
    assignment: generateSigningKey(),
  };
  await files.makeDirectory(offlineDir);
  await files.makeDirectory(onlineDir);
  for (const role of OFFLINE) {
    const text = encryptKey(keys[role], passphrase);
    await writeFileAtomic(files, offlinePath(offlineDir, role), text, OWNER_ONLY);
  }
  for (const role of ONLINE) {
    await writeFileAtomic(files, onlinePath(onlineDir, role), pemOf(keys[role]), OWNER_ONLY);
  }
  await writeFileAtomic(files, mcuPublicPath, publicPemOf(keys.mcu));
  const context = { version: 1, nowMs, lifetimes };
  await writeFileAtomic(files, rootPath, signRoot(keys, [keys.root], context, fleet));
  const keyids = Object.fromEntries(
    Object.entries(keys).map(([role, { keyid }]) => [role, keyid]),
  ) as InitializedKeys['keyids'];
  return { rootPath, mcuPublicPath, keyids };
}

export interface AddedMcuKey {
  readonly mcuPublicPath: string;
  readonly keyid: string;
}

/**
 * Gives a fleet that was made before there were microcontrollers their key. Run again after a kill, or where the
 * public half was lost, it writes that half of the key that is there.
 * @throws `wrong-passphrase` when the passphrase is not that of the other offline keys, `file-missing` without them,
 * `input-invalid` when both halves are there
 */
export async function addMcuKey(
  options: Pick<InitKeysOptions, 'files' | 'offlineDir' | 'onlineDir' | 'passphrase'>,
): Promise<AddedMcuKey> {
  const { files, offlineDir, onlineDir, passphrase } = options;
  // A fleet's offline keys have one passphrase; a mistyped one would be noticed only when it is too late.
  await openKey(files, offlineDir, 'targets', passphrase);
  const [path, mcuPublicPath] = [offlinePath(offlineDir, 'mcu'), join(onlineDir, MCU_PUBLIC_FILE)];
  const isMade = (await files.read(path)) !== undefined;
  if ((await files.read(mcuPublicPath)) !== undefined) {
    const found = isMade ? `${path} and ${mcuPublicPath} are` : `${mcuPublicPath} is`;
    throw invalid(`${found} there already, and keys are never overwritten`);
  }
  const key = isMade ? await openKey(files, offlineDir, 'mcu', passphrase) : generateSigningKey();
  await files.makeDirectory(onlineDir);
  if (!isMade) await writeFileAtomic(files, path, encryptKey(key, passphrase), OWNER_ONLY);
  await writeFileAtomic(files, mcuPublicPath, publicPemOf(key));
  return { mcuPublicPath, keyid: key.keyid };
}

async function openKey(
  files: Files,
  offlineDir: string,
  role: OfflineRole,
  passphrase: string,
): Promise<SigningKey> {
  const path = offlinePath(offlineDir, role);
  const bytes = await files.read(path);
  if (bytes !== undefined) return decryptKey(bytes, passphrase, path);
  throw new DunlinError(`${path}: no such file; dunlin keys init makes a fleet's keys`, {
    code: 'file-missing',
  });
}

/**
 * A key that microcontrollers trust: `mcu.key.json` of the offline keys, or the Ed25519 PEM of another tool (imgtool).
 * @param readPassphrase asked only when the file is encrypted
 * @throws `file-missing`, `wrong-passphrase`, `input-invalid`
 */
export async function loadMcuKey(
  path: string,
  readPassphrase: () => Promise<string>,
): Promise<SigningKey> {
  const bytes = await readNamedFile(path, MAX_KEY_BYTES);
  const text = Buffer.from(bytes).toString('utf8');
  if (text.trimStart().startsWith('{')) return decryptKey(bytes, await readPassphrase(), path);
  return signingKeyFromPem(text, path);
}

/** @throws `file-missing`, `wrong-passphrase`, `input-invalid` */
export async function loadOfflineKey(
  offlineDir: string,
  role: OfflineRole,
  passphrase: string,
): Promise<SigningKey> {
  const path = offlinePath(offlineDir, role);
  return decryptKey(await readNamedFile(path, MAX_KEY_BYTES), passphrase, path);
}

/** @throws `file-missing`, `input-invalid` */
export async function loadOnlineKeys(onlineDir: string): Promise<OnlineKeys> {
  const load = async (role: OnlineRole): Promise<SigningKey> => {
    const path = onlinePath(onlineDir, role);
    const pem = await readNamedFile(path, MAX_KEY_BYTES);
    return signingKeyFromPem(Buffer.from(pem).toString('utf8'), path);
  };
  return {
    snapshot: await load('snapshot'),
    timestamp: await load('timestamp'),
    assignment: await load('assignment'),
  };
}

export interface RootFile {
  readonly bytes: Uint8Array;
  /** The fleet it was made for, where it says so. */
  readonly fleet: string | undefined;
  /** Whether root names this key for this role. */
  trusts(role: 'targets' | 'snapshot' | 'timestamp', key: PublicKey): boolean;
}

/** @throws `file-missing`, `metadata-malformed` */
export async function loadRoot(onlineDir: string): Promise<RootFile> {
  return readRoot(await readNamedFile(join(onlineDir, ROOT_FILE), MAX_METADATA_BYTES.root));
}

/** @throws `metadata-malformed` */
export function readRoot(bytes: Uint8Array): RootFile {
  const { unrecognizedFields, roles } = parseRole('root', bytes).signed;
  const fleet = unrecognizedFields[FLEET_FIELD];
  return {
    bytes,
    fleet: typeof fleet === 'string' ? fleet : undefined,
    trusts: (role, { keyid }) => roles[role]?.keyIDs.includes(keyid) ?? false,
  };
}

function offlinePath(dir: string, role: OfflineRole): string {
  return join(dir, `${role}.key.json`);
}

function onlinePath(dir: string, role: OnlineRole): string {
  return join(dir, `${role}.key.pem`);
}

function publicPemOf({ privateKey }: SigningKey): string {
  return createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }).toString();
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
