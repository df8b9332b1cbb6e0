import type { Operation, OperationDraft } from './operation.ts';

/** RESHAPE, SQUEEZE, EXPAND_DIMS: the same values in the same order. */
export function renamed({ inputs, outputs, memory, batch }: OperationDraft): Operation {
  const [input, output] = [inputs[0]!, outputs[0]!];
  return {
    forward: () => output.computed.floats.set(input.values.floats),
    backward: () => {
      if (!input.isTrained) return;
      const count = batch * input.size;
      memory.kernels.add(count, output.gradient.address, input.gradient.address);
    },
  };
}
