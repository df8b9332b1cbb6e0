import type { ExecutionContext } from 'ava';
import type { DemoReport } from '../../src/demo/index.ts';

/** What the tour, or so many of its steps, promises, whatever the broker. */
export function expectTour(t: ExecutionContext, report: DemoReport, steps?: number): void {
  t.deepEqual(
    report.steps.map(({ name, ok, reason }) => [name, ok, reason]),
    [
      ['v1-active', true, 'committed'],
      ['v2-takes-over', true, 'committed'],
      ['v3-refused', true, 'golden-mismatch'],
      ['v4-refused', true, 'digest-mismatch'],
      ['v5-refused', true, 'untrusted-signature'],
      ['agent-killed', true, 'resumed'],
      ['broker-killed', true, 'caught-up'],
      ['mcu-installed', true, 'committed'],
      ['mcu-model-updated', true, 'committed'],
      ['mcu-model-refused', true, 'golden-mismatch'],
      ['mcu-power-cut', true, 'recovered'],
    ].slice(0, steps),
  );
  t.is(report.droppedInferences, 0);
  t.true(report.inferences > 50, `${report.inferences} inferences`);
  t.true(report.telemetrySent > 20, `${report.telemetrySent} messages`);
  t.is(report.telemetryReceived, report.telemetrySent);
  t.true(report.chunksFetchedAfterRestart > 0);
  t.true(report.chunksFetchedAfterRestart < report.chunksTotal);
}
