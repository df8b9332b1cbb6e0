export {
  type ReferenceExecutor,
  type ReferenceTensor,
  referenceExecutor,
} from './reference/executor.ts';
export { compileModel, type CompiledPlan, type CompiledOperation } from './compile/compile.ts';
