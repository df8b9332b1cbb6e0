import { readdir, readFile } from 'node:fs/promises';
import { freemem, loadavg } from 'node:os';
import { join } from 'node:path';

const PAGE_BYTES = 4096;
/** Zones whose name says that they measure the processor (Raspberry Pi: cpu-thermal; x86: x86_pkg_temp). */
const CPU_ZONE = /^(cpu|soc|x86_pkg)/;
const MAX_THERMAL_ZONES = 32;

export interface HealthReading {
  readonly agentRssBytes: number;
  readonly sandboxRssBytes: number;
  readonly freeBytes: number;
  readonly loadAverage1m: number;
  readonly cpuTemperatureC?: number;
}

export interface HealthOptions {
  /** Injectable for tests; `/sys` and `/proc` on a device. */
  readonly sysfsRoot: string;
  readonly procRoot: string;
}

/** Reads the machine: kernel documentation sysfs-class-thermal (milli-Celsius) and proc(5) statm (pages). */
export async function readHealth(
  { sysfsRoot, procRoot }: HealthOptions,
  sandboxPids: readonly number[],
): Promise<HealthReading> {
  const sandboxes = await Promise.all(sandboxPids.map((pid) => residentBytes(procRoot, pid)));
  const cpuTemperatureC = await cpuTemperature(sysfsRoot);
  return {
    agentRssBytes: process.memoryUsage.rss(),
    sandboxRssBytes: sandboxes.reduce((sum, bytes) => sum + bytes, 0),
    freeBytes: freemem(),
    loadAverage1m: loadavg()[0]!,
    ...(cpuTemperatureC === undefined ? {} : { cpuTemperatureC }),
  };
}

async function residentBytes(procRoot: string, pid: number): Promise<number> {
  const statm = await readText(join(procRoot, String(pid), 'statm'));
  return Number(statm?.split(' ')[1] ?? 0) * PAGE_BYTES;
}

async function cpuTemperature(sysfsRoot: string): Promise<number | undefined> {
  const base = join(sysfsRoot, 'class/thermal');
  const zones = await readdir(base).catch(() => []);
  const candidates = zones.filter((zone) => zone.startsWith('thermal_zone'));
  for (const zone of candidates.slice(0, MAX_THERMAL_ZONES)) {
    const kind = await readText(join(base, zone, 'type'));
    const milliCelsius = Number(await readText(join(base, zone, 'temp')));
    if (kind !== undefined && CPU_ZONE.test(kind) && Number.isFinite(milliCelsius)) {
      return milliCelsius / 1000;
    }
  }
  return undefined;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return undefined;
  }
}
