export * from './agent.ts';
export * from './config.ts';
export * from './golden-gate.ts';
export * from './identity.ts';
export type { OpenLine, OpenLineOptions } from './microcontrollers/open-microcontrollers.ts';
export * from './update-plan.ts';
