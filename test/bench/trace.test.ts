import test from 'ava';
import { TraceReader } from '../../bench/mcu/trace.ts';

/**
 * A loop of two blocks in engine_run, called from outside; the second run of the first block is
 * stopped once.
 */
const LOG = `----------------
IN: caller
0x00000200:  f7ff fffe  bl       #0x100

Trace 0: 0x7f0 [00800408/00000200/00000110/ff000200] caller
----------------
IN: engine_run
0x00000100:  2002       movs     r0, #2
0x00000102:  e7ff       b        #0x104

Trace 0: 0x7f1 [00800408/00000100/00000110/ff000200] engine_run
----------------
IN: engine_run
0x00000104:  6801       ldr      r1, [r0]
0x00000106:  3801       subs     r0, #1
0x00000108:  d1fc       bne      #0x104

Trace 0: 0x7f2 [00800408/00000104/00000110/ff000200] engine_run
Trace 0: 0x7f2 [00800408/00000104/00000110/ff000200] engine_run
Stopped execution of TB chain before 0x7f2 [00000104] engine_run
Trace 0: 0x7f2 [00800408/00000104/00000110/ff000200] engine_run
----------------
IN: engine_run
0x0000010a:  4770       bx       lr

Trace 0: 0x7f3 [00800408/0000010a/00000110/ff000200] engine_run
Trace 0: 0x7f0 [00800408/00000200/00000110/ff000200] caller`;

test('counts blocks inside the engine, taken branches, and no block that was stopped', (t) => {
  const reader = new TraceReader({ start: 0x100, end: 0x200, run: 0x100, runStep: 0x180 });
  for (const line of LOG.split('\n')) reader.read(line);
  const { run, functions, steps } = reader.result();
  t.is(run.instructions, 2 + 2 * 3 + 1);
  t.is(run.memory, 2);
  // The loop's own branch and the return; the one to the next instruction refills nothing here.
  t.is(run.refill, 2 * 2);
  t.is(run.cycles, 9 + 2 + 4);
  t.deepEqual(
    functions.map(({ name }) => name),
    ['engine_run'],
  );
  t.deepEqual(steps, []);
});
