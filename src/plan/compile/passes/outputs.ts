import { strides } from '../../reference/kernels/strides.ts';
import { type MoveOperation, type Program, programValue, type Value } from '../program.ts';

/**
 * Outputs that are constant, are inputs of the model, or are put out twice get a copy of their own: whoever reads an
 * output finds it in the arena, and whoever writes an input spoils none.
 */
export function placeOutputs(program: Program): Program {
  const values = new Map(program.values);
  const copies: MoveOperation[] = [];
  const seen = new Set(program.inputs);
  let next = Math.max(-1, ...values.keys()) + 1;
  const outputs = program.outputs.map((id): number => {
    const value = programValue(program, id);
    if (value.values === undefined && !seen.has(id)) {
      seen.add(id);
      return id;
    }
    const { shape, scale, zeroPoint } = value;
    const copy: Value = { id: next++, shape, scale, zeroPoint };
    values.set(copy.id, copy);
    const steps = strides(shape);
    const whole = { inputFirst: 0, inputSteps: steps, outputFirst: 0, outputSteps: steps, shape };
    copies.push({ kind: 'MOVE', source: 0, output: copy.id, blocks: [{ input: id, ...whole }] });
    return copy.id;
  });
  return { ...program, values, outputs, operations: [...program.operations, ...copies] };
}
