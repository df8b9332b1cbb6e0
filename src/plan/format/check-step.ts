import { checkWindow } from './check-window.ts';
import { LOOKUP_TABLE_BYTES } from './constants.ts';
import { blockBytes, extentBytes, type PlanMemory, StepCheck } from './step-check.ts';
import {
  type BinaryStep,
  type CopyStep,
  type FillStep,
  isWeighted,
  type LookupStep,
  type MeanStep,
  type PlanStep,
  type SoftmaxStep,
} from './steps.ts';

const INT8 = [-0x80, 0x7f] as const;

function checkBinary(check: StepCheck<BinaryStep>): void {
  const { shape, aSteps, bSteps, kind, min } = check.step;
  check.arena('output', blockBytes(check, shape));
  check.readable('a', extentBytes(shape, aSteps));
  check.readable('b', extentBytes(shape, bSteps));
  if (kind === 'MUL') check.is(0, 'aMultiplier', 'bMultiplier');
  check.atLeast(0, 'aMultiplier', 'bMultiplier', 'outputMultiplier');
  check.shift('aShift', 'bShift', 'outputShift');
  check.atLeast(min, 'max');
}

function checkLookup(check: StepCheck<LookupStep>): void {
  check.atLeast(1, 'sizeBytes');
  check.readable('input', check.step.sizeBytes);
  check.arena('output', check.step.sizeBytes);
  check.constant('table', LOOKUP_TABLE_BYTES, 1);
}

function checkSoftmax(check: StepCheck<SoftmaxStep>): void {
  const { rows, depth } = check.step;
  check.atLeast(1, 'rows', 'depth');
  check.readable('input', rows * depth);
  check.arena('output', rows * depth);
  check.atLeast(0, 'multiplier');
  check.shift('shift');
  if (check.step.least > 0) check.fail('least', `${check.step.least} is above 0`);
}

function checkMean(check: StepCheck<MeanStep>): void {
  const { outer, reduced, inner } = check.step;
  check.atLeast(1, 'outer', 'reduced', 'inner');
  check.readable('input', outer * reduced * inner);
  check.arena('output', outer * inner);
  check.atLeast(0, 'multiplier');
  check.shift('shift');
}

function checkCopy(check: StepCheck<CopyStep>): void {
  const { shape, inputSteps, outputSteps } = check.step;
  blockBytes(check, shape);
  check.readable('input', extentBytes(shape, inputSteps));
  check.arena('output', extentBytes(shape, outputSteps));
}

function checkFill(check: StepCheck<FillStep>): void {
  check.atLeast(1, 'sizeBytes');
  check.arena('output', check.step.sizeBytes);
  check.range(...INT8, 'value');
}

/**
 * Every offset and size of a step, as engine_open of firmware/engine checks it, and what a compiler
 * has to keep beyond that.
 * @param label of the step in errors
 * @throws DunlinError plan-malformed
 */
export function checkStep(step: PlanStep, memory: PlanMemory, label: string): void {
  const checkOf = <S extends PlanStep>(of: S): StepCheck<S> => new StepCheck(of, memory, label);
  if (!isWeighted(step)) checkOf(step).is(0, 'flags');
  switch (step.kind) {
    case 'ADD':
    case 'SUB':
    case 'MUL':
      checkBinary(checkOf(step));
      break;
    case 'LOOKUP':
      checkLookup(checkOf(step));
      break;
    case 'SOFTMAX':
      checkSoftmax(checkOf(step));
      break;
    case 'MEAN':
      checkMean(checkOf(step));
      break;
    case 'COPY':
      checkCopy(checkOf(step));
      break;
    case 'FILL':
      checkFill(checkOf(step));
      break;
    default:
      checkWindow(checkOf(step));
  }
}
