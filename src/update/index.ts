export * from './documents.ts';
export * from './slots/index.ts';
export * from './transfer/index.ts';
export * from './trust/index.ts';
