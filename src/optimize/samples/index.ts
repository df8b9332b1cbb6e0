export { MAX_IMAGE_FILE_BYTES, MAX_IMAGE_PIXELS } from './image-samples.ts';
export { MAX_LABEL, readLabels } from './labels.ts';
export { readSamples, toSampleSet } from './read-samples.ts';
export {
  type ImageRange,
  MAX_SAMPLE_BYTES,
  MAX_SAMPLES,
  type SampleInput,
  type SampleOptions,
  type SampleSet,
} from './sample-set.ts';
