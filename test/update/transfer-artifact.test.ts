import { brotliCompressSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { errorCode, sha256Hex, silentLogger } from '../../src/core/index.ts';
import {
  type Artifact,
  type BlockSource,
  ChunkStore,
  cutIntoArtifact,
  fetchArtifact,
  fetchDocument,
  type TransferProgress,
} from '../../src/update/index.ts';
import { CrashFiles, PowerCut, SURVIVALS } from '../fakes/crash-files.ts';

const signal = new AbortController().signal;

/** Hands out chunks from memory; says how many it was asked for. */
function memorySource(chunks: ReadonlyMap<string, Uint8Array>): BlockSource & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    async fetch(wanted, deliver) {
      for (const { sha256 } of wanted) {
        asked.push(sha256);
        await deliver(sha256, chunks.get(sha256)!);
      }
    },
  };
}

async function newStore(files = new CrashFiles()): Promise<ChunkStore> {
  return await ChunkStore.open({ files, dir: '/chunks', logger: silentLogger });
}

function noise(lengthBytes: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: lengthBytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

test('whatever is cut comes back, and the same input is always cut the same', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 9000 }),
      fc.constantFrom<Artifact['encoding']>('br', 'identity'),
      async (bytes, encoding) => {
        const { artifact, chunks } = cutIntoArtifact(bytes, { chunkBytes: 1024, encoding });
        const again = cutIntoArtifact(bytes, { chunkBytes: 1024, encoding });
        t.deepEqual(again.artifact, artifact);
        const store = await newStore();
        const out = await fetchArtifact({ artifact, store, source: memorySource(chunks), signal });
        return Buffer.compare(out, bytes) === 0;
      },
    ),
    { numRuns: 40 },
  );
});

test('equal chunks travel once, and progress counts what is here', async (t) => {
  const bytes = new Uint8Array(5 * 1024);
  const { artifact, chunks } = cutIntoArtifact(bytes, { chunkBytes: 1024, encoding: 'identity' });
  t.is(artifact.chunks.length, 5);
  const source = memorySource(chunks);
  const progress: TransferProgress[] = [];
  const onProgress = (step: TransferProgress): void => void progress.push(step);
  await fetchArtifact({ artifact, store: await newStore(), source, signal, onProgress });
  t.is(source.asked.length, 1);
  t.deepEqual(
    progress.map(({ chunksPresent, chunksTotal }) => [chunksPresent, chunksTotal]),
    [
      [0, 1],
      [1, 1],
    ],
  );
});

test('sizes that contradict each other are refused before anything is fetched', async (t) => {
  const { artifact, chunks } = cutIntoArtifact(noise(3000), { chunkBytes: 1024, encoding: 'br' });
  const [first] = artifact.chunks;
  const wrong: Artifact[] = [
    { ...artifact, encodedBytes: artifact.encodedBytes + 1 },
    { ...artifact, chunks: [...artifact.chunks, first!] },
    { ...artifact, lengthBytes: 2 ** 40 },
    { ...artifact, encoding: 'identity', lengthBytes: artifact.encodedBytes + 1 },
  ];
  for (const bad of wrong) {
    const source = memorySource(chunks);
    const fetching = fetchArtifact({ artifact: bad, store: await newStore(), source, signal });
    t.is(errorCode(await t.throwsAsync(fetching)), 'metadata-malformed');
    t.deepEqual(source.asked, []);
  }
});

test('a decompression bomb, a truncated stream and other bytes end as digest-mismatch', async (t) => {
  const cut = (encoded: Uint8Array, plain: Uint8Array, lengthBytes = plain.byteLength) => {
    const { artifact, chunks } = cutIntoArtifact(encoded, {
      chunkBytes: 1024,
      encoding: 'identity',
    });
    const signed: Artifact = {
      ...artifact,
      encoding: 'br',
      lengthBytes,
      sha256: sha256Hex(plain),
    };
    return { artifact: signed, chunks };
  };
  const plain = noise(4096);
  const bomb = new Uint8Array(32 * 1024 * 1024);
  const cases = [
    cut(brotliCompressSync(bomb), bomb.subarray(0, 4096)),
    cut(brotliCompressSync(plain).subarray(0, 2000), plain),
    cut(brotliCompressSync(plain), plain, 4097),
    cut(brotliCompressSync(noise(4096, 2)), plain),
    cut(noise(3000), plain),
  ];
  for (const [index, { artifact, chunks }] of cases.entries()) {
    const source = memorySource(chunks);
    const fetching = fetchArtifact({ artifact, store: await newStore(), source, signal });
    t.is(errorCode(await t.throwsAsync(fetching)), 'digest-mismatch', String(index));
  }
});

