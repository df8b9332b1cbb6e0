export * from './documents.ts';
export * from './health.ts';
export * from './histogram.ts';
export * from './receiver.ts';
export * from './reporter.ts';
export * from './wire.ts';
