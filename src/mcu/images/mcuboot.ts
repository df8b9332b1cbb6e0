import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { DunlinError } from '../../core/index.ts';
import { hex, MAX_IMAGE_BYTES, malformedImage } from './flash-image.ts';

/*
 * MCUboot's image format (docs.mcuboot.com, "Boot Loader", "Image Format"), all little endian:
 *
 *   header (hdr_size bytes, of which 32 mean something) | body | protected TLVs | TLVs
 *
 * SHA-256 covers header, body and protected TLVs; Ed25519 signs those 32 bytes. A TLV area starts with a
 * magic and its size, these 4 bytes included.
 */
export const MCUBOOT_MAGIC = 0x96f3b83d;
export const MCUBOOT_HEADER_BYTES = 32;
const TLV_MAGIC = 0x6907;
const PROTECTED_TLV_MAGIC = 0x6908;
const TLV_AREA_HEADER_BYTES = 4;
const TLV_HEADER_BYTES = 4;

export const IMAGE_FLAG_NON_BOOTABLE = 0x10;

/** Types of records. */
export const MCUBOOT_TLV = {
  keyHash: 0x01,
  sha256: 0x10,
  ed25519: 0x24,
  securityCounter: 0x50,
} as const;

const SHA256_BYTES = 32;
const ED25519_BYTES = 64;
const MAX_TLVS = 64;
const MAX_HEADER_BYTES = 0xffff;
const MAX_TLV_BYTES = 0xffff;

export interface McubootVersion {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly build: number;
}

export interface McubootTlv {
  readonly type: number;
  readonly bytes: Uint8Array;
}

export interface McubootImage {
  readonly headerBytes: number;
  readonly loadAddress: number;
  readonly flags: number;
  readonly version: McubootVersion;
  readonly body: Uint8Array;
  readonly protectedTlvs: readonly McubootTlv[];
  readonly tlvs: readonly McubootTlv[];
  /** What is hashed: header, body, protected TLVs. */
  readonly signedPart: Uint8Array;
  /** Header to the last TLV; a padded file is longer. */
  readonly totalBytes: number;
  /** The SHA-256 TLV, by which SMP names the image; not yet compared with the bytes. */
  readonly hash: Uint8Array;
  readonly securityCounter: number | undefined;
  /** It has an Ed25519 signature, whoever's. */
  readonly isSigned: boolean;
}

export function looksLikeMcuboot(file: Uint8Array): boolean {
  return file.byteLength >= 4 && bufferOf(file).readUInt32LE(0) === MCUBOOT_MAGIC;
}

/** @throws `image-malformed`: no such image, cut short, without a SHA-256, or with records that contradict it */
export function parseMcubootImage(file: Uint8Array, what: string): McubootImage {
  const image = bufferOf(file);
  if (!looksLikeMcuboot(file) || file.byteLength < MCUBOOT_HEADER_BYTES) {
    throw malformedImage(what, 'not an image of MCUboot');
  }
  const headerBytes = image.readUInt16LE(8);
  const protectedBytes = image.readUInt16LE(10);
  const bodyBytes = image.readUInt32LE(12);
  if (headerBytes < MCUBOOT_HEADER_BYTES || bodyBytes > MAX_IMAGE_BYTES) {
    throw malformedImage(what, `header of ${headerBytes} bytes, body of ${bodyBytes}`);
  }
  const bodyEnd = headerBytes + bodyBytes;
  const signedEnd = bodyEnd + protectedBytes;
  if (signedEnd + TLV_AREA_HEADER_BYTES > image.byteLength) {
    throw malformedImage(what, `cut short: ${image.byteLength} bytes of ${signedEnd} and more`);
  }
  const guarded =
    protectedBytes === 0
      ? { tlvs: [], endOffset: bodyEnd }
      : parseTlvs(image, bodyEnd, PROTECTED_TLV_MAGIC, what);
  if (guarded.endOffset !== signedEnd) {
    throw malformedImage(what, 'the protected records are not as long as the header says');
  }
  const { tlvs, endOffset } = parseTlvs(image, signedEnd, TLV_MAGIC, what);
  const counter = single(guarded.tlvs, MCUBOOT_TLV.securityCounter, 4, what);
  const hash = single(tlvs, MCUBOOT_TLV.sha256, SHA256_BYTES, what);
  if (hash === undefined) throw malformedImage(what, 'it has no SHA-256');
  return {
    headerBytes,
    loadAddress: image.readUInt32LE(4),
    flags: image.readUInt32LE(16),
    version: {
      major: image.readUInt8(20),
      minor: image.readUInt8(21),
      revision: image.readUInt16LE(22),
      build: image.readUInt32LE(24),
    },
    body: image.subarray(headerBytes, bodyEnd),
    protectedTlvs: guarded.tlvs,
    tlvs,
    signedPart: image.subarray(0, signedEnd),
    totalBytes: endOffset,
    hash,
    securityCounter: counter === undefined ? undefined : bufferOf(counter).readUInt32LE(0),
    isSigned: tlvs.some(({ type }) => type === MCUBOOT_TLV.ed25519),
  };
}

