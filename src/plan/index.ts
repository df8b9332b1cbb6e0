export {
  type ReferenceExecutor,
  type ReferenceTensor,
  referenceExecutor,
} from './reference/executor.ts';
