import test from 'ava';
import fc from 'fast-check';
import { buildModel, compileCase, oracleProblem, randomModel } from './random-model.ts';

const GRAPHS = 200;

test('plans of random models compute what the reference kernels do', (t) => {
  fc.assert(
    fc.property(randomModel, (description) => {
      const problem = oracleProblem(compileCase(buildModel(description), 2, description.seed));
      if (problem !== undefined) throw new Error(problem);
    }),
    { numRuns: GRAPHS },
  );
  t.pass();
});
