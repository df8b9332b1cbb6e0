import type { TfliteModel, TfliteSubgraph, TfliteTensor } from './model.ts';

/** What converters note about themselves; no runtime reads it. */
const CONVERTER_NOTES: ReadonlySet<string> = new Set([
  'min_runtime_version',
  'CONVERSION_METADATA',
]);

/**
 * The same computation in fewer bytes: constants that are equal are kept once, tensors, buffers and operator codes
 * that nothing uses are left out, and so are converters' notes about themselves. Names, quantization, options, the
 * order of operators and the model's own metadata stay. Outputs are equal to the last bit: nothing that takes part
 * in arithmetic is touched.
 * @param model whose indices are right: `verifyIndices` says so
 */
export function repackModel(model: TfliteModel): TfliteModel {
  const constants = new ConstantPool();
  const codes = new Map<string, number>();
  const operatorCodes: TfliteModel['operatorCodes'] = [];
  const codeOf = (index: number): number => {
    const code = model.operatorCodes[index]!;
    const key = JSON.stringify([code.builtin, code.customCode, code.version]);
    let found = codes.get(key);
    if (found === undefined) {
      found = operatorCodes.push(code) - 1;
      codes.set(key, found);
    }
    return found;
  };
  const places = model.subgraphs.map((subgraph, index) => usedTensors(model, subgraph, index));
  const subgraphs = model.subgraphs.map((subgraph, index): TfliteSubgraph => {
    const place = places[index]!;
    const move = (tensor: number): number => (tensor === -1 ? -1 : place.get(tensor)!);
    return {
      name: subgraph.name,
      tensors: [...place.keys()].map((old): TfliteTensor => {
        const tensor = subgraph.tensors[old]!;
        return { ...tensor, buffer: constants.add(model.buffers[tensor.buffer]!) };
      }),
      inputs: subgraph.inputs.map(move),
      outputs: subgraph.outputs.map(move),
      operators: subgraph.operators.map((operator) => ({
        ...operator,
        code: codeOf(operator.code),
        inputs: operator.inputs.map(move),
        outputs: operator.outputs.map(move),
      })),
    };
  });
  const metadata = model.metadata
    .filter(({ name }) => !CONVERTER_NOTES.has(name))
    .map(({ name, buffer }) => ({ name, buffer: constants.add(model.buffers[buffer]!) }));
  const signatures = model.signatures?.map((signature) => {
    const move = (alias: { readonly name: string; readonly tensor: number }) => ({
      name: alias.name,
      tensor: places[signature.subgraph]!.get(alias.tensor)!,
    });
    return {
      ...signature,
      inputs: signature.inputs.map(move),
      outputs: signature.outputs.map(move),
    };
  });
  return {
    version: model.version,
    description: model.description,
    operatorCodes,
    subgraphs,
    buffers: constants.buffers,
    metadata,
    ...(signatures === undefined ? {} : { signatures }),
  };
}

/** New places of the tensors that something names, in their old order. */
function usedTensors(
  model: TfliteModel,
  subgraph: TfliteSubgraph,
  index: number,
): Map<number, number> {
  const used = new Set([...subgraph.inputs, ...subgraph.outputs]);
  for (const { inputs, outputs } of subgraph.operators) {
    for (const tensor of [...inputs, ...outputs]) used.add(tensor);
  }
  for (const signature of model.signatures ?? []) {
    if (signature.subgraph !== index) continue;
    for (const { tensor } of [...signature.inputs, ...signature.outputs]) used.add(tensor);
  }
  used.delete(-1);
  return new Map([...used].sort((a, b) => a - b).map((old, place) => [old, place]));
}

/** Buffers of a file, equal ones once. Buffer 0 is the empty one, of everything that is computed. */
class ConstantPool {
  readonly buffers: Uint8Array[] = [new Uint8Array(0)];
  readonly #byContent = new Map<string, number>();

  add(bytes: Uint8Array): number {
    if (bytes.byteLength === 0) return 0;
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    let index = this.#byContent.get(key);
    if (index === undefined) {
      index = this.buffers.push(bytes) - 1;
      this.#byContent.set(key, index);
    }
    return index;
  }
}

/** Converters join every name that a tensor had on its way, with this between them. */
const ALIAS_SEPARATOR = ';';

/**
 * The same model with other names for the tensors between its ends; nothing that runs it asks for them. Inputs, outputs
 * and what signatures name keep theirs.
 * @param names `short`: the first of a tensor's joined names; `none`
 */
export function renameInner(model: TfliteModel, names: 'short' | 'none'): TfliteModel {
  return {
    ...model,
    subgraphs: model.subgraphs.map((subgraph, index) => {
      const kept = new Set([...subgraph.inputs, ...subgraph.outputs]);
      for (const signature of model.signatures ?? []) {
        if (signature.subgraph !== index) continue;
        for (const { tensor } of [...signature.inputs, ...signature.outputs]) kept.add(tensor);
      }
      const tensors = subgraph.tensors.map((tensor, place) => {
        if (kept.has(place)) return tensor;
        return { ...tensor, name: names === 'none' ? '' : firstAlias(tensor.name) };
      });
      return { ...subgraph, tensors };
    }),
  };
}

/** The first of the names that a converter joined. */
export function firstAlias(name: string): string {
  return name.split(ALIAS_SEPARATOR)[0]!;
}
