import type { TfliteOperator } from '../../tflite/index.ts';
import type { Calibration } from '../calibrate/calibrate.ts';
import type { RangeMethod } from '../calibrate/ranges.ts';
import type { FloatModel } from '../float-model.ts';
import type { Affine } from './affine.ts';
import { type Int8Scheme, int8Scheme } from './int8-schemes.ts';
import { raiseScales } from './scale-limits.ts';
import { TensorGroups } from './tensor-groups.ts';

/** One operator of the float model in the int8 one. */
export type OperatorPlan =
  | { readonly kind: 'int8'; readonly scheme: Int8Scheme; readonly activations: readonly number[] }
  | { readonly kind: 'float'; readonly reason: string };

export interface Int8Plan {
  /** In the order of the float model's operators. */
  readonly operators: readonly OperatorPlan[];
  /** Of every float activation (computed, or input), by tensor index. */
  readonly affines: ReadonlyMap<number, Affine>;
}

/**
 * Decides what computes in int8 and with which parameters. Tensors between which a kernel moves values share theirs;
 * where a kernel has an output's parameters built in, those stand. An operator that moves several inputs into one
 * output gets a QUANTIZE before each input that cannot share, or whose other readers would lose by
 * it: the writer sees that by unequal parameters.
 */
export function planInt8(
  float: FloatModel,
  calibration: Calibration,
  method: RangeMethod,
): Int8Plan {
  const operators = float.subgraph.operators.map((operator) =>
    planOperator(float, operator, calibration),
  );
  const groups = new TensorGroups(calibration);
  for (const [place, plan] of operators.entries()) {
    if (plan.kind !== 'int8' || typeof plan.scheme.output === 'string') continue;
    for (const output of float.subgraph.operators[place]!.outputs) {
      groups.fix(output, plan.scheme.output);
    }
  }
  joinMoved(float, operators, groups);
  const affines = groups.affines(method);
  raiseScales(float, operators, affines, calibration, (tensor) => groups.free(tensor));
  return { operators, affines };
}

function planOperator(
  { graph }: FloatModel,
  operator: TfliteOperator,
  calibration: Calibration,
): OperatorPlan {
  const { builtin } = graph.code(operator);
  const scheme = int8Scheme(builtin);
  const stays = (reason: string): OperatorPlan => ({ kind: 'float', reason });
  if (scheme === undefined) return stays(`TFLite has no int8 ${builtin} that Dunlin knows`);
  const activations =
    scheme.activations === 'all' ? [...operator.inputs.keys()] : scheme.activations;
  const tensors = activations.map((position) => graph.tensor(operator.inputs[position]!));
  const outputs = scheme.output === 'index' ? [] : operator.outputs;
  if ([...tensors, ...outputs.map((index) => graph.tensor(index))].some(isNotFloat)) {
    return stays('it computes in another type than float32');
  }
  if (tensors.every((tensor) => graph.isConstant(tensor)))
    return stays('all its inputs are constants');
  const known = (index: number): boolean =>
    calibration.has(index) || graph.isConstant(graph.tensor(index));
  if (!activations.every((position) => known(operator.inputs[position]!))) {
    return stays('one of its inputs is computed of constants alone: a converter folds that');
  }
  if (scheme.weights !== undefined) {
    for (const position of [scheme.weights.position, scheme.weights.biasPosition]) {
      const index = operator.inputs[position] ?? -1;
      if (index !== -1 && !graph.isConstant(graph.tensor(index))) {
        return stays('its weights or biases are computed, not constants');
      }
    }
  }
  return { kind: 'int8', scheme, activations };
}

const isNotFloat = ({ type }: { readonly type: string }): boolean => type !== 'float32';

/** Several tensors that a kernel moves into one. */
interface Meeting {
  readonly output: number;
  /** The computed ones. */
  readonly sources: readonly number[];
}

/** First where there is one input, so that a built-in output has reached all it can before several meet. */
function joinMoved(
  { subgraph, graph }: FloatModel,
  plans: readonly OperatorPlan[],
  groups: TensorGroups,
): void {
  const computed = (index: number): boolean => !graph.isConstant(graph.tensor(index));
  const meetings: Meeting[] = [];
  const read = new Set(subgraph.outputs);
  for (const [place, plan] of plans.entries()) {
    const { inputs, outputs } = subgraph.operators[place]!;
    if (plan.kind !== 'int8' || plan.scheme.output !== 'same') {
      for (const input of inputs) read.add(input);
      continue;
    }
    const sources = plan.activations.map((position) => inputs[position]!);
    for (const output of outputs.slice(1)) groups.join(outputs[0]!, output);
    if (sources.length === 1) groups.join(outputs[0]!, sources[0]!);
    else meetings.push({ output: outputs[0]!, sources: sources.filter(computed) });
  }
  joinMeetings(meetings, read, groups);
}

function joinMeetings(
  meetings: readonly Meeting[],
  read: ReadonlySet<number>,
  groups: TensorGroups,
): void {
  // What comes out is as coarse as the coarsest that goes in, whatever its own steps are.
  const spans = new Map(
    meetings.map((meeting) => {
      const { output, sources } = meeting;
      return [meeting, Math.max(...[output, ...sources].map((tensor) => groups.spanOf(tensor)))];
    }),
  );
  for (const tensor of read) groups.rely(tensor);
  for (const [{ output }, span] of spans) groups.relax(output, span);
  // The narrow ones first: a tensor that goes into two of them shares with the finer.
  const narrowFirst = [...spans].sort(([, a], [, b]) => a - b);
  for (const [{ output, sources }] of narrowFirst) {
    for (const source of sources) groups.meet(output, source);
  }
}
