import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type AgentConfig, parseAgentConfig, runAgent } from '../agent/index.ts';
import { createLogger, nodeFiles, readNamedFile, systemClock } from '../core/index.ts';
import type { CommandFactory, CommandIo } from './command.ts';

const MAX_CONFIG_BYTES = 1024 * 1024;

const HELP = `
The configuration is YAML; an example with every key is configs/gateway.yaml. --check reads it and the files that it
names, and says what is wrong, with the line, without starting anything.

Examples:
  dunlin agent --config agent.yaml --check
  dunlin agent --config /etc/dunlin/agent.yaml
`;

export const agentCommand: CommandFactory = (io) =>
  new Command('agent')
    .description('Run the agent: models in service, updates over MQTT, signed reports')
    .requiredOption('--config <file>', 'the YAML configuration')
    .option('--check', 'check the configuration and exit')
    .addHelpText('after', HELP)
    .action((options: { config: string; check?: boolean }) => agent(options, io));

async function agent(options: { config: string; check?: boolean }, io: CommandIo): Promise<void> {
  const text = Buffer.from(await readNamedFile(options.config, MAX_CONFIG_BYTES)).toString('utf8');
  const config = parseAgentConfig(text, options.config);
  if (options.check) {
    await checkFiles(config);
    io.out(`${options.config}: ok\n`);
    return;
  }
  const logger = createLogger({
    ...config.log,
    nowMs: systemClock.nowMs,
    write: (line) => io.err(`${line}\n`),
  });
  const version = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  await runAgent(
    {
      config,
      agentVersion: (JSON.parse(version) as { version: string }).version,
      files: nodeFiles,
      clock: systemClock,
      logger,
      env: io.env,
      sysfsRoot: '/sys',
      procRoot: '/proc',
    },
    io.signal,
  );
}

/** @throws `file-missing`, `file-unreadable`, naming the first file that an agent could not start without */
async function checkFiles(config: AgentConfig): Promise<void> {
  const { trust, broker, pipelines, microcontrollers } = config;
  const { caFile, certFile, keyFile, passwordFile } = broker;
  const keys = Object.values(microcontrollers).map(({ signingKeyFile }) => signingKeyFile);
  const named = [trust.rootFile, caFile, certFile, keyFile, passwordFile, ...keys];
  for (const path of named) {
    if (path !== undefined) await readNamedFile(path, MAX_CONFIG_BYTES);
  }
  for (const { source } of Object.values(pipelines)) {
    if (source.kind === 'npy') await readNamedFile(source.file, Number.MAX_SAFE_INTEGER);
  }
}
