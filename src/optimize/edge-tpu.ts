import {
  EDGETPU_CUSTOM_CODE,
  Graph,
  operatorSpec,
  printable,
  type TfliteModel,
  type TfliteOperator,
  type TfliteTensor,
} from '../tflite/index.ts';
import {
  type EdgeTpuRule,
  edgeTpuRule,
  INNER_DIMENSIONS,
  insteadOf,
  OperatorFacts,
} from './edge-tpu-rules.ts';
import type { EdgeTpuMapping } from './report-document.ts';

/** What stands against an operator on its own, whatever comes before it. */
interface Verdict {
  readonly reason?: string;
  /** It stays on the CPU and yet others behind it map. */
  readonly passable?: boolean;
}

const MAPS: Verdict = {};

/**
 * Which operators of a model Google's edgetpu_compiler would give to the Edge TPU, worked out from
 * the documentation (`edge-tpu-rules.ts`); the compiler itself is not asked.
 *
 * The compiler maps from the start up to the first operator that it cannot map, and leaves all that
 * follows to the CPU; its option `-a` (`--enable_multiple_subgraphs`), which tries more, is not
 * counted on (coral.ai/docs/edgetpu/compiler). A float input's QUANTIZE and a float output's
 * DEQUANTIZE stay on the CPU and stop nothing: its logs show such a QUANTIZE beside a network that
 * is "Mapped to Edge TPU".
 *
 * @throws DunlinError model-malformed when an index in the model points nowhere
 */
export function mapToEdgeTpu(model: TfliteModel): EdgeTpuMapping {
  const graph = new Graph(model, 'model');
  const { operators } = graph.subgraph;
  const ends = new Ends(graph);
  const verdicts = operators.map((operator) => judge(graph, operator, ends));
  const stop = verdicts.findIndex(({ reason, passable }) => reason !== undefined && !passable);
  const stopped = stop < 0 ? '' : graph.label(operators[stop]!);
  const listed = operators.map((operator, index) => {
    const { reason: own } = verdicts[index]!;
    const after = own === undefined && stop >= 0 && index > stop;
    const reason = after
      ? `comes after ${stopped}, which does not map; the compiler stops there`
      : own;
    return {
      operator: index,
      name: nameOf(graph, operator),
      maps: reason === undefined,
      ...(reason !== undefined && { reason }),
      ...(after && { after }),
    };
  });
  return {
    mapped: listed.filter(({ maps }) => maps).length,
    total: operators.length,
    operators: listed,
  };
}

function nameOf(graph: Graph, operator: TfliteOperator): string {
  const { builtin, customCode } = graph.code(operator);
  return builtin === 'CUSTOM' ? printable(customCode ?? builtin) : builtin;
}

/** Where values enter and leave the graph. */
class Ends {
  readonly #inputs: ReadonlySet<number>;
  readonly #read: ReadonlySet<number>;

  constructor({ subgraph }: Graph) {
    this.#inputs = new Set(subgraph.inputs);
    this.#read = new Set(subgraph.operators.flatMap(({ inputs }) => inputs));
  }

