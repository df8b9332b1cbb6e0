/**
 * Memory of a gateway at work: the agent and its sandbox, as proportional set size (PSS: shared pages are divided by
 * those who share them; proc(5), smaps_rollup), beside a bare Node process of the same machine.
 *
 *   node dist/bench/agent-memory.js [--json]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silentLogger, systemClock } from '../src/core/index.ts';
import { AedesBroker, PlainView, runDemo, STEPS, type Step } from '../src/demo/index.ts';

const AIM_BYTES = 120 * 1024 * 1024;
const KIB = 1024;

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const figures = { agentBytes: 0, sandboxBytes: 0, bareNodeBytes: 0 };

const measure: Step = {
  name: 'memory',
  title: 'memory of the agent and its sandbox while it infers',
  run: async ({ agent }) => {
    figures.agentBytes = pssBytes(agent.pid);
    const sandboxes = childrenOf(agent.pid).filter((pid) => commandLine(pid).includes('inference'));
    figures.sandboxBytes = sandboxes.reduce((sum, pid) => sum + pssBytes(pid), 0);
    return 'measured';
  },
};

const dir = mkdtempSync(join(tmpdir(), 'dunlin-bench-'));
try {
  const bare = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)']);
  await once(bare.stdout, 'data');
  figures.bareNodeBytes = pssBytes(bare.pid!);
  bare.kill();
  await runDemo({
    dir,
    broker: new AedesBroker(),
    steps: [STEPS[0]!, measure],
    view: new PlainView(() => {}),
    clock: systemClock,
    logger: silentLogger,
    signal: new AbortController().signal,
    onAgentLog: () => {},
    stay: false,
    onFinished: ({ steps }) => {
      const failed = steps.find(({ ok }) => !ok);
      if (failed !== undefined) throw new Error(`${failed.name}: ${failed.reason}`);
    },
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}

const totalBytes = figures.agentBytes + figures.sandboxBytes;
const toAim = totalBytes / AIM_BYTES;
if (values.json)
  console.log(JSON.stringify({ ...figures, totalBytes, aimBytes: AIM_BYTES, toAim }));
else {
  const mib = (bytes: number): string => `${(bytes / KIB / KIB).toFixed(1)} MiB`;
  console.log(
    `agent ${mib(figures.agentBytes)} + sandbox ${mib(figures.sandboxBytes)} (PSS) = ${mib(totalBytes)}`,
  );
  console.log(
    `${toAim.toFixed(2)} of the aim of ${mib(AIM_BYTES)}; a bare Node process: ${mib(figures.bareNodeBytes)}`,
  );
}

function pssBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * KIB;
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        const stat = readFileSync(`/proc/${candidate}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}
