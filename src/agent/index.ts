export * from './agent.ts';
export * from './config.ts';
export * from './golden-gate.ts';
export * from './identity.ts';
export { evidenceBetween, type McuEvidence } from './microcontrollers/mcu-evidence.ts';
export type { McuKeeper } from './microcontrollers/mcu-keeper.ts';
export {
  type McuDependencies,
  type OpenLine,
  type OpenLineOptions,
  openMicrocontrollers,
} from './microcontrollers/open-microcontrollers.ts';
export {
  Rollout,
  type RolloutMember,
  type RolloutRefusal,
  refusalOf,
} from './microcontrollers/rollout.ts';
export { Turns } from './turns.ts';
export * from './update-plan.ts';
