import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Report } from './report-document.ts';

/** What the latencies of a report were measured on. */
export function machineFacts(): Report['machine'] {
  const all = cpus();
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return {
    cpu: all[0]?.model.trim() || 'unknown',
    cores: all.length,
    architecture: process.arch,
    node: process.version,
    dunlin: (JSON.parse(text) as { readonly version: string }).version,
  };
}
