import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CoralDelegate } from 'coral-tflite-delegate';
import { DunlinError, errorMessage } from '../core/index.ts';
import { describeDelegateLibrary } from './shared-library.ts';

/**
 * Edge TPUs as sysfs shows them. A USB one is 1a6e:089a until the runtime has programmed it and
 * 18d1:9302 from then on; a PCIe one is 1ac1:089a and works through the apex driver
 * (https://coral.ai/docs/accelerator/get-started, https://coral.ai/docs/m2/get-started).
 */
const USB_IDS = ['1a6e:089a', '18d1:9302'];
const PCI_ID = '1ac1:089a';
/** More entries than this in one sysfs folder are not looked at. */
const MAX_SYSFS_ENTRIES = 4096;
const MAX_LIBRARY_BYTES = 64 * 1024 * 1024;

export interface EdgeTpu {
  readonly bus: 'usb' | 'pci';
  /** Its name in sysfs: `1-2` on USB, `0000:01:00.0` on PCI. */
  readonly name: string;
  /** False for a PCIe one without the apex driver. */
  readonly driverLoaded: boolean;
}

/** libedgetpu, or whatever was named instead of it. */
export type DelegateLibrary =
  | { readonly path: string; readonly usable: true }
  | { readonly path: string; readonly usable: false; readonly reason: string };

/** What a Sandbox needs to run a model on an Edge TPU. */
export interface EdgeTpuUse {
  /** The delegate's library. */
  readonly path: string;
  /** Which Edge TPU, when there are several; the delegate takes the first otherwise. */
  readonly option?: readonly [key: string, value: string];
}

export type VariantReason =
  | 'edgetpu-present'
  | 'edgetpu-no-variant'
  | 'edgetpu-no-device'
  | 'edgetpu-no-driver'
  | 'edgetpu-delegate-missing'
  | 'edgetpu-delegate-unusable'
  | 'edgetpu-lost';

export interface VariantChoice {
  readonly variant: 'cpu' | 'edgetpu';
  readonly reason: VariantReason;
}

/** Decides which variant of a release runs here. */
export function chooseVariant(facts: {
  readonly hasEdgeTpuVariant: boolean;
  readonly edgeTpus: readonly EdgeTpu[];
  readonly delegate: DelegateLibrary | undefined;
  /** The Edge TPU was in use and failed. */
  readonly lost?: boolean;
}): VariantChoice {
  const { hasEdgeTpuVariant, edgeTpus, delegate, lost = false } = facts;
  const cpu = (reason: VariantReason): VariantChoice => ({ variant: 'cpu', reason });
  if (!hasEdgeTpuVariant) return cpu('edgetpu-no-variant');
  if (lost) return cpu('edgetpu-lost');
  if (edgeTpus.length === 0) return cpu('edgetpu-no-device');
  if (!edgeTpus.some(({ driverLoaded }) => driverLoaded)) return cpu('edgetpu-no-driver');
  if (delegate === undefined) return cpu('edgetpu-delegate-missing');
  if (!delegate.usable) return cpu('edgetpu-delegate-unusable');
  return { variant: 'edgetpu', reason: 'edgetpu-present' };
}

/** The Edge TPUs of this machine, in sysfs's order of names, USB first. */
export function findEdgeTpus(sysfsRoot = '/sys'): EdgeTpu[] {
  const driverLoaded = entries(join(sysfsRoot, 'class/apex')).length > 0;
  const usb = devicesOn(sysfsRoot, 'usb', ['idVendor', 'idProduct'])
    .filter(({ id }) => USB_IDS.includes(id))
    .map(({ name }): EdgeTpu => ({ bus: 'usb', name, driverLoaded: true }));
  const pci = devicesOn(sysfsRoot, 'pci', ['vendor', 'device'])
    .filter(({ id }) => id === PCI_ID)
    .map(({ name }): EdgeTpu => ({ bus: 'pci', name, driverLoaded }));
  return [...usb, ...pci];
}

function devicesOn(
  sysfsRoot: string,
  bus: EdgeTpu['bus'],
  [vendorFile, productFile]: readonly [string, string],
): { name: string; id: string }[] {
  const folder = join(sysfsRoot, 'bus', bus, 'devices');
  return entries(folder).map((name) => {
    const [vendor, product] = [vendorFile, productFile].map((file) =>
      hexId(join(folder, name, file)),
    );
    return { name, id: `${vendor}:${product}` };
  });
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort().slice(0, MAX_SYSFS_ENTRIES);
  } catch {
    return [];
  }
}

/** `0x1ac1` or `1a6e`; empty for interfaces and hubs without such a file. */
function hexId(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim().toLowerCase().replace(/^0x/, '');
  } catch {
    return '';
  }
}

/** Where Debian, Coral's packages and a local build put libraries. */
export function librarySearchFolders(env: Readonly<Record<string, string | undefined>>): string[] {
  const named = (env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const multiarch = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const system = [
    '/usr/local/lib',
    `/usr/lib/${multiarch}`,
    `/lib/${multiarch}`,
    '/usr/lib',
    '/lib',
  ];
  return [...named, ...system];
}

/**
 * Finds the Edge TPU delegate's library and checks it without loading it: a file that is not one
 * crashes the addon. Returns undefined when there is none.
 * @param named a path to use instead of coral-tflite-delegate's `libedgetpu.so.1`
 */
export function findDelegate(
  folders: readonly string[],
  named?: string,
): DelegateLibrary | undefined {
  const { node } = new CoralDelegate({}, named, 'linux');
  if (node === undefined) return undefined;
  const fileName = node.path;
  const candidates = fileName.includes('/')
    ? [fileName]
    : folders.map((folder) => join(folder, fileName));
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path === undefined) return undefined;
  try {
    const { size } = statSync(path);
    if (size > MAX_LIBRARY_BYTES)
      return { path, usable: false, reason: `${size} bytes are too many` };
    const reason = describeDelegateLibrary(readFileSync(path), process.arch);
    return reason === undefined ? { path, usable: true } : { path, usable: false, reason };
  } catch (error) {
    return { path, usable: false, reason: errorMessage(error) };
  }
}

/**
 * What a Sandbox needs to use the machine's Edge TPU.
 * @throws `edgetpu-unavailable` with the reason in its context
 */
export function useEdgeTpu(
  edgeTpus: readonly EdgeTpu[],
  delegate: DelegateLibrary | undefined,
): EdgeTpuUse {
  const { variant, reason } = chooseVariant({ hasEdgeTpuVariant: true, edgeTpus, delegate });
  if (variant === 'cpu' || delegate === undefined) {
    throw new DunlinError(`no Edge TPU can be used (${reason}); see: dunlin devices list`, {
      code: 'edgetpu-unavailable',
      context: { reason },
    });
  }
  const bus = edgeTpus.find(({ driverLoaded }) => driverLoaded)?.bus;
  // The one option that is passed is this short one, and only where there is a choice to make.
  const choice = edgeTpus.length > 1 && bus !== undefined ? { device: bus } : {};
  const [option] = new CoralDelegate(choice, delegate.path, 'linux').options;
  return { path: delegate.path, ...(option === undefined ? {} : { option }) };
}
