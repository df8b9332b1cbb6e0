import { type Graph, printable } from './graph.ts';
import type { OperatorCode, TfliteTensor } from './model.ts';
import { EDGETPU_CUSTOM_CODE, operatorSpec } from './operator-table.ts';
import { OperatorView, operatorRule } from './rules/index.ts';
import { perTensor } from './rules/quantization.ts';

/** Names, versions, types, options and shapes of each operator against what the runtime does. */
export function verifyOperators(graph: Graph): void {
  refuseInteger8State(graph);
  for (const code of graph.model.operatorCodes) verifyCode(graph, code);
  for (const operator of graph.subgraph.operators) {
    const { builtin, customCode } = graph.code(operator);
    if (builtin === 'CUSTOM' && customCode === EDGETPU_CUSTOM_CODE) continue;
    const spec = operatorSpec(builtin);
    const rule = operatorRule(builtin);
    if (spec === undefined || rule === undefined) {
      graph.fail('model-unsupported', `${graph.label(operator)} is not supported`);
    }
    const view = new OperatorView(graph, operator, spec);
    verifyArity(view);
    verifyTypes(view, rule.types);
    verifyVersion(view);
    const shapes = rule.shapes(view);
    for (const [index, output] of view.outputs.entries()) verifyShape(view, output, shapes[index]);
  }
}

/** The runtime looks up every code at load, used or not. */
function verifyCode(graph: Graph, { builtin, customCode, version }: OperatorCode): void {
  if (builtin === 'CUSTOM') {
    if (customCode === EDGETPU_CUSTOM_CODE) return;
    const name = printable(customCode ?? '');
    graph.fail('model-unsupported', `the custom operator "${name}" is not supported`);
  }
  const spec = operatorSpec(builtin);
  if (spec === undefined) {
    graph.fail('model-unsupported', `operator ${builtin} is not supported`);
  }
  if (version < 1 || version > spec.maxVersion) {
    graph.fail(
      'model-unsupported',
      `${builtin} of version ${version} is not supported; TFLite 2.9.0 knows 1 to ${spec.maxVersion}`,
    );
  }
}

/** Said first, because it is the reason that counts: with such state TFLite 2.9 writes out of bounds. */
function refuseInteger8State(graph: Graph): void {
  for (const operator of graph.subgraph.operators) {
    for (const index of operator.inputs.filter((input) => input !== -1)) {
      const { isVariable, type } = graph.tensor(index);
      if (isVariable && (type === 'int8' || type === 'uint8')) {
        graph.fail(
          'model-unsupported',
          `${graph.label(operator)} keeps ${type} state, with which the runtime corrupts its memory; ` +
            'convert the model with int16 or float32 state',
        );
      }
    }
  }
}

function verifyArity(view: OperatorView): void {
  const { inputs, outputs, optionalFrom = Number.POSITIVE_INFINITY, options } = view.spec;
  const { operator } = view;
  const within = (count: number, [min, max]: readonly [number, number]): boolean =>
    count >= min && count <= max;
  view.require(
    within(operator.inputs.length, inputs) && within(operator.outputs.length, outputs),
    `${operator.inputs.length} inputs and ${operator.outputs.length} outputs`,
  );
  for (const [position, index] of operator.inputs.entries()) {
    view.require(index !== -1 || position >= optionalFrom, `input ${position} is missing`);
    const tensor = view.optional(position);
    const state = view.spec.name === 'SVDF' && position === 4;
    view.require(!tensor?.isVariable || state, `input ${position} is a variable`);
  }
  const absent = Object.keys(operator.options).length === 0;
  view.require(!(absent && options?.required), 'its options are missing');
}

function verifyTypes(
  view: OperatorView,
  rows: readonly { readonly inputs: readonly string[]; readonly outputs: readonly string[] }[],
): void {
  const fits = (types: readonly string[], tensors: readonly (TfliteTensor | undefined)[]) =>
    tensors.every(
      (tensor, index) => tensor === undefined || tensor.type === (types[index] ?? types.at(-1)),
    );
  const found = rows.some(
    (row) => fits(row.inputs, view.inputs) && fits(row.outputs, view.outputs),
  );
  if (!found) {
    const names = (tensors: readonly (TfliteTensor | undefined)[]): string =>
      tensors.map((tensor) => tensor?.type ?? 'none').join(', ');
    view.unsupported(`(${names(view.inputs)}) to (${names(view.outputs)})`);
  }
}

function verifyVersion(view: OperatorView): void {
  const { version } = view.graph.code(view.operator);
  const { minVersion = {} } = view.spec;
  const data = view.spec.control?.includes(0) ? view.output : view.input(0);
  const needed = minVersion[data.type] ?? 1;
  if (version < needed) {
    view.fail(`version ${version} with ${data.type}, which starts at version ${needed}`);
  }
  for (const tensor of [data, view.output]) {
    if (tensor.type === 'int8' || tensor.type === 'uint8') perTensor(view, tensor);
  }
}

function verifyShape(
  view: OperatorView,
  output: TfliteTensor,
  computed: readonly number[] | undefined,
): void {
  const same =
    computed !== undefined &&
    computed.length === output.shape.length &&
    computed.every((size, index) => size === output.shape[index]);
  if (same) return;
  view.fail(
    `output [${output.shape}], where the runtime computes [${computed ?? ''}]`,
    'model-malformed',
    { tensor: view.graph.subgraph.tensors.indexOf(output), computedShape: computed },
  );
}
