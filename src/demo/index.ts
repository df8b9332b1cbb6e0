export * from './broker.ts';
export * from './demo.ts';
export { STEPS, type Step, type StepResult, type Tour } from './steps.ts';
export * from './view.ts';
