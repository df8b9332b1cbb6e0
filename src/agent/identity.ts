import { join } from 'node:path';
import {
  type Files,
  generateSigningKey,
  type SigningKey,
  signingKeyFromPem,
  writeFileAtomic,
} from '../core/index.ts';

const KEY_FILE = 'device-key.pem';
const PUBLIC_FILE = 'device-key.pub';
const OWNER_ONLY = 0o600;

/**
 * The device's own Ed25519 key: made at first start, kept in the state directory (mode 0600).
 * `device-key.pub` beside it holds the public key in hexadecimal, for whoever enrols the device.
 */
export async function loadIdentity(files: Files, stateDir: string): Promise<SigningKey> {
  await files.makeDirectory(stateDir);
  const path = join(stateDir, KEY_FILE);
  const existing = await files.read(path);
  const key =
    existing === undefined
      ? generateSigningKey()
      : signingKeyFromPem(Buffer.from(existing).toString('utf8'), path);
  if (existing === undefined) {
    const pem = key.privateKey.export({ format: 'pem', type: 'pkcs8' });
    await writeFileAtomic(files, path, pem.toString(), OWNER_ONLY);
  }
  const publicPath = join(stateDir, PUBLIC_FILE);
  if ((await files.read(publicPath)) === undefined) {
    await writeFileAtomic(files, publicPath, `${key.publicHex}\n`);
  }
  return key;
}
