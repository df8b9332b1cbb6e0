/**
 * Writes the images that the simulator and the tests flash as C: built and signed here as imgtool
 * does it (`sign --key ed25519 --pad-header --security-counter`), with keys that anybody can make
 * again from their names and that sign nothing else.
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const NON_BOOTABLE = 0x10;
/** RFC 8410: what comes before a private key's seed, and before a public key's bytes. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX_BYTES = 12;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

function makeKey(name) {
  const der = Buffer.concat([PKCS8_PREFIX, sha256(`dunlin boot sim: ${name}`)]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  return { secret, spki, bytes: spki.subarray(SPKI_PREFIX_BYTES) };
}

const uint16 = (value) => Buffer.from([value & 255, value >> 8]);
const uint32 = (value) => Buffer.concat([uint16(value & 0xffff), uint16(value >>> 16)]);
const tlv = (type, value) => Buffer.concat([uint16(type), uint16(value.length), value]);

function tlvs(magic, records) {
  const body = Buffer.concat(records);
  return Buffer.concat([uint16(magic), uint16(body.length + 4), body]);
}

/** Bytes that are the same in every build and different in every image. */
function payload(name, sizeBytes) {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 32) sha256(`${name} ${at}`).copy(bytes, at);
  return bytes;
}

function makeImage({ name, major, counter, sizeBytes, model = false, key, claims = key }) {
  const signedTlvs = tlvs(0x6908, [tlv(0x50, uint32(counter))]);
  const header = Buffer.concat([
    uint32(0x96f3b83d), // magic
    uint32(0), // load address
    uint16(HEADER_BYTES),
    uint16(signedTlvs.length),
    uint32(sizeBytes),
    uint32(model ? NON_BOOTABLE : 0),
    Buffer.from([major, 0, 0, 0, 0, 0, 0, 0]), // version
    uint32(0),
  ]);
  const signed = Buffer.concat([header, payload(name, sizeBytes), signedTlvs]);
  const digest = sha256(signed);
  return Buffer.concat([
    signed,
    tlvs(0x6907, [
      tlv(0x10, digest),
      tlv(0x01, sha256(claims.spki)),
      tlv(0x24, sign(null, digest, key.secret)),
    ]),
  ]);
}

const ours = makeKey('ours');
const other = makeKey('other');
const unused = makeKey('unused');
const images = [
  { name: 'firmware_1', major: 1, counter: 3, sizeBytes: 300, key: ours },
  { name: 'firmware_2', major: 2, counter: 5, sizeBytes: 277, key: ours },
  { name: 'firmware_3', major: 3, counter: 5, sizeBytes: 1500, key: ours },
  { name: 'firmware_old', major: 9, counter: 2, sizeBytes: 260, key: ours },
  { name: 'firmware_forged', major: 4, counter: 7, sizeBytes: 280, key: other, claims: ours },
  { name: 'firmware_foreign', major: 5, counter: 7, sizeBytes: 290, key: other },
  { name: 'model_1', major: 1, counter: 1, sizeBytes: 200, key: ours, model: true },
  { name: 'model_2', major: 2, counter: 4, sizeBytes: 270, key: ours, model: true },
  { name: 'model_old', major: 9, counter: 0, sizeBytes: 220, key: ours, model: true },
  { name: 'model_forged', major: 4, counter: 6, sizeBytes: 210, key: other, claims: ours, model: true },
];

function array(bytes) {
  const rows = [];
  for (let at = 0; at < bytes.length; at += 20) {
    rows.push(`    ${[...bytes.subarray(at, at + 20)].join(', ')},`);
  }
  return rows.join('\n');
}

let text = '/* Made by make-images.mjs. */\n#include "../../boot/sim/sim_images.h"\n\n';
text += `const uint8_t sim_keys[SIM_KEY_COUNT][32] = {\n`;
for (const key of [unused, ours]) text += `    {\n${array(key.bytes)}\n    },\n`;
text += '};\n';
for (const image of images) {
  const bytes = makeImage(image);
  text += `\nstatic const uint8_t ${image.name}[] = {\n${array(bytes)}\n};\n`;
  text += `const struct sim_image sim_${image.name} = {"${image.name}", ${image.name}, ${bytes.length}, `;
  text += `${image.counter}, ${image.major}};\n`;
}
writeFileSync(process.argv[2], text);