  isFirst({ inputs }: TfliteOperator): boolean {
    return inputs.every((index) => this.#inputs.has(index));
  }

  isLast({ outputs }: TfliteOperator): boolean {
    return outputs.every((index) => !this.#read.has(index));
  }
}

function judge(graph: Graph, operator: TfliteOperator, ends: Ends): Verdict {
  const facts = new OperatorFacts(graph, operator);
  const { builtin, customCode } = graph.code(operator);
  if (builtin === 'CUSTOM') {
    if (customCode === EDGETPU_CUSTOM_CODE) return MAPS;
    return { reason: 'is a custom operator: use builtin ones' };
  }
  if (builtin === 'DEQUANTIZE') return judgeDequantize(facts, ends.isLast(operator));
  const rule = edgeTpuRule(builtin);
  if (rule === undefined) {
    return { reason: `is not an operation of the Edge TPU: ${insteadOf(builtin)}` };
  }
  const [from, to] = [facts.inputs[0], facts.outputs[0]];
  if (builtin === 'QUANTIZE' && ends.isFirst(operator) && from && to) {
    if (isByte(to) && !isByte(from)) {
      const reason = `turns the ${from.type} input into ${to.type} on the CPU, before the Edge TPU \
starts: let the model take ${to.type}`;
      return { reason, passable: true };
    }
  }
  const problems = problemsOf(facts, rule);
  return problems.length === 0 ? MAPS : { reason: problems.join('; ') };
}

function judgeDequantize(facts: OperatorFacts, last: boolean): Verdict {
  const type = facts.inputs[0]?.type ?? 'int8';
  if (facts.isConstant(0)) {
    return { reason: `unpacks ${type} weights to compute in float32: quantize the model to int8` };
  }
  if (last && facts.inputs[0] && isByte(facts.inputs[0])) {
    const reason = `turns the ${type} output into float32 on the CPU, behind the Edge TPU: let the \
model give ${type}`;
    return { reason, passable: true };
  }
  return { reason: `turns ${type} back into float32: quantize what reads it to int8, too` };
}

const isByte = ({ type }: TfliteTensor): boolean => type === 'int8' || type === 'uint8';
const isFloat = ({ type }: TfliteTensor): boolean => type.startsWith('float');

/** What an operator's inputs are to the Edge TPU, by position. */
interface Roles {
  /** Values that flow, and constants that stand in for them. */
  readonly values: readonly number[];
  readonly parameters: readonly number[];
  readonly bias: readonly number[];
  /** Shapes, axes and the like. */
  readonly control: readonly number[];
}

function rolesOf(facts: OperatorFacts, rule: EdgeTpuRule): Roles {
  const spec = operatorSpec(facts.name);
  const present = (position: number): boolean => facts.inputs[position] !== undefined;
  const weights = spec?.weights === undefined ? [] : [spec.weights];
  const parameters = [...weights, ...(rule.parameters ?? [])].filter(present);
  const bias = (rule.bias === undefined ? [] : [rule.bias]).filter(present);
  const control = (spec?.control ?? []).filter(present);
  const others = new Set([...parameters, ...bias, ...control]);
  const values = rule.only ?? [...facts.inputs.keys()].filter((index) => !others.has(index));
  return { values: values.filter(present), parameters, bias, control };
}

/** All that the model requirements and the operator's own limits have against it. */
function problemsOf(facts: OperatorFacts, rule: EdgeTpuRule): string[] {
  const roles = rolesOf(facts, rule);
  const tensors = [...roles.values.map((index) => facts.inputs[index]!), ...facts.outputs];
  const parameters = roles.parameters.map((index) => facts.inputs[index]!);
  const found = [
    typeProblem(tensors, parameters),
    parameterProblem(facts, roles),
    biasProblem(facts, roles),
    controlProblem(facts, roles),
    shapeProblem(tensors),
    ...(rule.limits ?? []).map((limit) => limit(facts)),
  ];
  return found.filter((problem) => problem !== undefined);
}

/** Model requirements: tensors are int8 or uint8, quantized. */
function typeProblem(
  tensors: readonly TfliteTensor[],
  parameters: readonly TfliteTensor[],
): string | undefined {
  const float = tensors.find(isFloat);
  if (float !== undefined) {
    return parameters.some(isByte)
      ? `computes in ${float.type} with ${parameters.find(isByte)!.type} weights: quantize its \
inputs and outputs to int8, too`
      : `computes in ${float.type}: quantize it to int8`;
  }
  const other = tensors.find((tensor) => !isByte(tensor));
  if (other !== undefined) return `works with ${other.type} values: quantize it to int8`;
  const bare = tensors.find((tensor) => !isQuantized(tensor));
  return bare === undefined ? undefined : withoutScale(bare);
}

const isQuantized = ({ quantization }: TfliteTensor): boolean =>
  quantization !== undefined && quantization.scale.length > 0;

const withoutScale = ({ name, type }: TfliteTensor): string =>
  `has ${type} values "${printable(name)}" without a scale: quantize the model, do not cast it`;

/** Model requirements: parameters are constant; 8 bits, with a scale. */
function parameterProblem(facts: OperatorFacts, { parameters }: Roles): string | undefined {
  for (const position of parameters) {
    const tensor = facts.inputs[position]!;
    if (!facts.isConstant(position)) {
      // float16 weights stand behind a DEQUANTIZE, which says so itself.
      if (isFloat(tensor)) continue;
      return `has weights (input ${position}) that are computed: make them constant`;
    }
    if (isFloat(tensor) && facts.outputs.some(isFloat)) continue;
    if (!isByte(tensor)) return `has ${tensor.type} weights: quantize them to int8`;
    if (!isQuantized(tensor)) return withoutScale(tensor);
  }
  return undefined;
}

function biasProblem(facts: OperatorFacts, { bias }: Roles): string | undefined {
  const [position] = bias;
  if (position === undefined) return undefined;
  const tensor = facts.inputs[position]!;
  if (!facts.isConstant(position) && !isFloat(tensor)) {
    return `has a bias (input ${position}) that is computed: make it constant`;
  }
  if (tensor.type === 'int32' || facts.outputs.some(isFloat)) return undefined;
  return `has a bias of ${tensor.type}: quantize it to int32`;
}

/** Model requirements: sizes are constant, and so must be what they follow from. */
function controlProblem(facts: OperatorFacts, { control }: Roles): string | undefined {
  const computed = control.find((position) => !facts.isConstant(position));
  if (computed === undefined) return undefined;
  return `is steered by input ${computed} "${printable(facts.inputs[computed]!.name)}", which is \
computed: make it constant, so that all sizes are fixed`;
}

/**
 * Model requirements: fixed sizes, and only the three innermost dimensions larger than 1. Not for
 * weights: those of CONV_2D have four, and Coral's own models map.
 */
function shapeProblem(tensors: readonly TfliteTensor[]): string | undefined {
  const open = tensors.find(({ shape }) => shape.some((size) => size < 1));
  if (open !== undefined) {
    return `has a size that is not fixed, [${open.shape}]: fix it when converting`;
  }
  for (const { shape } of tensors) {
    const outer = shape.slice(0, Math.max(shape.length - INNER_DIMENSIONS, 0));
    const dimension = outer.findIndex((size) => size > 1);
    if (dimension < 0) continue;
    const fix = dimension === 0 ? 'use a batch of 1' : 'reshape it to three dimensions';
    return `works on [${shape}], with ${shape[dimension]} in dimension ${dimension}: only the \
${INNER_DIMENSIONS} innermost may be larger than 1; ${fix}`;
  }
  return undefined;
}
