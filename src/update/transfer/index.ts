export type { AnswerTimeouts } from './answer-timer.ts';
export { type CutArtifact, cutIntoArtifact } from './artifact.ts';
export type { BlockSource, Deliver, Verdict } from './block-source.ts';
export { ChunkStore, type ChunkStoreOptions } from './chunk-store.ts';
export {
  type DocumentTarget,
  type FetchOptions,
  fetchArtifact,
  fetchDocument,
  type TransferProgress,
} from './fetch-artifact.ts';
export {
  FetchPlan,
  MAX_FRUITLESS_CONNECTIONS,
  MAX_REFUSALS,
  MAX_TRIES,
  WINDOW_CHUNKS,
} from './fetch-plan.ts';
export { MqttBlockSource, type MqttBlockSourceOptions } from './mqtt-block-source.ts';
