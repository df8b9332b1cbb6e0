import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import canonicalizeModule from 'canonicalize';
import { sha256Hex } from './bytes.ts';
import { DunlinError } from './errors.ts';
import { parseJson, type Static, type TSchema, Type } from './schema.ts';

/** The package's types describe an ES module; what Node imports is the function itself. */
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string | undefined;

const MAX_SIGNATURES = 8;
/** Bytes that stand before an Ed25519 public key in SubjectPublicKeyInfo, RFC 8410. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Every document of ours that travels over a broker is `{ signed, signatures }`: Ed25519 (RFC 8032)
 * over the JSON Canonicalization Scheme (RFC 8785) of `signed`. TUF's own metadata keeps TUF's form.
 * A schema's `type` literal inside `signed` keeps one kind of document from passing for another.
 */
const Envelope = Type.Object(
  {
    signed: Type.Object({}),
    signatures: Type.Array(
      Type.Object(
        {
          keyid: Type.String({ pattern: '^[0-9a-f]{64}$' }),
          sig: Type.String({ pattern: '^[0-9a-f]{128}$' }),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: MAX_SIGNATURES },
    ),
  },
  { additionalProperties: false },
);

/** An Ed25519 public key and its name: the SHA-256 of its 32 bytes. */
export interface PublicKey {
  readonly keyid: string;
  /** 64 hexadecimal characters. */
  readonly publicHex: string;
}

export interface SigningKey extends PublicKey {
  readonly privateKey: KeyObject;
}

export function generateSigningKey(): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey);
}

export function signingKey(privateKey: KeyObject): SigningKey {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { ...publicKeyFromHex(spki.subarray(SPKI_PREFIX.length).toString('hex')), privateKey };
}

/** @throws `input-invalid` when the PEM holds no Ed25519 private key */
export function signingKeyFromPem(pem: string, what: string): SigningKey {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return signingKey(key);
  } catch (error) {
    throw new DunlinError(`${what}: not a private key in PEM`, {
      code: 'input-invalid',
      cause: error,
    });
  }
  throw new DunlinError(`${what}: not an Ed25519 key`, { code: 'input-invalid' });
}

/** For signatures that are no envelope's. @throws `input-invalid` when the PEM holds no Ed25519 public key */
export function verifyingKeyFromPem(pem: string, what: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new DunlinError(`${what}: not a public key in PEM`, { code: 'input-invalid', cause });
  }
  throw new DunlinError(`${what}: not an Ed25519 key`, { code: 'input-invalid' });
}

export function publicKeyFromHex(publicHex: string): PublicKey {
  return { keyid: sha256Hex(Buffer.from(publicHex, 'hex')), publicHex };
}

/** Signs a document: the bytes to publish. */
export function sealEnvelope(signed: object, keys: readonly SigningKey[]): Uint8Array {
  const bytes = canonicalBytes(signed);
  const signatures = keys.map((key) => ({
    keyid: key.keyid,
    sig: sign(null, bytes, key.privateKey).toString('hex'),
  }));
  return Buffer.from(JSON.stringify({ signed, signatures }));
}

/**
 * Opens a signed document: schema and at least `threshold` signatures of different trusted keys.
 * @throws `metadata-malformed`, `untrusted-signature`
 */
export function openEnvelope<T extends TSchema>(
  schema: T,
  bytes: Uint8Array,
  trusted: readonly PublicKey[],
  what: string,
  threshold = 1,
): Static<T> {
  const { signed, signatures } = parseJson(Envelope, bytes, what, 'metadata-malformed');
  const canonical = canonicalBytes(signed);
  const good = new Set<string>();
  for (const { keyid, sig } of signatures) {
    const key = trusted.find((candidate) => candidate.keyid === keyid);
    if (key !== undefined && verifyBytes(key, canonical, sig)) good.add(keyid);
  }
  if (good.size < threshold) {
    throw new DunlinError(
      `${what}: ${good.size} of ${threshold} needed signatures are of a trusted key`,
      { code: 'untrusted-signature', context: { keyids: signatures.map(({ keyid }) => keyid) } },
    );
  }
  return parseJson(schema, JSON.stringify(signed), what, 'metadata-malformed');
}

function verifyBytes(key: PublicKey, bytes: Uint8Array, signatureHex: string): boolean {
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(key.publicHex, 'hex')]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, bytes, publicKey, Buffer.from(signatureHex, 'hex'));
}

/** A JSON value in its one form, RFC 8785: equal values have equal bytes. */
export function canonicalBytes(value: object): Uint8Array {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return Buffer.from(text);
}
