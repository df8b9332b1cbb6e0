import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { DunlinError } from '../../src/core/index.ts';
import {
  buildMcubootImage,
  flashImage,
  flattenImage,
  imageFormat,
  keyHashOf,
  mcubootVersionText,
  parseFlashImage,
  parseMcubootImage,
  parseMcubootVersion,
  verifyMcubootImage,
} from '../../src/mcu/index.ts';
import { elfFile, hexFile } from './image-files.ts';

/** Made by imgtool 2.5.0: sign --header-size 0x20 --pad-header -v 1.2.3+4 -s 7 -S 0x10000, with the key below. */
const IMGTOOL_IMAGE = Buffer.from(
  'PbjzlgAAAAAgAAwAZAAAAAAAAAABAgMABAAAAAAAAAAABw4VHCMqMTg/Rk1UW2JpcHd+hYyTmqGor7a9xMvS2eDn7vX8' +
    'AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1dzj6vH4/wYNFBsiKTA3PkVMU1phaG92fYSLkpmgp661CGkMAFAA' +
    'BAAHAAAAB2mQABAAIAB2CMPzkJF3GPPzYkPu31ZBVIC+fQut0ZWt+csuaClVcQEAIAADB3P9oZpsbCos7/iTGlqFFM73' +
    'Z+A81q7clHQDxCA03CQAQABaYycd92FSaO6NiENIay7IETEZ4EMBnfBwzlkEYjZ3nDAVDKfrfyzcgxSl2weD00JtFoRF' +
    'X9bTVYwrqv0jkBUE',
  'base64',
);
/** A key for this test alone. */
const IMGTOOL_KEY = createPrivateKey({
  key: Buffer.from(
    '302e020100300506032b657004220420ebd5e8fbe676f251cb724595619cba2bb30b7e2c12db7b6cdefac4215b6b0a3a',
    'hex',
  ),
  format: 'der',
  type: 'pkcs8',
});

const malformed = { code: 'image-malformed' } as const;
const bytes = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed) & 0xff);

/** Returns, or throws an error of ours: never another one. */
function survives(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    return error instanceof DunlinError;
  }
}

test('a plain binary goes where it is told to', (t) => {
  const image = parseFlashImage(bytes(10), 'a.bin', 0x800);
  t.deepEqual(image.segments, [{ address: 0x800, bytes: Buffer.from(bytes(10)) }]);
  t.throws(() => parseFlashImage(new Uint8Array(), 'a.bin'), malformed);
  t.throws(() => parseFlashImage(bytes(10), 'a.bin', 2 ** 32 - 4), malformed);
});

test('Intel hex: any segments come back, joined where they touch', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(2000), fc.uint8Array({ minLength: 1, maxLength: 300 })), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.integer({ min: 1, max: 255 }),
      (parts, recordBytes) => {
        let address = 0x0800_0000;
        const segments = parts.map(([gap, content]) => {
          address += gap * 100;
          const segment = { address, bytes: content };
          address += content.byteLength;
          return segment;
        });
        const file = hexFile(segments, recordBytes);
        t.is(imageFormat(file), 'intel-hex');
        t.deepEqual(parseFlashImage(file, 'a.hex').segments, flashImage(segments, '').segments);
      },
    ),
    { numRuns: 50 },
  );
});

test('Intel hex: what is wrong is named with its line', (t) => {
  const good = Buffer.from(hexFile([{ address: 0x100, bytes: bytes(64) }], 16)).toString();
  const lines = good.split('\n');
  const cases: [string, RegExp][] = [
    [lines.slice(0, -2).join('\n'), /cut short/],
    [good.replace(':10', ':11'), /a\.hex:2: record of 21 bytes says 17/],
    [good.replace(/^(:10.{6}..)../m, '$1FF'), /a\.hex:2: wrong checksum/],
    [lines.toSpliced(1, 0, ':00000006FA').join('\n'), /unknown record type 6/],
    [lines.toSpliced(1, 0, 'garbage').join('\n'), /a\.hex:2: not an Intel hex record/],
    [lines.toSpliced(2, 0, lines[1]!).join('\n'), /two segments at address 0x100/],
    [':00000001FF\n', /nothing in it/],
  ];
  for (const [text, message] of cases) {
    t.throws(() => parseFlashImage(Buffer.from(text), 'a.hex'), { ...malformed, message });
  }
});

test('ELF: load segments at their physical addresses', (t) => {
  const file = elfFile([
    { type: 1, address: 0x2000, bytes: bytes(40) },
    { type: 1, address: 0x1000, bytes: bytes(8) },
    { type: 1, address: 0x9000, bytes: new Uint8Array() },
    { type: 0x70000001, address: 0x5000, bytes: bytes(8) },
  ]);
  t.is(imageFormat(file), 'elf');
  const image = parseFlashImage(file, 'a.elf');
  t.deepEqual(
    image.segments.map(({ address, bytes: content }) => [address, content.byteLength]),
    [
      [0x1000, 8],
      [0x2000, 40],
    ],
  );
  t.is(image.entryAddress, 0x1001);
  const { address, bytes: flat } = flattenImage(image, 'a.elf');
  t.is(address, 0x1000);
  t.is(flat.byteLength, 0x1000 + 40);
  t.true(flat.subarray(8, 0x1000).every((byte) => byte === 0xff));
});

