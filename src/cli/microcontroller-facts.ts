import { DunlinError } from '../core/index.ts';
import type { MicrocontrollerFacts } from '../optimize/index.ts';
import {
  type CompiledPlan,
  compileModel,
  decodePlan,
  ENGINE_STACK_BYTES,
  type PlanStep,
} from '../plan/index.ts';
import { parseModel } from '../tflite/index.ts';
import { planTarget } from './plan-target.ts';
import { zeroInference } from './zero-inference.ts';

/** What most microcontrollers with room for a model have, and what QEMU counts instructions of. */
const TARGET = 'cortex-m4';
const TO_COUNT =
  'counting them takes the firmware (make firmware) and the Debian package qemu-system-arm';

/**
 * What an int8 model takes of a Cortex-M4; a model that no plan can be made of is refused, with the reason.
 * @throws what ends with the signal; nothing for want of QEMU or firmware
 */
export async function microcontrollerFacts(
  model: Uint8Array,
  what: string,
  signal: AbortSignal,
): Promise<MicrocontrollerFacts> {
  let plan: CompiledPlan;
  try {
    plan = compileModel(parseModel(model, what), planTarget(TARGET), what);
  } catch (error) {
    if (error instanceof DunlinError) return { refused: error.message };
    throw error;
  }
  return {
    target: TARGET,
    planBytes: plan.bytes.length,
    weightBytes: weightBytes(plan.bytes),
    ramBytes: plan.arenaBytes + ENGINE_STACK_BYTES,
    ...(await countInstructions(plan.bytes, signal)),
  };
}

/** Bytes of weights as they lie in the plan, biases and multipliers not counted. */
function weightBytes(plan: Uint8Array): number {
  const sizeOf = (step: PlanStep): number => ('weightsBytes' in step ? step.weightsBytes : 0);
  const { steps } = decodePlan(plan, 'the compiled plan');
  return steps.reduce((sum, step) => sum + sizeOf(step), 0);
}

async function countInstructions(
  plan: Uint8Array,
  signal: AbortSignal,
): Promise<{ readonly instructions: number } | { readonly instructionsReason: string }> {
  try {
    const { statistics } = await zeroInference(plan, false, signal);
    return { instructions: statistics.instructions! };
  } catch (error) {
    if (!(error instanceof DunlinError)) throw error;
    return { instructionsReason: error.code === 'file-unreadable' ? TO_COUNT : error.message };
  }
}
