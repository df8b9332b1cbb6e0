import { basename } from 'node:path';
import { Command } from 'commander';
import { readNamedFile, systemClock } from '../core/index.ts';
import {
  type Agreement,
  type Comparison,
  compareModels,
  DIVERGED_DB,
  type LayerError,
  samplesOf,
} from '../optimize/index.ts';
import { MAX_MODEL_BYTES } from '../tflite/index.ts';
import type { CommandIo } from './command.ts';
import { ProgressLine } from './progress-line.ts';
import {
  IMAGE_RANGE_HELP,
  imageRange,
  measuringLoader,
  readModelLabels,
  readModelSamples,
} from './sample-options.ts';
import { grouped, table } from './table.ts';

interface CompareOptions {
  readonly input: string;
  readonly labels?: string;
  readonly imageRange?: string;
  readonly json: boolean;
}

/** `dunlin compare`: how far model B is from model A. */
export function compareCommand(io: CommandIo): Command {
  return new Command('compare')
    .description(
      'run two models on the same inputs and say how far the second is from the first, layer by layer',
    )
    .argument('<a>', 'the reference, a .tflite file (the float model, say)')
    .argument('<b>', 'the other, a .tflite file')
    .requiredOption('--input <x>', 'inputs: .npy, .npz, .csv or a folder of images')
    .option('--labels <l>', 'the right class of each input, for accuracy: .npy, .csv or .txt')
    .option('--image-range <range>', IMAGE_RANGE_HELP)
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
SQNR is the signal over the error, in decibels: 6 dB more is half the error. It is taken on the logits, the input of
a final softmax, where both models end in one. "alone" is the error that a layer adds itself when it is fed with the
first model's own activations; "up to here" is everything before it, too.

Examples:
  dunlin compare float.tflite int8.tflite --input eval.npy
  dunlin compare float.tflite int8.tflite --input eval.npy --labels labels.npy --json | jq .logits.sqnrDb`,
    )
    .action((a: string, b: string, options: CompareOptions) => compare(io, a, b, options));
}

async function compare(
  io: CommandIo,
  a: string,
  b: string,
  options: CompareOptions,
): Promise<void> {
  const progress = new ProgressLine(io, systemClock.monotonicMs);
  const [first, second] = await Promise.all(
    [a, b].map((file) => readNamedFile(file, MAX_MODEL_BYTES)),
  );
  const [whatA, whatB] = basename(a) === basename(b) ? [a, b] : [basename(a), basename(b)];
  const sets = await readModelSamples(options.input, first!, whatA, {
    use: 'evaluation',
    imageRange: imageRange(options.imageRange),
    progress,
    signal: io.signal,
  });
  const labels = await readModelLabels(io, options.labels, sets[0]!, first!, whatA);
  const samples = samplesOf(sets);
  const comparison = await compareModels(
    { bytes: first!, what: whatA },
    { bytes: second!, what: whatB },
    samples,
    labels,
    {
      load: measuringLoader(io),
      signal: io.signal,
      onProgress: (what, done) => progress.show(`running ${what}`, done, samples.count),
    },
  );
  progress.end();
  io.out(options.json ? `${JSON.stringify(comparison)}\n` : describe(whatA, whatB, comparison));
}

function describe(a: string, b: string, comparison: Comparison): string {
  const { count, sizeBytes, logits, output, accuracy, layers, firstDiverged, mostToBlame } =
    comparison;
  const rows = [
    ['', 'SQNR', 'largest error', 'top-1', 'top-1 by class', 'a constant answer'],
    ...(logits === undefined ? [] : [['logits', ...agreementCells(logits)]]),
    ['output', ...agreementCells(output)],
  ];
  const lines = [
    `${b} against ${a} on ${count} inputs`,
    `sizes ${grouped(sizeBytes.a)} → ${grouped(sizeBytes.b)} bytes (${percent(sizeBytes.b / sizeBytes.a)})`,
    '',
    ...table(rows),
  ];
  if (accuracy !== undefined) {
    lines.push(`accuracy ${percent(accuracy.a)} → ${percent(accuracy.b)}`);
  }
  if (layers.length > 0) {
    lines.push(
      '',
      ...table([
        ['layer', 'tensor', 'up to here', 'alone', ''],
        ...layers.map(layerCells(comparison)),
      ]),
      '',
      firstDiverged === undefined
        ? `no layer is below ${DIVERGED_DB} dB`
        : `first layer below ${DIVERGED_DB} dB: ${nameOf(firstDiverged)}`,
    );
    if (mostToBlame !== undefined) {
      lines.push(
        `most error of its own: ${nameOf(mostToBlame)}, ${decibels(mostToBlame.ownSqnrDb)}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function agreementCells(agreement: Agreement): string[] {
  return [
    decibels(agreement.sqnrDb),
    agreement.maxAbsError.toPrecision(3),
    percent(agreement.top1),
    percent(agreement.top1ByClass),
    percent(agreement.constantPredictor),
  ];
}

function layerCells({ firstDiverged, mostToBlame }: Comparison): (layer: LayerError) => string[] {
  return (layer) => [
    layer.name,
    layer.tensor === '' ? `(${layer.shape.join('x')})` : layer.tensor,
    decibels(layer.accumulatedSqnrDb),
    decibels(layer.ownSqnrDb),
    [
      ...(layer === firstDiverged ? ['← diverges'] : []),
      ...(layer === mostToBlame ? ['← adds most'] : []),
    ].join(' '),
  ];
}

const nameOf = ({ operator, name, tensor }: LayerError): string =>
  `operator ${operator}, ${name}${tensor === '' ? '' : ` "${tensor}"`}`;
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const decibels = (value: number | null | undefined): string =>
  value === undefined ? '-' : value === null ? 'identical' : `${value.toFixed(2)} dB`;
