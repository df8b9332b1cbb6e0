export {
  type BoardProfile,
  boardNames,
  readBoard,
  readSmpBoard,
  type SmpBoard,
} from './board/profile.ts';
export { ENGINE_FLASH_BYTES, ENGINE_STACK_BYTES, requireRoom } from './board/room.ts';
export {
  type BoardRunRequest,
  type PlanRun,
  type PlanRunStatistics,
  type ProgramResult,
  type RunProgram,
  runInQemu,
  runOnHost,
} from './board/run.ts';
export {
  type CompiledOperation,
  type CompiledPlan,
  type CompileOptions,
  compileModel,
} from './compile/compile.ts';
export {
  PLAN_NARROW_SUMS,
  PLAN_SHARED_MULTIPLIER,
  PLAN_UNBROKEN_SUMS,
  type PlanKind,
  type PlanLayout,
  type PlanTarget,
} from './format/constants.ts';
export { decodePlan, type Plan } from './format/decode.ts';
export {
  ConstantsBuilder,
  encodePlan,
  encodeSteps,
  moveConstants,
  type PlanContents,
  planContents,
} from './format/encode.ts';
export {
  type BinaryStep,
  type CopyStep,
  constantPlace,
  type FillStep,
  isConstantPlace,
  type LookupStep,
  type MeanStep,
  type PlanIo,
  type PlanStep,
  placeOffset,
  type SoftmaxStep,
  type WindowStep,
} from './format/steps.ts';
export { packDense, packPairs, packRuns, unpackWeights } from './format/weights.ts';
export { type PlanOracle, planOracle } from './oracle/oracle.ts';
export {
  type ReferenceExecutor,
  type ReferenceTensor,
  referenceExecutor,
} from './reference/executor.ts';