test('ELF: cut short, overlapping, of another kind', (t) => {
  const segment = { type: 1, address: 0x1000, bytes: bytes(40) };
  const file = Buffer.from(elfFile([segment, { ...segment, address: 0x1020 }]));
  t.throws(() => parseFlashImage(file, 'a.elf'), { ...malformed, message: /two segments/ });
  const good = Buffer.from(elfFile([segment]));
  for (let length = 4; length < good.byteLength; length++) {
    t.throws(() => parseFlashImage(good.subarray(0, length), 'a.elf'), malformed);
  }
  for (const [offset, value] of [
    [4, 2],
    [5, 2],
    [16, 1],
    [44, 200],
  ] as const) {
    const other = Buffer.from(good);
    other[offset] = value;
    t.throws(() => parseFlashImage(other, 'a.elf'), malformed);
  }
  const far = { type: 1, address: 0xf000_0000, bytes: bytes(4) };
  const image = parseFlashImage(elfFile([segment, far]), 'a.elf');
  t.throws(() => flattenImage(image, 'a.elf'), malformed);
});

test('MCUboot: what imgtool signs is read, verified, and built again to the byte', (t) => {
  const image = parseMcubootImage(IMGTOOL_IMAGE, 'signed.bin');
  t.is(mcubootVersionText(image.version), '1.2.3+4');
  t.is(image.securityCounter, 7);
  t.is(image.totalBytes, IMGTOOL_IMAGE.byteLength);
  t.is(image.body.byteLength, 100);
  const publicKey = createPublicKey(IMGTOOL_KEY);
  verifyMcubootImage(image, 'signed.bin', [publicKey]);
  const built = buildMcubootImage({
    body: image.body,
    version: parseMcubootVersion('1.2.3+4'),
    securityCounter: 7,
    privateKey: IMGTOOL_KEY,
  });
  t.deepEqual(Buffer.from(built), IMGTOOL_IMAGE);
  t.is(keyHashOf(publicKey).byteLength, 32);
});

test('MCUboot: a changed byte, another key, no signature', (t) => {
  const other = generateKeyPairSync('ed25519');
  const image = parseMcubootImage(IMGTOOL_IMAGE, 'a');
  const untrusted = { code: 'untrusted-signature' } as const;
  t.throws(() => verifyMcubootImage(image, 'a', [other.publicKey]), untrusted);
  t.throws(() => verifyMcubootImage(image, 'a', []), untrusted);
  const version = parseMcubootVersion('1');
  const plain = parseMcubootImage(buildMcubootImage({ body: bytes(9), version }), 'a');
  verifyMcubootImage(plain, 'a');
  t.throws(() => verifyMcubootImage(plain, 'a', [createPublicKey(IMGTOOL_KEY)]), untrusted);
  const keys = [createPublicKey(IMGTOOL_KEY)];
  for (let index = 0; index < IMGTOOL_IMAGE.byteLength; index++) {
    const changed = Buffer.from(IMGTOOL_IMAGE);
    changed[index]! ^= 1;
    const error = t.throws(() => verifyMcubootImage(parseMcubootImage(changed, 'a'), 'a', keys), {
      instanceOf: DunlinError,
    });
    t.regex(error?.code ?? '', /^(image-malformed|digest-mismatch|untrusted-signature)$/);
  }
});

test('MCUboot: cut anywhere it is malformed, padded it is itself', (t) => {
  for (let length = 0; length < IMGTOOL_IMAGE.byteLength; length++) {
    t.throws(() => parseMcubootImage(IMGTOOL_IMAGE.subarray(0, length), 'a'), malformed);
  }
  const padded = Buffer.concat([IMGTOOL_IMAGE, Buffer.alloc(100, 0xff)]);
  t.is(parseMcubootImage(padded, 'a').totalBytes, IMGTOOL_IMAGE.byteLength);
  const twice = Buffer.from(IMGTOOL_IMAGE);
  twice.writeUInt16LE(0x10, twice.indexOf(Buffer.from('01002000', 'hex')));
  t.throws(() => parseMcubootImage(twice, 'a'), { ...malformed, message: /two records/ });
});

test('versions', (t) => {
  t.is(mcubootVersionText(parseMcubootVersion('1.2')), '1.2.0');
  for (const text of ['', '1.2.3.4', '256', '1.2.65536', 'v1', '1.2.3+4294967296']) {
    t.throws(() => parseMcubootVersion(text), { code: 'input-invalid' });
  }
});

test('no bytes make a parser throw what is no error of ours', (t) => {
  const seeds = [
    IMGTOOL_IMAGE,
    Buffer.from(elfFile([{ type: 1, address: 0x1000, bytes: bytes(40) }])),
    Buffer.from(hexFile([{ address: 0xfff0, bytes: bytes(64) }], 16)),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
      fc.nat(),
      (seed, changes, length) => {
        const file = Buffer.from(seed);
        for (const [place, value] of changes) file[place % file.byteLength] = value;
        const cut = file.subarray(0, length % 3 === 0 ? length % file.byteLength : undefined);
        return (
          survives(() => parseFlashImage(cut, 'a')) && survives(() => parseMcubootImage(cut, 'a'))
        );
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});
