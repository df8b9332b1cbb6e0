import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { DunlinError, errnoOf, parseJson, systemClock, Type } from '../core/index.ts';
import {
  findDelegate,
  findEdgeTpus,
  librarySearchFolders,
  sandboxLoader,
  useEdgeTpu,
} from '../inference/index.ts';
import {
  type BuildOptions,
  buildRelease,
  DEFAULT_TOLERANCE_STEPS,
  Repository,
  withRepositoryLock,
} from '../release/index.ts';
import { DEFAULT_CHUNK_BYTES, type ReleaseDocument } from '../update/index.ts';
import type { CommandIo } from './command.ts';
import { commandLogger } from './command-logger.ts';
import { collect, integerValue, numberValue } from './option-values.ts';
import {
  RELEASE_MCU_EXAMPLE,
  RELEASE_MCU_HELP,
  type ReleaseMcuOptions,
  readMcuOptions,
  withMcuOptions,
} from './release-mcu.ts';
import { type ReleaseSourceOptions, readReleaseFile, readReleaseSource } from './release-source.ts';

const MAX_METRICS = 64;
const MAX_LABEL_FILE_BYTES = 1024 * 1024;

const HELP = `
Verifies the models, runs the golden inputs on every execution path of this machine, and keeps what comes out: a device
puts a release into service only when its own outputs agree within the tolerance, in time.

The model comes from a directory that "dunlin optimize --out" made: --from takes the variant that was chosen there and
the golden inputs, and the release carries what was measured and what the model was made from. Or it comes from other
tools: give --cpu and --golden-inputs.

  --variant          another variant than the chosen one, by its name in report.json.
  --golden-reference takes the expected outputs from another file: a model that was damaged, or trained on the wrong
                     data, then passes on no device.
  --labels           a,b,c, or a file: a JSON array, or one label a line.
  --chunk-bytes      size of the retained messages; a broker or a link that is weak wants smaller ones.
${RELEASE_MCU_HELP}

Examples:
  dunlin optimize float.tflite --calibration samples.npy --out optimized
  dunlin release build --repo repo --model motor --version 3 --from optimized --labels examples/motor/labels.json
  dunlin release build --repo repo --model motor --version 1 --cpu examples/motor/v1/int8.tflite \\
    --golden-inputs examples/motor/golden-inputs.npy --labels examples/motor/labels.json --metric accuracy=0.97
  dunlin release build --repo repo --model motor --version 2 --cpu motor.tflite --edgetpu motor_edgetpu.tflite \\
    --golden-inputs golden.npy --labels healthy,imbalance,misalignment,bearing-fault \\
    --latency-budget-us 5000${RELEASE_MCU_EXAMPLE}`;

interface BuildCommandOptions extends ReleaseSourceOptions, ReleaseMcuOptions {
  readonly repo: string;
  readonly model: string;
  readonly version: string;
  readonly edgetpu?: string;
  readonly goldenReference?: string;
  readonly labels?: string;
  readonly task: ReleaseDocument['task']['kind'];
  readonly metric: readonly string[];
  readonly latencyBudgetUs?: string;
  readonly toleranceSteps: string;
  readonly chunkBytes: string;
  readonly json: boolean;
}

/** `dunlin release build`: a release in the repository, not signed yet. */
export function releaseBuildCommand(io: CommandIo): Command {
  const command = new Command('build')
    .description('make a release in the repository')
    .requiredOption('--repo <dir>', 'the release repository; made when it is not there')
    .requiredOption('--model <name>', 'name of the model')
    .requiredOption('--version <version>', 'its version; never used twice')
    .option('--from <dir>', 'a directory of dunlin optimize: model, golden inputs and figures')
    .option('--variant <name>', 'which of its variants (default: the one that was chosen)')
    .option('--cpu <file>', '.tflite for the CPU, of another tool')
    .option('--edgetpu <file>', 'the same, compiled for the Edge TPU')
    .option(
      '--golden-inputs <npy>',
      'inputs [count, …], float32 or as the model takes them (default: those of --from)',
    )
    .option('--golden-reference <file>', 'take the expected outputs from this .tflite')
    .option('--labels <list>', 'names of the outputs')
    .addOption(
      new Option('--task <kind>', 'what the outputs mean')
        .choices(['classification', 'anomaly', 'regression'])
        .default('classification'),
    )
    .option(
      '--metric <name=value>',
      'a figure to carry along, or instead of the one of --from; may be repeated',
      collect,
      [],
    )
    .option('--latency-budget-us <n>', 'largest median latency on a device (default: generous)')
    .option(
      '--tolerance-steps <n>',
      'allowed difference, in quantization steps of the output',
      String(DEFAULT_TOLERANCE_STEPS),
    )
    .option('--chunk-bytes <n>', 'size of the retained messages', String(DEFAULT_CHUNK_BYTES));
  return withMcuOptions(command)
    .option('--json', 'print release.json', false)
    .addHelpText('after', HELP)
    .action((options: BuildCommandOptions) => build(io, options));
}

