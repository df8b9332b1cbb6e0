import type { TfliteModel } from '../../tflite/index.ts';
import type { PlanTarget } from '../format/constants.ts';
import { ConstantsBuilder, encodePlan, stepsBytes } from '../format/encode.ts';
import type { PlanIo } from '../format/steps.ts';
import { emitOperation } from './emit.ts';
import { lowerModel } from './lower/index.ts';
import { planMemory } from './memory.ts';
import { removeDeadChannels } from './passes/dead-channels.ts';
import { dropIdentities, dropUnread, fuseOperations } from './passes/fuse.ts';
import { placeOutputs } from './passes/outputs.ts';
import { asFullyConnected, flattenPointwise, layColumns } from './passes/reshape.ts';
import { isWeighted, macsOf, type Operation, type Program, programValue } from './program.ts';
import { type PackedWeights, packWeights } from './weights.ts';

/** What one operation of a plan takes. */
export interface CompiledOperation {
  readonly kind: Operation['kind'];
  /** The model's operator that it comes from, the first if several: its place and its name. */
  readonly source: number;
  readonly label: string;
  readonly macs: number;
  /** How many steps of the plan it became. */
  readonly stepCount: number;
  /** Of the plan: its steps and constants. */
  readonly flashBytes: number;
  /** Up to where the arena is in use while it runs. */
  readonly arenaBytes: number;
  /** Of a layer with weights. */
  readonly layout?: PackedWeights['layout'];
}

export interface CompiledPlan {
  readonly bytes: Uint8Array;
  readonly target: PlanTarget;
  readonly arenaBytes: number;
  /** What values alone would take if none lay over another. */
  readonly liveBytes: number;
  readonly macs: number;
  readonly operations: readonly CompiledOperation[];
  /** Channels that could never be seen in the output, and were taken out. */
  readonly deadChannels: number;
}

export interface CompileOptions {
  /** Pruned weights are stored sparse wherever that is smaller, even where it takes more instructions. */
  readonly smallest?: boolean;
}

function optimizeProgram(program: Program): { program: Program; deadChannels: number } {
  const fused = dropUnread(dropIdentities(fuseOperations(dropIdentities(program))));
  const { program: alive, deadChannels } = removeDeadChannels(
    layColumns(flattenPointwise(asFullyConnected(fused))),
  );
  return { program: placeOutputs(dropUnread(alive)), deadChannels };
}

function ends(
  program: Program,
  placeOf: (id: number) => number,
): Record<'inputs' | 'outputs', PlanIo[]> {
  const end = (id: number, shape: readonly number[]): PlanIo => {
    const { scale, zeroPoint } = programValue(program, id);
    const sizeBytes = shape.reduce((product, size) => product * size, 1);
    return { place: placeOf(id), sizeBytes, scale, zeroPoint, shape };
  };
  return {
    inputs: program.inputs.map((id) => end(id, programValue(program, id).shape)),
    outputs: program.outputs.map((id, index) => end(id, program.outputShapes[index]!)),
  };
}

/**
 * An execution plan of a fully int8 model: what it computes is what TFLite Micro's reference kernels do, byte for byte.
 * @param what names the model in errors
 * @throws DunlinError model-unsupported naming the operator, the tensor and the reason; as `verifyModel`
 */
export function compileModel(
  model: TfliteModel,
  target: PlanTarget,
  what: string,
  { smallest = false }: CompileOptions = {},
): CompiledPlan {
  const { program, deadChannels } = optimizeProgram(lowerModel(model, what));
  const memory = planMemory(program);
  const constants = new ConstantsBuilder();
  const weights = packWeights(program.operations.filter(isWeighted), target, smallest);
  const steps = [];
  const operations: CompiledOperation[] = [];
  for (const [index, operation] of program.operations.entries()) {
    const before = constants.sizeBytes;
    const { place: scratch, bandRows } = memory.scratch[index]!;
    const around = { program, constants, weights, placeOf: memory.placeOf, scratch, bandRows };
    const own = emitOperation(around, operation);
    steps.push(...own);
    operations.push({
      kind: operation.kind,
      source: operation.source,
      label: program.labels[operation.source]!,
      macs: macsOf(operation),
      stepCount: own.length,
      flashBytes: constants.sizeBytes - before + stepsBytes(own),
      arenaBytes: memory.usedBytes[index]!,
      ...(isWeighted(operation) ? { layout: weights.get(operation)!.layout } : {}),
    });
  }
  const { arenaBytes } = memory;
  const { inputs, outputs } = ends(program, memory.placeOf);
  const contents = { target, arenaBytes, inputs, outputs, steps, constants: constants.bytes() };
  return {
    bytes: encodePlan(contents),
    target,
    arenaBytes,
    liveBytes: memory.liveBytes,
    macs: operations.reduce((sum, { macs }) => sum + macs, 0),
    operations,
    deadChannels,
  };
}