/**
 * Compares the hash with the bytes and, where keys are given, the signature with one of them.
 * @param keys Ed25519 public keys
 * @throws `digest-mismatch`, `untrusted-signature`
 */
export function verifyMcubootImage(
  image: McubootImage,
  what: string,
  keys?: readonly KeyObject[],
): void {
  const digest = sha256(image.signedPart);
  if (!digest.equals(image.hash)) {
    throw new DunlinError(`${what}: its bytes have another SHA-256 than it says`, {
      code: 'digest-mismatch',
    });
  }
  if (keys === undefined) return;
  const signature = single(image.tlvs, MCUBOOT_TLV.ed25519, ED25519_BYTES, what);
  const keyHash = single(image.tlvs, MCUBOOT_TLV.keyHash, SHA256_BYTES, what);
  const key = keys.find(
    (candidate) => keyHash !== undefined && keyHashOf(candidate).equals(keyHash),
  );
  if (key !== undefined && signature !== undefined && verify(null, digest, key, signature)) return;
  const reason = signature === undefined ? 'not signed with Ed25519' : 'signed by no key of ours';
  throw new DunlinError(`${what}: ${reason}`, { code: 'untrusted-signature' });
}

export interface McubootOptions {
  readonly body: Uint8Array;
  readonly version: McubootVersion;
  /** The body starts there: a vector table's alignment; 32 where nothing asks for more. */
  readonly headerBytes?: number;
  readonly loadAddress?: number;
  readonly flags?: number;
  readonly securityCounter?: number;
  readonly privateKey?: KeyObject;
}

/** The bytes that imgtool makes of the same: header, body, counter; then hash, key hash, signature. */
export function buildMcubootImage(options: McubootOptions): Uint8Array {
  const { body, version, headerBytes = MCUBOOT_HEADER_BYTES, privateKey } = options;
  if (headerBytes < MCUBOOT_HEADER_BYTES || headerBytes > MAX_HEADER_BYTES) {
    throw new RangeError(`header of ${headerBytes} bytes`);
  }
  const counter = counterBytes(options.securityCounter);
  const guarded =
    counter === undefined ? [] : [{ type: MCUBOOT_TLV.securityCounter, bytes: counter }];
  const protectedArea = encodeTlvs(guarded, PROTECTED_TLV_MAGIC);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(MCUBOOT_MAGIC, 0);
  header.writeUInt32LE(options.loadAddress ?? 0, 4);
  header.writeUInt16LE(headerBytes, 8);
  header.writeUInt16LE(protectedArea.byteLength, 10);
  header.writeUInt32LE(body.byteLength, 12);
  header.writeUInt32LE(options.flags ?? 0, 16);
  header.writeUInt8(version.major, 20);
  header.writeUInt8(version.minor, 21);
  header.writeUInt16LE(version.revision, 22);
  header.writeUInt32LE(version.build, 24);
  const signedPart = Buffer.concat([header, body, protectedArea]);
  const digest = sha256(signedPart);
  const tlvs: McubootTlv[] = [{ type: MCUBOOT_TLV.sha256, bytes: digest }];
  if (privateKey !== undefined) {
    const keyHash = keyHashOf(createPublicKey(privateKey));
    tlvs.push({ type: MCUBOOT_TLV.keyHash, bytes: keyHash });
    tlvs.push({ type: MCUBOOT_TLV.ed25519, bytes: sign(null, digest, privateKey) });
  }
  return Buffer.concat([signedPart, encodeTlvs(tlvs, TLV_MAGIC)]);
}

