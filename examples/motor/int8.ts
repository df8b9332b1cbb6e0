/** The int8 file of a float one, by the quantizer that users have: `dunlin optimize` with its defaults. */
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { sandboxLoader } from '../../src/inference/index.ts';
import { DEFAULT_SETTINGS, optimize, toSampleSet } from '../../src/optimize/index.ts';
import { AXES, WINDOW_SAMPLES, type WindowSet } from './simulate.ts';

export interface Int8File {
  readonly bytes: Uint8Array;
  /** How the ranges were chosen, and what the others would have given. */
  readonly ranges: string;
}

const INPUT = { name: 'vibration_g', shape: [1, WINDOW_SAMPLES, 1, AXES] };
/** A report says which machine measured its latencies; no report leaves this file. */
const NO_MACHINE = { cpu: '', cores: 0, architecture: '', node: '', dunlin: '' };

/** Equal bytes from equal bytes: the latencies that are measured on the way decide nothing here. */
export async function toInt8File(
  float: Uint8Array,
  what: string,
  { windows, count }: WindowSet,
): Promise<Int8File> {
  const raw = { values: windows, sourceCount: count };
  const calibration = toSampleSet(raw, INPUT, {
    source: 'calibration windows',
    use: 'calibration',
  });
  const { report, files } = await optimize({
    model: float,
    what,
    calibration: [calibration],
    settings: DEFAULT_SETTINGS,
    budget: {},
    machine: NO_MACHINE,
    nowMs: 0,
    load: sandboxLoader({ clock: systemClock, logger: silentLogger }),
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  return { bytes: files.get('int8.tflite')!, ranges: report.calibration.ranges };
}
