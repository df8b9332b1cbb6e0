import { DunlinError } from '../../core/index.ts';
import { elementCount, logitsView, serializeModel, type TfliteModel } from '../../tflite/index.ts';
import type { Rows } from './agreement.ts';
import { exposeTensors } from './expose.ts';
import { inferReals, type RunOptions, type Samples } from './sample-runs.ts';

/** What a model gives for many inputs. */
export interface Outputs {
  /** The first output. */
  readonly output: Rows;
  /** What its final softmax reads; absent where it does not end in one. */
  readonly logits?: Rows;
}

/** Most result values held in memory for one model. */
const MAX_RESULT_VALUES = 64 * 1024 * 1024;

/**
 * Runs a model over the samples and keeps its first output and its logits.
 * @throws `input-invalid` for more results than memory is set aside for, what loading and inference throw
 */
export async function runOutputs(
  model: TfliteModel,
  what: string,
  samples: Samples,
  { load, signal }: RunOptions,
  onProgress: (done: number) => void = () => {},
): Promise<Outputs> {
  const [subgraph] = model.subgraphs;
  const logits = logitsView(withFirstOutput(model))?.subgraphs[0]?.outputs[0];
  const outputs = [subgraph!.outputs[0]!, ...(logits === undefined ? [] : [logits])];
  const loaded = await load(serializeModel(exposeTensors(model, outputs)), what, 'stock');
  try {
    const rows = loaded.outputs.map(({ shape }) => {
      const total = elementCount(shape) * samples.count;
      if (total > MAX_RESULT_VALUES) {
        throw new DunlinError(
          `${what}: ${samples.count} inputs give ${total} results, and ${MAX_RESULT_VALUES} are ` +
            'held at most; give fewer inputs',
          { code: 'input-invalid' },
        );
      }
      const width = shape.at(-1) ?? 1;
      const perInput = elementCount(shape) / width;
      const values = new Float32Array(total);
      return { count: samples.count * perInput, width, perInput, values };
    });
    for (let index = 0; index < samples.count; index++) {
      signal.throwIfAborted();
      const found = await inferReals(loaded, samples.at(index));
      for (const [place, values] of found.entries()) {
        rows[place]!.values.set(values, index * values.length);
      }
      onProgress(index + 1);
    }
    const [output, below] = rows;
    return { output: output!, ...(below === undefined ? {} : { logits: below }) };
  } finally {
    await loaded.close();
  }
}

/**
 * What others are judged by has to be numbers.
 * @throws `input-invalid` naming the first sample that the model makes something else of
 */
export function refuseNotFinite(outputs: Outputs, what: string): void {
  for (const { values, width, perInput } of [
    outputs.output,
    ...(outputs.logits ? [outputs.logits] : []),
  ]) {
    const index = values.findIndex((value) => !Number.isFinite(value));
    if (index < 0) continue;
    throw new DunlinError(
      `${what}: its output becomes ${values[index]} on evaluation sample ${Math.floor(index / (width * perInput))}; ` +
        'leave that sample out or look at how inputs are scaled',
      { code: 'input-invalid' },
    );
  }
}

/** A conversion to float behind the softmax hides it; the values are the same. */
function withFirstOutput(model: TfliteModel): TfliteModel {
  const [subgraph] = model.subgraphs;
  const last = subgraph!.operators.at(-1);
  const outputs = [subgraph!.outputs[0]!];
  if (last !== undefined && model.operatorCodes[last.code]?.builtin === 'DEQUANTIZE') {
    if (last.outputs[0] === outputs[0]) {
      const operators = subgraph!.operators.slice(0, -1);
      return { ...model, subgraphs: [{ ...subgraph!, operators, outputs: [last.inputs[0]!] }] };
    }
  }
  return { ...model, subgraphs: [{ ...subgraph!, outputs }] };
}
