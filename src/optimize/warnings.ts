import { printable } from '../tflite/index.ts';
import { type Calibration, FEW_SAMPLES } from './calibrate/calibrate.ts';
import type { ChangedModel } from './change-model.ts';
import type { FloatModel } from './float-model.ts';
import type { Rows } from './measure/agreement.ts';
import type { Outputs } from './measure/logits.ts';
import { rangeOf } from './quantize/affine.ts';
import { int8Scheme } from './quantize/int8-schemes.ts';
import type { Int8Variant } from './quantize/quantize-int8.ts';
import type { Report } from './report-document.ts';
import { shortNames } from './tensor-names.ts';

type Warning = Report['warnings'][number];

/** Fewer of the 256 steps than this in use: the rest are spent on values that no sample had. */
const FEW_STEPS = 32;
const STEPS = 256;
/** More evaluation results past the ends of the range than this are worth a word. */
const CLIPPED_SHARE = 0.001;

export function outputWarnings(float: FloatModel): Warning[] {
  const [first, ...others] = float.subgraph.outputs;
  if (others.length === 0) return [];
  const tensor = nameOf(float, first!);
  const message = `the model has ${others.length + 1} outputs; error and agreement are those of the first, "${tensor}"`;
  return [{ kind: 'several-outputs', message, tensor }];
}

export function sampleWarnings(count: number, separate: boolean): Warning[] {
  const few: Warning[] =
    count >= FEW_SAMPLES
      ? []
      : [
          {
            kind: 'few-samples',
            message:
              `${count} calibration samples: with fewer than ${FEW_SAMPLES}, the ranges depend on the luck of the ` +
              'draw; give more, of all the kinds that the device will see',
          },
        ];
  const same: Warning[] = separate
    ? []
    : [
        {
          kind: 'same-samples',
          message:
            'the variants were judged by the samples that they were calibrated with, which flatters them; ' +
            'give others with --eval',
        },
      ];
  return [...few, ...same];
}

/** Pruning alone. */
export function changeWarnings(changed: ChangedModel | undefined): Warning[] {
  if (changed?.pruning === undefined || changed.training !== undefined) return [];
  return [
    {
      kind: 'pruned-untrained',
      message:
        'the model was pruned and not trained: what is left has not made up for what is gone; add --finetune',
    },
  ];
}

const nameOf = (float: FloatModel, index: number): string => printable(shortNames(float)(index));

/** What calibration shows about the int8 variant. */
export function int8Warnings(
  float: FloatModel,
  calibration: Calibration,
  { plan, keptFloat, deadChannels }: Int8Variant,
): Warning[] {
  const warnings: Warning[] = [];
  const used = int8Activations(float, plan);
  for (const index of used) {
    const { min, max } = calibration.get(index)!.histogram;
    const { scale } = plan.affines.get(index)!;
    const steps = Math.ceil((Math.max(max, 0) - Math.min(min, 0)) / scale);
    if (steps >= FEW_STEPS) continue;
    const tensor = nameOf(float, index);
    warnings.push({
      kind: 'range-not-reached',
      message:
        `tensor "${tensor}" uses ${steps} of its ${STEPS} int8 steps: it shares its range with larger values, or ` +
        'its range is built into the operator',
      variant: 'int8',
      tensor,
    });
  }
  for (const [operator, count] of deadChannels) {
    warnings.push({
      kind: 'dead-channels',
      message: `${operator}: ${count} output channels have no weight other than zero`,
      variant: 'int8',
    });
  }
  warnings.push(...silentChannels(float, calibration, used));
  for (const { name, reason } of keptFloat) {
    warnings.push({
      kind: 'kept-float',
      message: `${name} stays in float: ${reason}`,
      variant: 'int8',
    });
  }
  return warnings;
}

function int8Activations({ subgraph }: FloatModel, plan: Int8Variant['plan']): number[] {
  return subgraph.operators.flatMap(({ outputs }, place) => {
    const { kind } = plan.operators[place]!;
    return kind === 'int8' ? outputs.filter((index) => plan.affines.has(index)) : [];
  });
}

/** Channels that no sample made anything but zero: weights spent on nothing, or samples that lack something. */
function silentChannels(
  float: FloatModel,
  calibration: Calibration,
  used: readonly number[],
): Warning[] {
  const { graph, subgraph } = float;
  const weighted = new Set(
    subgraph.operators.flatMap((operator) =>
      int8Scheme(graph.code(operator).builtin)?.weights === undefined ? [] : operator.outputs,
    ),
  );
  const found = used.flatMap((index) => {
    if (!weighted.has(index)) return [];
    const { channelSquares } = calibration.get(index)!;
    const silent = channelSquares.filter((square) => square === 0).length;
    return silent === 0
      ? []
      : [`${silent} of ${channelSquares.length} in "${nameOf(float, index)}"`];
  });
  if (found.length === 0) return [];
  return [
    {
      kind: 'dead-channels',
      message:
        `channels that are zero for every calibration sample: ${found.join(', ')}; either the samples lack what ` +
        'wakes them, or pruning them costs nothing',
      variant: 'int8',
    },
  ];
}

/** Results that float gives and int8 cannot say. */
export function clippingWarnings(
  float: FloatModel,
  { plan }: Int8Variant,
  wanted: Outputs,
): Warning[] {
  const [output] = float.subgraph.outputs;
  const logits = wanted.logits === undefined ? undefined : logitsOf(float);
  return [
    ...clipped(float, plan, output, wanted.output),
    ...(wanted.logits === undefined ? [] : clipped(float, plan, logits, wanted.logits)),
  ];
}

function clipped(
  float: FloatModel,
  { affines }: Int8Variant['plan'],
  index: number | undefined,
  { values }: Rows,
): Warning[] {
  const affine = index === undefined ? undefined : affines.get(index);
  if (index === undefined || affine === undefined) return [];
  const { low, high } = rangeOf(affine);
  const outside = values.reduce(
    (count, value) => count + (value < low - affine.scale || value > high + affine.scale ? 1 : 0),
    0,
  );
  if (outside <= CLIPPED_SHARE * values.length) return [];
  const tensor = nameOf(float, index);
  const percent = ((100 * outside) / values.length).toFixed(2);
  return [
    {
      kind: 'clipped',
      message:
        `output "${tensor}": ${percent} % of the evaluation results lie outside ${low.toPrecision(3)} to ` +
        `${high.toPrecision(3)}, all that int8 can say; calibrate with samples that reach as far`,
      variant: 'int8',
      tensor,
    },
  ];
}

function logitsOf({ subgraph }: FloatModel): number | undefined {
  return subgraph.operators.at(-1)?.inputs[0];
}
