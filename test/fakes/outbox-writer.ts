import { silentLogger, systemClock } from '../../src/core/index.ts';
import { Outbox } from '../../src/link/index.ts';

/** A process to be killed: fills an outbox for ever and prints what was acknowledged as durable. */
const dir = process.argv[2];
if (dir === undefined) throw new Error('usage: outbox-writer DIR');
const outbox = await Outbox.open({
  dir,
  maxEntries: 100_000,
  maxBytes: 100_000_000,
  clock: systemClock,
  logger: silentLogger,
});
for (let index = 0; ; index++) {
  // Four at a time, so that a kill also hits a write that several share.
  await Promise.all(
    [0, 1, 2, 3].map(async (lane) => {
      const payload = `${index * 4 + lane}`;
      const sequence = await outbox.enqueue('t', payload);
      process.stdout.write(`${sequence} ${payload}\n`);
    }),
  );
}
