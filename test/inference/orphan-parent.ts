/** Started by orphan.test.ts: loads a model, says the child's process id, and waits to be killed. */
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { Sandbox } from '../../src/inference/index.ts';
import { firstElementModel } from './models.ts';

const sandbox = await Sandbox.load({
  model: firstElementModel(16),
  what: 'orphan',
  path: 'stock',
  clock: systemClock,
  logger: silentLogger,
});
process.stdout.write(`${sandbox.pid}\n`);
