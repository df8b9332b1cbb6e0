import { resolve } from 'node:path';
import { Command } from 'commander';
import { createLogger, DunlinError, systemClock } from '../core/index.ts';
import {
  AedesBroker,
  type DemoReport,
  LiveView,
  PlainView,
  runDemo,
  STEPS,
  stepTable,
  type TourView,
} from '../demo/index.ts';
import type { CommandFactory, CommandIo } from './command.ts';

interface DemoOptions {
  readonly once?: boolean;
  readonly json?: boolean;
  readonly dir: string;
  readonly verbose?: boolean;
}

const HELP = `
Starts an embedded broker and an agent, each a process of its own, makes keys and releases of the sample
in examples/motor, and shows updates taken, refused, resumed after kills: on the gateway, then on a microcontroller
behind it, which is a process with a pty ("make -C firmware device BOARD=native"). All in --dir, which is emptied first.

Examples:
  dunlin demo                 show it and stay running; stop with Ctrl-C
  dunlin demo --once --json   for scripts: one JSON document, exit status 0 when every step was ok
`;

export const demoCommand: CommandFactory = (io) =>
  new Command('demo')
    .description('The guided tour: the whole path on this machine')
    .option('--once', 'exit after the last step')
    .option('--json', 'print the report as one JSON document (progress on standard error)')
    .option('--dir <dir>', 'where everything is kept', '.dunlin/demo')
    .option('--verbose', "show the agent's log")
    .addHelpText('after', HELP)
    .action((options: DemoOptions) => demo(options, io));

async function demo(options: DemoOptions, io: CommandIo): Promise<void> {
  const level = options.verbose ? 'info' : 'error';
  await runDemo({
    dir: resolve(options.dir),
    broker: new AedesBroker(),
    steps: STEPS,
    view: view(options, io),
    clock: systemClock,
    logger: createLogger({
      level,
      format: 'text',
      nowMs: systemClock.nowMs,
      write: (line) => io.err(`${line}\n`),
    }),
    signal: io.signal,
    onAgentLog: (text) => options.verbose && io.err(text),
    stay: options.once !== true,
    onFinished: (report) => finish(report, options, io),
  });
}

function view(options: DemoOptions, io: CommandIo): TourView {
  if (options.json || options.verbose || !io.interactive) return new PlainView(io.err);
  return new LiveView(process.stderr);
}

function finish(report: DemoReport, options: DemoOptions, io: CommandIo): void {
  if (options.json) io.out(`${JSON.stringify(report, null, 2)}\n`);
  else io.out(`\n${stepTable(report.steps)}\n${figures(report)}\n`);
  const failed = report.steps.filter((step) => !step.ok).length;
  if (failed > 0) {
    throw new DunlinError(
      `${failed} of ${report.steps.length} steps failed; --verbose shows the agent`,
      {
        code: 'demo-failed',
      },
    );
  }
  if (!options.once) io.err('The broker and the agent go on; stop them with Ctrl-C.\n');
}

function figures(report: DemoReport): string {
  return [
    `${report.inferences} inferences, ${report.droppedInferences} dropped;`,
    `${report.telemetrySent} messages sent, ${report.telemetryReceived} received;`,
    `${report.chunksFetchedAfterRestart} of ${report.chunksTotal} chunks fetched after the kill`,
  ].join(' ');
}