async function build(io: CommandIo, options: BuildCommandOptions): Promise<void> {
  const work = await buildOptions(io, options);
  const guard = { clock: systemClock, signal: io.signal };
  io.err('running the golden inputs\n');
  const document = await withRepositoryLock(options.repo, guard, () => buildRelease(work));
  io.out(options.json ? `${JSON.stringify(document)}\n` : describe(document));
}

async function buildOptions(io: CommandIo, options: BuildCommandOptions): Promise<BuildOptions> {
  const { edgetpu, goldenReference, latencyBudgetUs } = options;
  const named = readMetrics(options.metric);
  const { metrics, ...source } = await readReleaseSource(options);
  const mcu = await readMcuOptions(io, options);
  return {
    repository: new Repository(options.repo),
    model: options.model,
    version: options.version,
    ...source,
    ...(edgetpu === undefined ? {} : { edgetpu: await readReleaseFile(edgetpu) }),
    ...(mcu === undefined ? {} : { mcu }),
    task: { kind: options.task, labels: await readLabels(options.labels) },
    ...(goldenReference === undefined
      ? {}
      : { goldenReference: await readReleaseFile(goldenReference) }),
    ...(latencyBudgetUs === undefined
      ? {}
      : { latencyBudgetUs: integerValue(latencyBudgetUs, '--latency-budget-us') }),
    toleranceSteps: numberValue(options.toleranceSteps, '--tolerance-steps'),
    metrics: { ...metrics, ...named },
    chunkBytes: integerValue(options.chunkBytes, '--chunk-bytes'),
    nowMs: systemClock.nowMs(),
    load: sandboxLoader({
      clock: systemClock,
      logger: commandLogger(io),
      edgeTpu: () => useEdgeTpu(findEdgeTpus(), findDelegate(librarySearchFolders(io.env))),
    }),
    logger: commandLogger(io),
    signal: io.signal,
  };
}

function describe({ model, version, golden, artifacts }: ReleaseDocument): string {
  const paths = Object.keys(golden.paths).join(', ');
  const rows = Object.entries(artifacts).map(
    ([name, { lengthBytes, encodedBytes, chunks }]) =>
      `  ${name.padEnd(24)} ${lengthBytes} bytes, ${encodedBytes} to travel, in ${chunks.length} chunks\n`,
  );
  return (
    `${model}/${version}: ${golden.count} golden outputs (${golden.on}) of the paths ${paths}, ` +
    `at most ${golden.latencyBudgetUs} us\n${rows.join('')}not signed yet: dunlin release publish ${model}/${version}\n`
  );
}

/** `a,b,c`, or the name of a file that holds a JSON array or a label a line. */
async function readLabels(list: string | undefined): Promise<string[]> {
  if (list === undefined) return [];
  if (list.includes(',')) return list.split(',').map((label) => label.trim());
  let bytes: Uint8Array;
  try {
    bytes = await readFile(list);
  } catch (cause) {
    const why =
      errnoOf(cause) === 'ENOENT' ? 'no such file; labels are a,b,c or a file' : String(cause);
    throw new DunlinError(`--labels ${list}: ${why}`, { code: 'file-missing', cause });
  }
  if (bytes.byteLength > MAX_LABEL_FILE_BYTES) {
    throw new DunlinError(`${list}: too large for labels`, { code: 'input-invalid' });
  }
  const text = Buffer.from(bytes).toString('utf8');
  if (text.trimStart().startsWith('[')) return parseJson(Type.Array(Type.String()), text, list);
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function readMetrics(pairs: readonly string[]): Record<string, number> {
  if (pairs.length > MAX_METRICS) {
    throw new DunlinError(`${pairs.length} metrics; at most ${MAX_METRICS}`, { code: 'usage' });
  }
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', value = ''] = pair.split('=');
      if (name === '')
        throw new DunlinError(`--metric ${pair}: write name=value`, { code: 'usage' });
      return [name, numberValue(value, `--metric ${pair}`)];
    }),
  );
}
