import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import {
  chooseVariant,
  type DelegateLibrary,
  type EdgeTpu,
  findDelegate,
  findEdgeTpus,
  librarySearchFolders,
  type VariantReason,
} from './edge-tpu.ts';
import { type ExecutionPath, findNativeFiles, type PathReason } from './execution-path.ts';

/** Instruction sets that decide how fast int8 runs: XNNPACK has kernels for each of these. */
const CPU_FEATURES = [
  ...['sse4_1', 'avx', 'avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx_vnni'],
  ...['asimd', 'asimddp', 'i8mm'],
];

export interface CpuDevice {
  readonly kind: 'cpu';
  readonly model: string;
  readonly architecture: string;
  readonly cores: number;
  /** As /proc/cpuinfo names them. */
  readonly features: readonly string[];
  /** What an int8 model would run on. */
  readonly path: ExecutionPath;
  readonly pathReason: PathReason;
}

export interface EdgeTpuListing extends EdgeTpu {
  readonly kind: 'edgetpu';
  readonly usable: boolean;
  readonly reason: VariantReason;
}

export interface DeviceList {
  readonly devices: readonly (CpuDevice | EdgeTpuListing)[];
  /** The Edge TPU delegate's library, where there is one. */
  readonly delegate: DelegateLibrary | undefined;
}

export interface DeviceListOptions {
  readonly sysfsRoot: string;
  readonly procRoot: string;
  /** Folders to look for the delegate in; the system's where it is undefined. */
  readonly libraryFolders?: readonly string[];
}

/** What inference can run on here. @throws `inference-unavailable` when the runtime is not installed */
export function listDevices(options: DeviceListOptions): DeviceList {
  const folders = options.libraryFolders ?? librarySearchFolders(process.env);
  const delegate = findDelegate(folders);
  const edgeTpus = findEdgeTpus(options.sysfsRoot).map((edgeTpu): EdgeTpuListing => {
    const choice = chooseVariant({ hasEdgeTpuVariant: true, edgeTpus: [edgeTpu], delegate });
    const usable = choice.variant === 'edgetpu';
    return { kind: 'edgetpu', ...edgeTpu, usable, reason: choice.reason };
  });
  return { devices: [describeCpu(options.procRoot), ...edgeTpus], delegate };
}

function describeCpu(procRoot: string): CpuDevice {
  const info = readText(`${procRoot}/cpuinfo`);
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1]?.trim().split(/\s+/));
  const xnnBuilt = findNativeFiles().xnnPath !== undefined;
  return {
    kind: 'cpu',
    // Arm's cpuinfo has no name; the board's is in the device tree, ended by a zero byte.
    model:
      /^model name\s*:\s*(.+)$/m.exec(info)?.[1]?.trim() ||
      readText(`${procRoot}/device-tree/model`).replace(/\0.*$/s, '') ||
      (cpus()[0]?.model ?? 'unknown'),
    architecture: process.arch,
    cores: availableParallelism(),
    features: CPU_FEATURES.filter((feature) => flags.has(feature)),
    path: xnnBuilt ? 'xnn' : 'stock',
    pathReason: xnnBuilt ? 'fastest' : 'xnn-not-built',
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
