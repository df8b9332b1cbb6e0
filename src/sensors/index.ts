export * from './source.ts';
export * from './window.ts';
