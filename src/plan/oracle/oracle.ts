import type { Plan } from '../format/decode.ts';
import type { PlanIo, PlanStep } from '../format/steps.ts';
import { requireInputs } from '../require-inputs.ts';
import { conv2d } from './conv-2d.ts';
import { depthwiseConv2d } from './depthwise-conv-2d.ts';
import { binary, copy, fill, lookup, mean, softmax } from './elementwise.ts';
import { fullyConnected } from './fully-connected.ts';
import type { Memory, Run } from './memory.ts';
import { pool2d } from './pool-2d.ts';

/** What the arena holds before a run: a step that reads what no step wrote comes out wrong. */
const STALE = -91;

export interface PlanOracle {
  /**
   * One inference.
   * @param inputs row-major, in the plan's order
   * @returns new arrays in the plan's order of outputs
   * @throws DunlinError input-invalid for another number or length of inputs
   */
  run(inputs: readonly Int8Array[]): Int8Array[];
}

function prepare(step: PlanStep, memory: Memory): Run {
  switch (step.kind) {
    case 'CONV_2D':
      return conv2d(step, memory);
    case 'DEPTHWISE_CONV_2D':
      return depthwiseConv2d(step, memory);
    case 'FULLY_CONNECTED':
      return fullyConnected(step, memory);
    case 'AVERAGE_POOL_2D':
    case 'MAX_POOL_2D':
      return pool2d(step, memory);
    case 'ADD':
    case 'SUB':
    case 'MUL':
      return binary(step, memory);
    case 'LOOKUP':
      return lookup(step, memory);
    case 'SOFTMAX':
      return softmax(step, memory);
    case 'MEAN':
      return mean(step, memory);
    case 'COPY':
      return copy(step, memory);
    case 'FILL':
      return fill(step, memory);
  }
}

/**
 * Runs a plan as firmware/engine does: in one arena, where each step reads and writes in the order
 * of its kernel in C. A tensor over another that is still needed comes out wrong here as well.
 */
export function planOracle(plan: Plan): PlanOracle {
  const { buffer, byteOffset, byteLength } = plan.bytes;
  const arena = new Int8Array(plan.arenaBytes);
  const memory: Memory = { plan: new Int8Array(buffer, byteOffset, byteLength), arena };
  const runs = plan.steps.map((step) => prepare(step, memory));
  const lengths = plan.inputs.map(({ sizeBytes }) => ({ length: sizeBytes }));
  const read = ({ place, sizeBytes }: PlanIo): Int8Array => arena.slice(place, place + sizeBytes);
  return {
    run(inputs) {
      requireInputs('plan', lengths, inputs);
      arena.fill(STALE);
      for (const [index, { place }] of plan.inputs.entries()) arena.set(inputs[index]!, place);
      for (const run of runs) run();
      return plan.outputs.map(read);
    },
  };
}