/** `1.2.3+4`, as imgtool writes it. @throws `input-invalid` */
export function parseMcubootVersion(text: string): McubootVersion {
  const match = /^(\d{1,3})(?:\.(\d{1,3})(?:\.(\d{1,5})(?:\+(\d{1,10}))?)?)?$/.exec(text);
  const [major = 0, minor = 0, revision = 0, build = 0] = (match ?? []).slice(1).map(numberOf);
  if (match === null || major > 255 || minor > 255 || revision > 0xffff || build > 0xffff_ffff) {
    throw new DunlinError(`version "${text}" is not major.minor.revision+build`, {
      code: 'input-invalid',
    });
  }
  return { major, minor, revision, build };
}

/** Of a release: its own where that is major.minor.patch, else 0.0.0, since versions are never compared. */
export function mcubootVersionOf(releaseVersion: string): McubootVersion {
  const none = { major: 0, minor: 0, revision: 0, build: 0 };
  if (!/^\d+\.\d+\.\d+$/.test(releaseVersion)) return none;
  try {
    return parseMcubootVersion(releaseVersion);
  } catch {
    return none;
  }
}

export function mcubootVersionText({ major, minor, revision, build }: McubootVersion): string {
  return `${major}.${minor}.${revision}${build === 0 ? '' : `+${build}`}`;
}

/** By which an image says whose signature it has: SHA-256 of the key's SubjectPublicKeyInfo (RFC 8410). */
export function keyHashOf(publicKey: KeyObject): Buffer {
  return sha256(publicKey.export({ format: 'der', type: 'spki' }));
}

function parseTlvs(image: Buffer, at: number, magic: number, what: string) {
  if (at + TLV_AREA_HEADER_BYTES > image.byteLength) throw malformedImage(what, 'cut short');
  if (image.readUInt16LE(at) !== magic) {
    throw malformedImage(what, `no records at ${hex(at)}, where they should be`);
  }
  const endOffset = at + image.readUInt16LE(at + 2);
  if (endOffset > image.byteLength) throw malformedImage(what, 'cut short: records past its end');
  const tlvs: McubootTlv[] = [];
  let offset = at + TLV_AREA_HEADER_BYTES;
  while (offset < endOffset) {
    const start = offset + TLV_HEADER_BYTES;
    if (start > endOffset) throw malformedImage(what, 'half a record');
    offset = start + image.readUInt16LE(start - 2);
    if (offset > endOffset) throw malformedImage(what, 'a record past the end of all records');
    if (tlvs.length >= MAX_TLVS) throw malformedImage(what, 'too many records');
    tlvs.push({ type: image.readUInt16LE(start - 4), bytes: image.subarray(start, offset) });
  }
  if (offset !== endOffset) throw malformedImage(what, 'records shorter than their own header');
  return { tlvs, endOffset };
}

function encodeTlvs(tlvs: readonly McubootTlv[], magic: number): Buffer {
  if (tlvs.length === 0) return Buffer.alloc(0);
  const parts = tlvs.map(({ type, bytes }) => {
    const header = Buffer.alloc(TLV_HEADER_BYTES);
    header.writeUInt16LE(type, 0);
    header.writeUInt16LE(bytes.byteLength, 2);
    return Buffer.concat([header, bytes]);
  });
  const records = Buffer.concat(parts);
  const area = Buffer.alloc(TLV_AREA_HEADER_BYTES);
  const areaBytes = TLV_AREA_HEADER_BYTES + records.byteLength;
  if (areaBytes > MAX_TLV_BYTES) throw new RangeError(`records of ${areaBytes} bytes`);
  area.writeUInt16LE(magic, 0);
  area.writeUInt16LE(areaBytes, 2);
  return Buffer.concat([area, records]);
}

/** The one record of its type; two would leave open which one is meant. */
function single(
  tlvs: readonly McubootTlv[],
  type: number,
  sizeBytes: number,
  what: string,
): Uint8Array | undefined {
  const [found, another] = tlvs.filter((tlv) => tlv.type === type);
  if (another !== undefined) throw malformedImage(what, `two records of type ${hex(type)}`);
  if (found !== undefined && found.bytes.byteLength !== sizeBytes) {
    throw malformedImage(what, `record ${hex(type)} of ${found.bytes.byteLength} bytes`);
  }
  return found?.bytes;
}

function counterBytes(securityCounter: number | undefined): Buffer | undefined {
  if (securityCounter === undefined) return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(securityCounter, 0);
  return bytes;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function numberOf(text: string | undefined): number {
  return Number(text ?? 0);
}
