import { readFileSync } from 'node:fs';
import test from 'ava';
import { ERROR_EXIT_STATUS } from '../../src/core/index.ts';

test('docs/EXIT-CODES.md lists every code with its status', (t) => {
  const text = readFileSync(new URL('../../../docs/EXIT-CODES.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (\d) \|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  t.deepEqual(Object.fromEntries(rows), ERROR_EXIT_STATUS);
});