test('release.json comes in chunks of its own bytes, within its limit', async (t) => {
  const bytes = Buffer.from(JSON.stringify({ some: 'document', filler: 'x'.repeat(3000) }));
  const { artifact, chunks } = cutIntoArtifact(bytes, { chunkBytes: 1024, encoding: 'identity' });
  const source = memorySource(chunks);
  const store = await newStore();
  const { sha256, lengthBytes } = artifact;
  const target = { sha256, lengthBytes, chunks: artifact.chunks };
  t.deepEqual(Buffer.from(await fetchDocument({ target, store, source, signal })), bytes);
  const huge = { ...target, lengthBytes: 5 * 1024 * 1024 };
  const error = await t.throwsAsync(fetchDocument({ target: huge, store, source, signal }));
  t.is(errorCode(error), 'metadata-malformed');
});

test('a damaged chunk file is found and fetched again, the others are not', async (t) => {
  const bytes = noise(5000);
  const { artifact, chunks } = cutIntoArtifact(bytes, { chunkBytes: 1024, encoding: 'identity' });
  const files = new CrashFiles();
  const store = await newStore(files);
  await fetchArtifact({ artifact, store, source: memorySource(chunks), signal });
  const [first, second] = artifact.chunks;
  files.rot(`/chunks/${first!.sha256}`);
  await files.write(`/chunks/${second!.sha256}`, noise(10));
  const source = memorySource(chunks);
  t.deepEqual(
    Buffer.from(await fetchArtifact({ artifact, store, source, signal })),
    Buffer.from(bytes),
  );
  t.deepEqual(source.asked, [first!.sha256, second!.sha256]);
});

test('killed at any operation, a transfer resumes with every chunk it had confirmed', async (t) => {
  const bytes = noise(6 * 1024);
  const { artifact, chunks } = cutIntoArtifact(bytes, { chunkBytes: 1024, encoding: 'identity' });
  for (const survival of SURVIVALS) {
    for (let n = 1; ; n++) {
      const files = new CrashFiles();
      await files.makeDirectory('/chunks');
      await files.syncDirectory('/');
      const store = await newStore(files);
      files.dieAt(n);
      let confirmed = 0;
      const onProgress = ({ chunksFetched }: TransferProgress): void => {
        confirmed = chunksFetched;
      };
      const options = { artifact, source: memorySource(chunks), signal };
      const died = await fetchArtifact({ ...options, store, onProgress }).then(
        () => false,
        (error: unknown) => {
          t.true(error instanceof PowerCut);
          return true;
        },
      );
      if (!died) break;
      const source = memorySource(chunks);
      const reopened = await newStore(files.reopen(survival, n));
      const out = await fetchArtifact({ ...options, source, store: reopened });
      t.is(Buffer.compare(out, bytes), 0);
      t.true(source.asked.length <= artifact.chunks.length - confirmed, `${survival} ${n}`);
    }
  }
});

test('prune keeps what is named and nothing else', async (t) => {
  const { artifact, chunks } = cutIntoArtifact(noise(3000), {
    chunkBytes: 1024,
    encoding: 'identity',
  });
  const files = new CrashFiles();
  const store = await newStore(files);
  await fetchArtifact({ artifact, store, source: memorySource(chunks), signal });
  await files.write('/chunks/rubbish.new', noise(3));
  const [kept] = artifact.chunks;
  await store.prune(new Set([kept!.sha256]));
  t.deepEqual(await files.list('/chunks'), [kept!.sha256]);
  t.is((await store.missing(artifact.chunks)).length, 2);
});
