import { decodePlan, type PlanRun, runInQemu } from '../plan/index.ts';
import { runProgramUntil } from './run-program.ts';

/**
 * One inference of a plan in QEMU, on zero points: how much work it is does not depend on the values.
 * @param profile whether to count each step by itself
 * @throws DunlinError inference-refused; file-unreadable without QEMU or `make firmware`
 */
export function zeroInference(
  bytes: Uint8Array,
  profile: boolean,
  signal: AbortSignal,
): Promise<PlanRun> {
  const { inputs } = decodePlan(bytes, 'the compiled plan');
  const zeros = inputs.flatMap(({ sizeBytes, zeroPoint }) =>
    new Array<number>(sizeBytes).fill(zeroPoint),
  );
  return runInQemu({
    plan: bytes,
    inputs: Uint8Array.from(zeros),
    profile,
    runProgram: runProgramUntil(signal),
  });
}
