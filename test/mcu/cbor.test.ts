import test from 'ava';
import { encode } from 'cborg';
import { DunlinError, Type } from '../../src/core/index.ts';
import { Bytes, checkMap, decodeMap, encodeMap, Uint32 } from '../../src/mcu/smp/cbor.ts';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');

test('maps of definite and of indefinite length, as zcbor writes them', (t) => {
  t.deepEqual(decodeMap(hex('a1636f666605'), 'x'), { off: 5 });
  t.deepEqual(decodeMap(hex('bf636f666605ff'), 'x'), { off: 5 });
  t.deepEqual(Buffer.from(encodeMap({ off: 5, sha: undefined })), hex('a1636f666605'));
});

test('what is no map, or not whole, is refused', (t) => {
  const deep = Buffer.concat([hex('a16161'), Buffer.alloc(8000, 0x81), hex('00')]);
  const cases: Record<string, Uint8Array> = {
    nothing: hex(''),
    'an array': hex('8100'),
    'a number': hex('05'),
    'cut short': hex('a1636f66'),
    'more behind it': hex('a1636f66660500'),
    'a key twice': hex('a2616100616101'),
    'a break as a value': hex('a16161ff'),
    'no end': hex('bf636f666605'),
    'a string of 2^64 bytes': hex('a161615bffffffffffffffff'),
    'an array of 2^32 entries': hex('a161619b0000000100000000'),
    'a key that is no text': hex('a10501'),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    t.throws(() => decodeMap(bytes, name), { code: 'mcu-garbled' }, name);
  }
  // Whether it is too deep depends on the stack that is left; it must not be another error.
  try {
    decodeMap(deep, 'deep');
  } catch (error) {
    t.true(error instanceof DunlinError);
  }
});

test('a prototype cannot come over the line', (t) => {
  const bytes = encode(new Map([['__proto__', new Map([['off', 5]])]]));
  const schema = Type.Object({ off: Uint32 });
  t.throws(() => checkMap(schema, decodeMap(bytes, 'x'), 'x'), { code: 'mcu-garbled' });
});

test('fields have types and bounds', (t) => {
  const schema = Type.Object({ hash: Bytes(4, 2), off: Type.Optional(Uint32) });
  t.deepEqual(checkMap(schema, { hash: hex('0102') }, 'x').hash, Uint8Array.of(1, 2));
  for (const wrong of [{}, { hash: 'ab' }, { hash: hex('01') }, { hash: hex('0102030405') }]) {
    t.throws(() => checkMap(schema, wrong, 'x'), { code: 'mcu-garbled', message: /hash/ });
  }
  for (const off of [-1, 2 ** 32, 1.5, 2n ** 64n - 1n, '1']) {
    t.throws(() => checkMap(schema, { hash: hex('0102'), off }, 'x'), { message: /off/ });
  }
});
