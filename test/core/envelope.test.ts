import test from 'ava';
import fc from 'fast-check';
import {
  generateSigningKey,
  openEnvelope,
  publicKeyFromHex,
  sealEnvelope,
  Type,
} from '../../src/core/index.ts';

const Document = Type.Object({ type: Type.Literal('t'), value: Type.Number() });
const key = generateSigningKey();
const other = generateSigningKey();

test('a sealed document opens with its key, whatever the order of its members', (t) => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const sealed = sealEnvelope({ value, type: 't' }, [key]);
      t.is(openEnvelope(Document, sealed, [key], 'doc').value, value === 0 ? 0 : value);
    }),
  );
  const { signed, signatures } = JSON.parse(
    Buffer.from(sealEnvelope({ type: 't', value: 1 }, [key])).toString(),
  );
  const reordered = JSON.stringify({
    signatures,
    signed: { value: signed.value, type: signed.type },
  });
  t.is(openEnvelope(Document, Buffer.from(reordered), [key], 'doc').value, 1);
});

test('an edited document, a stranger and a repeated signature are refused', (t) => {
  const sealed = Buffer.from(sealEnvelope({ type: 't', value: 1 }, [key])).toString();
  const open = (text: string, keys = [publicKeyFromHex(key.publicHex)], threshold = 1) =>
    openEnvelope(Document, Buffer.from(text), keys, 'doc', threshold);
  t.is(open(sealed).value, 1);
  t.throws(() => open(sealed.replace('"value":1', '"value":2')), { code: 'untrusted-signature' });
  t.throws(() => open(sealed, [other]), { code: 'untrusted-signature' });
  const twice = JSON.parse(sealed);
  twice.signatures.push(twice.signatures[0]);
  t.throws(() => open(JSON.stringify(twice), [key, other], 2), { code: 'untrusted-signature' });
  const both = Buffer.from(sealEnvelope({ type: 't', value: 1 }, [key, other])).toString();
  t.is(open(both, [key, other], 2).value, 1);
});

test('a document of another kind, and rubbish, are malformed', (t) => {
  const sealed = sealEnvelope({ type: 'u', value: 1 }, [key]);
  t.throws(() => openEnvelope(Document, sealed, [key], 'doc'), { code: 'metadata-malformed' });
  for (const text of ['', '{}', '[]', 'null', '{"signed":1,"signatures":[]}']) {
    t.throws(() => openEnvelope(Document, Buffer.from(text), [key], 'doc'), {
      code: 'metadata-malformed',
    });
  }
});
