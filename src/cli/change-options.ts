import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { DunlinError, nodeFiles, writeFileAtomic } from '../core/index.ts';
import {
  CHECKPOINT_FILE,
  type CheckpointStore,
  DEFAULT_FINETUNE,
  type FinetuneSettings,
  MAX_TRAINING_STEPS,
  type OptimizeSettings,
  PRUNE_SCOPES,
  type PruneScope,
  type PruneSettings,
} from '../optimize/index.ts';
import { integerValue, numberValue } from './option-values.ts';

/** Past this a layer keeps too little to learn with. */
const MOST_PRUNED = 0.98;
const WEIGHT_BITS = { least: 4, most: 8 };
const MOST_RATE = 1;

export interface ChangeOptions {
  readonly prune?: string;
  readonly structured: boolean;
  readonly pruneScope: PruneScope;
  readonly finetune: boolean;
  readonly calibrationLabels?: string;
  readonly steps?: string;
  readonly learningRate?: string;
  readonly augment: boolean;
  readonly weightBits?: string;
  readonly seed?: string;
}

export const CHANGE_HELP = `
--prune 0.75 makes variants with that share of the weights zero, the ones that matter least: the update shrinks, and on
a microcontroller flash and instructions too; a gateway computes as long as before. --prune 0.4 --structured takes
whole channels out instead, until 40 % of the multiplications are gone: every runtime gains, and the model loses more.
--finetune trains what is left to answer as the float model does, on variations of the calibration samples and with
int8 simulated; it takes minutes. Without --prune it makes up for what int8 alone loses. --calibration-labels adds the
right answers, and with thousands of samples --no-augment is better then. Interrupted, the same command goes on where it
was; equal commands give equal files.
`;

/** Adds what prunes and trains to a command. */
export function addChangeOptions(command: Command): Command {
  return command
    .option('--prune <share>', 'make this share of the weights zero, 0 to 0.98')
    .option('--structured', 'take out channels, until that share of the MACs is gone', false)
    .addOption(
      new Option('--prune-scope <scope>', 'every layer its share, or the whole model')
        .choices([...PRUNE_SCOPES])
        .default('layer'),
    )
    .option('--finetune', 'train what was pruned, with int8 simulated', false)
    .option('--calibration-labels <l>', 'the right class of each calibration sample, to learn from')
    .option('--steps <n>', `of training, 32 samples each (default: ${DEFAULT_FINETUNE.steps})`)
    .option('--learning-rate <r>', `largest, relative (default: ${DEFAULT_FINETUNE.learningRate})`)
    .option('--no-augment', 'learn from the samples as they are, not from variations of them')
    .option(
      '--weight-bits <n>',
      `of pruned weights once they are trained, 4 to 8 (default: ${DEFAULT_FINETUNE.weightBits})`,
    )
    .option('--seed <n>', `of training (default: ${DEFAULT_FINETUNE.seed})`);
}

/** @throws `usage` */
export function changeSettings(
  options: ChangeOptions,
): Pick<OptimizeSettings, 'prune' | 'finetune'> {
  const prune = pruneSettings(options);
  const finetune = finetuneSettings(options);
  return {
    ...(prune === undefined ? {} : { prune }),
    ...(finetune === undefined ? {} : { finetune }),
  };
}

function pruneSettings({
  prune,
  structured,
  pruneScope,
}: ChangeOptions): PruneSettings | undefined {
  if (prune === undefined) {
    if (structured) throw usage('--structured says how to prune; say how much with --prune 0.4');
    return undefined;
  }
  const share = numberValue(prune, '--prune');
  if (!(share > 0 && share <= MOST_PRUNED)) {
    throw usage(
      `--prune: ${prune} is no share above 0 and up to ${MOST_PRUNED}; write 0.75 for 75 %`,
    );
  }
  return { share, structured, scope: pruneScope };
}

function finetuneSettings(options: ChangeOptions): FinetuneSettings | undefined {
  const { finetune, steps, learningRate, weightBits, seed, calibrationLabels } = options;
  if (!finetune) {
    const given = { steps, learningRate, weightBits, seed, calibrationLabels };
    if (!options.augment) throw usage('--no-augment is about training; add --finetune');
    const [name] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
    if (name === undefined) return undefined;
    const option = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw usage(`--${option} is about training; add --finetune`);
  }
  const within = (
    text: string | undefined,
    option: string,
    otherwise: number,
    most: number,
  ): number => {
    const value = text === undefined ? otherwise : integerValue(text, option);
    if (value <= most) return value;
    throw usage(`${option}: ${value} is more than ${most}`);
  };
  const bits = within(weightBits, '--weight-bits', DEFAULT_FINETUNE.weightBits, WEIGHT_BITS.most);
  if (bits < WEIGHT_BITS.least) throw usage(`--weight-bits: give 4 to 8, not ${bits}`);
  const rate =
    learningRate === undefined
      ? DEFAULT_FINETUNE.learningRate
      : numberValue(learningRate, '--learning-rate');
  if (!(rate > 0 && rate <= MOST_RATE)) throw usage('--learning-rate: give more than 0, up to 1');
  return {
    steps: within(steps, '--steps', DEFAULT_FINETUNE.steps, MAX_TRAINING_STEPS),
    learningRate: rate,
    augment: options.augment,
    seed: within(seed, '--seed', DEFAULT_FINETUNE.seed, 2 ** 31 - 1),
    weightBits: bits,
  };
}

/** Training's checkpoint, in the directory that the variants will be in. */
export function checkpointIn(directory: string): CheckpointStore {
  const path = join(directory, CHECKPOINT_FILE);
  return {
    read: () => nodeFiles.read(path),
    write: async (bytes) => {
      await nodeFiles.makeDirectory(directory);
      await writeFileAtomic(nodeFiles, path, bytes);
    },
  };
}

export const trainingThreads = (): number => availableParallelism();

function usage(message: string): DunlinError {
  return new DunlinError(message, { code: 'usage' });
}
