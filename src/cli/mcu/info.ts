import { Command } from 'commander';
import type { ImageState, ModelSlot } from '../../mcu/index.ts';
import type { CommandIo } from '../command.ts';
import { grouped, table } from '../table.ts';
import { type LineOptions, PORT_HELP, withDevice, withLineOptions } from './connection.ts';
import { type DeviceFacts, readFacts } from './device-facts.ts';
import { durationText, hexText } from './text.ts';

const HASH_CHARACTERS = 16;

const HELP = `
What is asked: who it is (board, bootloader), its image slots, and, of firmware with Dunlin's model group, its model
slots and statistics since the last reset. What its firmware does not know is left out.

Examples:
  dunlin mcu info J-Link
  dunlin mcu info /dev/ttyACM0 --baud 1000000 --json | jq .models`;

export function infoCommand(io: CommandIo): Command {
  const command = new Command('info')
    .description('who a device is, what its slots hold, how it fares')
    .argument('<port>', PORT_HELP);
  return withLineOptions(command)
    .addHelpText('after', HELP)
    .action((port: string, options: LineOptions) => info(io, port, options));
}

async function info(io: CommandIo, port: string, options: LineOptions): Promise<void> {
  const facts = await withDevice(io, port, options, ({ client }) => readFacts(client, io.signal));
  io.out(options.json ? `${JSON.stringify(jsonOf(port, facts))}\n` : describe(port, facts));
}

function jsonOf(port: string, facts: DeviceFacts) {
  const { board, bootloader, parameters, images, slots, models, statistics } = facts;
  const withHash = <T extends { readonly hash?: Uint8Array }>({ hash, ...rest }: T) => ({
    ...rest,
    ...(hash === undefined ? {} : { hash: hexText(hash) }),
  });
  return {
    port,
    board: board ?? null,
    bootloader: bootloader ?? null,
    parameters: parameters ?? null,
    images: images?.map(withHash) ?? null,
    slots: slots ?? null,
    models: models === undefined ? null : { ...models, slots: models.slots.map(withHash) },
    statistics: statistics ?? null,
  };
}

function describe(port: string, facts: DeviceFacts): string {
  const { board, bootloader, parameters, images } = facts;
  const head = [
    ['board', board ?? 'does not say'],
    ['bootloader', bootloader ?? 'does not say'],
    ...(parameters === undefined
      ? []
      : [['buffers', `${parameters.bufferCount} of ${parameters.bufferBytes} bytes`]]),
  ];
  return [
    port,
    ...table(head).map((line) => `  ${line}`),
    ...section('images', images?.map(imageRow), 'none: the bootloader waits for firmware'),
    ...modelLines(facts),
    ...statisticsLines(facts),
    '',
  ].join('\n');
}

function section(title: string, rows: string[][] | undefined, none = 'none'): string[] {
  if (rows === undefined) return [];
  const lines = rows.length === 0 ? [none] : table(rows);
  return [title, ...lines.map((line) => `  ${line}`)];
}

function imageRow({ slot, version, hash, ...flags }: ImageState): string[] {
  const names = ['active', 'confirmed', 'pending', 'permanent', 'bootable'] as const;
  const state = names.filter((name) => flags[name] === true).join(', ');
  return [`slot ${slot}`, version, hexText(hash, HASH_CHARACTERS), state];
}

function modelLines({ models }: DeviceFacts): string[] {
  if (models === undefined) return [];
  const { engine, target, format, arena, slots } = models;
  const runs = engine === 'tflm' ? '.tflite files' : `plans of format ${format} for ${target}`;
  const title = `models: engine ${engine}, ${runs}, ${grouped(arena)} bytes of arena`;
  return section(title, slots.map(modelRow));
}

function modelRow({ slot, size, version, counter, hash, ...flags }: ModelSlot): string[] {
  const names = ['active', 'confirmed', 'pending', 'tested'] as const;
  const state = names.filter((name) => flags[name] === true);
  const what = hash === undefined ? 'empty' : (version ?? '');
  const against = counter === undefined ? '' : `counter ${counter}`;
  return [
    ...[`slot ${slot}`, what, hexText(hash, HASH_CHARACTERS), state.join(', ')],
    ...[against, `${grouped(size)} bytes`],
  ];
}

function statisticsLines({ statistics }: DeviceFacts): string[] {
  if (statistics === undefined) return [];
  const { up, resets, cause, runs, failures, us, usmin, usmax, cycles } = statistics;
  const { arena, stack, lines, trials, reverts } = statistics;
  const rows = [
    ['up', durationText(1000 * up)],
    ['resets', `${resets}${cause === undefined ? '' : `, the last by ${cause}`}`],
    ['inferences', `${grouped(runs)}, ${grouped(failures)} of them failed`],
    ...(us === undefined ? [] : [['the last', durationText(us)]]),
    ...(usmin === undefined || usmax === undefined
      ? []
      : [['the fastest, the slowest', `${durationText(usmin)}, ${durationText(usmax)}`]]),
    ...(cycles === undefined ? [] : [['cycles of the last', grouped(cycles)]]),
    ['arena in use', `${grouped(arena)} bytes`],
    ...(stack === undefined ? [] : [['deepest stack', `${grouped(stack)} bytes`]]),
    ['lines thrown away', grouped(lines)],
    ['trials of models', `${trials}, ${reverts} of them reverted`],
  ];
  return section('since the last reset', rows);
}
