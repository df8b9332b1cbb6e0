import { Command } from 'commander';
import {
  type CpuDevice,
  type DeviceList,
  type EdgeTpuListing,
  listDevices,
} from '../inference/index.ts';
import type { CommandIo } from './command.ts';

/** `dunlin devices`: what inference can run on. */
export function devicesCommand(io: CommandIo): Command {
  const command = new Command('devices').description('what inference can run on');
  command
    .command('list')
    .description('the processor, each Edge TPU, and whether the libraries they need are there')
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
Examples:
  dunlin devices list
  dunlin devices list --json`,
    )
    .action(({ json }: { json: boolean }) => {
      const list = listDevices({ sysfsRoot: '/sys', procRoot: '/proc' });
      const document = { ...list, delegate: list.delegate ?? null };
      io.out(json ? `${JSON.stringify(document)}\n` : describe(list));
    });
  return command;
}

function describe({ devices, delegate }: DeviceList): string {
  const lines = devices.map((device) =>
    device.kind === 'cpu' ? describeCpu(device) : describeEdgeTpu(device),
  );
  if (!devices.some(({ kind }) => kind === 'edgetpu')) lines.push('edgetpu  none found');
  if (delegate === undefined) {
    lines.push('delegate libedgetpu.so.1 is not installed (needed for an Edge TPU only)');
  } else {
    lines.push(`delegate ${delegate.path}: ${delegate.usable ? 'usable' : delegate.reason}`);
  }
  return `${lines.join('\n')}\n`;
}

function describeCpu({ model, cores, features, path, pathReason }: CpuDevice): string {
  return `cpu      ${model}, ${cores} cores (${features.join(' ')}): ${path} path (${pathReason})`;
}

function describeEdgeTpu({ bus, name, usable, reason }: EdgeTpuListing): string {
  return `edgetpu  ${bus} ${name}: ${usable ? 'usable' : `not usable (${reason})`}`;
}
