import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { DunlinError, nodeFiles, readNamedFile, systemClock } from '../core/index.ts';
import {
  checkOutputDirectory,
  limitsMicrocontroller,
  MODES,
  type Mode,
  machineFacts,
  openFloatModel,
  optimize,
  type Progress,
  parseBudget,
  RANGE_METHODS,
  type RangeMethod,
  readLabels,
  writeOptimized,
} from '../optimize/index.ts';
import { MAX_MODEL_BYTES } from '../tflite/index.ts';
import {
  addChangeOptions,
  CHANGE_HELP,
  type ChangeOptions,
  changeSettings,
  checkpointIn,
  trainingThreads,
} from './change-options.ts';
import type { CommandIo } from './command.ts';
import { microcontrollerFacts } from './microcontroller-facts.ts';
import { describe } from './optimize-text.ts';
import { integerValue } from './option-values.ts';
import { ProgressLine } from './progress-line.ts';
import {
  IMAGE_RANGE_HELP,
  imageRange,
  measuringLoader,
  readModelLabels,
  readModelSamples,
} from './sample-options.ts';

const HELP = `
Calibration samples are what the model will meet on the device, a few hundred of them: an .npy or .npz of shape
[count, …input], a .csv with a sample a line, or a folder of images. They set the ranges of the int8 values, so they
must look like the real thing. --eval and --labels judge the result on other samples.

Modes: int8 computes in integers throughout: smallest, fastest, needed for microcontrollers and the Edge TPU.
dynamic has int8 weights and float activations. float16 halves the file and changes next to nothing. all makes every
one of them.

A budget picks the variant, about the smallest that keeps every limit, and of those the fastest. Limits:
size, compressed, memory (bytes, with k or M), latency (us or ms, on this machine), drop (in percent: of accuracy with
--labels, else of agreement with float, or of the signal where the model does not classify), sqnr (dB), and of a
microcontroller flash, ram (bytes) and instructions. Without one it is about the smallest that was made, and the report
says what it loses.
${CHANGE_HELP}
Variants that are int8 throughout are also compiled for a Cortex-M4: flash, RAM, and the instructions of an inference
where "make firmware" and the Debian package qemu-system-arm are there to count them. --no-microcontroller saves that.

--out holds the variants, report.html to look at, report.json for scripts, and is what "dunlin release build --from"
takes. Status 8 means that no variant fits the budget; the directory is written all the same.

Examples:
  dunlin optimize float.tflite --calibration samples.npy --out optimized
  dunlin optimize float.tflite --calibration photos/ --image-range -1..1 --mode all \\
    --budget size=300k,drop=1% --out optimized
  dunlin optimize float.tflite --calibration cal.npy --prune 0.75 --finetune --budget drop=3% --out optimized
  dunlin optimize float.tflite --calibration cal.npy --eval eval.npy --labels labels.npy --out optimized --json`;

interface OptimizeOptions extends ChangeOptions {
  readonly calibration: string;
  readonly eval?: string;
  readonly labels?: string;
  readonly mode: Mode | 'all';
  readonly budget?: string;
  readonly out: string;
  readonly ranges: 'auto' | RangeMethod;
  readonly inputType: 'int8' | 'float32';
  readonly outputType: 'int8' | 'float32';
  readonly fullyInt8: boolean;
  readonly biasCorrection: boolean;
  readonly microcontroller: boolean;
  readonly imageRange?: string;
  readonly array?: string;
  readonly maxSamples?: string;
  readonly json: boolean;
}

/** `dunlin optimize`: float in, int8 out, with the loss known. */
export function optimizeCommand(io: CommandIo): Command {
  const ends = ['int8', 'float32'];
  const command = new Command('optimize')
    .description(
      'quantize, prune and train a float model, and report what each variant costs and loses',
    )
    .argument('<model>', 'a float32 .tflite file')
    .requiredOption('--calibration <c>', 'samples: .npy, .npz, .csv or a folder of images')
    .option('--eval <e>', 'other samples, to judge the variants by')
    .option('--labels <l>', 'the right class of each of these, for accuracy: .npy, .csv or .txt')
    .addOption(
      new Option('--mode <mode>', 'which variants to make')
        .choices([...MODES, 'all'])
        .default('int8'),
    )
    .option('--budget <limits>', 'such as size=40k,drop=1%')
    .requiredOption('--out <dir>', 'where variants and report go')
    .addOption(
      new Option('--ranges <method>', 'how int8 ranges are chosen; auto measures which is best')
        .choices(['auto', ...RANGE_METHODS])
        .default('auto'),
    )
    .addOption(
      new Option('--input-type <type>', 'what the int8 model takes').choices(ends).default('int8'),
    )
    .addOption(
      new Option('--output-type <type>', 'what the int8 model gives').choices(ends).default('int8'),
    )
    .option('--fully-int8', 'refuse a model of which an operator would stay in float', false)
    .option('--no-bias-correction', 'do not make up for the mean error of rounded weights')
    .option('--no-microcontroller', 'do not find out what int8 variants take of a Cortex-M4')
    .option('--image-range <range>', IMAGE_RANGE_HELP)
    .option('--array <name>', 'which array of an .npz')
    .option('--max-samples <n>', 'take so many calibration samples, evenly spread over all')
    .option('--json', 'print report.json', false);
  return addChangeOptions(command)
    .addHelpText('after', HELP)
    .action((file: string, options: OptimizeOptions) => run(io, file, options));
}

