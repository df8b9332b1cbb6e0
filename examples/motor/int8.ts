/** The int8 file of a float one, by the quantizer that users have: `dunlin optimize` with its defaults. */
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { sandboxLoader } from '../../src/inference/index.ts';
import {
  DEFAULT_SETTINGS,
  machineFacts,
  modelInputs,
  optimize,
  toSampleSet,
} from '../../src/optimize/index.ts';
import type { WindowSet } from './simulate.ts';

export interface Int8File {
  readonly bytes: Uint8Array;
  /** How the ranges were chosen, and what the others would have given. */
  readonly ranges: string;
}

/** Equal bytes from equal bytes: time and latencies are in the report alone, and the report stays here. */
export async function toInt8File(
  float: Uint8Array,
  what: string,
  { windows, count }: WindowSet,
): Promise<Int8File> {
  const [input] = modelInputs(float, what);
  const raw = { values: windows, sourceCount: count };
  const origin = { source: 'calibration windows', use: 'calibration' } as const;
  const { report, files } = await optimize({
    model: float,
    what,
    calibration: [toSampleSet(raw, input!, origin)],
    settings: DEFAULT_SETTINGS,
    budget: {},
    machine: machineFacts(),
    nowMs: systemClock.nowMs(),
    load: sandboxLoader({ clock: systemClock, logger: silentLogger }),
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  return { bytes: files.get('int8.tflite')!, ranges: report.calibration.ranges };
}
