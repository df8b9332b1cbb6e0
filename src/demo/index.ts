export * from './broker.ts';
export * from './demo.ts';
export { GATEWAY_STEPS, STEPS } from './steps.ts';
export type { Step, StepResult, Tour } from './tour.ts';
export * from './view.ts';