async function run(io: CommandIo, file: string, options: OptimizeOptions): Promise<void> {
  const budget = options.budget === undefined ? {} : parseBudget(options.budget);
  if (!options.microcontroller && limitsMicrocontroller(budget)) {
    throw new DunlinError(
      '--budget: flash, ram and instructions are not known with --no-microcontroller; leave one of the two out',
      { code: 'usage' },
    );
  }
  const change = changeSettings(options);
  await checkOutputDirectory(nodeFiles, options.out);
  const progress = new ProgressLine(io, systemClock.monotonicMs);
  const what = basename(file);
  const model = await readNamedFile(file, MAX_MODEL_BYTES);
  // What cannot be quantized is said before samples are asked for.
  openFloatModel(model, what);
  const samples = await readAllSamples(io, model, what, options, progress);
  const optimized = await optimize({
    model,
    what,
    ...samples,
    settings: {
      modes: options.mode === 'all' ? MODES : [options.mode],
      ranges: options.ranges,
      inputType: options.inputType,
      outputType: options.outputType,
      fullyInt8: options.fullyInt8,
      biasCorrection: options.biasCorrection,
      ...change,
    },
    checkpoint: checkpointIn(options.out),
    threads: trainingThreads(),
    budget,
    machine: machineFacts(),
    nowMs: systemClock.nowMs(),
    load: measuringLoader(io),
    ...(options.microcontroller
      ? {
          microcontroller: (bytes: Uint8Array, name: string) =>
            microcontrollerFacts(bytes, name, io.signal),
        }
      : {}),
    signal: io.signal,
    onProgress: (at) => progress.show(taskOf(at), at.done, at.total, lossText(at)),
  });
  progress.end();
  await writeOptimized(nodeFiles, options.out, optimized);
  io.out(
    options.json
      ? `${JSON.stringify(optimized.report)}\n`
      : describe(optimized.report, options.out),
  );
  const { choice } = optimized.report;
  if (choice.variant === undefined)
    throw new DunlinError(choice.reason, { code: 'budget-not-met' });
}

async function readAllSamples(
  io: CommandIo,
  model: Uint8Array,
  what: string,
  options: OptimizeOptions,
  progress: ProgressLine,
) {
  const common = { imageRange: imageRange(options.imageRange), progress, signal: io.signal };
  const array = options.array === undefined ? {} : { arrayName: options.array };
  const calibration = await readModelSamples(options.calibration, model, what, {
    ...{ ...common, ...array, use: 'calibration' },
    ...(options.maxSamples === undefined
      ? {}
      : { maxCount: integerValue(options.maxSamples, '--max-samples') }),
  });
  const evaluation =
    options.eval === undefined
      ? undefined
      : await readModelSamples(options.eval, model, what, {
          ...common,
          ...array,
          use: 'evaluation',
        });
  const judgedBy = (evaluation ?? calibration)[0]!;
  const labels = await readModelLabels(io, options.labels, judgedBy, model, what);
  const learned = options.calibrationLabels;
  return {
    calibration,
    ...(learned === undefined
      ? {}
      : { calibrationLabels: await readLabels(learned, calibration[0]!, io.signal) }),
    ...(evaluation === undefined ? {} : { evaluation }),
    ...(labels === undefined ? {} : { labels }),
  };
}

const lossText = ({ loss }: Progress): string =>
  loss === undefined ? '' : `, loss ${loss.toPrecision(3)}`;

function taskOf({ step, subject }: Progress): string {
  switch (step) {
    case 'calibrate':
      return `calibrating ${subject}`;
    case 'quantize':
      return `choosing ranges for ${subject}`;
    case 'prune':
      return `measuring what the layers of ${subject} stand`;
    case 'train':
      return `training ${subject}`;
    case 'evaluate':
      return `measuring ${subject}`;
    case 'microcontroller':
      return `compiling ${subject} for a microcontroller`;
  }
}
