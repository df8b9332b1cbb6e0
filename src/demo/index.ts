export * from './broker.ts';
export * from './demo.ts';
export { STEPS } from './steps.ts';
export type { Step, StepResult, Tour } from './tour.ts';
export * from './view.ts';
