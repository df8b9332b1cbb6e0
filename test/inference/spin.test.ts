import test from 'ava';
import fc from 'fast-check';
import { SpinJudge } from '../../src/inference/spin.ts';

test('one wait that pays is followed by the next at once; waits in vain become rare, never none', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (outcomes) => {
      const judge = new SpinJudge();
      let vain = 0;
      for (const paid of outcomes) {
        let skipped = 0;
        while (!judge.worth()) skipped += 1;
        t.is(skipped, vain === 0 ? 0 : Math.min(64, 2 ** (vain - 1)));
        judge.note(paid);
        vain = paid ? 0 : vain + 1;
      }
    }),
  );
});
