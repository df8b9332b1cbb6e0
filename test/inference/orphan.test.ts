import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const PARENT = fileURLToPath(new URL('./orphan-parent.js', import.meta.url));

test('the child ends when its parent is killed', async (t) => {
  const parent = spawn(process.execPath, [PARENT], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  t.true(Number.isInteger(pid) && existsSync(`/proc/${pid}`));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setImmediate(resolve));
  t.pass();
});
