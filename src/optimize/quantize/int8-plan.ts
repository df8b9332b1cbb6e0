import type { TfliteOperator } from '../../tflite/index.ts';
import type { Calibration } from '../calibrate/calibrate.ts';
import { Histogram } from '../calibrate/histogram.ts';
import { chooseRange, type RangeMethod } from '../calibrate/ranges.ts';
import type { FloatModel } from '../float-model.ts';
import { type Affine, affineOf, rangeOf, sameAffine } from './affine.ts';
import { type Int8Scheme, int8Scheme } from './int8-schemes.ts';
import { raiseScales } from './scale-limits.ts';
import { ALWAYS_ZERO } from './tensor-places.ts';

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
 * output gets a QUANTIZE before each input that cannot share: the writer sees that by unequal parameters.
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

/** First where there is one input, so that a built-in output has reached all it can before several meet. */
function joinMoved(
  { subgraph, graph }: FloatModel,
  plans: readonly OperatorPlan[],
  groups: TensorGroups,
): void {
  const moves = plans.flatMap((plan, place) => {
    if (plan.kind !== 'int8' || plan.scheme.output !== 'same') return [];
    const { inputs, outputs } = subgraph.operators[place]!;
    const sources = plan.activations.map((position) => inputs[position]!);
    return [{ sources, outputs }];
  });
  const computed = (index: number): boolean => !graph.isConstant(graph.tensor(index));
  for (const { sources, outputs } of moves) {
    for (const output of outputs.slice(1)) groups.join(outputs[0]!, output);
    if (sources.length === 1) groups.join(outputs[0]!, sources[0]!);
  }
  for (const { sources, outputs } of moves) {
    if (sources.length === 1) continue;
    for (const source of sources.filter(computed)) groups.join(outputs[0]!, source);
  }
}

/** Tensors that share parameters: disjoint sets, each with at most one pair that a kernel has built in. */
class TensorGroups {
  readonly #calibration: Calibration;
  readonly #parents = new Map<number, number>();
  readonly #fixed = new Map<number, Affine>();
  readonly #members = new Map<number, number[]>();

  constructor(calibration: Calibration) {
    this.#calibration = calibration;
    for (const tensor of calibration.keys()) this.#members.set(tensor, [tensor]);
  }

  fix(tensor: number, affine: Affine): void {
    this.#fixed.set(tensor, affine);
  }

  /** Makes two groups one, unless what is built into one does not hold what the other was seen to hold. */
  join(a: number, b: number): void {
    const [left, right] = [this.#root(a), this.#root(b)];
    if (left === right) return;
    const fixed = this.#fixed.get(left) ?? this.#fixed.get(right);
    if (fixed !== undefined && !(this.#accepts(left, fixed) && this.#accepts(right, fixed))) return;
    this.#members.set(left, [...this.members(left), ...this.members(right)]);
    this.#parents.set(right, left);
    if (fixed !== undefined) this.#fixed.set(left, fixed);
  }

  members(tensor: number): readonly number[] {
    return this.#members.get(this.#root(tensor)) ?? [tensor];
  }

  /** What gets other parameters together with a tensor: it alone, where its group's are built into a kernel. */
  free(tensor: number): readonly number[] {
    return this.#fixed.has(this.#root(tensor)) ? [tensor] : this.members(tensor);
  }

  affines(method: RangeMethod): Map<number, Affine> {
    const found = new Map<number, Affine>();
    for (const tensor of this.#calibration.keys()) {
      const root = this.#root(tensor);
      if (!found.has(root)) found.set(root, this.#fixed.get(root) ?? this.#choose(root, method));
      found.set(tensor, found.get(root)!);
    }
    return found;
  }

  #choose(root: number, method: RangeMethod): Affine {
    const range = chooseRange(this.#histogram(root), method);
    return range.low === range.high ? ALWAYS_ZERO : affineOf(range);
  }

  #histogram(root: number): Histogram {
    const merged = new Histogram();
    for (const member of this.members(root)) {
      const statistics = this.#calibration.get(member);
      if (statistics !== undefined) merged.merge(statistics.histogram);
    }
    return merged;
  }

  /** A group with nothing built in is accepted only for one step more than its range: a clipped sum is a wrong one. */
  #accepts(root: number, affine: Affine): boolean {
    const own = this.#fixed.get(root);
    if (own !== undefined) return sameAffine(own, affine);
    const { min, max } = this.#histogram(root);
    const { low, high } = rangeOf(affine);
    return min >= low - affine.scale && max <= high + affine.scale;
  }

  #root(tensor: number): number {
    let root = tensor;
    for (
      let parent = this.#parents.get(root);
      parent !== undefined;
      parent = this.#parents.get(root)
    ) {
      root = parent;
    }
    return root;
  }
}
