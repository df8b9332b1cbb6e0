import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { DunlinError, parseJson, type SigningKey, signingKeyFromPem, Type } from '../core/index.ts';

/** Cost of one guess at a passphrase: 128 MiB and some tenths of a second. OWASP asks for N >= 2^17 with r = 8. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 } as const;
const SCRYPT_MAX_BYTES = 256 * 1024 * 1024;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const HEX = '^[0-9a-f]+$';

const EncryptedKey = Type.Object(
  {
    type: Type.Literal('dunlin-encrypted-key'),
    formatVersion: Type.Literal(1),
    kdf: Type.Object(
      {
        name: Type.Literal('scrypt'),
        N: Type.Literal(SCRYPT.N),
        r: Type.Literal(SCRYPT.r),
        p: Type.Literal(SCRYPT.p),
        salt: Type.String({ pattern: HEX }),
      },
      { additionalProperties: false },
    ),
    cipher: Type.Literal('aes-256-gcm'),
    nonce: Type.String({ pattern: HEX }),
    tag: Type.String({ pattern: HEX }),
    ciphertext: Type.String({ pattern: HEX }),
  },
  { additionalProperties: false },
);

/** A private key for a file: scrypt over the passphrase, AES-256-GCM over the PKCS #8 PEM. */
export function encryptKey(key: SigningKey, passphrase: string): string {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', derive(passphrase, salt), nonce);
  const ciphertext = Buffer.concat([cipher.update(pemOf(key)), cipher.final()]);
  const document = {
    type: 'dunlin-encrypted-key',
    formatVersion: 1,
    kdf: { name: 'scrypt', ...SCRYPT, salt: salt.toString('hex') },
    cipher: 'aes-256-gcm',
    nonce: nonce.toString('hex'),
    tag: cipher.getAuthTag().toString('hex'),
    ciphertext: ciphertext.toString('hex'),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** @throws `wrong-passphrase`, `input-invalid` */
export function decryptKey(bytes: Uint8Array, passphrase: string, what: string): SigningKey {
  const { kdf, nonce, tag, ciphertext } = parseJson(EncryptedKey, bytes, what);
  let pem: string;
  try {
    const secret = derive(passphrase, Buffer.from(kdf.salt, 'hex'));
    const decipher = createDecipheriv('aes-256-gcm', secret, Buffer.from(nonce, 'hex'));
    decipher.setAuthTag(Buffer.from(tag, 'hex'));
    const plain = decipher.update(Buffer.from(ciphertext, 'hex'));
    pem = Buffer.concat([plain, decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new DunlinError(`${what}: the passphrase does not open it`, {
      code: 'wrong-passphrase',
      cause,
    });
  }
  return signingKeyFromPem(pem, what);
}

export function pemOf(key: SigningKey): string {
  return key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

function derive(passphrase: string, salt: Uint8Array): Buffer {
  return scryptSync(passphrase, salt, KEY_BYTES, { ...SCRYPT, maxmem: SCRYPT_MAX_BYTES });
}
