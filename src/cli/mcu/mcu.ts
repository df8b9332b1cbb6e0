import { Command } from 'commander';
import type { CommandFactory } from '../command.ts';
import { benchCommand } from './bench.ts';
import { flashCommand } from './flash.ts';
import { inferCommand } from './infer.ts';
import { infoCommand } from './info.ts';
import { listCommand } from './list.ts';
import { logCommand } from './log.ts';
import { modelCommand } from './model.ts';
import { selfTestCommand } from './selftest.ts';
import { signCommand } from './sign.ts';

const HELP = `
PORT is a path (/dev/ttyACM0, or what a pty is linked to), a name in /dev/serial/by-id, or a part of one that no other
has. While a command runs, the line is its own: an agent or another command that has it is named instead.

Examples:
  dunlin mcu list
  dunlin mcu info J-Link
  dunlin mcu flash J-Link zephyr.signed.bin --board nrf52840-dk
  dunlin mcu model /dev/ttyACM0 model.plan --key keys/offline/mcu.key.json`;

/** `dunlin mcu`: microcontrollers on serial lines, over SMP. */
export const mcuCommand: CommandFactory = (io) =>
  new Command('mcu')
    .description('microcontrollers on serial lines')
    .addCommand(listCommand(io))
    .addCommand(infoCommand(io))
    .addCommand(flashCommand(io))
    .addCommand(modelCommand(io))
    .addCommand(inferCommand(io))
    .addCommand(selfTestCommand(io))
    .addCommand(logCommand(io))
    .addCommand(benchCommand(io))
    .addCommand(signCommand(io))
    .addHelpText('after', HELP);
